"""What fails again and again is told once, and once that it is over."""

import logging

import pytest

from lingqian.kernel.fault import Unknown, Unsent
from lingqian.storage.trouble import Trouble

LOG = logging.getLogger("lingqian.test")


@pytest.fixture
def lines(caplog):
    """The lines that were told so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: [each.getMessage().partition(" after ")[0] for each in caplog.records]


def test_each_class_is_told_once_an_outage(lines):
    """The second line of a class says nothing that the first did not."""
    trouble = Trouble(LOG, "sweep")
    trouble.over()
    for fault in (Unsent("away"), Unsent("still away"), Unknown("cut"), Unsent("away")):
        trouble.failed(fault)
    assert lines() == ["sweep: Unsent: away", "sweep: Unknown: cut"]
    trouble.over()
    trouble.over()
    assert lines()[2:] == ["sweep: goes on"]
    trouble.failed(Unsent("away again"))
    assert lines()[3:] == ["sweep: Unsent: away again"]


def test_it_is_over_when_none_of_several_fails(lines):
    """Else one endpoint that is well would end, line by line, what another goes through."""
    trouble = Trouble(LOG, "webhooks")
    trouble.failed(Unsent("away"), "a")
    trouble.failed(Unsent("away"), "b")
    trouble.over("a")
    assert lines() == ["webhooks: Unsent: away"]
    trouble.left("b")
    assert lines() == ["webhooks: Unsent: away"], "to be taken away is no success"
    trouble.over("a")
    assert lines()[1:] == ["webhooks: goes on"]
