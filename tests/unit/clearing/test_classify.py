"""Matching and classes: each line of the reference's table, and laws for any day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import TradeState
from lingqian.clearing.classify import TABLE, Action, Class, Owner, classify
from lingqian.clearing.day import compare
from lingqian.clearing.item import Standing, Way
from lingqian.clearing.match import Sheet, match
from unit.clearing.lines import DAY, line, paid, refunded

OPEN, DEAD = Standing.OPEN, Standing.DEAD
PAY, BACK = paid("a1"), refunded("r1")


def only(booked, billed, day=DAY):
    """Return the classes of a day with one row and one line, either of which may be missing."""
    rows = [] if booked is None else [booked]
    lines = [] if billed is None else billed if isinstance(billed, list) else [billed]
    return [found for item in match(rows, lines) for found in classify(item, day)]


CASES = [
    ("both agree", PAY, line(PAY), []),
    ("a refund agrees", BACK, line(BACK), []),
    ("unpaid and not in the bill", PAY._replace(standing=OPEN, day=0), None, []),
    ("paid, ours waits", PAY._replace(standing=OPEN, day=0), line(PAY), ["L1"]),
    ("paid, ours is closed", PAY._replace(standing=DEAD, day=0), line(PAY), ["L2"]),
    ("second payment of an order", PAY._replace(has_rival=True), line(PAY), ["L3"]),
    ("second, still waiting", PAY._replace(standing=OPEN, has_rival=True), line(PAY), ["L3"]),
    ("number unknown", None, line(PAY), ["L4"]),
    ("more than ours", PAY, line(PAY, amount_fen=5_001), ["L5"]),
    (
        "more, and ours waits",
        PAY._replace(standing=OPEN),
        line(PAY, amount_fen=9_000),
        ["L1", "L5"],
    ),
    ("refund not shown for three days", BACK._replace(day=DAY - 3), None, ["L6"]),
    ("refund shown as failed", BACK, line(BACK, state="FAIL"), ["L6"]),
    ("refund gone astray", BACK, line(BACK, state="CHANGE"), ["L6"]),
    ("less refunded than ours", BACK, line(BACK, amount_fen=1_999), ["L5"]),
    ("credited, channel denies", PAY._replace(says=TradeState.NOT_PAID), None, ["S1"]),
    ("credited, no bill for three days", PAY._replace(day=DAY - 3), None, ["S1"]),
    ("credited, the line is a reversal", PAY, line(PAY, state="REVOKED"), ["S1"]),
    ("less than ours", PAY, line(PAY, amount_fen=4_999), ["S2"]),
    ("more refunded than ours", BACK, line(BACK, amount_fen=2_001), ["S2"]),
    ("refund unknown", None, line(BACK), ["S3"]),
    ("refund we thought closed", BACK._replace(standing=DEAD), line(BACK), ["S3"]),
    ("fee a fen more", PAY, line(PAY, fee_e5=31_000), ["F1"]),
    ("returned fee a fen less", BACK, line(BACK, fee_e5=-11_000), ["F1"]),
    ("fee below half a fen off", PAY, line(PAY, fee_e5=30_499), []),
    ("fee two fen off", PAY, line(PAY, fee_e5=32_000), ["F2"]),
    ("rate is not the plan's", PAY, line(PAY, rate_ppm=10_000), ["F2"]),
    ("rate of the plan unknown", PAY._replace(rate_ppm=0), line(PAY, rate_ppm=10_000), []),
    ("settled less after a coupon", PAY, line(PAY, settle_fen=4_900), ["C1"]),
    (
        "settled less, and the fee too",
        PAY,
        line(PAY, settle_fen=4_000, fee_e5=24_000),
        ["C1", "F2"],
    ),
    ("dated a day later by the bill", PAY._replace(day=DAY - 1), line(PAY), ["T1"]),
    ("not in the bill yet", PAY, None, ["T1"]),
    ("refund not in the bill yet", BACK, None, ["T1"]),
    ("refund accepted, not ended", BACK._replace(standing=OPEN, day=0), line(BACK), ["T1"]),
    ("refund ended after its line", BACK._replace(day=DAY + 1), line(BACK), ["T1"]),
    ("an earlier bill had it", BACK._replace(seen_day=DAY - 1), None, []),
    ("this bill had it, and lost it", BACK._replace(seen_day=DAY), None, ["T1"]),
    ("one line twice", PAY, [line(PAY), line(PAY)], ["B1"]),
    ("reversal of what we never had", None, line(PAY, state="REVOKED"), []),
]


@pytest.mark.parametrize(("booked", "billed", "expected"), [row[1:] for row in CASES],
                         ids=[row[0] for row in CASES])  # fmt: skip
def test_a_difference_gets_its_class(booked, billed, expected):
    """The class decides what is done with the money, so each has its case."""
    assert expected == only(booked, billed)


def test_every_class_has_a_case_and_a_way_out():
    """A class that nothing produces, or that nobody ends, would only decorate the table."""
    assert set(Class) == {Class(found) for row in CASES for found in row[3]}
    for found, row in TABLE.items():
        assert row.zh
        assert row.en
        assert row.action != Action.NONE, found
        assert row.owner != Owner.NOBODY or row.action == Action.CARRY, found
        assert row.deadline_s > 0, found


def test_another_transaction_under_one_number_is_other_money():
    """One attempt, paid twice: the second is no copy of the first, and it goes back."""
    second = line(PAY, transaction_id="Tx")
    items = match([PAY], [second, line(PAY)])
    assert [(item.number, item.is_second, item.booked) for item in items] == [
        ("Tx", True, None),
        ("a1", False, PAY),
    ]
    assert only(PAY, [second, line(PAY)]) == ["L3"]
    parked = paid("Tx", attempt_no="a1", channel_no="Tx")
    assert match([PAY, parked], [second, line(PAY)])[0].booked == parked


def test_two_transactions_of_an_attempt_that_waits_are_told_apart():
    """One of them pays the order; which one is the same in every run."""
    waiting = PAY._replace(standing=OPEN, channel_no="", day=0)
    lines = [line(PAY), line(PAY, transaction_id="Tx")]
    assert only(waiting, lines) == only(waiting, lines[::-1]) == ["L3", "L1"]


def test_the_channels_number_serves_where_ours_leads_nowhere():
    """A line whose own number was cut is still this payment, not money of nobody."""
    (item,) = match([PAY], [line(PAY, attempt_no="cut")])
    assert (item.booked, item.number) == (PAY, "a1")


days = st.lists(
    st.tuples(st.sampled_from("pr"), st.integers(1, 200_000), st.sampled_from(["", "o", "b", "x"])),
    max_size=12,
)


def a_day(drawn):
    """Make our rows and a bill's lines; some rows lack their line, some lines their row."""
    rows, lines = [], []
    for place, (way, amount, missing) in enumerate(drawn):
        make = paid if way == "p" else refunded
        row = make(f"n{place}", amount, amount * 6 // 1_000)
        rows += [row] if missing != "o" else []
        lines += [line(row)] if missing != "b" else []
    return rows, lines


@given(days, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_batches_do_not_matter(drawn, chance, size):
    """A bill comes in no order, and large ones are read in parts."""
    rows, lines = a_day(drawn)
    expected = match(rows, lines)
    chance.shuffle(rows)
    chance.shuffle(lines)
    sheet = Sheet(rows)
    for start in range(0, len(lines), size):
        sheet.add(lines[start : start + size])
    assert expected == sheet.items()
    assert expected == sheet.items(), "and asking twice changes nothing"


@given(days)
def test_nothing_falls_between_the_sides(drawn):
    """Each row and each line is in exactly one item."""
    rows, lines = a_day(drawn)
    items = match(rows, lines)
    assert sorted(rows) == sorted(item.booked for item in items if item.booked is not None)
    assert sorted(lines) == sorted(each for item in items for each in item.lines)


SPOILT = {
    "transaction_id": lambda row: row.transaction_id + "?",
    "amount_fen": lambda row: row.amount_fen + 1,
    "attempt_no": lambda row: row.attempt_no + "?",
    "fee_e5": lambda row: row.fee_e5 + 1_000,
    "rate_ppm": lambda row: row.rate_ppm + 1,
    "settle_fen": lambda row: row.settle_fen - 1,
    "state": lambda row: "REVOKED" if row.refund_no == "" else "FAIL",
}


@pytest.mark.parametrize("field", SPOILT)
@given(st.integers(1, 6), st.data())
def test_one_spoilt_line_is_always_classified(field, count, data):
    """The control of the whole page: what is broken in one place is found in that place."""
    rows = [paid(f"n{place}", 5_000 + place) for place in range(count)]
    place = data.draw(st.integers(0, count - 1))
    lines = [line(row) for row in rows]
    change = {field: SPOILT[field](lines[place])}
    if field == "attempt_no":
        change["transaction_id"] = "nobody's"
    lines[place] = lines[place]._replace(**change)
    found = compare(DAY, rows, lines, []).findings
    numbers = {each.item.number for each in found}
    assert found
    assert numbers <= {f"n{place}", f"n{place}?", f"Tn{place}?"}


@pytest.mark.parametrize("change", ["dropped", "doubled"])
@given(st.integers(1, 6), st.data())
def test_a_lost_or_doubled_line_is_always_classified(change, count, data):
    """Lost: carried until a later bill has it; doubled: the bill contradicts itself."""
    rows = [refunded(f"n{place}") for place in range(count)]
    place = data.draw(st.integers(0, count - 1))
    lines = [line(row) for row in rows]
    lines[place : place + 1] = [] if change == "dropped" else [lines[place]] * 2
    (found,) = compare(DAY, rows, lines, []).findings
    assert found.item.number == f"n{place}"
    assert found.item.way == Way.REFUND
    assert found.found == (Class.T1 if change == "dropped" else Class.B1)
