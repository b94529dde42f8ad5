"""Modes: what switches an account into bridging, what brings it back, and who may."""

import pytest

from lingqian.topup.mode import BY_PERSON, STEPS, Mode, Signals, due_event

CALM = Signals(steady_s=60)


@pytest.mark.parametrize(
    ("mode", "signals", "expected"),
    [
        (Mode.NORMAL, Signals(), ""),
        (Mode.NORMAL, Signals(are_routes_open=True), "degrade"),
        (Mode.NORMAL, Signals(silent_s=61), "degrade"),
        (Mode.NORMAL, Signals(silent_s=60), ""),
        # Nothing can be created and nothing is heard: the breakers are about to say so.
        (Mode.NORMAL, Signals(silent_s=61, is_creating=False), ""),
        (Mode.DEGRADED, CALM, "recover"),
        (Mode.DEGRADED, CALM._replace(steady_s=59), ""),
        (Mode.DEGRADED, CALM._replace(are_routes_open=True), ""),
        (Mode.UNWINDING, CALM, "finish"),
        (Mode.UNWINDING, CALM._replace(unasked=1), ""),
        (Mode.UNWINDING, CALM._replace(billed=1), "finish"),
        (Mode.UNWINDING, CALM._replace(unasked=1, billed=1), ""),
        (Mode.UNWINDING, CALM._replace(are_routes_open=True), ""),
        (Mode.FORCED_OFF, Signals(are_routes_open=True), ""),
        (Mode.FORCED_OFF, CALM, ""),
    ],
)
def test_due_event(mode, signals, expected):
    """Signals alone switch, with a reason; a person's word outlasts them."""
    event, why = due_event(mode, signals)
    assert event == expected
    assert bool(why) == bool(event)
    assert not event or (mode, event) in STEPS


def test_outage_does_not_begin_again_before_it_is_caught_up():
    """The line opens again only when the attempts of the outage have been asked about."""
    assert (Mode.UNWINDING, "degrade") not in STEPS
    assert [event for mode, event in STEPS if event in BY_PERSON and mode == 0] == ["force_off"]
