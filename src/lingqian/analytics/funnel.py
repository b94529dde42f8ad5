"""The funnel: how far people come on the way to a top-up, by day and segment (漏斗).

Law: a passage counts at every step up to the furthest it has reached, so that a step lost on the
way never makes the funnel grow; PAID and later are the ledger's word.
Units: fen; µs; ppm.   Source: top-up reference §14.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from lingqian.analytics.segment import Segment, segment_of
from lingqian.analytics.step import LADDER, BehaviourEvent, Step
from lingqian.kernel.clock import SECOND_US, business_day

PPM: Final = 1_000_000
# An abandonment is a sheet that was asked for and not credited within this.
PATIENCE_US: Final = 30 * 60 * SECOND_US


class Outcome(NamedTuple):
    """What the ledger knows of an order. Times are 0 for never.

    `is_risk` : stopped by the gate or returned by a person, which is no abandonment.
    """

    user_id: bytes
    amount_fen: int
    scene: str
    is_paid: bool
    is_by_channel: bool
    is_risk: bool
    credited_at_us: int
    first_spend_us: int


class Passage(NamedTuple):
    """One way through the funnel: everything with one trace."""

    user_id: bytes
    day: int
    reached: Step
    quoted_us: int
    is_invoked: bool
    is_credited_in_time: bool
    is_risk: bool
    cancel_reason: str


class Row(NamedTuple):
    """One line of the report: a segment on a day, or over all days (day 0).

    `reached` counts passages per step of LADDER. `credited` and `payers` count orders and people,
    whether or not a page told of them.
    """

    day: int
    segment: Segment
    reached: tuple[int, ...]
    cancelled: Mapping[str, int]
    asked: int
    abandoned: int
    credited: int
    payers: int
    credited_fen: int
    by_channel: int
    by_channel_fen: int

    @property
    def abandonment_ppm(self) -> int | None:
        """Of the sheets asked for, the part that was not credited in time; None for no sheets."""
        return _ppm(self.abandoned, self.asked)

    @property
    def penetration_ppm(self) -> int | None:
        """Of the credited orders, the part paid through a channel."""
        return _ppm(self.by_channel, self.credited)

    @property
    def penetration_amount_ppm(self) -> int | None:
        """The same by amount."""
        return _ppm(self.by_channel_fen, self.credited_fen)

    @property
    def orders_per_payer_ppm(self) -> int | None:
        """Credited orders of each person who has one, times a million."""
        return _ppm(self.credited, self.payers)


def _ppm(part: int, whole: int) -> int | None:
    return part * PPM // whole if whole else None


def passages(events: Iterable[BehaviourEvent], outcomes: Mapping[bytes, Outcome]) -> list[Passage]:
    """Put steps together by trace, and each passage with what became of its orders."""
    by_trace: dict[bytes, list[BehaviourEvent]] = defaultdict(list)
    for event in events:
        by_trace[event.trace].append(event)
    return [_passage(sorted(found, key=_when), outcomes) for found in by_trace.values()]


def _when(event: BehaviourEvent) -> tuple[int, int]:
    return event.at_us, event.step


def _passage(events: list[BehaviourEvent], outcomes: Mapping[bytes, Outcome]) -> Passage:
    first = events[0]
    orders = {each.order_id for each in events if each.order_id}
    known = [outcomes[each] for each in orders if each in outcomes]
    seen = [Step(each.step) for each in events if each.step != Step.CANCEL]
    quoted_us = min((each.at_us for each in events if each.step == Step.QUOTE), default=0)
    reasons = [each.reason for each in events if each.step == Step.CANCEL]
    return Passage(
        first.user_id,
        business_day(first.at_us),
        max([*seen, *map(_proven, known)], default=Step.PLAN_VIEW),
        quoted_us,
        any(each >= Step.INVOKE for each in seen),
        any(each.credited_at_us and _in_time(each, quoted_us) for each in known),
        any(each.is_risk for each in known),
        reasons[-1] if reasons else "",
    )


def _in_time(outcome: Outcome, quoted_us: int) -> bool:
    return outcome.credited_at_us <= quoted_us + PATIENCE_US


def _proven(outcome: Outcome) -> Step:
    if outcome.first_spend_us:
        return Step.FIRST_SPEND
    if outcome.credited_at_us:
        return Step.CREDITED
    return Step.PAID if outcome.is_paid else Step.QUOTE


def segments(events: Iterable[BehaviourEvent]) -> dict[tuple[bytes, int], Segment]:
    """Return the segment of every person on every day with a step."""
    scenes: dict[tuple[bytes, int], list[str]] = defaultdict(list)
    for event in events:
        scenes[event.user_id, business_day(event.at_us)].append(event.scene)
    return {key: segment_of(found) for key, found in scenes.items()}


class _Tally:
    """What one row of the report is counted from."""

    def __init__(self) -> None:
        self.reached = dict.fromkeys(LADDER, 0)
        self.cancelled: dict[str, int] = defaultdict(int)
        self.asked = self.abandoned = 0
        self.orders: list[Outcome] = []

    def add(self, passage: Passage) -> None:
        for step in LADDER:
            self.reached[step] += step <= passage.reached
        if passage.cancel_reason:
            self.cancelled[passage.cancel_reason] += 1
        if passage.quoted_us and passage.is_invoked and not passage.is_risk:
            self.asked += 1
            self.abandoned += not passage.is_credited_in_time

    def row(self, day: int, segment: Segment) -> Row:
        by_channel = [each for each in self.orders if each.is_by_channel]
        return Row(
            day,
            segment,
            tuple(self.reached.values()),
            dict(sorted(self.cancelled.items())),
            self.asked,
            self.abandoned,
            len(self.orders),
            len({each.user_id for each in self.orders}),
            sum(each.amount_fen for each in self.orders),
            len(by_channel),
            sum(each.amount_fen for each in by_channel),
        )


def funnel(
    events: list[BehaviourEvent], outcomes: Mapping[bytes, Outcome], days: range
) -> tuple[Row, ...]:
    """Return the report: each day's segments, then each segment over all days as day 0.

    Of `events` and `outcomes` only what falls on one of the days counts: a passage on the day of
    its first step, an order on the day it was credited.
    """
    kinds = segments(events)
    tallies: dict[tuple[int, Segment], _Tally] = defaultdict(_Tally)
    for passage in passages(events, outcomes):
        if passage.day in days:
            segment = kinds[passage.user_id, passage.day]
            tallies[passage.day, segment].add(passage)
            tallies[0, segment].add(passage)
    for outcome in outcomes.values():
        day = business_day(outcome.credited_at_us)
        if outcome.credited_at_us and day in days:
            segment = kinds.get((outcome.user_id, day)) or segment_of((outcome.scene,))
            tallies[day, segment].orders.append(outcome)
            tallies[0, segment].orders.append(outcome)
    last = days.stop
    ordered = sorted(tallies, key=lambda key: (key[0] or last, key[1]))
    return tuple(tallies[key].row(*key) for key in ordered)
