"""Shares: the earned price of a gift, parted between streamer and platform (分成).

Law: the parts are the whole, to the fen; what flooring leaves goes to the largest remainder.
Units: fen; ppm (millionths). No floats.
"""

from collections.abc import Sequence
from typing import Final

PPM: Final = 1_000_000


def parts(value_fen: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Part an amount by weights: floors first, then one fen each to the largest remainders.

    Equal remainders: the earlier part.
    """
    whole = sum(weights)
    assert value_fen >= 0, "money is never negative here"
    assert whole > 0, "somebody gets it"
    floors = [value_fen * weight // whole for weight in weights]
    remainders = [value_fen * weight % whole for weight in weights]
    ranked = sorted(range(len(weights)), key=lambda place: -remainders[place])
    for place in ranked[: value_fen - sum(floors)]:
        floors[place] += 1
    return tuple(floors)


def split(value_fen: int, streamer_ppm: int) -> tuple[int, int]:
    """Return the streamer's part of a gift and the platform's."""
    assert 0 <= streamer_ppm <= PPM, "a part of the whole"
    streamer_fen, platform_fen = parts(value_fen, (streamer_ppm, PPM - streamer_ppm))
    return streamer_fen, platform_fen
