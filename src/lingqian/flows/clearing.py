"""Clearing: bills noted, differences recorded and ended, and a day closed for ever (对账与日结).

Law: a closed day is never changed; what is found later is a new entry. What a remedy moves keeps
the tiers whole: where the house pays, the same amount goes between the bank and its own cash.
All of it is decided in the lane of the house, whatever lanes the payments live in.
"""

from typing import Final, NamedTuple

from lingqian.channels.port import BillKind
from lingqian.clearing.classify import CARRY_DAYS_MAX, TABLE, Class
from lingqian.clearing.day import MACHINE as DAY_MACHINE
from lingqian.clearing.day import Day, DayState
from lingqian.clearing.difference import MACHINE as DIFFERENCE_MACHINE
from lingqian.clearing.difference import (
    OPEN_STATES,
    Difference,
    DifferenceState,
    Flow,
    Remedy,
    day_id,
)
from lingqian.flows.command import (
    CloseDay,
    RecordBill,
    RecordDifference,
    RecordFlow,
    RecordMatch,
    ResolveDifference,
)
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import View, Wanted
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES
from lingqian.ledger.chart import (
    Book,
    bank_account,
    cash_account,
    channel_account,
    house_account,
    unallocated_account,
)
from lingqian.ledger.posting import Phase, Posting
from lingqian.topup.evidence import Payment, Reason

_HOUSE_LANE: Final = 0


class BillDone(NamedTuple):
    """A bill is noted; the day waits to be compared, again if it was before."""

    state: int


class MatchDone(NamedTuple):
    """A comparison is noted."""

    state: int


class DifferenceDone(NamedTuple):
    """Where a difference stands now."""

    state: int


class FlowDone(NamedTuple):
    """A movement is noted, and so much of it booked."""

    amount_fen: int


class CloseDayDone(NamedTuple):
    """A day is closed, with so many differences carried on and so many in somebody's hands."""

    carried: int
    owned: int


# --- what a remedy moves --------------------------------------------------------------------------


def want_remedy(account: str, wanted: Wanted) -> None:
    """Name every account that a remedy for this channel account may touch."""
    lane = _HOUSE_LANE
    wanted.accounts |= {
        channel_account(lane, account),
        unallocated_account(lane),
        house_account(lane, Book.SHORTAGE),
        house_account(lane, Book.FEE_EXPENSE),
        bank_account(lane),
        cash_account(lane),
    }


def remedy_postings(
    account: str, remedy: int, gap_fen: int, fee_gap_fen: int
) -> tuple[Posting, ...]:
    """Return what a remedy books: the gap, and with it the fee that the bill states."""
    if remedy == Remedy.NONE:
        return ()
    channel = channel_account(_HOUSE_LANE, account)
    fee = _paid_by_house(Book.FEE_EXPENSE, channel, fee_gap_fen) if fee_gap_fen else ()
    if remedy == Remedy.LONG:
        return (_post(channel, unallocated_account(_HOUSE_LANE), gap_fen), *fee)
    if remedy == Remedy.SHORT:
        return (*_paid_by_house(Book.SHORTAGE, channel, -gap_fen), *fee)
    return fee


def _paid_by_house(book: Book, channel: bytes, amount_fen: int) -> tuple[Posting, ...]:
    """Return a cost of the house: the channel has less, and the house's cash makes it good."""
    return (
        _post(house_account(_HOUSE_LANE, book), channel, amount_fen),
        _post(bank_account(_HOUSE_LANE), cash_account(_HOUSE_LANE), amount_fen),
    )


def _post(debit: bytes, credit: bytes, amount_fen: int) -> Posting:
    """Return a posting; a negative amount goes the other way."""
    if amount_fen < 0:
        debit, credit, amount_fen = credit, debit, -amount_fen
    return Posting(Phase.POST, debit, credit, amount_fen)


# --- bills and comparisons ------------------------------------------------------------------------


def need_bill(command: RecordBill, wanted: Wanted) -> None:
    """Name the day."""
    wanted.days.add(command.day_id)


def decide_bill(view: View, command: RecordBill, at_us: int) -> Decision:
    """Note a bill; the same bytes again change nothing.

    Refuses: day_closed.
    """
    del at_us
    day = view.days.get(command.day_id)
    if day is None:
        return Decision(Code.OK, BillDone(DAY_MACHINE.step(DayState.OPEN, "fetch")))
    if day.state == DayState.CLOSED:
        return refused(Code.DAY_CLOSED)
    if command.digest == _digest(day, command.bill):
        return Decision(Code.OK)
    # From here it must succeed.
    return Decision(Code.OK, BillDone(DAY_MACHINE.step(day.state, "fetch")))


def _digest(day: Day, bill: int) -> bytes:
    return day.trade_digest if bill == BillKind.TRADE else day.fund_digest


def fold_bill(view: View, record: Record) -> None:
    """Write the bill's digest, and open the day with the first."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, RecordBill), "the journal names its kind"
    assert isinstance(outcome, BillDone), "the journal names its kind"
    if view.days.get(command.day_id) is None:
        view.days.put(command.day_id, _new_day(command))
    day = view.days.edit(command.day_id)
    assert day.state != DayState.CLOSED, "a closed day is never written over"
    day.state = outcome.state
    if command.bill == BillKind.TRADE:
        day.trade_digest = command.digest
    else:
        day.fund_digest = command.digest
    view.trail(record.seq, command.day_id)


def _new_day(command: RecordBill) -> Day:
    return Day(
        account=command.account,
        carried=0,
        closed_at_us=0,
        closed_by="",
        closing_fen=0,
        day=command.day,
        fund_digest=b"",
        items=0,
        opening_fen=0,
        ours_fen=0,
        owned=0,
        result_digest=b"",
        sheet_digest=b"",
        state=DayState.OPEN,
        theirs_fen=0,
        trade_digest=b"",
    )


def need_match(command: RecordMatch, wanted: Wanted) -> None:
    """Name the day."""
    wanted.days.add(command.day_id)


def decide_match(view: View, command: RecordMatch, at_us: int) -> Decision:
    """Note what comparing came to; the same result again changes nothing.

    Refuses: day_unknown, day_closed, bill_missing.
    """
    del at_us
    day = view.days.get(command.day_id)
    if day is None:
        return refused(Code.DAY_UNKNOWN)
    if day.state == DayState.CLOSED:
        return refused(Code.DAY_CLOSED)
    if not (day.trade_digest and day.fund_digest):
        return refused(Code.BILL_MISSING)
    is_same = (day.result_digest, day.sheet_digest) == (
        command.result_digest,
        command.sheet_digest,
    )
    if day.state == DayState.MATCHED and is_same:
        return Decision(Code.OK)
    # From here it must succeed.
    return Decision(Code.OK, MatchDone(DAY_MACHINE.step(day.state, "match")))


def fold_match(view: View, record: Record) -> None:
    """Write the sums and digests of the newest comparison."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, RecordMatch), "the journal names its kind"
    assert isinstance(outcome, MatchDone), "the journal names its kind"
    day = view.days.edit(command.day_id)
    assert day.state != DayState.CLOSED, "a closed day is never written over"
    day.state = outcome.state
    day.items = command.items
    day.opening_fen = command.opening_fen
    day.closing_fen = command.closing_fen
    day.ours_fen = command.ours_fen
    day.theirs_fen = command.theirs_fen
    day.sheet_digest = command.sheet_digest
    day.result_digest = command.result_digest
    view.trail(record.seq, command.day_id)


# --- differences ----------------------------------------------------------------------------------


def need_difference(command: RecordDifference, wanted: Wanted) -> None:
    """Name the difference, its day, and what its remedy may touch."""
    wanted.differences.add(command.difference_id)
    wanted.days.add(day_id(command.account, command.day))
    if command.remedy:
        want_remedy(command.account, wanted)


def decide_difference(view: View, command: RecordDifference, at_us: int) -> Decision:
    """Record a difference once, and move it on; what it already is, is no news.

    Refuses: day_unknown, day_closed.
    """
    del at_us
    known = view.differences.get(command.difference_id)
    day = view.days.get(day_id(command.account, command.day))
    if day is None:
        return refused(Code.DAY_UNKNOWN)
    if known is None and day.state == DayState.CLOSED:
        return refused(Code.DAY_CLOSED)
    state = DifferenceState.NEW if known is None else known.state
    following = DIFFERENCE_MACHINE.steps.get((state, command.event))
    if following is None or (known is not None and known.is_booked and command.remedy):
        return Decision(Code.OK)
    # From here it must succeed.
    postings = remedy_postings(
        command.account, command.remedy, command.gap_fen, command.fee_gap_fen
    )
    return Decision(Code.OK, DifferenceDone(following), postings)


def fold_difference(view: View, record: Record) -> None:
    """Write the difference, with an owner and a deadline from the table of classes."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, RecordDifference), "the journal names its kind"
    assert isinstance(outcome, DifferenceDone), "the journal names its kind"
    if view.differences.get(command.difference_id) is None:
        view.differences.put(command.difference_id, _new_difference(command, record.at_us))
    row = view.differences.edit(command.difference_id)
    if row.state == DifferenceState.NEW:
        # Until it has its end or its owner, a difference is as large as it was last found.
        row.gap_fen, row.fee_gap_fen = command.gap_fen, command.fee_gap_fen
    row.state = outcome.state
    if command.remedy:
        row.remedy = command.remedy
        _fold_booked(view, command.difference_id, row, record.at_us)
    view.trail(record.seq, command.difference_id, day_id(command.account, command.day))


def _new_difference(command: RecordDifference, at_us: int) -> Difference:
    known = TABLE[Class(command.class_code)]
    return Difference(
        account=command.account,
        asked_by="",
        class_code=command.class_code,
        day=command.day,
        decided_by="",
        due_at_us=at_us + known.deadline_s * SECOND_US,
        fee_gap_fen=command.fee_gap_fen,
        found_at_us=at_us,
        gap_fen=command.gap_fen,
        is_booked=0,
        note_mac=b"",
        number=command.number,
        owner=known.owner,
        remedy=Remedy.NONE,
        state=DifferenceState.NEW,
        way=command.way,
    )


def _fold_booked(view: View, identity: bytes, row: Difference, at_us: int) -> None:
    """Note that a remedy is booked; a surplus is parked until somebody says whose it is."""
    row.is_booked = 1
    if row.remedy != Remedy.LONG:
        return
    parked = Payment(
        account=row.account,
        amount_fen=row.gap_fen,
        at_us=at_us,
        attempt_id=identity,
        parked_fen=row.gap_fen,
        reason=Reason.UNKNOWN_ORDER,
        success_at_us=row.found_at_us,
        transaction_id=row.number,
        refund_count=0,
        settle_fen=row.gap_fen,
    )
    # Named by the difference itself: a surplus is no transaction of the channel.
    view.transactions.put(identity, parked)


def need_resolution(command: ResolveDifference, wanted: Wanted) -> None:
    """Name the difference; its accounts follow from it."""
    wanted.differences.add(command.difference_id)


def deepen_resolution(view: View, command: ResolveDifference, wanted: Wanted) -> None:
    """Name what the remedy may touch."""
    row = view.differences.get(command.difference_id)
    if row is not None:
        want_remedy(row.account, wanted)


def decide_resolution(view: View, command: ResolveDifference, at_us: int) -> Decision:
    """End an owned difference; where money moves, one person asks and another agrees.

    Refuses: difference_unknown, difference_closed, remedy_unfit, remedy_not_asked,
    same_person.
    """
    del at_us
    row = view.differences.get(command.difference_id)
    if row is None:
        return refused(Code.DIFFERENCE_UNKNOWN)
    if row.state != DifferenceState.OWNED:
        return refused(Code.DIFFERENCE_CLOSED)
    if command.event == "ask":
        if not fits(row, command.remedy):
            return refused(Code.REMEDY_UNFIT)
        return Decision(Code.OK, DifferenceDone(row.state))
    if command.event == "agree":
        return _agreed(row, command)
    # From here it must succeed.
    return Decision(Code.OK, DifferenceDone(DIFFERENCE_MACHINE.step(row.state, "resolve")))


def fits(row: Difference, remedy: int) -> bool:
    """Say whether a remedy closes this gap: a surplus is long, a lack is short, each once."""
    if row.is_booked:
        return False
    if remedy == Remedy.LONG:
        return row.gap_fen > 0
    return remedy == Remedy.SHORT and row.gap_fen < 0


def _agreed(row: Difference, command: ResolveDifference) -> Decision:
    """Book what somebody else has asked for."""
    if not row.asked_by or row.remedy != command.remedy:
        return refused(Code.REMEDY_NOT_ASKED)
    if row.asked_by == command.by:
        return refused(Code.SAME_PERSON)
    # From here it must succeed.
    postings = remedy_postings(row.account, row.remedy, row.gap_fen, row.fee_gap_fen)
    state = DIFFERENCE_MACHINE.step(row.state, "resolve")
    return Decision(Code.OK, DifferenceDone(state), postings)


def fold_resolution(view: View, record: Record) -> None:
    """Write who asked or who decided, and what was booked."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ResolveDifference), "the journal names its kind"
    assert isinstance(outcome, DifferenceDone), "the journal names its kind"
    row = view.differences.edit(command.difference_id)
    row.state = outcome.state
    row.note_mac = command.note_mac or row.note_mac
    if command.event == "ask":
        row.asked_by = command.by
        row.remedy = command.remedy
    elif command.event == "agree":
        row.decided_by = command.by
        _fold_booked(view, command.difference_id, row, record.at_us)
    else:
        # What was asked for and not agreed to is not what ended it.
        row.asked_by = ""
        row.decided_by = command.by
    view.trail(record.seq, command.difference_id, day_id(row.account, row.day))


# --- movements that only the fund bill shows ------------------------------------------------------


def need_flow(command: RecordFlow, wanted: Wanted) -> None:
    """Name the movement, its day, and both of its accounts."""
    wanted.flows.add(command.flow_id)
    wanted.days.add(day_id(command.account, command.day))
    wanted.accounts |= {
        channel_account(_HOUSE_LANE, command.account),
        bank_account(_HOUSE_LANE),
    }


def decide_flow(view: View, command: RecordFlow, at_us: int) -> Decision:
    """Note a movement once; between channel and bank it is booked, both being customers' money.

    Refuses: day_unknown, day_closed.
    """
    del at_us
    day = view.days.get(day_id(command.account, command.day))
    if day is None:
        return refused(Code.DAY_UNKNOWN)
    if view.flows.get(command.flow_id) is not None:
        return Decision(Code.OK)
    if day.state == DayState.CLOSED:
        return refused(Code.DAY_CLOSED)
    # From here it must succeed.
    if command.subject_id:
        return Decision(Code.OK, FlowDone(0))
    channel = channel_account(_HOUSE_LANE, command.account)
    posting = _post(channel, bank_account(_HOUSE_LANE), command.amount_fen)
    return Decision(Code.OK, FlowDone(command.amount_fen), (posting,))


def fold_flow(view: View, record: Record) -> None:
    """Write the movement, so that it is booked once."""
    command = record.command
    assert isinstance(command, RecordFlow), "the journal names its kind"
    flow = Flow(
        account=command.account,
        amount_fen=command.amount_fen,
        day=command.day,
        flow_no=command.flow_no,
        label=command.label,
        subject_id=command.subject_id,
    )
    view.flows.put(command.flow_id, flow)
    # A trail is of rows of its own lane; whose movement it is stands in the row of the flow.
    view.trail(record.seq, day_id(command.account, command.day), command.flow_id)


# --- the close ------------------------------------------------------------------------------------


def need_close_day(command: CloseDay, wanted: Wanted) -> None:
    """Name the day and the differences it is closed with."""
    wanted.days.add(command.day_id)
    wanted.differences |= set(_split(command.open_ids))


def deepen_close_day(view: View, command: CloseDay, wanted: Wanted) -> None:
    """Name the day before."""
    day = view.days.get(command.day_id)
    if day is not None:
        wanted.days.add(day_id(day.account, day.day - 1))


def _split(ids: bytes) -> list[bytes]:
    return [ids[start : start + ID_BYTES] for start in range(0, len(ids), ID_BYTES)]


def decide_close_day(view: View, command: CloseDay, at_us: int) -> Decision:
    """Close a day whose sums hold and whose open differences are few, known and young enough.

    Refuses: day_unknown, day_closed, day_not_matched, day_before_open, difference_overdue,
    day_not_balanced.
    """
    del at_us
    day = view.days.get(command.day_id)
    if day is None:
        return refused(Code.DAY_UNKNOWN)
    rows = [view.differences.get(each) for each in _split(command.open_ids)]
    code = _may_close(view, day, command) or _may_leave(rows, day) or _ties(day, command)
    if code:
        return refused(code)
    # From here it must succeed.
    carried = sum(row is not None and row.state == DifferenceState.CARRIED for row in rows)
    return Decision(Code.OK, CloseDayDone(carried, len(rows) - carried))


def _may_close(view: View, day: Day, command: CloseDay) -> Code:
    """Say whether this comparison of the day is the newest, and its turn has come."""
    if day.state == DayState.CLOSED:
        return Code.DAY_CLOSED
    if day.state != DayState.MATCHED or day.result_digest != command.result_digest:
        return Code.DAY_NOT_MATCHED
    before = view.days.get(day_id(day.account, day.day - 1))
    is_followed = before is not None and before.state == DayState.CLOSED
    is_next = is_followed or (command.is_first and before is None)
    return Code.OK if is_next else Code.DAY_BEFORE_OPEN


def _may_leave(rows: list[Difference | None], day: Day) -> Code:
    """Say whether every difference may stay open over the close."""
    is_fine = all(row is not None and _may_stay(row, day.day) for row in rows)
    return Code.OK if is_fine else Code.DIFFERENCE_OVERDUE


def _ties(day: Day, command: CloseDay) -> Code:
    """Say whether both sums hold: the day's own, and the account's at its end."""
    is_explained = day.theirs_fen - day.ours_fen == command.explained_fen
    is_tied = day.closing_fen == command.books_fen
    return Code.OK if is_explained and is_tied else Code.DAY_NOT_BALANCED


def _may_stay(row: Difference, day: int) -> bool:
    """Say whether a difference may stay open over a close: owned, or carried and still young."""
    is_young = day - row.day < CARRY_DAYS_MAX
    return row.state in OPEN_STATES and (row.state == DifferenceState.OWNED or is_young)


def fold_close_day(view: View, record: Record) -> None:
    """Write the close."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, CloseDay), "the journal names its kind"
    assert isinstance(outcome, CloseDayDone), "the journal names its kind"
    day = view.days.edit(command.day_id)
    day.state = DAY_MACHINE.step(day.state, "close")
    day.carried, day.owned = outcome
    day.closed_at_us = record.at_us
    day.closed_by = command.by
    view.trail(record.seq, command.day_id)
