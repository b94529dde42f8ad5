"""What fails again and again is told once, and once that it is over."""

import logging

import pytest

from lingqian.kernel.fault import Unknown, Unsent
from lingqian.storage.setback import Setback

LOG = logging.getLogger("lingqian.test")


@pytest.fixture
def lines(caplog):
    """The lines that were told so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: [each.getMessage().partition(" after ")[0] for each in caplog.records]


def test_each_class_is_told_once_an_outage(lines):
    """The second line of a class says nothing that the first did not."""
    setback = Setback(LOG, "sweep")
    setback.over()
    for fault in (Unsent("away"), Unsent("still away"), Unknown("cut"), Unsent("away")):
        setback.failed(fault)
    assert lines() == ["sweep: Unsent: away", "sweep: Unknown: cut"]
    setback.over()
    setback.over()
    assert lines()[2:] == ["sweep: goes on"]
    setback.failed(Unsent("away again"))
    assert lines()[3:] == ["sweep: Unsent: away again"]


def test_it_is_over_when_none_of_several_fails(lines):
    """Else one endpoint that is well would end, line by line, what another goes through."""
    setback = Setback(LOG, "webhooks")
    setback.failed(Unsent("away"), "a")
    setback.failed(Unsent("away"), "b")
    setback.over("a")
    assert lines() == ["webhooks: Unsent: away"]
    setback.left("b")
    assert lines() == ["webhooks: Unsent: away"], "to be taken away is no success"
    setback.over("a")
    assert lines()[1:] == ["webhooks: goes on"]
