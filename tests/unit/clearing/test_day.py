"""The fund bill's chain, the two bills beside each other, and what a day needs to be closed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import BillSide, FundRow
from lingqian.clearing.classify import Class
from lingqian.clearing.day import Blocker, Books, Stand, blockers, compare
from lingqian.clearing.difference import DifferenceState, difference_id
from lingqian.clearing.fund import chain, sums
from lingqian.clearing.item import Standing, Way
from unit.clearing.lines import DAY, NOON_US, flows, line, paid, refunded

ROWS = [paid("a1"), paid("a2", 1_234, 7), refunded("r1")]
LINES = [line(row) for row in ROWS]
OPENING = 70_000
FLOWS = flows(LINES, OPENING)
CLOSING = OPENING + 5_000 - 30 + 1_234 - 7 - 2_000 + 12
TIED = Books(channel_fen=CLOSING, later_fen=0, transit_fen=0)


def day(rows=ROWS, lines=LINES, fund=FLOWS, opening_fen=OPENING):
    """Compare a day that agrees, or what is changed of it."""
    return compare(DAY, rows, lines, fund, opening_fen=opening_fen)


def test_a_day_that_agrees_can_be_closed():
    """The control: every blocker below is seen against this."""
    compared = day()
    assert compared.findings == ()
    assert (
        compared.chain.opening_fen,
        compared.chain.closing_fen,
        compared.chain.faults,
    ) == (OPENING, CLOSING, ())
    assert blockers(compared, [], TIED) == ()


def test_a_day_without_traffic_can_be_closed():
    """Most days of a small merchant are such days."""
    empty = compare(DAY, [], [], [], opening_fen=OPENING)
    assert blockers(empty, [], Books(OPENING, 0, 0)) == ()


@given(st.lists(st.integers(-500, 500).filter(bool), max_size=12), st.randoms())
def test_a_chain_is_read_in_any_order(amounts, chance):
    """Lines of a bill come in no particular order."""
    rows, balance = [], 10_000
    for place, amount in enumerate(amounts):
        balance += amount
        rows.append(
            FundRow(BillSide.OTHER_IN, NOON_US + place, "", str(place), "", amount, balance, "")
        )
    chance.shuffle(rows)
    read = chain(rows, 10_000)
    assert (10_000, balance, ()) == (read.opening_fen, read.closing_fen, read.faults)
    assert chain(rows, None).faults == ()


@given(st.lists(st.integers(-500, 500).filter(bool), min_size=1, max_size=12), st.data())
def test_one_spoilt_amount_or_balance_breaks_the_chain(amounts, data):
    """Opening is yesterday's closing, so even the first line has a neighbour; the last one's
    balance is the next day's opening, and its amount is checked against the trade bill."""
    rows, balance = [], 10_000
    for place, amount in enumerate(amounts):
        balance += amount
        rows.append(FundRow(BillSide.OTHER_IN, NOON_US, "", str(place), "", amount, balance, ""))
    place = data.draw(st.integers(0, len(rows) - 1))
    change = data.draw(st.integers(-300, 300).filter(bool))
    whole, spoilt = chain(rows, 10_000), list(rows)
    spoilt[place] = rows[place]._replace(amount_fen=rows[place].amount_fen + change)
    read = chain(spoilt, 10_000)
    assert read.faults or read.closing_fen != whole.closing_fen


def test_two_lines_cannot_start_at_one_balance():
    """Each line is reached, and yet they are no chain: one of them has the wrong balance."""
    first = FundRow(BillSide.OTHER_IN, NOON_US, "", "1", "", 100, 10_100, "")
    second = FundRow(BillSide.OTHER_IN, NOON_US, "", "2", "", 200, 10_200, "")
    assert chain([first, second], 10_000).faults
    assert not chain([first, second._replace(balance_fen=10_300)], 10_000).faults


def test_both_bills_are_compared_by_kind():
    """Σ trade = Σ fund, for what both show; a withdrawal is the fund bill's alone."""
    out = FundRow(BillSide.OTHER_OUT, NOON_US, "", "W", "提现", -100, CLOSING - 100, "")
    assert all(row.trade_fen == row.fund_fen for row in sums(LINES, [*FLOWS, out]))
    spoilt = [LINES[0]._replace(fee_e5=31_000), *LINES[1:]]
    assert [row.side for row in sums(spoilt, FLOWS) if row.trade_fen != row.fund_fen] == [
        BillSide.FEE
    ]


CARRIED = Stand(Class.T1, DifferenceState.CARRIED, DAY - 3)
NEW = Stand(Class.L4, DifferenceState.NEW, DAY)
BROKEN = [FLOWS[0], *(row._replace(balance_fen=row.balance_fen + 1) for row in FLOWS[1:])]


@pytest.mark.parametrize(
    ("blocker", "compared", "stands", "books", "extra"),
    [
        (Blocker.DAY_BEFORE_OPEN, day(), [], TIED, {"is_first_or_follows": False}),
        (Blocker.BILL_MISSING, day(), [], TIED, {"has_bills": False}),
        (Blocker.CHAIN_BROKEN, day(fund=BROKEN), [], TIED, {}),
        (Blocker.CHAIN_BROKEN, day(opening_fen=OPENING + 1), [], TIED, {}),
        (Blocker.BILLS_DISAGREE, day(lines=[*LINES[:2]]), [], TIED, {}),
        (Blocker.LINE_DOUBLED, day(lines=[*LINES, LINES[0]]), [], TIED, {}),
        (Blocker.NOT_OWNED, day(), [NEW], TIED, {}),
        (Blocker.CARRIED_TOO_LONG, day(), [CARRIED], TIED, {}),
        (Blocker.BALANCE_DIFFERS, day(), [], Books(CLOSING + 1, 0, 0), {}),
    ],
)
def test_a_day_is_kept_open_for_each_reason(blocker, compared, stands, books, extra):
    """A closed day is for ever, so nothing may be overlooked before."""
    assert blocker in blockers(compared, stands, books, **extra)


def test_a_gap_without_a_name_keeps_the_day_open():
    """Findings are taken away here: what is left over must be seen by the sums alone."""
    compared = day(lines=[*LINES[:2]])
    assert Blocker.NOT_EXPLAINED not in blockers(compared, [], TIED)
    assert Blocker.NOT_EXPLAINED in blockers(compared._replace(findings=()), [], TIED)


def test_what_is_later_or_in_transit_ties_the_balance():
    """The books run on while a day is closed, and a carried payment is in one of two only."""
    assert blockers(day(), [], Books(CLOSING + 900, 900, 0)) == ()
    assert blockers(day(), [], Books(CLOSING + 500, 0, -500)) == ()


def test_a_payment_at_midnight_is_carried_and_then_agrees():
    """T1: the two days' gaps cancel, and each day's sums hold by themselves."""
    late = paid("m1")
    first = compare(DAY, [late], [], [])
    second = compare(DAY + 1, [late], [line(late)], [])
    assert [each.found for each in first.findings] == [Class.T1]
    assert [each.found for each in second.findings] == [Class.T1]
    assert sum(each.gap_fen for each in (*first.findings, *second.findings)) == 0
    again = compare(DAY, [late._replace(seen_day=DAY + 1)], [], [])
    assert again.findings == ()
    assert Blocker.NOT_EXPLAINED not in blockers(again, [], TIED)


def test_a_refund_that_ended_a_day_after_its_line_is_explained_on_both_days():
    """Refund lines are dated by acceptance and never updated."""
    waiting = refunded("r9", standing=Standing.OPEN, day=0)
    first = compare(DAY, [waiting], [line(waiting, state="PROCESSING")], [])
    assert [each.found for each in first.findings] == [Class.T1]
    ended = refunded("r9", day=DAY + 1, seen_day=DAY)
    second = compare(DAY + 1, [ended], [], [])
    assert second.findings == ()
    for compared in (first, second):
        assert Blocker.NOT_EXPLAINED not in blockers(compared, [], TIED)


def test_a_difference_is_named_by_what_it_is():
    """Running again finds the same difference; another class of the same payment is another."""
    one = difference_id("wx1", DAY, (Way.PAY, "a1"), Class.L1)
    assert one == difference_id("wx1", DAY, (Way.PAY, "a1"), Class.L1)
    others = [
        difference_id("wx1", DAY, (Way.PAY, "a1"), Class.L5),
        difference_id("wx1", DAY, (Way.REFUND, "a1"), Class.L1),
        difference_id("wx1", DAY + 1, (Way.PAY, "a1"), Class.L1),
        difference_id("wx", DAY, (Way.PAY, "a1"), Class.L1),
    ]
    assert len({one, *others}) == 5
    assert one[:2] == bytes(2)
