"""Reads about advances: what a person has topped up, what the line has at stake, what became of it.

Each is one statement on a snapshot, past the lane. Units: fen; µs.
"""

from typing import Any, Final, NamedTuple

from lingqian.flows.advance import line_key
from lingqian.kernel.clock import DAY_US
from lingqian.ledger.account import Account, balance_fen
from lingqian.ledger.chart import debt_account
from lingqian.storage.port import Connection
from lingqian.storage.query import one
from lingqian.storage.sql import IN_CHUNKS, chunks, marks
from lingqian.topup.advance import (
    CREDITED_WINDOW_DAYS,
    Advance,
    AdvanceState,
    Borrower,
    History,
    Line,
)
from lingqian.topup.attempt import AttemptState
from lingqian.topup.mode import ModeRow
from lingqian.topup.order import CreditState, OrderKind

_WORDS: Final = {
    "balance": int(OrderKind.BALANCE),
    "coins": int(OrderKind.COINS),
    "credited": int(CreditState.CREDITED),
    "confirmed": int(CreditState.CONFIRMED),
    "payable": int(AttemptState.PAYABLE),
    "unknown": int(AttemptState.UNKNOWN),
    "closing": int(AttemptState.CLOSING),
}
# What was given back, or is about to be, proves nothing.
SELECT_HISTORY: Final = """
SELECT count(*), COALESCE(min(credited_at_us), 0),
    COALESCE(sum(iif(credited_at_us > :since_us, amount_fen, 0)), 0)
FROM orders WHERE user_id = :user_id AND kind IN (:balance, :coins)
    AND credit_state IN (:credited, :confirmed) AND refunded_fen + refunding_fen = 0
"""
SELECT_LINES: Final = (
    "SELECT lane, limit_fen, lost_fen, minute, minute_fen, open_fen FROM lines ORDER BY lane"
)
SELECT_MODES: Final = "SELECT mode_key, account, by, mode, since_us, why FROM modes"
# Every attempt that can still be paid has a time to be asked about, and so stands in its index.
SELECT_UNASKED: Final = """
SELECT created_at_us, attempt_id FROM attempts
WHERE query_due_at_us > 0 AND account = :account AND created_at_us <= :until_us
    AND state IN (:payable, :unknown, :closing)
    AND (created_at_us, attempt_id) > (:after_us, :after_id)
ORDER BY created_at_us, attempt_id LIMIT :rows
"""
SELECT_WAITING: Final = (
    "SELECT count(*) FROM attempts WHERE query_due_at_us > 0 AND account = ? AND state <> ? "
    "AND created_at_us > ?"
)
# The account is that of the order's last number, or of the outage when it never had one.
SELECT_UNPAID: Final = """
SELECT order_id, live_attempt FROM (
    SELECT v.order_id, o.live_attempt, v.created_at_us, t.created_at_us AS begun_at_us, t.state,
        COALESCE((SELECT account FROM attempts WHERE order_id = v.order_id
            ORDER BY attempt_id DESC LIMIT 1), v.account) AS account
    FROM advances v JOIN orders o ON o.order_id = v.order_id
    LEFT JOIN attempts t ON t.attempt_id = o.live_attempt
    WHERE v.state = :open AND v.asked_at_us = 0
) AS found
WHERE instr(:degraded, ' ' || account || ' ') = 0
    AND (live_attempt = x'' OR (begun_at_us <= :old_us AND state <> :closing))
ORDER BY created_at_us LIMIT :rows
"""
SELECT_ADVANCES: Final = """
SELECT order_id FROM advances WHERE (created_at_us, order_id) < (?, ?)
ORDER BY created_at_us DESC, order_id DESC LIMIT ?
"""
SELECT_ENDS: Final = """
SELECT state, count(*), COALESCE(sum(amount_fen), 0), COALESCE(sum(unspent_fen), 0),
    COALESCE(sum(owed_fen), 0)
FROM advances WHERE account = ? AND created_at_us BETWEEN ? AND ? GROUP BY state
"""
SELECT_LANES: Final = "SELECT lane FROM lanes"
SELECT_ASKED: Final = {
    size: (
        "SELECT 1 FROM askers k JOIN advances v ON v.order_id = k.order_id "  # noqa: S608 - only question marks vary
        f"WHERE v.state = ? AND k.asker_key IN ({marks(size)}) LIMIT 1"
    )
    for size in IN_CHUNKS
}
PPM: Final = 1_000_000


class Report(NamedTuple):
    """The account of a time of bridging: how many advances, and what became of their money.

    `owed_fen` was spent and is owed, `lost_fen` was given up; both are losses until repaid.
    """

    advances: int
    advanced_fen: int
    open_fen: int
    confirmed_fen: int
    unspent_fen: int
    owed_fen: int
    lost_fen: int

    @property
    def loss_ppm(self) -> int:
        """What was spent and has not been paid, in millionths of what was advanced."""
        lost_fen = self.owed_fen + self.lost_fen
        return lost_fen * PPM // self.advanced_fen if self.advanced_fen else 0


def history(connection: Connection, user_id: bytes, at_us: int) -> History:
    """Return what a person has topped up, as far as it still stands."""
    words = {**_WORDS, "user_id": user_id, "since_us": at_us - CREDITED_WINDOW_DAYS * DAY_US}
    row: Any = connection.execute(SELECT_HISTORY, words).fetchone()
    return History(*row)


def lines(connection: Connection) -> list[tuple[int, Line]]:
    """Return every lane's line."""
    rows: list[Any] = connection.execute(SELECT_LINES).fetchall()
    return [(int.from_bytes(lane, "big"), Line(*columns)) for lane, *columns in rows]


def modes(connection: Connection) -> dict[str, ModeRow]:
    """Return every account's mode; while lanes differ, the one that was set last."""
    latest: dict[str, ModeRow] = {}
    for _, *columns in connection.execute(SELECT_MODES):
        row = ModeRow(*columns)
        known = latest.get(row.account)
        if known is None or row.since_us > known.since_us:
            latest[row.account] = row
    return latest


def line(connection: Connection, lane: int) -> Line | None:
    """Return a lane's line; None before it was first funded."""
    found: Line | None = one(connection, "lines", line_key(lane))
    return found


def borrower(connection: Connection, user_id: bytes) -> Borrower | None:
    """Return what a person has of advances."""
    found: Borrower | None = one(connection, "borrowers", user_id)
    return found


def is_asked_elsewhere(connection: Connection, askers: tuple[bytes, bytes]) -> bool:
    """Say whether an advance is open that another lane gave to the same device or address.

    A lane knows its own; what others have is read, and may be a moment old.
    """
    lanes = [lane.to_bytes(2) for (lane,) in connection.execute(SELECT_LANES)]
    keys = [lane + each[2:] for each in askers if each for lane in lanes if lane != each[:2]]
    return any(
        connection.execute(SELECT_ASKED[size], (AdvanceState.OPEN, *some)).fetchone()
        for size, some in chunks(keys)
    )


def debt_fen(connection: Connection, user_id: bytes) -> int:
    """Return what a person owes."""
    account = debt_account(user_id)
    counters: Account | None = one(connection, "accounts", account)
    return 0 if counters is None else balance_fen(account, counters)


def advance(connection: Connection, order_id: bytes) -> Advance | None:
    """Return an order's advance."""
    found: Advance | None = one(connection, "advances", order_id)
    return found


def advances(
    connection: Connection, before: tuple[int, bytes], rows_max: int
) -> list[tuple[bytes, Advance]]:
    """Return a page of advances, the newest first, of those given before a moment."""
    rows: list[Any] = connection.execute(SELECT_ADVANCES, (*before, rows_max)).fetchall()
    return [(order_id, one(connection, "advances", order_id)) for (order_id,) in rows]


def unasked(
    connection: Connection, account: str, until_us: int, after: tuple[int, bytes], rows: int
) -> list[tuple[int, bytes]]:
    """Return attempts made by then whose end nobody knows, with their time, the oldest first."""
    words = {**_WORDS, "account": account, "until_us": until_us, "rows": rows}
    words |= {"after_us": after[0], "after_id": after[1]}
    found: list[Any] = connection.execute(SELECT_UNASKED, words).fetchall()
    return found


def waiting_count(connection: Connection, account: str, since_us: int = 0) -> int:
    """Return how many attempts of an account, begun after a moment, wait for evidence."""
    words = (account, int(AttemptState.INIT), since_us)
    row: Any = connection.execute(SELECT_WAITING, words).fetchone()
    return int(row[0])


def unpaid_advances(
    connection: Connection, degraded: list[str], old_us: int, rows: int
) -> list[tuple[bytes, bytes]]:
    """Return advanced orders nobody was asked to pay, with the number to be closed first, if any.

    Those of an account that is still bridged are left out, and numbers begun after `old_us`.
    """
    words = {
        "open": int(AdvanceState.OPEN),
        "closing": int(AttemptState.CLOSING),
        # Names of accounts have no spaces.
        "degraded": "".join(f" {name}" for name in degraded) + " ",
        "old_us": old_us,
        "rows": rows,
    }
    found: list[Any] = connection.execute(SELECT_UNPAID, words).fetchall()
    return found


def report(connection: Connection, account: str, since_us: int, until_us: int) -> Report:
    """Return what became of the advances given for an account in a span of time."""
    found: list[Any] = connection.execute(SELECT_ENDS, (account, since_us, until_us)).fetchall()
    ends = {state: columns for state, *columns in found}
    empty = [0, 0, 0, 0]
    clawed = ends.get(AdvanceState.CLAWED_BACK, empty)
    written = ends.get(AdvanceState.WRITTEN_OFF, empty)
    return Report(
        advances=sum([each[0] for each in ends.values()]),
        advanced_fen=sum([each[1] for each in ends.values()]),
        open_fen=ends.get(AdvanceState.OPEN, empty)[1],
        confirmed_fen=ends.get(AdvanceState.CONFIRMED, empty)[1],
        unspent_fen=clawed[2] + written[2],
        owed_fen=clawed[3],
        lost_fen=written[3],
    )
