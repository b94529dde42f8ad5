"""Named reads of top-ups: orders, attempts, notices, refunds, payouts (充值查询).

One function and one statement each; lists are read newest first in pages that continue after the
last row's own key.
"""

from typing import Any, Final, NamedTuple

from lingqian.storage.port import Connection
from lingqian.storage.query import attempt, one, order
from lingqian.topup.evidence import Payment
from lingqian.topup.notice import Notice

SELECT_ORDERS: Final = (
    "SELECT order_id FROM orders WHERE user_id = ? AND order_id < ? ORDER BY order_id DESC LIMIT ?"
)
SELECT_ATTEMPTS: Final = "SELECT attempt_id FROM attempts WHERE order_id = ? ORDER BY attempt_id"
SELECT_NOTICES: Final = "SELECT notice_key FROM notices WHERE attempt_id = ? ORDER BY at_us"
SELECT_BY_TRANSACTION: Final = (
    "SELECT transaction_key, attempt_id FROM transactions WHERE transaction_id = ?"
)
SELECT_PAYMENTS: Final = "SELECT transaction_key FROM transactions WHERE attempt_id = ?"
SELECT_REFUND_BY_CHANNEL: Final = "SELECT refund_id FROM refunds WHERE channel_refund_id = ?"
SELECT_LAST_PAID: Final = (
    "SELECT a.account, a.product, a.created_at_us FROM orders o "
    "JOIN attempts a ON a.attempt_id = o.paid_attempt "
    "WHERE o.user_id = ? AND o.paid_attempt <> x'' ORDER BY o.order_id DESC LIMIT 1"
)
SELECT_PARKED: Final = (
    "SELECT transaction_key FROM transactions WHERE parked_fen > 0 ORDER BY at_us LIMIT ?"
)


class Named(NamedTuple):
    """A row and its id."""

    id: bytes
    row: Any


def orders(connection: Connection, user_id: bytes, before: bytes, rows_max: int) -> list[Named]:
    """Return a page of a person's orders, the newest first."""
    rows: Any = connection.execute(SELECT_ORDERS, (user_id, before, rows_max)).fetchall()
    return [Named(each, order(connection, each)) for (each,) in rows]


def last_paid(connection: Connection, user_id: bytes) -> tuple[str, int, int] | None:
    """Return account and product a person last paid by, and when that attempt was begun."""
    row: Any = connection.execute(SELECT_LAST_PAID, (user_id,)).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def attempts(connection: Connection, order_id: bytes) -> list[Named]:
    """Return an order's attempts, in the order they were begun."""
    rows: Any = connection.execute(SELECT_ATTEMPTS, (order_id,)).fetchall()
    return [Named(each, attempt(connection, each)) for (each,) in rows]


def notice(connection: Connection, key: bytes) -> Notice | None:
    """Return a notice."""
    found: Notice | None = one(connection, "notices", key)
    return found


def notices(connection: Connection, subject_id: bytes) -> list[Named]:
    """Return the notices about an attempt, a refund or a payout, in the order they came."""
    rows: Any = connection.execute(SELECT_NOTICES, (subject_id,)).fetchall()
    return [Named(each, notice(connection, each)) for (each,) in rows]


def payment(connection: Connection, key: bytes) -> Payment | None:
    """Return a transaction of a channel."""
    found: Payment | None = one(connection, "transactions", key)
    return found


def payments(connection: Connection, attempt_id: bytes) -> list[Named]:
    """Return the transactions that name an attempt."""
    rows: Any = connection.execute(SELECT_PAYMENTS, (attempt_id,)).fetchall()
    return [Named(each, payment(connection, each)) for (each,) in rows]


def parked(connection: Connection, rows_max: int) -> list[Named]:
    """Return money that nobody has placed, the oldest first."""
    rows: Any = connection.execute(SELECT_PARKED, (rows_max,)).fetchall()
    return [Named(each, payment(connection, each)) for (each,) in rows]


def by_transaction(connection: Connection, transaction_id: str) -> list[tuple[bytes, bytes]]:
    """Return key and attempt of a channel's transaction number, which may name several accounts."""
    rows: Any = connection.execute(SELECT_BY_TRANSACTION, (transaction_id,)).fetchall()
    return list(rows)


def refund_of(connection: Connection, channel_refund_id: str) -> bytes | None:
    """Return the refund that a channel knows under its own number."""
    if not channel_refund_id:
        return None
    row: Any = connection.execute(SELECT_REFUND_BY_CHANNEL, (channel_refund_id,)).fetchone()
    return None if row is None else row[0]
