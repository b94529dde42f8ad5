"""Reads about advances: what a person has topped up, what the line has at stake, what became of it.

Each is one statement on a snapshot, past the lane. Units: fen; µs.
"""

from typing import Any, Final, NamedTuple

import apsw

from lingqian.kernel.clock import DAY_US
from lingqian.topup.advance import CREDITED_WINDOW_DAYS, AdvanceState, History, Line
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
SELECT_UNASKED: Final = """
SELECT attempt_id FROM attempts WHERE account = :account AND created_at_us <= :until_us
    AND state IN (:payable, :unknown, :closing) ORDER BY created_at_us, attempt_id LIMIT :rows
"""
SELECT_ENDS: Final = """
SELECT state, count(*), COALESCE(sum(amount_fen), 0), COALESCE(sum(unspent_fen), 0),
    COALESCE(sum(owed_fen), 0)
FROM advances WHERE created_at_us BETWEEN ? AND ? GROUP BY state
"""
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


def history(connection: apsw.Connection, user_id: bytes, at_us: int) -> History:
    """Return what a person has topped up, as far as it still stands."""
    words = {**_WORDS, "user_id": user_id, "since_us": at_us - CREDITED_WINDOW_DAYS * DAY_US}
    row: Any = connection.execute(SELECT_HISTORY, words).fetchone()
    return History(*row)


def lines(connection: apsw.Connection) -> list[tuple[int, Line]]:
    """Return every lane's line."""
    rows: list[Any] = connection.execute(SELECT_LINES).fetchall()
    return [(int.from_bytes(lane, "big"), Line(*columns)) for lane, *columns in rows]


def modes(connection: apsw.Connection) -> dict[str, ModeRow]:
    """Return every account's mode; while lanes differ, the one that was set last."""
    latest: dict[str, ModeRow] = {}
    for _, *columns in connection.execute(SELECT_MODES):
        row = ModeRow(*columns)
        known = latest.get(row.account)
        if known is None or row.since_us > known.since_us:
            latest[row.account] = row
    return latest


def unasked(connection: apsw.Connection, account: str, until_us: int, rows: int) -> list[bytes]:
    """Return attempts made by then whose end nobody knows yet, the oldest first."""
    words = {**_WORDS, "account": account, "until_us": until_us, "rows": rows}
    found: list[Any] = connection.execute(SELECT_UNASKED, words).fetchall()
    return [attempt_id for (attempt_id,) in found]


def report(connection: apsw.Connection, since_us: int, until_us: int) -> Report:
    """Return what became of the advances given in a span of time."""
    found: list[Any] = connection.execute(SELECT_ENDS, (since_us, until_us)).fetchall()
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
