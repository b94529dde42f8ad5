"""How large a festival is: small when it is tried out, a hundred thousand opens when asked in full.

`LINGQIAN_FESTIVAL` is `full`, or `opens:N` for a size of one's own. `LINGQIAN_FESTIVAL_RELAY` is
what carries money between lanes: `kafka`, or `store`.   Units: seconds.
"""

import os
from typing import NamedTuple

from lingqian.kernel.bound import BEAT_S_DEFAULT, LEASE_S_DEFAULT

OPENERS = 50
SHARES = 40
QUICK_OPENS = 1_000
FULL_OPENS = 100_000
LANES = 16
# Each way of dying has its turn before the first comes again.
TURN_OPENS = 25_000


class Timing(NamedTuple):
    """How long a process lives after it said that it does, and how often it says so."""

    life_s: int = LEASE_S_DEFAULT
    beat_s: int = BEAT_S_DEFAULT


class Size(NamedTuple):
    """How many people open how many packets, how often everything is killed, and the leases."""

    people: int
    packets: int
    turns: int
    timing: Timing
    bound_s: int

    @property
    def opens(self):
        """How many openings are answered in all."""
        return self.packets * OPENERS


def size_of(word):
    """Return the size that a word of the environment asks for."""
    name, _, number = word.partition(":")
    if name == "full":
        return sized(FULL_OPENS)
    if name == "opens" and number.isdigit() and int(number) >= QUICK_OPENS:
        return sized(int(number))
    assert not word, f"LINGQIAN_FESTIVAL is `full` or `opens:N` from {QUICK_OPENS}, not {word!r}"
    return sized(QUICK_OPENS)._replace(timing=Timing(life_s=3, beat_s=1))


def sized(opens):
    """Return a size with the leases that the product has by default."""
    turns = max(1, opens // TURN_OPENS)
    people = max(2 * OPENERS, opens // 50)
    return Size(people, opens // OPENERS, turns, Timing(), 600 + opens // 10)


def relay_of(word):
    """Return what carries money between lanes."""
    assert word in {"kafka", "store"}, f"LINGQIAN_FESTIVAL_RELAY is `kafka` or `store`: {word!r}"
    return word


RELAY = relay_of(os.environ.get("LINGQIAN_FESTIVAL_RELAY", "kafka"))
SIZE = size_of(os.environ.get("LINGQIAN_FESTIVAL", ""))
