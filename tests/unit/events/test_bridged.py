"""Bridging is told: each type by some scenario, each end once, the mode once for all lanes."""

from pathlib import Path

import pytest

from lingqian.events import bridged
from lingqian.events.envelope import TYPES, tell
from lingqian.events.tail import Facts
from lingqian.storage.codec import Row, decode
from play import play, read

FILE = Path(__file__).parents[2] / "scenario" / "advance.txt"
JOURNAL = "SELECT lane, seq, at_us, kind, code, body FROM journal ORDER BY lane, seq"


@pytest.fixture(scope="module")
def told():
    """What each scenario of advances tells, in four lanes."""
    found = []
    for scenario in read(FILE):
        world = play(scenario, 4, laws=str)
        facts = Facts(world.connection)
        rows = [decode(Row(*line)) for line in world.connection.execute(JOURNAL).fetchall()]
        found.append([each for record, posted in rows for each in tell(record, posted, facts)])
        world.close()
    return found


def test_every_type_is_told_by_some_scenario(told):
    """A type that nothing tells is a promise to nobody."""
    types = {each.type for events in told for each in events}
    assert set(bridged.TYPES) <= types <= set(TYPES)


def test_an_advance_is_told_from_its_gift_to_its_end(told):
    """Whoever shows people their coins follows these, and none of them comes before the gift."""
    ends = {"advance.confirmed.v1", "advance.clawed_back.v1"}
    for events in told:
        given = set()
        for each in events:
            if each.type == "advance.given.v1":
                given.add(each.subject)
            elif each.type in ends:
                assert each.subject in given
                given.remove(each.subject)


def test_a_switch_is_told_by_one_lane_only():
    """Every lane keeps the mode; a listener wants to hear of it once."""
    assert bridged._TELLING_LANE == 0
