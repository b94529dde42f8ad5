"""The carrier: its parts go on behind what fails, and who watches sees which of them do not."""

import threading

import pytest

from lingqian.events import carrier
from lingqian.events.carrier import Carrier, Part
from lingqian.events.tally import Tally
from lingqian.kernel.fault import Unsent


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(carrier, "AGAIN_AFTER_S", 0.0)


def test_a_part_that_fails_is_seen_to_fail_until_it_goes_on(caplog):
    """An outage is one line of the log, and all of it a metric."""
    tally, stop, seen = Tally("events_out"), threading.Event(), []

    def once():
        seen.append(tally.is_failing)
        if len(seen) in {2, 3}:
            raise Unsent("no broker answers")
        if len(seen) == 5:
            stop.set()
        return 0.0

    carrier._go_on(tally, once, stop)
    assert seen == [False, False, True, True, False]
    assert not tally.is_failing
    told = [each.getMessage() for each in caplog.records]
    assert told[0] == "events out: Unsent: no broker answers"
    assert told[1].startswith("events out: goes on after")
    assert len(told) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_part_that_a_mistake_ends_is_seen_to_stand():
    """Nobody would miss a thread that is no more, but for what it does not carry."""
    tally, other = Tally("relay_in"), Tally("relay_out")

    def breaks(_):
        raise ZeroDivisionError

    made = Carrier([Part(tally, breaks), Part(other, threading.Event.wait)])
    made.start()
    made.stop()
    assert (tally.is_failing, other.is_failing) == (True, False)
