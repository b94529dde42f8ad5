"""What reconciliation reads and keeps: our rows of a day, sealed bills, and sheets (对账存取).

Law: a bill's raw bytes and the sheet of our own rows lie sealed beside the journal, their SHA-256
in it, so that a closed day can be derived again from exactly what was compared.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import apsw
import msgspec

from lingqian.channels.port import Bill, BillKind, BillRow, FundRow
from lingqian.clearing.day import Comparison, Day, compare
from lingqian.clearing.difference import OPEN_STATES, Difference, day_id
from lingqian.clearing.fund import set_apart
from lingqian.clearing.item import WAYS, Booked, Standing, Way, channel_no_of, number_of
from lingqian.flows.command import Observe
from lingqian.flows.receipt import settled_fen
from lingqian.kernel.clock import business_day, day_start_us
from lingqian.kernel.fault import Damaged
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_PAYOUT,
    PREFIX_REFUND,
    lane_of,
    parse,
    show,
)
from lingqian.kernel.order import RUN_ROWS_MAX, ordered
from lingqian.ledger.chart import channel_account, payable_account
from lingqian.storage.codec import Row, decode
from lingqian.storage.port import Personal
from lingqian.storage.schema import TABLES
from lingqian.storage.vault import Vault
from lingqian.topup.attempt import DEAD_STATES, AttemptState
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import RefundStage

FIELD_TRADE_BILL: Final = 20
FIELD_FUND_BILL: Final = 21
FIELD_SHEET: Final = 22
FIELD_DIFFERENCE_NOTE: Final = 23
BILL_FIELDS: Final = {BillKind.TRADE: FIELD_TRADE_BILL, BillKind.FUND: FIELD_FUND_BILL}
# Bills of so many days before are asked whether they have shown an item already.
LOOK_BACK_DAYS: Final = 3

_COLUMNS: Final = {table.name: ", ".join((*table.key, *table.columns)) for table in TABLES}
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
SELECT_PAYOUTS: Final = (
    "SELECT COALESCE(sum(amount_fen), 0) FROM payouts "
    "WHERE account = ? AND stage = ? AND success_at_us >= ?"
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
# Payouts that a fund bill has shown: what has left, and what our books know to have left.
SELECT_PAYOUT_TRANSIT: Final = (
    "SELECT COALESCE(sum(moved + iif(stage = ?2 AND success_at_us < ?3, amount_fen, 0)), 0) FROM ("
    "SELECT p.stage, p.success_at_us, p.amount_fen, sum(f.amount_fen) AS moved "
    "FROM flows f JOIN payouts p ON p.payout_id = f.subject_id "
    "WHERE f.account = ?1 AND f.subject_id <> x'' AND f.day <= ?4 GROUP BY p.payout_id)"
)
SELECT_RETURNED: Final = (
    "SELECT COALESCE(sum(amount_fen), 0) FROM flows WHERE subject_id = ? AND day <= ?"
)
SELECT_DAY: Final = f"SELECT {_COLUMNS['days']} FROM days WHERE day_id = ?"  # noqa: S608 - names from the schema
SELECT_DAYS: Final = f"SELECT {_COLUMNS['days']} FROM days WHERE account = ? ORDER BY day"  # noqa: S608 - as above
SELECT_NEWEST_DAYS: Final = (
    f"SELECT {_COLUMNS['days']} FROM days "  # noqa: S608 - as above
    "WHERE day < ?1 OR (day = ?1 AND account > ?2) ORDER BY day DESC, account LIMIT ?3"
)
# A day's own, and of the days before it what still waits: of years of ended ones none is read.
SELECT_DIFFERENCES: Final = (
    f"SELECT {_COLUMNS['differences']} FROM differences "  # noqa: S608 - as above
    "WHERE account = ?1 AND day = ?2 UNION ALL "
    f"SELECT {_COLUMNS['differences']} FROM differences INDEXED BY differences_by_due "
    "WHERE state IN (1, 2) AND account = ?1 AND day < ?2 ORDER BY difference_id"
)
SELECT_DIFFERENCE: Final = (
    f"SELECT {_COLUMNS['differences']} FROM differences WHERE difference_id = ?"  # noqa: S608 - as above
)
SELECT_TOLD: Final = (
    "SELECT 1 FROM days WHERE account = ? AND day < ? AND fund_digest NOT IN (x'', ?) LIMIT 1"
)
# Later than any day there is.
_NO_DAY: Final = 1 << 62
_NO_BILL: Final = sha256(b"").digest()
SELECT_SEALED: Final = "SELECT cipher FROM personal WHERE owner_id = ? AND field = ?"
SELECT_LANES: Final = "SELECT lane FROM lanes"
SELECT_ACCOUNT: Final = "SELECT debits_posted - credits_posted FROM accounts WHERE account = ?"
SELECT_FIRST: Final = "SELECT min(created_at_us) FROM attempts WHERE account = ?"


# Reads a channel's raw bytes as a bill, as they were read when they were fetched.
ReadBill = Callable[[BillKind, int, bytes], Bill]


class Sheet(NamedTuple):
    """Our side of a day as it was compared: our rows, what was known before, and what was shown.

    `shown` are the numbers, ours and the channel's, that the day's trade bill has; `earlier` those
    of refunds that bills of earlier days had.
    """

    booked: tuple[Booked, ...]
    opening_fen: int | None
    earlier: tuple[str, ...]
    shown: tuple[tuple[int, str], ...]


# A sheet in pieces begins so; one in one piece begins with the mark of four fields.
_IN_PIECES: Final = b"\x01"
_PART_OPENING, _PART_BOOKED, _PART_EARLIER, _PART_SHOWN = range(4)
_PIECES: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    _PART_OPENING: msgspec.msgpack.Decoder(list[int | None]),
    _PART_BOOKED: msgspec.msgpack.Decoder(list[Booked]),
    _PART_EARLIER: msgspec.msgpack.Decoder(list[str]),
    _PART_SHOWN: msgspec.msgpack.Decoder(list[tuple[int, str]]),
}
_WHOLE: Final = msgspec.msgpack.Decoder(Sheet)
_encode: Final = msgspec.msgpack.Encoder().encode
# What is kept packed begins so; neither a bill nor a sheet does.
_PACKED: Final = b"\x78\x01"


# --- days and differences -------------------------------------------------------------------------


def day_row(connection: apsw.Connection, account: str, day: int) -> Day | None:
    """Return a day as it is stored."""
    return day_of_id(connection, day_id(account, day))


def day_of_id(connection: apsw.Connection, identity: bytes) -> Day | None:
    """Return the day of an id."""
    row = connection.execute(SELECT_DAY, (identity,)).fetchone()
    return None if row is None else Day(*row[1:])


def days(connection: apsw.Connection, account: str) -> list[Day]:
    """Return an account's days, the oldest first."""
    return [Day(*row[1:]) for row in connection.execute(SELECT_DAYS, (account,))]


def newest_days(connection: apsw.Connection, rows_max: int, after: Day | None = None) -> list[Day]:
    """Return the newest days of all accounts; a page goes on after the last of the one before."""
    place = (_NO_DAY, "") if after is None else (after.day, after.account)
    rows = connection.execute(SELECT_NEWEST_DAYS, (*place, rows_max))
    return [Day(*row[1:]) for row in rows]


def differences(
    connection: apsw.Connection, account: str, day: int
) -> list[tuple[bytes, Difference]]:
    """Return an account's differences of a day, and those that earlier days have left open."""
    rows = connection.execute(SELECT_DIFFERENCES, (account, day))
    return [(row[0], Difference(*row[1:])) for row in rows]


def difference(connection: apsw.Connection, identity: bytes) -> Difference | None:
    """Return one difference."""
    row = connection.execute(SELECT_DIFFERENCE, (identity,)).fetchone()
    return None if row is None else Difference(*row[1:])


def told(connection: apsw.Connection, day: Day) -> list[tuple[bytes, Difference]]:
    """Return what a report of a day shows: its own differences, and what it was carried."""
    return differences(connection, day.account, day.day)


def first_day(connection: apsw.Connection, account: str) -> int | None:
    """Return the day of an account's first attempt; None before there is one."""
    row = connection.execute(SELECT_FIRST, (account,)).fetchone()
    return business_day(row[0]) if row and isinstance(row[0], int) else None


# --- what is kept sealed --------------------------------------------------------------------------


def sealed(vault: Vault, owner_id: bytes, field: int, plain: bytes) -> Personal:
    """Seal a bill or a sheet, packed; its digest is a plain SHA-256 of it, for it hides nothing.

    A large day's bill has fifty million bytes, and three when it is packed.
    """
    packed = zlib.compress(plain, zlib.Z_BEST_SPEED)
    assert packed.startswith(_PACKED), "the fastest packing has its own mark"
    cipher = vault.seal("personal", owner_id + bytes((field,)), packed)
    return Personal(owner_id, field, cipher, sha256(plain).digest())


def sealed_note(vault: Vault, identity: bytes, note: str) -> tuple[bytes, tuple[Personal, ...]]:
    """Seal what somebody wrote about a difference: its keyed digest, and the row; or nothing."""
    if not note:
        return b"", ()
    plain = note.encode()
    mac = vault.mac("personal", plain)
    cipher = vault.seal("personal", identity + bytes((FIELD_DIFFERENCE_NOTE,)), plain)
    return mac, (Personal(identity, FIELD_DIFFERENCE_NOTE, cipher, mac),)


def opened(connection: apsw.Connection, vault: Vault, owner_id: bytes, field: int) -> bytes | None:
    """Open a bill or a sheet; None when none is kept.

    Raises: Damaged.
    """
    row: Any = connection.execute(SELECT_SEALED, (owner_id, field)).fetchone()
    if row is None:
        return None
    return unpacked(vault.open("personal", owner_id + bytes((field,)), row[0]))


def unpacked(kept: bytes) -> bytes:
    """Return a bill or a sheet as it was before it was packed; an older one never was.

    Raises: Damaged.
    """
    if not kept.startswith(_PACKED):
        return kept
    try:
        return zlib.decompress(kept)
    except zlib.error as error:
        raise Damaged("a kept bill or sheet cannot be unpacked") from error


def write_sheet(sheet: Sheet) -> bytes:
    """Write a sheet in short pieces; equal sheets have equal bytes.

    A piece is its length, its part and so many rows: reading or writing one holds nobody up.
    """
    parts: tuple[tuple[int, Sequence[Any]], ...] = (
        (_PART_OPENING, (sheet.opening_fen,)),
        (_PART_BOOKED, ordered(sheet.booked, _place)),
        (_PART_EARLIER, sheet.earlier),
        (_PART_SHOWN, sheet.shown),
    )
    pieces = [_IN_PIECES]
    for part, rows in parts:
        for start in range(0, len(rows), RUN_ROWS_MAX):
            piece = bytes((part,)) + _encode(rows[start : start + RUN_ROWS_MAX])
            pieces += [len(piece).to_bytes(4, "big"), piece]
    return b"".join(pieces)


def _place(row: Booked) -> tuple[Way, str]:
    return row.way, row.number


def read_sheet(plain: bytes) -> Sheet:
    """Read a sheet that was written; one from before there were pieces is one piece."""
    if not plain.startswith(_IN_PIECES):
        return _WHOLE.decode(plain)
    found: dict[int, list[Any]] = {part: [] for part in _PIECES}
    for part, piece in _pieces(plain):
        found[part] += _PIECES[part].decode(piece)
    return Sheet(
        tuple(found[_PART_BOOKED]),
        found[_PART_OPENING][0],
        tuple(found[_PART_EARLIER]),
        tuple(found[_PART_SHOWN]),
    )


def _pieces(plain: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield a sheet's pieces and what each is a part of."""
    view, place = memoryview(plain), len(_IN_PIECES)
    while place < len(plain):
        end = place + 4 + int.from_bytes(view[place : place + 4], "big")
        yield view[place + 4], view[place + 5 : end]
        place = end


def _shown_in(plain: bytes) -> Iterator[tuple[int, str]]:
    """Yield the numbers a sheet's bill has shown, and read nothing else of it."""
    if not plain.startswith(_IN_PIECES):
        yield from read_sheet(plain).shown
        return
    for part, piece in _pieces(plain):
        if part == _PART_SHOWN:
            yield from _PIECES[part].decode(piece)


def result_digest(comparison: Comparison) -> bytes:
    """Return the SHA-256 of all that a comparison found."""
    found = [
        (each.item.way, each.item.number, each.found, each.gap_fen) for each in comparison.findings
    ]
    told_by = (
        comparison.day,
        len(comparison.items),
        found,
        comparison.chain,
        comparison.sums,
        comparison.ours_fen,
        comparison.theirs_fen,
    )
    return sha256(msgspec.msgpack.encode(told_by)).digest()


def derive(day: int, sheet: Sheet, trade: Iterable[BillRow], fund: Iterable[FundRow]) -> Comparison:
    """Compare a day from its inputs alone."""
    lines = tuple(trade)
    flows = set_apart(fund, frozenset(sheet.earlier), refunds_in(lines))
    return compare(day, sheet.booked, lines, flows, opening_fen=sheet.opening_fen)


def refunds_in(lines: Iterable[BillRow]) -> frozenset[str]:
    """Return the channel's numbers of the refunds that a trade bill shows."""
    return frozenset(channel_no_of(each) for each in lines if WAYS.get(each.side) == Way.REFUND)


# --- our side of a day ----------------------------------------------------------------------------


class Frame(NamedTuple):
    """What a reading of our side is given: the account, the day, and its plan's base rate."""

    connection: apsw.Connection
    vault: Vault
    account: str
    day: int
    rate_ppm: int

    def on(self, connection: apsw.Connection) -> "Frame":
        """Return the same frame over another connection."""
        return self._replace(connection=connection)

    @property
    def span_us(self) -> tuple[int, int]:
        """Return from when on our rows are read, and the end of the day."""
        return day_start_us(self.day - LOOK_BACK_DAYS), day_start_us(self.day + 1)


def our_side(frame: Frame, lines: Iterable[BillRow]) -> Sheet:
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
            for each in _shown_in(plain):
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


def subject_of_flow(connection: apsw.Connection, account: str, row: FundRow) -> bytes:
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


# --- what the books say at the end of a day -------------------------------------------------------


def channel_fen(connection: apsw.Connection, account: str) -> int:
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
