"""The forecast: every input has a meaning and a weight, and the sum is the answer."""

import pytest

from lingqian.analytics.forecast import (
    FEATURES,
    PREPARATIONS,
    Bin,
    History,
    calibration,
    discrimination_ppm,
    features,
    forecast,
    probability_ppm,
)
from lingqian.analytics.segment import Segment
from lingqian.analytics.step import BehaviourEvent, Step
from lingqian.kernel.clock import DAY_US, SECOND_US

NOW_US = 1_790_000_000 * SECOND_US
NOBODY = History(0, 0, 100, 60)


def step(name, ago_s=10):
    """Return a step some seconds ago."""
    at_us = NOW_US - ago_s * SECOND_US
    return BehaviourEvent(0, at_us, b"", "", at_us, "", Step[name], b"t", b"ann")


def values(*events, history=NOBODY, segment=Segment.ORDINARY):
    """Return the inputs by name."""
    found = features(events, history, segment, NOW_US)
    return {row.name: value for row, value in zip(FEATURES, found, strict=True)}


def test_each_input_says_what_it_means():
    """A person can check every one of them."""
    assert values() == {row.name: int(row.name == "bias") for row in FEATURES}
    assert values(step("AMOUNT_SELECT"))["is_amount_selected"] == 1
    assert values(step("QUOTE"))["is_quoted"] == 1
    assert values(step("QUOTE", 1_801))["is_quoted"] == 0
    assert values(*[step("PLAN_VIEW")] * 9)["plan_views"] == 5
    assert values(step("CANCEL"))["is_cancelled"] == 1
    assert values(segment=Segment.FAN)["is_fan"] == 1
    assert values(segment=Segment.SHOPPER)["is_shopper"] == 1
    payer = History(9, NOW_US - DAY_US, 59, 60)
    assert values(history=payer)["credited_orders"] == 5
    assert values(history=payer)["is_recent_payer"] == 1
    assert values(history=payer)["is_short_of_coins"] == 1
    assert (
        values(history=payer._replace(last_credited_us=NOW_US - DAY_US - 1))["is_recent_payer"] == 0
    )


def test_the_parts_are_the_whole():
    """The answer is the sum of what is listed, and nothing besides."""
    found = forecast(tuple(range(len(FEATURES))))
    assert sum(part.added for part in found.parts) == sum(
        place * row.weight for place, row in enumerate(FEATURES)
    )
    assert found.ppm == probability_ppm(sum(part.added for part in found.parts))
    assert [part.name for part in found.parts] == [row.name for row in FEATURES]


@pytest.mark.parametrize(
    ("hundredths", "ppm"), [(0, 500_000), (100, 731_059), (-100, 268_941), (90_000, 1_000_000)]
)
def test_a_probability_follows_the_logistic_curve(hundredths, ppm):
    """From a table of the function."""
    assert probability_ppm(hundredths) == ppm


def test_more_likely_prepares_more():
    """Who only looks gets a connection at most; who has asked for a price gets a sheet."""
    idle = forecast(features((), NOBODY, Segment.ORDINARY, NOW_US))
    eager = (step("PLAN_VIEW"), step("AMOUNT_SELECT"), step("QUOTE"))
    ready = forecast(features(eager, NOBODY, Segment.ORDINARY, NOW_US))
    gone = forecast(features((*eager, step("CANCEL")), NOBODY, Segment.ORDINARY, NOW_US))
    assert idle.prepare in ((), ("connection",))
    assert ready.prepare == ("connection", "quote", "sheet")
    assert gone.ppm < ready.ppm
    limits = [each.ppm_min for each in PREPARATIONS]
    assert limits == sorted(limits)


def test_calibration_and_discrimination():
    """What was said beside what came; a forecast that knows nothing is right half of the time."""
    cases = [(50_000, False), (60_000, True), (950_000, True), (1_000_000, True)]
    assert calibration(cases) == (Bin(0, 2, 55_000, 500_000), Bin(900_000, 2, 975_000, 1_000_000))
    assert discrimination_ppm(cases) == 1_000_000
    assert discrimination_ppm([(5, True), (5, False)]) == 500_000
    assert discrimination_ppm([(1, True), (5, False)]) == 0
    assert discrimination_ppm([(1, True)]) is None
    assert calibration([]) == ()
