"""An evening with an outage: the degrade path carries people through, and its absence shows."""

from functools import cache

import pytest

from lingqian.cli import outage
from lingqian.simulation.outage import ALL_STEPS, Evening, Outcome, ceiling_ppm, evening

TAPS = 300


@cache
def live(steps, blackout_s=60, seed=1):
    """Run an evening."""
    return Evening(seed, evening(TAPS, blackout_s, steps)).run()


def test_degrade_path_carries_people_through_an_outage():
    """Host, account, all of WeChat and all evidence fail in turn: nearly everybody is served."""
    outcome = live(ALL_STEPS)
    assert outcome.taps == TAPS
    # The bar of 998,000 is measured on a large evening; one person more or less decides here.
    assert outcome.success_ppm >= 990_000
    assert outcome.by["advance"] > 0


def test_without_the_path_an_outage_shows():
    """The control: one host, one account, no wallet and no line lose many more people."""
    bare, whole = live(frozenset()), live(ALL_STEPS)
    assert bare.success_ppm < 970_000 < whole.success_ppm
    assert not bare.by["advance"] + bare.by["wallet"]


@pytest.mark.parametrize("step", ["account", "advance"])
def test_no_step_does_harm(step):
    """Each step of the order helps or is idle; none of them loses a person."""
    assert live(ALL_STEPS).succeeded >= live(ALL_STEPS - {step}).succeeded - 1


def test_blackout_has_a_ceiling():
    """A minute costs less than the bar allows, three cost more: people without means are many."""
    assert ceiling_ppm(0) == ceiling_ppm(22) == 1_000_000
    assert ceiling_ppm(60) > outage.BAR_PPM > ceiling_ppm(180)


def test_figures_are_told_with_what_prevents_more(monkeypatch):
    """Both figures stand beside each other, and the bar is that of the shorter drill."""
    monkeypatch.setattr(outage, "BLACKOUTS_S", (20, 40))
    summary = outage.run(1, 40)
    told = outage.words(summary)
    assert told.count("with the degrade path") == told.count("without the degrade path") == 2
    assert "20 s without any channel" in told
    assert not outage.missed(summary)
    summary["evenings"][0]["with"]["success_ppm"] = outage.BAR_PPM - 1
    assert outage.missed(summary)


def test_parts_of_a_million_are_whole_numbers():
    """An evening without a tap has no success, and divides by nothing."""
    assert Outcome(0, 0, 0, {}).success_ppm == 0
    assert Outcome(3, 2, 1, {}).success_ppm == 666_666
    assert Outcome(3, 2, 1, {}).prompt_ppm == 333_333
