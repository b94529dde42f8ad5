"""Money that comes in is told: each type by some scenario, and each row the same way twice."""

from pathlib import Path

import pytest

from lingqian.events import incoming
from lingqian.events.envelope import TYPES, tell
from lingqian.events.tail import Facts
from lingqian.storage.codec import Row, decode
from play import play, read

FILE = Path(__file__).parents[2] / "scenario" / "topup.txt"
JOURNAL = "SELECT lane, seq, at_us, kind, code, body FROM journal ORDER BY lane, seq"


def told_by(scenario):
    """Play a scenario and tell its whole journal, twice."""
    world = play(scenario, 4, laws=str)
    facts = Facts(world.connection)
    rows = [decode(Row(*line)) for line in world.connection.execute(JOURNAL).fetchall()]
    once, again = (
        [each for record, posted in rows for each in tell(record, posted, facts)] for _ in range(2)
    )
    world.close()
    assert once == again
    return once


@pytest.fixture(scope="module")
def told():
    """Everything that the scenarios of top-up tell."""
    return [each for scenario in read(FILE) for each in told_by(scenario)]


def test_every_type_of_money_in_is_told_by_some_scenario(told):
    """A type that nothing tells is a promise to nobody."""
    types = {each.type for each in told}
    assert {*incoming.TYPES, "packet.funding.v1", "packet.sent.v1"} <= types <= set(TYPES)


def test_an_order_is_told_as_credited_at_most_once(told):
    """A listener that delivers goods on this event must be able to trust it."""
    credited = [each.subject for each in told if each.type == "topup.credited.v1"]
    assert len(credited) > 10
    # Subjects repeat from scenario to scenario, for names make the ids: count within each.
    for scenario in read(FILE):
        subjects = [each.subject for each in told_by(scenario) if each.type == "topup.credited.v1"]
        assert len(subjects) == len(set(subjects)), scenario.title
