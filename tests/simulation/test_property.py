"""The named properties against rows that break them: each check finds its own kind of lie."""

from collections import Counter

import pytest

from lingqian.channels.faulty import CALM
from lingqian.simulation import property as law
from lingqian.simulation.auditor import Violation
from lingqian.simulation.market import Market
from lingqian.simulation.process import PEACE
from lingqian.simulation.property import PROPERTIES
from lingqian.simulation.town import ACCOUNTS, Setting

HALF = (
    "UPDATE entries SET amount_fen = amount_fen + 1 "
    "WHERE (account, seq, leg) = (SELECT account, seq, leg FROM entries LIMIT 1)"
)


@pytest.fixture(scope="module")
def market():
    """A calm evening that has been lived through, its file still open."""
    made = Market(7, Setting(60, 1, CALM, PEACE))
    close, made.town.process.close = made.town.process.close, lambda: None
    made.run()
    yield made
    close()


@pytest.fixture
def connection(market):
    """The file, as it was again after each test; its own guards look away."""
    found = market.town.process.connection
    found.execute("PRAGMA ignore_check_constraints = ON")
    found.execute("SAVEPOINT lie")
    yield found
    found.execute("ROLLBACK TO lie")
    found.execute("RELEASE lie")


def test_every_property_has_been_looked_at(market):
    """A calm world has no crash; all else is met in it."""
    assert {name for name, count in market.town.checked.items() if count} == set(PROPERTIES) - {
        "P12"
    }


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("P3", "UPDATE accounts SET credits_posted = credits_posted + 1"),
        ("P4", "UPDATE grants SET paid_left = paid_left + 1"),
        ("P6", "UPDATE lines SET lost_fen = limit_fen + 1"),
        ("P6", "UPDATE lines SET open_fen = open_fen + 1"),
    ],
)
def test_snapshot_finds(connection, name, lie):
    """At any moment, not only at the end."""
    law.snapshot(connection, Counter())
    connection.execute(lie)
    with pytest.raises(Violation, match=name):
        law.snapshot(connection, Counter())


def test_entries_finds_half_a_posting(connection):
    """A side that moved alone."""
    law.entries(connection, Counter())
    connection.execute(HALF)
    with pytest.raises(Violation, match="P3"):
        law.entries(connection, Counter())


def test_booked_finds_money_that_no_transaction_shows(connection):
    """What a channel has and our books do not."""
    account = ACCOUNTS[0]
    paid = [number for (number,) in connection.execute("SELECT transaction_id FROM transactions")]
    with pytest.raises(Violation, match="P1"):
        law.booked(connection, account, [*paid, "lost"], Counter())


def test_unmoved_tells_which_table_moved(connection):
    """A truth told again may touch nothing of these."""
    before = law.unmoved(connection)
    connection.execute("UPDATE orders SET received_fen = received_fen + 1")
    after = law.unmoved(connection)
    assert [table for table in before if before[table] != after[table]] == ["orders"]


def test_a_closed_day_that_was_touched_does_not_derive_again(market, connection):
    """P11: from the sealed bytes alone."""
    market.town.office.derive_again(Counter())
    connection.execute("DELETE FROM personal WHERE field = 20")
    with pytest.raises(Violation, match="P11"):
        market.town.office.derive_again(Counter())
