"""Repairs: what is written down and booked about each finding before anybody is called (自动处理).

Law: what a repair has ended is noted as repaired; what is left gets the remedy of its class and an
owner. A remedy moves what the bill says and nothing more.   Units: fen.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from lingqian.clearing.classify import CARRY_DAYS_MAX, Class
from lingqian.clearing.day import Comparison, Finding
from lingqian.clearing.difference import LIVE_STATES, Difference, DifferenceState, Remedy
from lingqian.clearing.item import Item, Standing, Way, moves


class Note(NamedTuple):
    """One difference to record: its name, its size, the step it takes, and what is booked."""

    way: Way
    number: str
    found: Class
    gap_fen: int
    fee_gap_fen: int
    event: str
    remedy: Remedy = Remedy.NONE


def wants_evidence(item: Item) -> bool:
    """Say whether the bill proves a payment that our books do not have."""
    booked, billed = item.booked, item.billed
    if item.way != Way.PAY or booked is None or billed is None or item.copies:
        return False
    return booked.standing != Standing.DONE and item.theirs_fen > 0


def may_end(item: Item) -> bool:
    """Say whether an item may be ended by what its bill proves, or by a query, without a person."""
    booked, billed = item.booked, item.billed
    if booked is None:
        return billed is not None and moves(billed)
    if item.way == Way.PAY:
        return wants_evidence(item)
    return booked.standing == Standing.OPEN


def finds(first: Comparison) -> tuple[Note, ...]:
    """Return what is noted before it is repaired: a run that is cut off must not forget it."""
    return tuple(
        [
            _ended(each)._replace(event="find")
            for each in first.findings
            if each.found != Class.T1 and may_end(each.item)
        ]
    )


def notes(first: Comparison, last: Comparison) -> tuple[Note, ...]:
    """Turn the findings before and after the repairs into what is recorded of them."""
    left = {_name(each) for each in last.findings}
    ended = [each for each in first.findings if _name(each) not in left]
    return (
        *[_ended(each) for each in ended if each.found != Class.T1],
        *[_left(each) for each in last.findings if not _is_met(each)],
    )


def _name(finding: Finding) -> tuple[Way, str, Class]:
    return finding.item.way, finding.item.number, finding.found


# The name of what is wrong with a bill as a whole.
BILL: Final = "bill"


def bill_note(comparison: Comparison) -> Note | None:
    """Return what is to be noted of a bill that does not add up; None when it does."""
    is_split = any(row.trade_fen != row.fund_fen for row in comparison.sums)
    if not (is_split or comparison.chain.faults):
        return None
    return Note(Way.PAY, BILL, Class.B1, 0, 0, "own")


def unbooked(note: Note) -> Note:
    """Return a note that books nothing: what a bill says that contradicts itself moves no money."""
    if note.remedy == Remedy.NONE:
        return note
    return note._replace(event="own", remedy=Remedy.NONE)


def _note(finding: Finding, event: str) -> Note:
    return Note(*_name(finding), *gaps(finding), event)


def _ended(finding: Finding) -> Note:
    """Note what evidence has ended; money of nobody we know is booked and waits for a person."""
    if finding.item.booked is None and finding.item.way == Way.PAY:
        return Note(*_name(finding), 0, 0, "own")
    return _note(finding, "repair")


def gaps(finding: Finding) -> tuple[int, int]:
    """Return what one finding accounts for of its item: amount and fee, the channel's less ours.

    Each fen of an item is accounted for by one of its findings, so that they add up.
    """
    item, found = finding.item, finding.found
    if found in (Class.F1, Class.F2):
        return 0, item.fee_gap_fen
    if found == Class.C1:
        return item.settled_gap_fen, 0
    if (found in (Class.L5, Class.S2)) == _are_both_done(item) and found != Class.B1:
        return item.settled_gap_fen, item.fee_gap_fen
    return 0, 0


def _are_both_done(item: Item) -> bool:
    """Say whether money is in our books and in the bill, so that only its size can differ."""
    booked, billed = item.booked, item.billed
    is_done = booked is not None and booked.standing == Standing.DONE
    return is_done and billed is not None and moves(billed)


def _is_met(finding: Finding) -> bool:
    """Say whether a carried item has found its other side: then nothing new is to be noted."""
    return finding.found == Class.T1 and _are_both_done(finding.item)


def _left(finding: Finding) -> Note:
    """Note what is left of a finding: carried, or with an owner and the remedy of its class."""
    if finding.found == Class.T1:
        return _note(finding, "carry")
    note = _note(finding, "repair" if finding.found == Class.F1 else "own")
    return note._replace(remedy=_remedy(finding, note))


def _remedy(finding: Finding, note: Note) -> Remedy:
    """Return what the class books by itself."""
    booked = finding.item.booked
    if finding.found in (Class.F1, Class.F2):
        return Remedy.FEE if note.fee_gap_fen else Remedy.NONE
    # An attempt that evidence could not end is looked at by a person before money moves.
    is_settled = booked is None or booked.standing == Standing.DONE
    if finding.found not in _BOOKED or not is_settled or not note.gap_fen:
        return Remedy.NONE
    return Remedy.LONG if note.gap_fen > 0 else Remedy.SHORT


_BOOKED: Final = (Class.L3, Class.L4, Class.L5, Class.S2, Class.S3, Class.C1)


def carried_on(
    differences: Iterable[Difference], comparison: Comparison
) -> tuple[tuple[Difference, str], ...]:
    """Say what becomes of differences that earlier days or earlier runs have left open."""
    items = {(item.way, item.number): item for item in comparison.items}
    steps: list[tuple[Difference, str]] = []
    found = {_name(each) for each in comparison.findings}
    if bill_note(comparison) is not None:
        found.add((Way.PAY, BILL, Class.B1))
    for each in differences:
        name = (Way(each.way), each.number, Class(each.class_code))
        if each.class_code == Class.T1 and each.day < comparison.day:
            event = _onward(each, items.get(name[:2]), comparison.day)
        elif each.day == comparison.day and name not in found and not each.is_booked:
            event = _gone(each)
        else:
            event = ""
        is_live = each.state in LIVE_STATES
        steps += [(each, event)] if event and is_live else []
    return tuple(steps)


def _gone(row: Difference) -> str:
    """Return the step of a difference that this run no longer finds; empty where it has its owner.

    Money of nobody we know is booked, and stays with a person until it is placed.
    """
    is_nobodys = row.class_code in (Class.L3, Class.L4) and not (row.gap_fen or row.fee_gap_fen)
    if is_nobodys:
        return "own" if row.state == DifferenceState.NEW else ""
    return "agree" if row.class_code == Class.T1 else "repair"


def _onward(row: Difference, item: Item | None, day: int) -> str:
    """Return the step of a carried difference; empty while it may still be met."""
    booked = None if item is None else item.booked
    if booked is not None and booked.is_returned and booked.standing == Standing.DEAD:
        return "agree"
    is_shown = item is not None and (
        item.billed is not None or (booked is not None and booked.seen_day != 0)
    )
    is_done = booked is not None and booked.standing == Standing.DONE
    if is_shown and is_done:
        return "agree"
    if day - row.day < CARRY_DAYS_MAX or row.state != DifferenceState.CARRIED:
        return ""
    # Our own money without a bill is found again as a loss; what the bill has waits for a person.
    return "lapse" if is_done else "own"
