"""How long a soak lasts and what it may cost: a minute in the suite, an hour when asked in full.

`LINGQIAN_SOAK` is `full`, or `minutes:N` for a length of one's own.   Units: seconds; bytes.
"""

import os
from typing import NamedTuple

PEOPLE = 40
QUICK_S = 40
FULL_S = 3_600
MIB = 1 << 20


class Size(NamedTuple):
    """How long everybody lives, what of it is warming up, and what memory may grow by after it.

    The bounds are for the whole of the judged time, so a longer soak is a stricter one.
    """

    live_s: int
    warm_s: int
    server_rise_max: int = 24 * MIB
    page_rise_max: int = 4 * MIB


def size_of(word):
    """Return the size that a word of the environment asks for."""
    name, _, number = word.partition(":")
    if name == "full":
        return sized(FULL_S)
    if name == "minutes" and number.isdigit() and int(number):
        return sized(60 * int(number))
    assert not word, f"LINGQIAN_SOAK is `full` or `minutes:N`, not {word!r}"
    return sized(QUICK_S)


def sized(live_s):
    """Return a size: caches fill at first, which is no leak; a quarter of the time is for that."""
    return Size(live_s, live_s // 4)


SIZE = size_of(os.environ.get("LINGQIAN_SOAK", ""))
