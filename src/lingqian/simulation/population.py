"""A declared population: people of three kinds who look, choose, wait, pay or give up (模拟人群).

Everything here is an assumption, written down: how often people come, how far they go, how long
they wait for a cashier and how long its parts take. What follows from it for abandonment is
arithmetic on assumptions and is always labelled so; it says nothing about people who exist.
Units: ms; ppm; visits a month.   Source of the targets: mission, T7 and T8.
"""

import math
from collections.abc import Collection
from random import Random
from typing import Final, NamedTuple

from lingqian.analytics.segment import Segment

PPM: Final = 1_000_000


class Kind(NamedTuple):
    """One kind of person: how many of all, what they do at each step, and how long they wait.

    Chances are of the step before. `patience_ms` is the median of a log-normal with `spread`.
    `is_by_channel` of those who pay do it over the channel, the others from their balance.
    """

    segment: Segment
    scene: str
    share_ppm: int
    visits_a_month: float
    selects_ppm: int
    quotes_ppm: int
    invokes_ppm: int
    confirms_ppm: int
    spends_ppm: int
    by_channel_ppm: int
    patience_ms: int
    spread: float


KINDS: Final = (
    Kind(Segment.ORDINARY, "chat", 600_000, 1.5, 450_000, 800_000, 900_000, 860_000, 300_000,
         680_000, 2_860, 0.8),
    Kind(Segment.FAN, "live", 250_000, 10.4, 700_000, 900_000, 950_000, 950_000, 900_000,
         890_000, 4_180, 0.8),
    Kind(Segment.SHOPPER, "shop", 150_000, 8.4, 600_000, 850_000, 900_000, 910_000, 500_000,
         760_000, 3_500, 0.8),
)  # fmt: skip


class Part(NamedTuple):
    """One part of the way from the tap to the sheet: median and spread of a log-normal."""

    name: str
    median_ms: int
    spread: float


# `sheet` is the channel's order and the app's own opening; `show` cannot be prepared.
PARTS: Final = (
    Part("connection", 180, 0.4),
    Part("quote", 160, 0.4),
    Part("sheet", 560, 0.35),
    Part("show", 120, 0.3),
)
# What the texts hope for: abandonment of ordinary people, fans and shoppers, and orders a month.
TARGET_ABANDONMENT_PPM: Final = {
    Segment.ORDINARY: 230_000,
    Segment.FAN: 90_000,
    Segment.SHOPPER: 150_000,
}
DAYS_A_MONTH: Final = 30


class Person(NamedTuple):
    """One of the population, and whether their page prepares what it is told to."""

    number: int
    kind: Kind
    is_preloading: bool


def people(count: int, chance: Random) -> list[Person]:
    """Return a population: kinds by their share, every second of each kind with preloading."""
    kinds = chance.choices(KINDS, [each.share_ppm for each in KINDS], k=count)
    seen = dict.fromkeys(KINDS, 0)
    found = []
    for number, kind in enumerate(kinds):
        found.append(Person(number, kind, seen[kind] % 2 == 1))
        seen[kind] += 1
    return found


def visits(person: Person, chance: Random) -> int:
    """Return how often somebody comes on one day: a Poisson number by its definition."""
    limit, product, count = math.exp(-person.kind.visits_a_month / DAYS_A_MONTH), 1.0, -1
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def does(ppm: int, chance: Random) -> bool:
    """Say whether somebody goes on."""
    return chance.randrange(PPM) < ppm


def wait_ms(prepared: Collection[str], chance: Random) -> int:
    """Return how long the sheet lets itself be waited for, after the tap.

    Every part is drawn, prepared or not, so that both halves see the same chance.
    """
    drawn = {each.name: _log_normal(each.median_ms, each.spread, chance) for each in PARTS}
    return sum(took for name, took in drawn.items() if name not in prepared)


def patience_ms(kind: Kind, chance: Random) -> int:
    """Return how long somebody waits for a sheet before giving up."""
    return _log_normal(kind.patience_ms, kind.spread, chance)


def _log_normal(median: int, spread: float, chance: Random) -> int:
    return round(median * math.exp(spread * chance.gauss(0, 1)))
