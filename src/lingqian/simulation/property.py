"""The properties of a top-up, by the names the reference gives them, checked on stored rows (性质).

Each check returns how much it has looked at, so that a run can say what it rests on; a check that
looked at nothing proves nothing.   Source: top-up reference 17; P5 and P7 are of offers and quotes.
"""

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import apsw

from lingqian.ledger.chart import CHART, Book
from lingqian.simulation.auditor import Violation

PROPERTIES: Final = {
    "P1": "no verified money without a journal row",
    "P2": "an order is credited at most once",
    "P3": "debits are credits, by entry and over all accounts",
    "P4": "a coin balance is the sum of its lots, and never negative",
    "P6": "advances and losses stay within the line",
    "P8": "every fee line can be reckoned again to the fen",
    "P9": "every notice told twice more changes nothing",
    "P10": "within one bill day every order is explained",
    "P11": "a closed day derives again from its raw bills",
    "P12": "after a crash the books are what was answered",
}
_ENTRIES: Final = "SELECT account, seq, amount_fen FROM entries"
_BY_LANE: Final = (
    "SELECT substr(account, 1, 2), substr(account, 18, 1), sum(credits_posted - debits_posted), "
    "count(*) FROM accounts GROUP BY 1, 2"
)
_COINS: Final = (
    "SELECT a.credits_posted - a.debits_posted, "
    "COALESCE((SELECT sum(g.paid_left + g.bonus_left) FROM grants g "
    "WHERE g.user_id = substr(a.account, 1, 16)), 0) "
    "FROM accounts a WHERE substr(a.account, 17, 2) = x'3202'"
)
_LINES: Final = (
    "SELECT l.limit_fen, l.open_fen, l.lost_fen, COALESCE((SELECT sum(a.amount_fen) "
    "FROM advances a WHERE a.state = 1 AND substr(a.order_id, 1, 2) = l.lane), 0) FROM lines l"
)
_TRANSACTIONS: Final = "SELECT transaction_id FROM transactions WHERE account = ?"
# What telling a known truth again may not touch: everything but the record that it was told.
_UNMOVED: Final = (
    "accounts", "advances", "askers", "borrowers", "cases", "entries", "gifts", "grants", "holds",
    "inflows", "lines", "modes", "orders", "payouts", "refunds", "relays", "transactions", "usages",
    "users",
)  # fmt: skip


def snapshot(connection: apsw.Connection, checked: Counter[str]) -> None:
    """Check what must hold at every moment: P3 over all accounts, P4, P6.

    Raises: Violation.
    """
    for lane, currency, left, accounts in _rows(connection, _BY_LANE):
        if left:
            raise Violation(f"P3: lane {lane.hex()}, currency {currency.hex()}: {left} too much")
        checked["P3"] += accounts
    for balance, lots in _rows(connection, _COINS):
        if balance != lots or balance < 0:
            raise Violation(f"P4: {balance} coins, and lots of {lots}")
        checked["P4"] += 1
    for limit_fen, open_fen, lost_fen, advances_fen in _rows(connection, _LINES):
        if open_fen + lost_fen > limit_fen or open_fen != advances_fen:
            raise Violation(f"P6: {open_fen} open ({advances_fen}), {lost_fen} lost of {limit_fen}")
        checked["P6"] += 1


def entries(connection: apsw.Connection, checked: Counter[str]) -> None:
    """Check P3 entry by entry: per journal row and currency, what is debited is credited.

    Raises: Violation.
    """
    left: Counter[tuple[bytes, int, int]] = Counter()
    for account, seq, amount_fen in connection.execute(_ENTRIES):
        sign = -1 if CHART[Book(account[16])].is_debit_normal else 1
        left[account[:2], account[17], seq] += sign * amount_fen
        checked["P3"] += 1
    wrong = [key for key, fen in left.items() if fen]
    if wrong:
        raise Violation(f"P3: {len(wrong)} entries are not balanced: {wrong[:3]}")


def booked(
    connection: apsw.Connection, account: str, paid: Iterable[str], checked: Counter[str]
) -> None:
    """Check P1: every payment that a channel has is a transaction of our books.

    Raises: Violation.
    """
    known = {number for (number,) in _rows(connection, _TRANSACTIONS, account)}
    for number in paid:
        if number not in known:
            raise Violation(f"P1: {account} has payment {number}, and our books do not")
        checked["P1"] += 1


def unmoved(connection: apsw.Connection) -> dict[str, str]:
    """Return a digest of every table that telling a truth again may not touch (P9)."""
    found = {}
    for table in _UNMOVED:
        digest = sha256()
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):  # noqa: S608 - names from the tuple above
            digest.update(repr(row).encode())
        found[table] = digest.hexdigest()
    return found


def _rows(connection: apsw.Connection, statement: str, *words: str) -> list[Any]:
    return connection.execute(statement, words).fetchall()
