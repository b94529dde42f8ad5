"""Behaviour at the shell: the command that takes steps down, and the reads of funnel and forecast.

Each read is one named query on a snapshot. Units: fen; coins; µs.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, NamedTuple

from lingqian.analytics.forecast import HISTORY_US, History, features, forecast
from lingqian.analytics.funnel import PATIENCE_US, Outcome
from lingqian.analytics.segment import segment_of
from lingqian.analytics.step import TRACE_BYTES, BehaviourEvent, Step
from lingqian.flows.command import OpenOrder, RecordSteps, SendGift, SendPacket, StepTold, Transfer
from lingqian.flows.kind import KINDS
from lingqian.kernel.bound import FUNNEL_ROWS_MAX
from lingqian.kernel.clock import business_day
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import balance_account, coin_account
from lingqian.storage.lane import Submission
from lingqian.storage.port import Connection
from lingqian.storage.schema import TABLES
from lingqian.topup.order import CreditState, OrderKind, PayState

_DIGEST_BYTES: Final = 14
_EVENTS: Final = next(table for table in TABLES if table.name == "behaviour_events")
_COLUMNS: Final = ", ".join(_EVENTS.columns)
SELECT_STEPS: Final = (
    f"SELECT {_COLUMNS} FROM behaviour_events "  # noqa: S608 - names from the schema table
    "WHERE at_us >= ? AND at_us < ? ORDER BY at_us LIMIT ?"
)
SELECT_STEPS_OF: Final = (
    f"SELECT {_COLUMNS} FROM behaviour_events "  # noqa: S608 - names from the schema table
    "WHERE user_id = ? AND at_us >= ? ORDER BY at_us DESC LIMIT ?"
)
_ORDER: Final = (
    "SELECT order_id, user_id, amount_fen, scene, kind, pay_state, credit_state, paid_attempt, "
    "credited_at_us FROM orders "
)
SELECT_CREDITED: Final = _ORDER + "WHERE credited_at_us >= ? AND credited_at_us < ?"
SELECT_ORDER: Final = _ORDER + "WHERE order_id = ?"
SELECT_CREDITING: Final = (
    "SELECT max(t.seq) FROM trails t JOIN journal j ON j.lane = :lane AND j.seq = t.seq "
    "WHERE t.subject_id = :order_id AND j.at_us <= :at_us"
)
# Money going back, set aside or taken back is no spending; these four are.
_SPENDING: Final = sorted(
    KINDS[each].number for each in (OpenOrder, SendGift, SendPacket, Transfer)
)
SELECT_SPENT: Final = (
    "SELECT j.at_us FROM entries e JOIN journal j ON j.lane = :lane AND j.seq = e.seq "  # noqa: S608 - numbers of the table of commands
    "WHERE e.account = :account AND e.seq > :seq AND e.amount_fen < 0 "
    f"AND j.kind IN ({', '.join(map(str, _SPENDING))}) ORDER BY e.seq LIMIT 1"
)
SELECT_PAYER: Final = (
    "SELECT count(*), COALESCE(max(credited_at_us), 0) FROM orders "
    "WHERE user_id = ? AND credited_at_us >= ?"
)
SELECT_COINS: Final = (
    "SELECT COALESCE(sum(paid_left + bonus_left), 0) FROM grants WHERE user_id = ?"
)
SELECT_COINS_THEN: Final = (
    "SELECT e.balance_after_fen FROM entries e JOIN journal j ON j.lane = ? AND j.seq = e.seq "
    "WHERE e.account = ? AND j.at_us <= ? ORDER BY e.seq DESC, e.leg DESC LIMIT 1"
)
_RISK: Final = (CreditState.HELD, CreditState.REJECTED)


SELECT_NEWEST: Final = "SELECT COALESCE(max(at_us), 0) FROM behaviour_events"


class Told(NamedTuple):
    """One step as a caller tells it, by the page's own id."""

    page_id: str
    trace: bytes
    step: Step
    at_us: int
    scene: str = ""
    order_id: bytes = b""
    amount_fen: int = 0
    reason: str = ""


def record_steps(user_id: bytes, steps: Iterable[Told]) -> Submission:
    """Make the command that takes a person's steps down; the same step is the same row for ever."""
    told = [
        StepTold(_event_id(user_id, each.page_id), each.trace, int(each.step), *each[3:])
        for each in steps
    ]
    assert all(len(each.trace) == TRACE_BYTES for each in told), "a trace has sixteen bytes"
    return Submission(RecordSteps(user_id, tuple(told)))


def _event_id(user_id: bytes, page_id: str) -> bytes:
    return user_id[:2] + sha256(user_id + page_id.encode()).digest()[:_DIGEST_BYTES]


class Behaviour(NamedTuple):
    """What a funnel is made of."""

    events: list[BehaviourEvent]
    outcomes: dict[bytes, Outcome]


def behaviour(connection: Connection, since_us: int, until_us: int) -> Behaviour | None:
    """Read all steps of a time and the orders that belong to it; None when there are too many.

    Takes as long as there are rows: belongs on a thread of its own.
    """
    connection.execute("BEGIN")
    try:
        limits = (since_us, until_us + PATIENCE_US, FUNNEL_ROWS_MAX + 1)
        rows: list[Any] = connection.execute(SELECT_STEPS, limits).fetchall()
        if len(rows) > FUNNEL_ROWS_MAX:
            return None
        events = [BehaviourEvent(*row) for row in rows]
        found: list[Any] = connection.execute(SELECT_CREDITED, (since_us, until_us)).fetchall()
        known = {row[0] for row in found}
        for order_id in {each.order_id for each in events if each.order_id} - known:
            found += connection.execute(SELECT_ORDER, (order_id,)).fetchall()
        outcomes = {row[0]: _outcome(connection, row[0], row[1:]) for row in found}
        return Behaviour(events, outcomes)
    finally:
        connection.execute("COMMIT")


def _outcome(connection: Connection, order_id: bytes, columns: Any) -> Outcome:  # noqa: ANN401 - a row of SELECT_ORDER
    user_id, amount_fen, scene, kind, pay_state, credit_state, attempt, credited_at_us = columns
    is_packet = kind == OrderKind.PACKET
    spent_us = credited_at_us
    if credited_at_us and not is_packet:
        is_coins = kind == OrderKind.COINS
        account = coin_account(user_id) if is_coins else balance_account(user_id)
        spent_us = _first_spend_us(connection, order_id, account, credited_at_us)
    return Outcome(
        user_id,
        amount_fen,
        scene,
        pay_state in (PayState.PAID, PayState.OVERPAID),
        bool(attempt),
        credit_state in _RISK,
        credited_at_us,
        spent_us,
    )


def _first_spend_us(
    connection: Connection, order_id: bytes, account: bytes, credited_at_us: int
) -> int:
    words = {"lane": lane_of(order_id), "order_id": order_id, "at_us": credited_at_us}
    (seq,) = next(connection.execute(SELECT_CREDITING, words))
    if seq is None:
        return 0
    found: Any = connection.execute(
        SELECT_SPENT, {"lane": lane_of(account), "account": account, "seq": seq}
    ).fetchone()
    return 0 if found is None else int(found[0])


def newest_day(connection: Connection) -> int:
    """Return the business day of the newest step; the first day of all where there is none."""
    (at_us,) = next(connection.execute(SELECT_NEWEST))
    return business_day(int(str(at_us)))


def steps_of(
    connection: Connection, user_id: bytes, since_us: int, rows_max: int
) -> list[BehaviourEvent]:
    """Return a person's newest steps since a time."""
    rows: list[Any] = connection.execute(SELECT_STEPS_OF, (user_id, since_us, rows_max)).fetchall()
    return [BehaviourEvent(*row) for row in rows]


def payer(connection: Connection, user_id: bytes, cheapest_coins: int, now_us: int) -> History:
    """Return what the ledger knows of a person as a payer."""
    row: Any = connection.execute(SELECT_PAYER, (user_id, now_us - HISTORY_US)).fetchone()
    (coins,) = next(connection.execute(SELECT_COINS, (user_id,)))
    return History(row[0], row[1], int(str(coins)), cheapest_coins)


def hindsight(
    connection: Connection, found: Behaviour, cheapest_coins: int
) -> list[tuple[int, bool]]:
    """Return, for every look at the plans, what a forecast would have said and what came of it.

    Each forecast sees only what was known at its moment. Units: ppm.
    """
    steps: dict[bytes, list[BehaviourEvent]] = defaultdict(list)
    for event in found.events:
        steps[event.user_id].append(event)
    credited: dict[bytes, list[int]] = defaultdict(list)
    for outcome in found.outcomes.values():
        if outcome.credited_at_us:
            credited[outcome.user_id].append(outcome.credited_at_us)
    cases = []
    for user_id, events in steps.items():
        times = sorted(credited[user_id])
        for place, event in enumerate(events):
            if event.step == Step.PLAN_VIEW:
                coins = _coins_then(connection, user_id, event.at_us)
                known = _payer_then(times, event.at_us, coins, cheapest_coins)
                ppm = _forecast_ppm(events[: place + 1], known)
                cases.append((ppm, _is_paid_soon(times, event.at_us)))
    return cases


def _coins_then(connection: Connection, user_id: bytes, at_us: int) -> int:
    words = (lane_of(user_id), coin_account(user_id), at_us)
    row: Any = connection.execute(SELECT_COINS_THEN, words).fetchone()
    return 0 if row is None else int(row[0])


def _payer_then(times: list[int], at_us: int, coins: int, cheapest_coins: int) -> History:
    before = times[bisect_left(times, at_us - HISTORY_US) : bisect_right(times, at_us)]
    return History(len(before), before[-1] if before else 0, coins, cheapest_coins)


def _forecast_ppm(events: list[BehaviourEvent], known: History) -> int:
    now_us = events[-1].at_us
    today = [each for each in events if business_day(each.at_us) == business_day(now_us)]
    segment = segment_of([each.scene for each in today])
    return forecast(features(today, known, segment, now_us)).ppm


def _is_paid_soon(times: list[int], at_us: int) -> bool:
    place = bisect_right(times, at_us)
    return place < len(times) and times[place] <= at_us + PATIENCE_US
