"""Our side of a day: what succeeded on it, what its bill names, what is carried, what books say.

Law: a row is of the day on which its channel had it, whenever we booked it (对账己方).
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

from lingqian.channels.port import BillRow, FundRow
from lingqian.clearing.difference import OPEN_STATES, day_id
from lingqian.clearing.item import WAYS, Booked, Standing, Way, channel_no_of, number_of
from lingqian.flows.command import Observe
from lingqian.flows.receipt import settled_fen
from lingqian.kernel.clock import business_day, day_start_us
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_PAYOUT,
    PREFIX_REFUND,
    lane_of,
    parse,
    show,
)
from lingqian.kernel.order import ordered
from lingqian.ledger.chart import channel_account, payable_account
from lingqian.storage.codec import Row, decode
from lingqian.storage.kept_bill import FIELD_SHEET, opened
from lingqian.storage.port import Connection
from lingqian.storage.reconciliation import day_row, differences
from lingqian.storage.sheet import Sheet, shown_in
from lingqian.storage.vault import Vault
from lingqian.topup.attempt import DEAD_STATES, AttemptState
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import RefundStage

# Bills of so many days before are asked whether they have shown an item already.
LOOK_BACK_DAYS: Final = 3
_PAID: Final = (
    "SELECT a.attempt_id, a.state, a.paid_fen, a.amount_fen, a.settle_fen, a.fee_fen, "
    "a.transaction_id, a.success_at_us, a.refunding_fen + a.refunded_fen, o.paid_attempt "
    "FROM attempts a JOIN orders o ON o.order_id = a.order_id WHERE a.account = ? AND "
)
SELECT_PAID: Final = _PAID + "a.success_at_us >= ? AND a.success_at_us < ?"
SELECT_ATTEMPT: Final = _PAID + "a.attempt_id = ?"
_REFUNDED: Final = (
    "SELECT r.refund_id, r.stage, r.amount_fen, r.fee_back_fen, r.channel_refund_id, "
    "r.success_at_us, r.created_at_us, r.attempt_id FROM refunds r "
    "LEFT JOIN transactions t ON t.transaction_key = r.transaction_key "
    "LEFT JOIN attempts a ON a.attempt_id = r.attempt_id "
    "WHERE COALESCE(t.account, a.account) = ? AND "
)
SELECT_REFUNDED: Final = _REFUNDED + "r.success_at_us >= ? AND r.success_at_us < ?"
SELECT_REFUND: Final = _REFUNDED + "r.refund_id = ?"
# Payments that no attempt of ours has for its own: strangers, and second transactions.
SELECT_PARKED: Final = (
    "SELECT t.transaction_key, t.transaction_id, t.amount_fen, t.success_at_us FROM transactions t "
    "LEFT JOIN attempts a ON a.attempt_id = t.attempt_id "
    "WHERE t.account = ? AND t.success_at_us >= ? AND t.success_at_us < ? "
    "AND t.attempt_id <> t.transaction_key "
    "AND (a.attempt_id IS NULL OR a.transaction_id <> t.transaction_id)"
)
# The row that booked a transaction: what was settled of it after a coupon, and its fee.
SELECT_BOOKED: Final = (
    "SELECT j.lane, j.seq, j.at_us, j.kind, j.code, j.body FROM trails t "
    "JOIN journal j ON j.lane = ? AND j.seq = t.seq WHERE t.subject_id = ? ORDER BY t.seq LIMIT 1"
)
SELECT_PAYOUT: Final = "SELECT payout_id FROM payouts WHERE account = ? AND channel_no = ?"
SELECT_REFUND_NO: Final = (
    "SELECT r.refund_id FROM refunds r "
    "LEFT JOIN transactions t ON t.transaction_key = r.transaction_key "
    "LEFT JOIN attempts a ON a.attempt_id = r.attempt_id "
    "WHERE COALESCE(t.account, a.account) = ? AND r.channel_refund_id = ?"
)
# What of a refund the channel has borne: the posting that leads from what was set aside to it.
SELECT_SETTLED_BACK: Final = (
    "SELECT COALESCE(sum(abs(c.amount_fen)), 0) FROM entries p JOIN entries c "
    "ON c.account = ? AND c.seq = p.seq AND c.leg = p.leg WHERE p.account = ?"
)
SELECT_RETURNED: Final = (
    "SELECT COALESCE(sum(amount_fen), 0) FROM flows WHERE subject_id = ? AND day <= ?"
)
SELECT_TOLD: Final = (
    "SELECT 1 FROM days WHERE account = ? AND day < ? AND fund_digest NOT IN (x'', ?) LIMIT 1"
)
_NO_BILL: Final = sha256(b"").digest()


class Frame(NamedTuple):
    """What a reading of our side is given: the account, the day, and its plan's base rate."""

    connection: Connection
    vault: Vault
    account: str
    day: int
    rate_ppm: int

    def on(self, connection: Connection) -> "Frame":
        """Return the same frame over another connection."""
        return self._replace(connection=connection)

    @property
    def span_us(self) -> tuple[int, int]:
        """Return from when on our rows are read, and the end of the day."""
        return day_start_us(self.day - LOOK_BACK_DAYS), day_start_us(self.day + 1)


def our_sheet(frame: Frame, lines: Iterable[BillRow]) -> Sheet:
    """Collect our rows of a day: what succeeded on it, what its bill names, what is carried."""
    bill = tuple(lines)
    shown = _shown_before(frame, range(frame.day - LOOK_BACK_DAYS, frame.day))
    carried = [
        (Way(row.way), row.number)
        for _, row in differences(frame.connection, frame.account, frame.day)
        if row.state in OPEN_STATES
    ]
    named = {(WAYS[line.side], number_of(line)) for line in bill} | set(carried)
    payments = {row.number: row for row in _payments(frame, named)}
    refunds = {row.number: row for row in _refunds(frame, named, shown)}
    rows = [*payments.values(), *_parked(frame, frame.span_us), *refunds.values()]
    return Sheet(
        tuple(row._replace(seen_day=_seen(shown, row)) for row in rows),
        _opening_fen(frame),
        tuple(ordered((number for way, number in shown if way == Way.REFUND), _itself)),
        tuple(ordered({each for line in bill for each in _names(line)}, _itself)),
    )


def _opening_fen(frame: Frame) -> int | None:
    """Return where the day before ended; None as long as no fund bill has told of the balance.

    A day without traffic has no bill, and what lies in the account on it stays unknown.
    """
    values = (frame.account, frame.day, _NO_BILL)
    told: Any = frame.connection.execute(SELECT_TOLD, values).fetchone()
    before = day_row(frame.connection, frame.account, frame.day - 1)
    return None if told is None or before is None else before.closing_fen


def _itself(each: Any) -> Any:  # noqa: ANN401 - whatever is put in order
    return each


def _names(line: BillRow) -> tuple[tuple[int, str], tuple[int, str]]:
    way = int(WAYS[line.side])
    return (way, number_of(line)), (way, channel_no_of(line))


def _seen(shown: dict[tuple[int, str], int], row: Booked) -> int:
    return max(shown.get((row.way, row.channel_no), 0), shown.get((row.way, row.number), 0))


def _shown_before(frame: Frame, past: Iterable[int]) -> dict[tuple[int, str], int]:
    """Return which bills of these days had which numbers, by their sheets."""
    found: dict[tuple[int, str], int] = {}
    for day in past:
        plain = opened(frame.connection, frame.vault, day_id(frame.account, day), FIELD_SHEET)
        if plain is not None:
            for each in shown_in(plain):
                found[each] = day
    return found


def _payments(frame: Frame, named: set[tuple[Way, str]]) -> Iterator[Booked]:
    execute, account = frame.connection.execute, frame.account
    paid: list[Any] = execute(SELECT_PAID, (account, *frame.span_us)).fetchall()
    yield from (_payment(frame, row) for row in paid)
    known: set[bytes] = {row[0] for row in paid}
    for way, number in named:
        identity = parse(PREFIX_ATTEMPT, number) if way == Way.PAY else None
        if identity is not None and identity not in known:
            for row in execute(SELECT_ATTEMPT, (account, identity)).fetchall():
                yield _payment(frame, row)


def _payment(frame: Frame, row: tuple[Any, ...]) -> Booked:
    identity, state, paid, amount, settle, fee, transaction, at_us, back, paid_attempt = row
    is_done = state == AttemptState.SUCCEEDED
    standing = Standing.DEAD if state in DEAD_STATES else Standing.OPEN
    number = show(PREFIX_ATTEMPT, identity)
    return Booked(
        Way.PAY,
        number,
        number,
        transaction,
        Standing.DONE if is_done else standing,
        business_day(at_us) if is_done else 0,
        paid if is_done else amount,
        settle if is_done else amount,
        fee,
        frame.rate_ppm,
        has_rival=bool(paid_attempt) and paid_attempt != identity and not back,
    )


def _parked(frame: Frame, span_us: tuple[int, int]) -> Iterator[Booked]:
    """Yield money without an attempt of its own, as the row that booked it says."""
    execute = frame.connection.execute
    rows: Any = execute(SELECT_PARKED, (frame.account, *span_us)).fetchall()
    for key, number, amount_fen, at_us in rows:
        row: Any = execute(SELECT_BOOKED, (lane_of(key), key)).fetchone()
        booked = decode(Row(*row)).record.command
        assert isinstance(booked, Observe), "a transaction begins with the evidence that booked it"
        yield Booked(
            Way.PAY,
            number,
            "",
            number,
            Standing.DONE,
            business_day(at_us),
            amount_fen,
            settled_fen(booked),
            booked.fee_fen,
        )


def _refunds(
    frame: Frame, named: set[tuple[Way, str]], shown: dict[tuple[int, str], int]
) -> Iterator[Booked]:
    execute, account = frame.connection.execute, frame.account
    back: list[Any] = execute(SELECT_REFUNDED, (account, *frame.span_us)).fetchall()
    yield from (_refund(frame, row, shown) for row in back)
    known: set[bytes] = {row[0] for row in back}
    for way, number in named:
        identity = parse(PREFIX_REFUND, number) if way == Way.REFUND else None
        if identity is not None and identity not in known:
            for row in execute(SELECT_REFUND, (account, identity)).fetchall():
                yield _refund(frame, row, shown)


_STANDING: Final = {RefundStage.SUCCESS: Standing.DONE, RefundStage.CLOSED: Standing.DEAD}


def _refund(frame: Frame, row: tuple[Any, ...], shown: dict[tuple[int, str], int]) -> Booked:
    identity, stage, amount_fen, back_fen, channel_no, at_us, created_at_us, attempt_id = row
    # A refund may end weeks after the bill that shows it: that bill's day is asked too.
    created = business_day(created_at_us)
    if created < frame.day - LOOK_BACK_DAYS:
        shown.update(_shown_before(frame, (created, created + 1)))
    standing = _STANDING.get(stage, Standing.OPEN)
    returned: Any = frame.connection.execute(SELECT_RETURNED, (identity, frame.day)).fetchone()
    settled: Any = frame.connection.execute(
        SELECT_SETTLED_BACK,
        (channel_account(lane_of(identity), frame.account), payable_account(identity)),
    ).fetchone()
    return Booked(
        Way.REFUND,
        show(PREFIX_REFUND, identity),
        show(PREFIX_ATTEMPT, attempt_id),
        channel_no,
        standing,
        business_day(at_us) if standing == Standing.DONE else 0,
        amount_fen,
        settled[0] if standing == Standing.DONE else amount_fen,
        back_fen,
        is_returned=returned[0] > 0,
    )


def subject_of_flow(connection: Connection, account: str, row: FundRow) -> bytes:
    """Return our payout or refund that a line of the fund bill belongs to; empty for none."""
    number = parse(PREFIX_PAYOUT, f"{PREFIX_PAYOUT}_{row.voucher_no.removeprefix(PREFIX_PAYOUT)}")
    if number is not None:
        return number
    for query in (SELECT_PAYOUT, SELECT_REFUND_NO):
        for no in filter(None, (row.business_no, row.voucher_no)):
            found: Any = connection.execute(query, (account, no)).fetchone()
            if found is not None:
                return bytes(found[0])
    return b""


SELECT_PAYOUTS: Final = (
    "SELECT COALESCE(sum(amount_fen), 0) FROM payouts "
    "WHERE account = ? AND stage = ? AND success_at_us >= ?"
)
# Payouts that a fund bill has shown: what has left, and what our books know to have left.
SELECT_PAYOUT_TRANSIT: Final = (
    "SELECT COALESCE(sum(moved + iif(stage = ?2 AND success_at_us < ?3, amount_fen, 0)), 0) FROM ("
    "SELECT p.stage, p.success_at_us, p.amount_fen, sum(f.amount_fen) AS moved "
    "FROM flows f JOIN payouts p ON p.payout_id = f.subject_id "
    "WHERE f.account = ?1 AND f.subject_id <> x'' AND f.day <= ?4 GROUP BY p.payout_id) AS found"
)
SELECT_LANES: Final = "SELECT lane FROM lanes"
SELECT_ACCOUNT: Final = "SELECT debits_posted - credits_posted FROM accounts WHERE account = ?"


def channel_fen(connection: Connection, account: str) -> int:
    """Return what the channel account owes us now, in all lanes."""
    total = 0
    lanes: Any = connection.execute(SELECT_LANES).fetchall()
    for (lane,) in lanes:
        row: Any = connection.execute(SELECT_ACCOUNT, (channel_account(lane, account),)).fetchone()
        total += row[0] if row is not None else 0
    return total


def later_fen(frame: Frame) -> int:
    """Return what is booked already and belongs to later days."""
    start = day_start_us(frame.day + 1)
    span = (frame.account, start, 1 << 62)
    execute = frame.connection.execute
    shown = _shown_before(frame, range(frame.day - LOOK_BACK_DAYS, frame.day + 1))
    paid = [_payment(frame, row) for row in execute(SELECT_PAID, span).fetchall()]
    back = [_refund(frame, row, shown) for row in execute(SELECT_REFUNDED, span).fetchall()]
    parked = _parked(frame, span[1:])
    payouts: Any = execute(SELECT_PAYOUTS, (frame.account, PayoutStage.SUCCESS, start)).fetchone()
    # A refund that a bill has shown has left the account on that bill's day, whenever it ended.
    gone = [row for row in back if not _seen(shown, row)]
    return (
        sum(row.settle_fen - row.fee_fen for row in (*paid, *parked))
        - sum(row.settle_fen - row.fee_fen for row in gone)
        - int(payouts[0])
    )


def transit_fen(frame: Frame) -> int:
    """Return what open differences and payouts under way explain: the channel's side less ours."""
    total = 0
    execute = frame.connection.execute
    for _, row in differences(frame.connection, frame.account, frame.day):
        if row.state not in OPEN_STATES or row.is_booked:
            continue
        total += row.gap_fen - row.fee_gap_fen
        refund = parse(PREFIX_REFUND, row.number) if row.way == Way.REFUND else None
        if refund is not None:
            returned: Any = execute(SELECT_RETURNED, (refund, frame.day)).fetchone()
            total += int(returned[0])
    moved: Any = execute(
        SELECT_PAYOUT_TRANSIT,
        (frame.account, PayoutStage.SUCCESS, day_start_us(frame.day + 1), frame.day),
    ).fetchone()
    return total + int(moved[0])
