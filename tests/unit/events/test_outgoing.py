"""Money that goes out is told: each type by some scenario, and each row the same way twice."""

from collections import Counter
from pathlib import Path

import pytest

from lingqian.events import outgoing
from lingqian.events.envelope import TYPES, tell
from lingqian.events.tail import Facts
from lingqian.storage.codec import Row, decode
from play import play, read

FOLDER = Path(__file__).parents[2] / "scenario"
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
    """What each scenario of gifts, refunds and payouts tells."""
    files = [FOLDER / f"{name}.txt" for name in ("gift", "refund", "payout")]
    return [told_by(scenario) for file in files for scenario in read(file)]


def test_every_type_of_money_out_is_told_by_some_scenario(told):
    """A type that nothing tells is a promise to nobody."""
    types = {each.type for events in told for each in events}
    assert {*outgoing.TYPES, "refund.opened.v1", "case.opened.v1"} <= types <= set(TYPES)


def test_an_end_is_told_once(told):
    """A listener that frees goods or sends a message on it must be able to trust it."""
    ends = {"refund.succeeded.v1", "payout.succeeded.v1", "income.settled.v1", "gift.sent.v1"}
    for events in told:
        counted = Counter((each.type, str(each.data)) for each in events if each.type in ends)
        assert set(counted.values()) <= {1}


def test_nothing_personal_is_told(told):
    """Where a payout goes is sealed; not even its digest leaves."""
    for events in told:
        for each in events:
            assert not {"payee", "payee_mac", "reason", "reason_mac"} & set(each.data)
