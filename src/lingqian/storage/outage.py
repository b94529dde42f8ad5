"""Outages: how long an account was bridged, by which steps, and what became of it all (故障复盘).

Law: an outage is the rows of the journal that switched its account's mode; its figures are typed
rows of its time. Nothing is remembered apart from them.   Units: fen; µs.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from lingqian.flows.command import SetMode
from lingqian.flows.mode import ModeDone, mode_key
from lingqian.kernel.id import mint
from lingqian.storage.codec import Row, decode
from lingqian.storage.port import Connection
from lingqian.storage.standing import Report, report, waiting_count
from lingqian.storage.story import SELECT_ROWS
from lingqian.storage.subject import TOLD_LANE
from lingqian.topup.attempt import AttemptState
from lingqian.topup.mode import Mode
from lingqian.topup.order import OrderKind, wallet_order

# An id is minted by real time a moment before its command is decided.
_SLACK_US: Final = 600 * 1_000_000
_CHUNK: Final = 500
SELECT_LANES: Final = "SELECT lane FROM lanes ORDER BY lane"
SELECT_ATTEMPTS: Final = """
SELECT state, count(*), sum(amount_fen) FROM attempts
WHERE attempt_id BETWEEN ? AND ? AND account = ? AND created_at_us BETWEEN ? AND ? GROUP BY state
"""
SELECT_ORDERS: Final = """
SELECT order_id, attempt_count, kind FROM orders
WHERE order_id BETWEEN ? AND ? AND created_at_us BETWEEN ? AND ?
"""
SELECT_ASKED: Final = """
SELECT count(*) FROM advances
WHERE account = ? AND created_at_us BETWEEN ? AND ? AND asked_at_us > 0
"""


class Step(NamedTuple):
    """One switch of an account's mode: what, to which mode, by whom and why."""

    at_us: int
    event: str
    mode: Mode
    by: str
    why: str


class Outage(NamedTuple):
    """One outage: `ended_us` is when bridging stopped, `closed_us` when all was caught up; or 0."""

    number: int
    began_us: int
    ended_us: int
    closed_us: int
    steps: tuple[Step, ...]


class Sum(NamedTuple):
    """How many, and how much in all."""

    rows: int
    amount_fen: int


class Figures(NamedTuple):
    """What an outage came to.

    Orders and wallet payments are those of its time at any account: an order that no account took
    belongs to none. Attempts and advances are the account's own.
    """

    orders: int
    orders_untried: int
    attempts: dict[AttemptState, Sum]
    wallet: Sum
    advances: Report
    asked_to_pay: int
    waiting: int


def steps(connection: Connection, account: str) -> list[Step]:
    """Return every switch of an account's mode, the oldest first."""
    key = mode_key(TOLD_LANE, account)
    rows = [Row(*row) for row in connection.execute(SELECT_ROWS, (TOLD_LANE, key))]
    return [_step(row) for row in rows]


def _step(row: Row) -> Step:
    record = decode(row).record
    command, outcome = record.command, record.outcome
    assert isinstance(command, SetMode), "the trail of a mode is its switches"
    assert isinstance(outcome, ModeDone), "a refused switch leaves no trail"
    return Step(row.at_us, command.event, Mode(outcome.mode), command.by, command.why)


def outages(connection: Connection, account: str) -> list[Outage]:
    """Return an account's outages, the oldest first; each begins by going into DEGRADED."""
    found: list[Outage] = []
    for step in steps(connection, account):
        if step.mode == Mode.DEGRADED:
            found.append(Outage(len(found) + 1, step.at_us, 0, 0, (step,)))
        elif found and not found[-1].closed_us:
            found[-1] = _continued(found[-1], step)
    return found


def _continued(outage: Outage, step: Step) -> Outage:
    """Add a step to an outage that is not over."""
    closed_us = step.at_us if step.mode == Mode.NORMAL else 0
    return outage._replace(
        ended_us=outage.ended_us or step.at_us,
        closed_us=closed_us,
        steps=(*outage.steps, step),
    )


def figures(
    connection: Connection, account: str, outage: Outage, now_us: int, offset_us: int
) -> Figures:
    """Return what an outage came to, as things are now."""
    span = (outage.began_us, outage.ended_us or now_us)
    ranges = list(_ranges(connection, span, offset_us))
    orders: list[tuple[bytes, int, int]] = []
    for each in ranges:
        orders += connection.execute(SELECT_ORDERS, (*each, *span)).fetchall()
    coins = [order_id for order_id, _, kind in orders if kind == OrderKind.COINS]
    paid = _wallet_payments(connection, [wallet_order(each) for each in coins])
    # A wallet payment is an order beside the one that it pays for, and not another intention.
    wanted = [row for row in orders if row[0] not in paid]
    asked: Any = connection.execute(SELECT_ASKED, (account, *span)).fetchone()
    return Figures(
        orders=len(wanted),
        orders_untried=sum(not attempts for _, attempts, _ in wanted),
        attempts=_attempts(connection, account, ranges, span),
        wallet=Sum(len(paid), sum(paid.values())),
        advances=report(connection, account, *span),
        asked_to_pay=asked[0],
        waiting=waiting_count(connection, account),
    )


def _ranges(
    connection: Connection, span: tuple[int, int], offset_us: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ids that each lane minted in a span of business time, and some around it.

    The sandbox's clock only moves forward, so real time lies at most its offset behind.
    """
    since_ms = max(0, span[0] - offset_us - _SLACK_US) // 1_000
    until_ms = (span[1] + _SLACK_US) // 1_000
    lanes: list[Any] = connection.execute(SELECT_LANES).fetchall()
    for (lane,) in lanes:
        yield mint(lane, since_ms, 0), mint(lane, until_ms, 2**64 - 1)


def _attempts(
    connection: Connection,
    account: str,
    ranges: list[tuple[bytes, bytes]],
    span: tuple[int, int],
) -> dict[AttemptState, Sum]:
    found: dict[AttemptState, Sum] = {}
    for each in ranges:
        rows: Any = connection.execute(SELECT_ATTEMPTS, (*each, account, *span)).fetchall()
        for state, count, amount_fen in rows:
            known = found.get(AttemptState(state), Sum(0, 0))
            found[AttemptState(state)] = Sum(known.rows + count, known.amount_fen + amount_fen)
    return found


def _wallet_payments(connection: Connection, ids: list[bytes]) -> dict[bytes, int]:
    """Return those of some orders that exist, with their amounts."""
    found: dict[bytes, int] = {}
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        places = ", ".join("?" * len(chunk))
        text = f"SELECT order_id, amount_fen FROM orders WHERE order_id IN ({places})"  # noqa: S608 - places only
        rows: Any = connection.execute(text, chunk).fetchall()
        found |= dict(rows)
    return found
