"""Reconciling is told: each type by some scenario, each row the same way twice, and none chokes."""

from pathlib import Path

import pytest

from lingqian.events import reconciled
from lingqian.events.envelope import TELLERS, tell
from lingqian.events.tail import Facts
from lingqian.flows.kind import BY_NUMBER
from lingqian.storage.codec import Row, decode
from play import play, read

FILE = Path(__file__).parents[2] / "scenario" / "clearing.txt"
JOURNAL = "SELECT lane, seq, at_us, kind, code, body FROM journal ORDER BY lane, seq"


def told_by(scenario):
    """Play a scenario and tell its whole journal, twice."""
    world = play(scenario, 1, laws=str)
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
    """Everything that the scenarios of clearing tell."""
    return [each for scenario in read(FILE) for each in told_by(scenario)]


def test_every_kind_of_row_can_be_told():
    """One that cannot stops every stream and every webhook at that row, for ever."""
    assert {kind.command for kind in BY_NUMBER.values()} == set(TELLERS)


def test_every_type_is_told_by_some_scenario(told):
    """A type that nothing tells is a promise to nobody."""
    assert {each.type for each in told} == set(reconciled.TYPES)


def test_a_closed_day_tells_what_it_was_closed_with(told):
    """Who keeps the result's digest can later ask for the very same day."""
    closed = [each.data for each in told if each.type == "day.closed.v1"]
    assert {(each["account"], each["closed_by"]) for each in closed} == {("wx", "amy")}
    assert {each["day"] for each in closed} >= {"2026-02-17", "2026-02-18"}
    assert {each["carried"] for each in closed} == {0, 1}
    assert all(len(bytes.fromhex(each["result_sha256"])) == 32 for each in closed)


def test_a_difference_is_found_before_it_is_resolved(told):
    """What waits is told with its owner; what a person ended, with who it was."""
    found = [each.data for each in told if each.type == "difference.found.v1"]
    ended = [each.data for each in told if each.type == "difference.resolved.v1"]
    assert {each["state"] for each in found} == {"carried", "owned"}
    assert {each["state"] for each in ended} == {"agreed", "lapsed", "repaired", "resolved"}
    assert {each["decided_by"] for each in ended if each["state"] == "resolved"} >= {"amy", "bob"}
    urgent = {each["class"] for each in found if each["is_urgent"]}
    assert urgent == {"S1"}


def test_what_is_only_proposed_is_not_told():
    """Amy asks, bob agrees: one event, when it is booked."""
    (scenario,) = [each for each in read(FILE) if each.title.startswith("Where money moves")]
    types = [each.type for each in told_by(scenario)]
    assert types == ["difference.found.v1", "difference.resolved.v1"]
