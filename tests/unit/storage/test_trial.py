"""The trial balance."""

import apsw

from lingqian.ledger.chart import (
    Book,
    balance_account,
    bank_account,
    escrow_account,
    transit_account,
)
from lingqian.storage.sqlite import migrate
from lingqian.storage.trial import trial

USER, PACKET = bytes(15) + b"\1", bytes(15) + b"\2"


def test_books_are_summed_on_their_normal_side():
    """What is owed and what backs it must be compared with the same sign."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    rows = [
        (bank_account(0), 900, 0),
        (bank_account(1), 100, 0),
        (balance_account(USER), 300, 1000),
        (escrow_account(PACKET), 50, 300),
        (transit_account(0), 20, 70),
    ]
    connection.executemany("INSERT INTO accounts VALUES (?, ?, ?, 0, 0, 1)", rows)
    found = trial(connection)
    books = {Book.BANK: 1000, Book.BALANCE: 700, Book.ESCROW: 250, Book.TRANSIT: 50}
    assert found.books == books
    assert (found.owed_fen, found.backed_fen) == (1000, 1000)
