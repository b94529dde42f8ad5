"""Forecast: who is about to pay, from what they did, and what a page should prepare (预加载预测).

A small linear model: each feature is a number a person can check, each weight is listed, and the
answer says how much each one has added. It prepares things; it decides nothing about money, price
or access.   Units: parts per million; hundredths of a logit for weights; µs.
Source: top-up reference §14, preloading. The weights are ours; `lingqian funnel --forecast`
compares them with what people did.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from lingqian.analytics.segment import Segment
from lingqian.analytics.step import BehaviourEvent, Step
from lingqian.kernel.clock import DAY_US, SECOND_US

PPM: Final = 1_000_000
RECENT_US: Final = 30 * 60 * SECOND_US
HISTORY_US: Final = 30 * DAY_US
VERSION: Final = 1


class History(NamedTuple):
    """What the ledger knows of a person: credited orders of thirty days, the last, coins left."""

    credited: int
    last_credited_us: int
    coins: int
    cheapest_coins: int


class Feature(NamedTuple):
    """One input: its name, what it means, and its weight in hundredths of a logit."""

    name: str
    meaning: str
    weight: int


# One row per input, in the order `features` returns them.
FEATURES: Final = (
    Feature("bias", "always 1: most visits end without a payment", -160),
    Feature("is_amount_selected", "an amount was chosen in the last half hour", 150),
    Feature("is_quoted", "a price was asked for in the last half hour", 120),
    Feature("plan_views", "looks at the price list in the last half hour, at most 5", 15),
    Feature("is_cancelled", "a passage was given up in the last half hour", -110),
    Feature("credited_orders", "top-ups of thirty days, at most 5", 25),
    Feature("is_recent_payer", "a top-up in the last day", 40),
    Feature("is_short_of_coins", "fewer coins than the smallest plan brings", 60),
    Feature("is_fan", "was in a live room today", 45),
    Feature("is_shopper", "was in a shop today", 20),
)
_COUNT_MAX: Final = 5


class Preparation(NamedTuple):
    """What a page may prepare, and from which probability on it is worth it."""

    name: str
    ppm_min: int
    meaning: str


# Opening a connection costs next to nothing; a channel order that nobody uses has to be closed
# again: with a conversion gained of 5 % and a margin of 30 fen, one of 0.75 fen pays from 0.5 on.
PREPARATIONS: Final = (
    Preparation("connection", 150_000, "resolve and connect to the cashier's hosts"),
    Preparation("quote", 300_000, "ask for the price of the plan chosen last"),
    Preparation("sheet", 500_000, "open the order and ask the channel for its sheet"),
)


class Part(NamedTuple):
    """How much one feature has added. Units: hundredths of a logit."""

    name: str
    value: int
    added: int


class Forecast(NamedTuple):
    """The probability of a payment within half an hour, and how it came about."""

    ppm: int
    parts: tuple[Part, ...]
    prepare: tuple[str, ...]


def features(
    events: Sequence[BehaviourEvent], history: History, segment: Segment, now_us: int
) -> tuple[int, ...]:
    """Return the inputs, in the order of FEATURES, from a person's steps of today."""
    recent = [Step(each.step) for each in events if now_us - each.at_us <= RECENT_US]
    is_recent_payer = 0 < now_us - history.last_credited_us <= DAY_US
    return (
        1,
        int(Step.AMOUNT_SELECT in recent),
        int(Step.QUOTE in recent),
        min(recent.count(Step.PLAN_VIEW), _COUNT_MAX),
        int(Step.CANCEL in recent),
        min(history.credited, _COUNT_MAX),
        int(is_recent_payer and history.credited > 0),
        int(history.coins < history.cheapest_coins),
        int(segment is Segment.FAN),
        int(segment is Segment.SHOPPER),
    )


def forecast(values: Sequence[int]) -> Forecast:
    """Return the probability for these inputs, with every part of it."""
    rows = [(row, value) for row, value in zip(FEATURES, values, strict=True)]
    parts = tuple([Part(row.name, value, row.weight * value) for row, value in rows])
    ppm = probability_ppm(sum(part.added for part in parts))
    prepare = tuple([each.name for each in PREPARATIONS if ppm >= each.ppm_min])
    return Forecast(ppm, parts, prepare)


def probability_ppm(hundredths: int) -> int:
    """Turn a sum of weights into a probability. No money is computed from it."""
    return round(PPM / (1 + math.exp(-hundredths / 100)))


class Bin(NamedTuple):
    """Forecasts of one tenth: how many, what was said on average, and what happened."""

    low_ppm: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    said_ppm: int
    paid_ppm: int


def calibration(cases: Sequence[tuple[int, bool]]) -> tuple[Bin, ...]:
    """Compare forecasts (ppm) with what came, by tenths; empty tenths are left out."""
    bins: list[Bin] = []
    for tenth in range(10):
        low = tenth * PPM // 10
        last = tenth == 9
        inside = [
            case for case in cases if low <= case[0] < low + PPM // 10 or (last and case[0] == PPM)
        ]
        if inside:
            paid = sum(is_paid for _, is_paid in inside)
            said = sum(ppm for ppm, _ in inside)
            bins.append(Bin(low, len(inside), said // len(inside), paid * PPM // len(inside)))
    return tuple(bins)


def discrimination_ppm(cases: Sequence[tuple[int, bool]]) -> int | None:
    """Return how often a payer was given more than one who did not pay (AUC); None without both.

    Ties count half.
    """
    paid = sorted(ppm for ppm, is_paid in cases if is_paid)
    not_paid = sorted(ppm for ppm, is_paid in cases if not is_paid)
    if not paid or not not_paid:
        return None
    won = below = upto = 0
    for ppm in paid:
        while below < len(not_paid) and not_paid[below] < ppm:
            below += 1
        while upto < len(not_paid) and not_paid[upto] <= ppm:
            upto += 1
        won += below + upto
    return won * PPM // (2 * len(paid) * len(not_paid))
