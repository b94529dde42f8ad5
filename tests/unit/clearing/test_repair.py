"""Repairs: every fen of every difference is accounted for once, and carried ones find their end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.clearing.classify import Class
from lingqian.clearing.day import compare
from lingqian.clearing.difference import MACHINE, Difference, DifferenceState, Remedy
from lingqian.clearing.item import Standing, Way, fee_fen, moves
from lingqian.clearing.repair import Note, carried_on, finds, notes, unbooked, wants_evidence
from unit.clearing.lines import DAY, line, paid, refunded

STANDINGS = st.sampled_from(Standing)
CHANGES = {
    "amount": lambda row: row._replace(
        amount_fen=row.amount_fen + 7, settle_fen=row.settle_fen + 7
    ),
    "less": lambda row: row._replace(amount_fen=row.amount_fen - 1, settle_fen=row.settle_fen - 1),
    "fee": lambda row: row._replace(fee_e5=row.fee_e5 * 2 + 1_000),
    "coupon": lambda row: row._replace(settle_fen=row.settle_fen - 1),
    "void": lambda row: row._replace(state="FAIL" if row.refund_no else "REVOKED"),
    "none": lambda row: row,
}
ITEMS = st.tuples(
    st.sampled_from([paid, refunded]),
    STANDINGS,
    st.integers(10, 9_000),
    st.booleans(),
    st.lists(st.sampled_from(sorted(CHANGES)), max_size=2),
    st.sampled_from(["both", "ours", "theirs"]),
)


def a_day(drawn):
    """Make rows of ours and lines of a bill that differ in all possible ways."""
    rows, lines = [], []
    for place, (make, standing, amount, has_rival, changes, side) in enumerate(drawn):
        row = make(f"n{place}", amount, amount * 6 // 1_000, standing=standing)
        row = row._replace(has_rival=has_rival and row.way == Way.PAY)
        changed = line(row)
        for change in changes:
            changed = CHANGES[change](changed)
        rows += [row] if side != "theirs" else []
        lines += [changed] if side != "ours" else []
    return rows, lines


def in_books(rows):
    """Return what our books say the channel has of these rows."""
    done = [row for row in rows if row.standing == Standing.DONE]
    signs = [1 if row.way == Way.PAY else -1 for row in done]
    return sum(sign * (row.settle_fen - row.fee_fen) for sign, row in zip(signs, done, strict=True))


def at_channel(lines):
    """Return what the channel has of these lines."""
    signed = [(-1 if each.refund_no else 1, each) for each in lines if moves(each)]
    return sum(sign * (each.settle_fen - fee_fen(each)) for sign, each in signed)


@given(st.lists(ITEMS, max_size=8))
def test_notes_account_for_every_fen_between_the_books_and_the_channel(drawn):
    """What is booked, and what open differences explain, is what the channel has: else a day could
    not be closed, or would be closed over money that nobody looks for."""
    rows, lines = a_day(drawn)
    compared = compare(DAY, rows, lines, [])
    gaps = [note.gap_fen - note.fee_gap_fen for note in notes(compared, compared)]
    assert in_books(rows) + sum(gaps) == at_channel(lines)


@given(st.lists(ITEMS, max_size=8))
def test_a_remedy_fits_the_gap_it_closes(drawn):
    """A surplus is never made good by the house, and a lack is never given to somebody."""
    compared = compare(DAY, *a_day(drawn), [])
    for note in notes(compared, compared):
        assert (DifferenceState.NEW, note.event) in MACHINE.steps
        if note.remedy == Remedy.LONG:
            assert note.gap_fen > 0
        if note.remedy == Remedy.SHORT:
            assert note.gap_fen < 0
        if note.remedy == Remedy.FEE:
            assert note.fee_gap_fen
            assert not note.gap_fen


def test_evidence_ends_a_difference_and_is_noted():
    """L1: after the bill was fed as evidence, both sides agree, and the day says what it was."""
    waiting = paid("a1", standing=Standing.OPEN, day=0)
    first = compare(DAY, [waiting], [line(waiting)], [])
    assert wants_evidence(first.items[0])
    last = compare(DAY, [paid("a1")], [line(waiting)], [])
    assert not wants_evidence(last.items[0])
    (note,) = notes(first, last)
    assert (note.found, note.event, note.gap_fen) == (Class.L1, "repair", 5_000)
    (left,) = notes(first, first)
    assert (left.event, left.remedy) == ("own", Remedy.NONE)


def test_what_may_be_repaired_is_noted_before_it_is():
    """A run that is cut off behind the repair would not find it again, and nobody would know."""
    waiting, failed = paid("a1", standing=Standing.OPEN, day=0), refunded("r1", day=0)
    stranger, unknown = paid("a2"), refunded("r2")
    rows = [waiting, failed._replace(standing=Standing.DEAD), paid("a3")]
    lines = [line(waiting), line(stranger), line(unknown), line(paid("a3"), amount_fen=7_000)]
    found = finds(compare(DAY, rows, lines, []))
    assert {(note.found, note.event) for note in found} == {
        (Class.L1, "find"),
        (Class.L4, "find"),
        (Class.S3, "find"),
    }
    assert next(note.gap_fen for note in found if note.found == Class.L4) == 0


def test_a_refund_is_no_evidence_of_a_payment():
    """Refund lines go another way, and a line that moved nothing proves nothing."""
    back = refunded("r1", standing=Standing.OPEN, day=0)
    void = line(paid("a1"), state="REVOKED")
    rows = [back, paid("a1", standing=Standing.DEAD, day=0)]
    compared = compare(DAY, rows, [line(back), void], [])
    assert not any(wants_evidence(item) for item in compared.items)


def carried(day, **change):
    """Return a payment carried since a day."""
    row = Difference(
        account="wx", asked_by="", class_code="T1", day=day, decided_by="", due_at_us=0,
        fee_gap_fen=-30, found_at_us=0, gap_fen=-5_000, is_booked=0, note_mac=b"", number="a1",
        owner=0, remedy=0, state=DifferenceState.CARRIED, way=Way.PAY,
    )  # fmt: skip
    for name, value in change.items():
        setattr(row, name, value)
    return row


@pytest.mark.parametrize(
    ("event", "row", "booked", "has_line"),
    [
        ("agree", carried(DAY - 1), paid("a1", day=DAY - 1), True),
        ("agree", carried(DAY - 2), paid("a1", day=DAY - 2, seen_day=DAY - 1), False),
        ("", carried(DAY - 2), paid("a1", day=DAY - 2), False),
        ("lapse", carried(DAY - 3), paid("a1", day=DAY - 3), False),
        ("own", carried(DAY - 3), paid("a1", standing=Standing.OPEN, day=0), False),
        ("", carried(DAY), paid("a1", day=DAY), False),
        ("agree", carried(DAY), paid("a1", day=DAY), True),
        ("agree", carried(DAY - 9, way=Way.REFUND, number="r1", state=DifferenceState.OWNED),
         refunded("r1", standing=Standing.DEAD, is_returned=True), False),
        ("", carried(DAY - 9, way=Way.REFUND, number="r1", state=DifferenceState.OWNED),
         refunded("r1", standing=Standing.DEAD), False),
        ("repair", carried(DAY, class_code="L1", state=DifferenceState.OWNED), paid("a1"), True),
        ("", carried(DAY, class_code="L1", state=DifferenceState.OWNED, is_booked=1), paid("a1"),
         True),
        ("", carried(DAY - 1, class_code="L1", state=DifferenceState.OWNED), paid("a1"), True),
        ("repair", carried(DAY, class_code="L1", state=DifferenceState.NEW), paid("a1"), True),
        # Found, booked as money of nobody we know, and then the run was cut off.
        ("own", carried(DAY, class_code="L4", state=DifferenceState.NEW, gap_fen=0, fee_gap_fen=0),
         paid("t1"), True),
        ("", carried(DAY, class_code="L4", state=DifferenceState.OWNED, gap_fen=0, fee_gap_fen=0),
         paid("t1"), True),
    ],
)  # fmt: skip
def test_what_was_left_open_finds_its_end(event, row, booked, has_line):
    """Three days, then it is a loss with an owner; met before, it has agreed."""
    compared = compare(DAY, [booked], [line(booked)] if has_line else [], [])
    steps = carried_on([row], compared)
    assert [each for _, each in steps] == ([event] if event else [])
    assert all((row.state, each) in MACHINE.steps for _, each in steps)


def test_an_item_that_agrees_late_leaves_no_new_note():
    """The carried difference of the day before ends; the day that met it has none of its own."""
    late = paid("a1", day=DAY - 1)
    compared = compare(DAY, [late], [line(late)], [])
    assert [each.found for each in compared.findings] == [Class.T1]
    assert notes(compared, compared) == ()


def test_a_bill_that_contradicts_itself_moves_no_money():
    """What it says is written down and given to somebody; what books nothing stays as it is."""
    surplus = Note(Way.PAY, "n1", Class.L5, 7, 0, "own", Remedy.LONG)
    assert unbooked(surplus) == surplus._replace(remedy=Remedy.NONE)
    rounding = Note(Way.PAY, "n1", Class.F1, 0, 1, "repair", Remedy.FEE)
    assert unbooked(rounding) == rounding._replace(event="own", remedy=Remedy.NONE)
    carried = Note(Way.PAY, "n1", Class.T1, 7, 0, "carry")
    assert unbooked(carried) == carried
