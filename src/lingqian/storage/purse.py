"""Named reads of coins, gifts, income, refunds and payouts (虚拟币与收支查询).

As storage.query: one statement a question, newest first, in pages that continue after the last
row's own key. Units: coins; fen; µs.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from lingqian.gift.gift import Gift
from lingqian.storage.port import Connection
from lingqian.storage.schema import TABLES
from lingqian.topup.coin import Use, take
from lingqian.topup.grant import Grant
from lingqian.topup.payout import Payout
from lingqian.topup.refund import Refund

_TABLE: Final = {table.name: table for table in TABLES}
_END: Final = b"\xff" * 17
AT_US_MAX: Final = 2**62


def _columns(name: str) -> str:
    return ", ".join((*_TABLE[name].key, *_TABLE[name].columns))


def _page(name: str, only: str = "") -> str:
    key = _TABLE[name].key[0]
    return (
        f"SELECT {_columns(name)} FROM {name} WHERE user_id = ? AND {key} < ? {only}"  # noqa: S608 - names from the schema table
        f"ORDER BY {key} DESC LIMIT ?"
    )


def _one(name: str) -> str:
    return f"SELECT {_columns(name)} FROM {name} WHERE {_TABLE[name].key[0]} = ?"  # noqa: S608 - names from the schema table


SELECT_COINS: Final = (
    "SELECT COALESCE(sum(paid_left), 0), COALESCE(sum(bonus_left), 0), "
    "COALESCE(sum(paid_frozen + bonus_frozen), 0), COALESCE(sum(cash_fen - released_fen), 0) "
    "FROM grants WHERE user_id = ? AND paid_left + bonus_left > 0"
)
SELECT_EXPIRING: Final = (
    "SELECT due_at_us, sum(bonus_left - bonus_frozen) FROM grants "
    "WHERE user_id = ? AND due_at_us > 0 AND paid_left + bonus_left > 0 "
    "GROUP BY due_at_us ORDER BY due_at_us LIMIT ?"
)
SELECT_GRANTS: Final = _page("grants", "AND paid_left + bonus_left > 0 ")
SELECT_GRANT: Final = _one("grants")
SELECT_LOTS: Final = (
    f"SELECT {_columns('grants')} FROM grants "  # noqa: S608 - names from the schema table
    "WHERE user_id = ? AND paid_left + bonus_left > 0"
)
SELECT_GIFT: Final = _one("gifts")
SELECT_GIFTS_SENT: Final = _page("gifts")
SELECT_GIFTS_GOT: Final = (
    f"SELECT {_columns('gifts')} FROM gifts "  # noqa: S608 - names from the schema table
    "WHERE streamer_id = ? AND (at_us, gift_id) < (?, ?) ORDER BY at_us DESC, gift_id DESC LIMIT ?"
)
SELECT_INCOME: Final = (
    "SELECT COALESCE(sum(streamer_fen), 0), COALESCE(min(settles_at_us), 0) FROM gifts "
    "WHERE streamer_id = ? AND state = 1"
)
SELECT_REFUND: Final = _one("refunds")
SELECT_REFUNDS: Final = _page("refunds")
SELECT_REFUNDS_OF_ORDER: Final = (
    f"SELECT {_columns('refunds')} FROM refunds WHERE order_id = ? "  # noqa: S608 - names from the schema table
    "ORDER BY created_at_us, refund_id"
)
SELECT_ATTEMPT: Final = "SELECT account, paid_fen, '' FROM attempts WHERE attempt_id = ?"
SELECT_PAYMENT: Final = (
    "SELECT account, amount_fen, transaction_id FROM transactions WHERE transaction_key = ?"
)
SELECT_REFUNDS_OF_PAYMENT: Final = (
    "SELECT refund_id FROM refunds WHERE transaction_key = ? AND transaction_key <> x'' "
    "ORDER BY created_at_us"
)
SELECT_REFUNDS_STUCK: Final = (
    # Stage 7 is ABNORMAL.
    f"SELECT {_columns('refunds')} FROM refunds WHERE stage = 7 "  # noqa: S608 - names from the schema table
    "AND refund_id < ? ORDER BY refund_id DESC LIMIT ?"
)
SELECT_PAYOUT: Final = _one("payouts")
SELECT_PAYOUTS: Final = _page("payouts")
# Work of the agent: what is due, the longest due first.
SELECT_REFUNDS_DUE: Final = (
    f"SELECT {_columns('refunds')} FROM refunds WHERE due_at_us > 0 AND due_at_us <= ? "  # noqa: S608 - names from the schema table
    "ORDER BY due_at_us LIMIT ?"
)
SELECT_PAYOUTS_DUE: Final = (
    f"SELECT {_columns('payouts')} FROM payouts WHERE due_at_us > 0 AND due_at_us <= ? "  # noqa: S608 - names from the schema table
    "ORDER BY due_at_us LIMIT ?"
)


class CoinBalance(NamedTuple):
    """A person's coins: paid and bonus, those of both set aside, what all of them had cost.

    `expiring` are (µs, coins) of bonus that ends, the next first.
    """

    paid: int
    bonus: int
    frozen: int
    worth_fen: int
    expiring: tuple[tuple[int, int], ...]


class Paid(NamedTuple):
    """The payment a refund is of; `transaction_id` where only the channel's number names it."""

    account: str
    paid_fen: int
    transaction_id: str


class Income(NamedTuple):
    """A streamer's income that waits, over all lanes; when the next of it settles, 0 for never."""

    pending_fen: int
    next_at_us: int


def _rows(connection: Connection, name: str, statement: str, values: tuple[Any, ...]) -> Any:  # noqa: ANN401 - rows of the table's own class
    make = _TABLE[name].make
    found: Iterable[Any] = connection.execute(statement, values)
    return [(key, make(*columns)) for key, *columns in found]


def _first(connection: Connection, name: str, statement: str, key: bytes) -> Any:  # noqa: ANN401 - the table's own class
    rows = _rows(connection, name, statement, (key,))
    return rows[0][1] if rows else None


def coins(connection: Connection, user_id: bytes, rows_max: int = 50) -> CoinBalance:
    """Return a person's coins, with the next ends of bonus, both of one snapshot."""
    connection.execute("BEGIN")
    try:
        sums: Any = connection.execute(SELECT_COINS, (user_id,)).fetchone()
        ends: Any = connection.execute(SELECT_EXPIRING, (user_id, rows_max)).fetchall()
    finally:
        connection.execute("COMMIT")
    paid, bonus, frozen, worth_fen = sums
    expiring = tuple([(at_us, count) for at_us, count in ends])
    return CoinBalance(paid, bonus, frozen, worth_fen, expiring)


def grants(
    connection: Connection, user_id: bytes, rows_max: int, before: bytes = _END
) -> list[tuple[bytes, Grant]]:
    """Return a page of a person's grants that have coins left, by order."""
    page: list[tuple[bytes, Grant]] = _rows(
        connection, "grants", SELECT_GRANTS, (user_id, before, rows_max)
    )
    return page


def grant(connection: Connection, order_id: bytes) -> Grant | None:
    """Return the coins of an order."""
    found: Grant | None = _first(connection, "grants", SELECT_GRANT, order_id)
    return found


def price_fen(connection: Connection, user_id: bytes, coins: int, use: Use, at_us: int) -> int:
    """Return what the coins had cost that a spend would take now, lot by lot as the lane does.

    Units: fen; 0 when the coins do not suffice.
    """
    lots: list[tuple[bytes, Grant]] = _rows(connection, "grants", SELECT_LOTS, (user_id,))
    return sum(each.released_fen for each in take(lots, coins, use, at_us))


def gift(connection: Connection, gift_id: bytes) -> Gift | None:
    """Return a gift."""
    found: Gift | None = _first(connection, "gifts", SELECT_GIFT, gift_id)
    return found


def gifts_sent(
    connection: Connection, user_id: bytes, rows_max: int, before: bytes = _END
) -> list[tuple[bytes, Gift]]:
    """Return a page of the gifts a person gave."""
    page: list[tuple[bytes, Gift]] = _rows(
        connection, "gifts", SELECT_GIFTS_SENT, (user_id, before, rows_max)
    )
    return page


def gifts_received(
    connection: Connection,
    streamer_id: bytes,
    rows_max: int,
    before: tuple[int, bytes] = (AT_US_MAX, _END),
) -> list[tuple[bytes, Gift]]:
    """Return a page of the gifts a streamer got, from givers of every lane, by time."""
    page: list[tuple[bytes, Gift]] = _rows(
        connection, "gifts", SELECT_GIFTS_GOT, (streamer_id, *before, rows_max)
    )
    return page


def income(connection: Connection, streamer_id: bytes) -> Income:
    """Return what waits for a streamer."""
    row: Any = connection.execute(SELECT_INCOME, (streamer_id,)).fetchone()
    return Income(*row)


def refund(connection: Connection, refund_id: bytes) -> Refund | None:
    """Return a refund."""
    found: Refund | None = _first(connection, "refunds", SELECT_REFUND, refund_id)
    return found


def paid(connection: Connection, row: Refund) -> Paid:
    """Return the payment that a refund goes back to."""
    if row.transaction_key:
        found: Any = connection.execute(SELECT_PAYMENT, (row.transaction_key,)).fetchone()
        return Paid(*found)
    found = connection.execute(SELECT_ATTEMPT, (row.attempt_id,)).fetchone()
    return Paid(*found)


def refunds_of_payment(connection: Connection, key: bytes) -> list[bytes]:
    """Return the refunds of a payment that no order of ours has for its own, the oldest first."""
    rows: Any = connection.execute(SELECT_REFUNDS_OF_PAYMENT, (key,)).fetchall()
    return [identity for (identity,) in rows]


def refunds(
    connection: Connection, user_id: bytes, rows_max: int, before: bytes = _END
) -> list[tuple[bytes, Refund]]:
    """Return a page of a person's refunds."""
    page: list[tuple[bytes, Refund]] = _rows(
        connection, "refunds", SELECT_REFUNDS, (user_id, before, rows_max)
    )
    return page


def refunds_of(connection: Connection, order_id: bytes) -> list[tuple[bytes, Refund]]:
    """Return all refunds of an order, the oldest first; there are few."""
    rows: list[tuple[bytes, Refund]] = _rows(
        connection, "refunds", SELECT_REFUNDS_OF_ORDER, (order_id,)
    )
    return rows


def refunds_due(connection: Connection, at_us: int, rows_max: int) -> list[tuple[bytes, Refund]]:
    """Return refunds to send or to ask about, the longest due first."""
    rows: list[tuple[bytes, Refund]] = _rows(
        connection, "refunds", SELECT_REFUNDS_DUE, (at_us, rows_max)
    )
    return rows


def refunds_stuck(
    connection: Connection, rows_max: int, before: bytes = _END
) -> list[tuple[bytes, Refund]]:
    """Return a page of the refunds that wait for a person."""
    rows: list[tuple[bytes, Refund]] = _rows(
        connection, "refunds", SELECT_REFUNDS_STUCK, (before, rows_max)
    )
    return rows


def payout(connection: Connection, payout_id: bytes) -> Payout | None:
    """Return a payout."""
    found: Payout | None = _first(connection, "payouts", SELECT_PAYOUT, payout_id)
    return found


def payouts(
    connection: Connection, user_id: bytes, rows_max: int, before: bytes = _END
) -> list[tuple[bytes, Payout]]:
    """Return a page of a person's payouts."""
    page: list[tuple[bytes, Payout]] = _rows(
        connection, "payouts", SELECT_PAYOUTS, (user_id, before, rows_max)
    )
    return page


def payouts_due(connection: Connection, at_us: int, rows_max: int) -> list[tuple[bytes, Payout]]:
    """Return payouts to send or to ask about, the longest due first."""
    rows: list[tuple[bytes, Payout]] = _rows(
        connection, "payouts", SELECT_PAYOUTS_DUE, (at_us, rows_max)
    )
    return rows
