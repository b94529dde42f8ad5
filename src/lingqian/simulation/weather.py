"""Weather: what befalls the channels of an evening besides chance (天气).

A spell has a beginning and an end: hosts that are down, a clock that is wrong, a key that changes.
Units: seconds from the beginning of the evening; parts per thousand.
"""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

from lingqian.kernel.clock import SECOND_US
from lingqian.simulation.street import HOSTS, Street

EVENING_S: Final = 3_600
# Within a minute and a half signatures are still taken; beyond five minutes they are not.
_SKEW_S_MAX: Final = 90
_WRONG_S: Final = (330, 900)


class Weather(NamedTuple):
    """How bad it gets: slow answers and odd bills in a thousand, and how often each spell comes."""

    slow: int = 0
    odd: int = 0
    hosts: int = 0
    clocks: int = 0
    keys: int = 0


FAIR: Final = Weather()
STORMY: Final = Weather(slow=30, odd=400, hosts=2, clocks=1, keys=2)


class Spell(NamedTuple):
    """Something that befalls one account; `size` is of hosts, or of seconds a clock is ahead."""

    account: str
    what: str
    at_s: int
    lasts_s: int
    size: int = 0


def spells(chance: Random, accounts: Iterable[str], weather: Weather) -> Iterator[Spell]:
    """Draw the spells of an evening."""
    for account in accounts:
        for place in range(weather.hosts):
            size = 1 + place % HOSTS
            lasts_s = chance.randrange(60, 300)
            yield Spell(account, "host", chance.randrange(EVENING_S), lasts_s, size)
        for _ in range(weather.clocks):
            ahead_s = chance.choice((-1, 1)) * chance.randrange(*_WRONG_S)
            yield Spell(account, "clock", chance.randrange(EVENING_S), 480, ahead_s)
        for _ in range(weather.keys):
            yield Spell(account, "key", chance.randrange(EVENING_S), 0)


def begin(street: Street, spell: Spell) -> None:
    """Let a spell begin."""
    if spell.what == "host":
        street.down = max(street.down, spell.size)
    elif spell.what == "clock":
        street.skew_us = spell.size * SECOND_US
    else:
        street.rotate()


def end(street: Street, spell: Spell) -> None:
    """Let a spell end."""
    if spell.what == "host":
        street.down = 0
    elif spell.what == "clock":
        street.skew_us = 0


def set_out(street: Street, chance: Random, weather: Weather) -> None:
    """Make a street what it is like all evening: how slow, and how exact its clock is."""
    street.slow, street.odd = weather.slow, weather.odd
    if weather.clocks:
        street.skew_us = chance.randrange(-_SKEW_S_MAX, _SKEW_S_MAX) * SECOND_US


def clear(street: Street) -> None:
    """Let it be fair again: every host answers at once, and clocks agree; bills stay odd."""
    street.down = street.slow = street.skew_us = 0
