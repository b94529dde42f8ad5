"""Chance from a seed: every id, nonce and fault of a run, so that a run repeats (随机).

Keys are not drawn here: a key pair has to be unpredictable, and no behaviour depends on its value.
"""

import random
import string
from typing import Final

_ALPHANUMERICS: Final = string.ascii_letters + string.digits
_HEX: Final = "0123456789abcdef"


class Chance:
    """A stream of choices; the same seed makes the same choices in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, guards nothing

    def digits(self, count: int) -> str:
        """Draw decimal digits."""
        return self._text(string.digits, count)

    def hex(self, count: int) -> str:
        """Draw lower-case hexadecimal digits."""
        return self._text(_HEX, count)

    def alphanumerics(self, count: int) -> str:
        """Draw letters and digits."""
        return self._text(_ALPHANUMERICS, count)

    def hits(self, probability: float) -> bool:
        """Say yes with this probability."""
        return self._random.random() < probability

    def below(self, bound: int) -> int:
        """Draw an integer in 0 … bound - 1."""
        return self._random.randrange(bound)

    def _text(self, letters: str, count: int) -> str:
        return "".join(self._random.choices(letters, k=count))
