"""What is due at a channel, by rows alone: attempts to ask about, refunds, payouts, notices (待办).

Law: a schedule is a row, so it survives a restart; who carries it out keeps nothing but its place
in line. Units: µs.
"""

from typing import Any, Final, NamedTuple

from lingqian.storage.port import Connection

SELECT_ATTEMPTS: Final = (
    # State 2 is UNKNOWN: of these nobody knows whether they can be paid.
    "SELECT a.attempt_id, a.account, a.state, a.created_at_us, a.query_due_at_us, o.expires_at_us "
    "FROM attempts a JOIN orders o ON o.order_id = a.order_id "
    "WHERE a.query_due_at_us > 0 AND a.query_due_at_us <= ? "
    "ORDER BY a.state = 2 DESC, a.query_due_at_us LIMIT ?"
)
SELECT_REFUNDS: Final = (
    "SELECT refund_id FROM refunds WHERE due_at_us > 0 AND due_at_us <= ? "
    "ORDER BY due_at_us LIMIT ?"
)
SELECT_PAYOUTS: Final = (
    "SELECT payout_id FROM payouts WHERE due_at_us > 0 AND due_at_us <= ? "
    "ORDER BY due_at_us LIMIT ?"
)
SELECT_NOTICES: Final = (
    # State 0 is RECEIVED.
    "SELECT notice_key FROM notices WHERE state = 0 AND at_us <= ? ORDER BY at_us LIMIT ?"
)


class DueAttempt(NamedTuple):
    """An attempt whose channel is to be asked."""

    attempt_id: bytes
    account: str
    state: int
    created_at_us: int
    due_at_us: int
    expires_at_us: int


def due_attempts(connection: Connection, at_us: int, rows_max: int) -> list[DueAttempt]:
    """Return attempts to ask about: what is not known first, then the longest due."""
    rows: Any = connection.execute(SELECT_ATTEMPTS, (at_us, rows_max))
    return [DueAttempt(*row) for row in rows]


def due_ids(connection: Connection, statement: str, at_us: int, rows_max: int) -> list[bytes]:
    """Return the ids that one of the statements above finds, the longest due first."""
    rows: Any = connection.execute(statement, (at_us, rows_max))
    return [identity for (identity,) in rows]
