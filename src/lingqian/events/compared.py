"""What a reconciling run reads and works out beside the loop that answers people (旁路计算).

Law: nothing here writes; each function may take seconds for a large day, on a connection that is
nobody else's.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Final, NamedTuple

from lingqian.channels.port import Bill, BillRow, BillSide, FundRow, TradeState
from lingqian.clearing.classify import Class
from lingqian.clearing.day import Blocker, Books, Comparison, DayState, Stand, blockers
from lingqian.clearing.day import explained_fen as explained
from lingqian.clearing.difference import (
    OPEN_STATES,
    Difference,
    DifferenceState,
    difference_id,
    flow_id,
)
from lingqian.clearing.fund import set_apart
from lingqian.clearing.item import Booked, Item, Standing, Way
from lingqian.clearing.repair import Note, bill_note, carried_on, finds, notes, unbooked
from lingqian.flows.command import Command, RecordDifference, RecordFlow
from lingqian.kernel.order import ordered
from lingqian.storage import reconciliation as books
from lingqian.storage.our_side import (
    Frame,
    channel_fen,
    later_fen,
    our_sheet,
    subject_of_flow,
    transit_fen,
)
from lingqian.storage.sheet import Sheet, derive, refunds_in

QUERIES_MAX: Final = 200


class Raw(NamedTuple):
    """Both bills of a day, line by line."""

    lines: tuple[BillRow, ...]
    flows: tuple[FundRow, ...]


class Seen(NamedTuple):
    """A day as it was compared, with our side of it."""

    sheet: Sheet
    result: Comparison


def raw_of(trade: Bill, fund: Bill) -> Raw:
    """Lay both bills beside each other, line by line."""
    return Raw(
        tuple(row for row in trade.rows if isinstance(row, BillRow)),
        tuple(row for row in fund.rows if isinstance(row, FundRow)),
    )


def our_side(frame: Frame, raw: Raw) -> tuple[Sheet, list[Booked]]:
    """Collect our rows, and those that no bill has shown and the channel is to be asked about."""
    sheet = our_sheet(frame, raw.lines)
    shown = {each for each in sheet.shown}  # noqa: C416 - in steps, not in one that holds all up
    lonely = (row for row in sheet.booked if _is_lonely(row, frame.day, shown))
    return sheet, list(islice(lonely, QUERIES_MAX))


def _is_lonely(row: Booked, day: int, shown: set[tuple[int, str]]) -> bool:
    """Say whether no bill has shown this money of ours yet."""
    if row.way != Way.PAY or row.standing != Standing.DONE or row.seen_day not in (0, day):
        return False
    return (row.way, row.number) not in shown and (row.way, row.channel_no) not in shown


def _with_answers(sheet: Sheet, says: Mapping[str, TradeState]) -> Sheet:
    """Write what the channel says of our rows beside them."""
    if not says:
        return sheet
    rows = [row._replace(says=says.get(row.number, row.says)) for row in sheet.booked]
    return sheet._replace(booked=tuple(rows))


def seen(day: int, ours: Sheet, says: Mapping[str, TradeState], raw: Raw) -> Seen:
    """Compare a day with what the channel says of our rows; keep our side beside the result."""
    sheet = _with_answers(ours, says)
    return Seen(sheet, derive(day, sheet, raw.lines, raw.flows))


def found_by(frame: Frame, first: Comparison) -> list[Command]:
    """Return the notes that are written before anything is brought home, if the bill is sound."""
    sound = bill_note(first) is None
    return [recorded(frame, note) for note in finds(first)] if sound else []


def repairable(frame: Frame, last: Comparison) -> list[Item]:
    """Return the items that may be brought home; not what a remedy has booked already."""
    booked = {
        (row.way, row.number)
        for _, row in books.differences(frame.connection, frame.account, frame.day)
        if row.is_booked and row.day == frame.day
    }
    found = {
        (each.item.way, each.item.number, each.item.is_second): each.item
        for each in last.findings
        if each.found != Class.B1 and (each.item.way, each.item.number) not in booked
    }
    return [found[key] for key in ordered(found, lambda key: key)]


def apart(frame: Frame, raw: Raw, sheet: Sheet) -> list[Command]:
    """Return the notes about movements that the fund bill alone shows."""
    return [
        RecordFlow(
            flow_id(frame.account, row.flow_no),
            frame.account,
            frame.day,
            row.flow_no,
            row.kind,
            row.amount_fen,
            subject_of_flow(frame.connection, frame.account, row),
        )
        for row in set_apart(raw.flows, frozenset(sheet.earlier), refunds_in(raw.lines))
        if row.side in (BillSide.OTHER_IN, BillSide.OTHER_OUT) and row.amount_fen
    ]


def steps(
    frame: Frame, first: Comparison, last: Comparison
) -> tuple[list[Command], tuple[Note, ...]]:
    """Return what becomes of known differences, and what is found besides."""
    known = books.differences(frame.connection, frame.account, frame.day)
    identities = {id(row): identity for identity, row in known}
    moves: list[Command] = [
        _moved(identities[id(row)], row, event)
        for row, event in carried_on([row for _, row in known], last)
    ]
    found, whole = notes(first, last), bill_note(last)
    return moves, found if whole is None else (*map(unbooked, found), whole)


class End(NamedTuple):
    """What a day would be closed with, and what keeps it open."""

    blockers: tuple[Blocker, ...]
    is_first: bool
    explained_fen: int
    books_fen: int
    open_ids: tuple[bytes, ...]


def end_of(frame: Frame, last: Comparison) -> End:
    """Work out what a day would be closed with, and whether it may be."""
    rows = [
        (identity, row)
        for identity, row in books.differences(frame.connection, frame.account, frame.day)
        if row.state in OPEN_STATES
    ]
    standing = Books(
        channel_fen(frame.connection, frame.account),
        later_fen(frame),
        transit_fen(frame),
    )
    before = books.day_row(frame.connection, frame.account, frame.day - 1)
    found = blockers(
        last,
        [Stand(Class(row.class_code), DifferenceState(row.state), row.day) for _, row in rows],
        standing,
        is_first_or_follows=before is None or before.state == DayState.CLOSED,
    )
    return End(
        found,
        before is None,
        explained(last),
        standing.channel_fen - standing.later_fen + standing.transit_fen,
        tuple(identity for identity, _ in rows),
    )


def recorded(frame: Frame, note: Note) -> RecordDifference:
    """Return the command that writes a note down."""
    return RecordDifference(
        difference_id(frame.account, frame.day, (note.way, note.number), note.found),
        frame.account,
        frame.day,
        note.way,
        note.number,
        note.found,
        note.gap_fen,
        note.fee_gap_fen,
        note.event,
        note.remedy,
    )


def _moved(identity: bytes, row: Difference, event: str) -> RecordDifference:
    return RecordDifference(
        identity,
        row.account,
        row.day,
        row.way,
        row.number,
        row.class_code,
        row.gap_fen,
        row.fee_gap_fen,
        event,
        0,
    )
