"""Advances: who may have one, how much, and how long the line lasts."""

import pytest

from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.clock import DAY_US
from lingqian.kernel.code import Code
from lingqian.topup.advance import (
    FOREVER_S,
    MACHINE,
    MINUTE_US,
    AdvanceState,
    Borrower,
    History,
    Line,
    amount_fen_max,
    check_history,
    check_line,
    check_person,
    cover_s,
    exposure_fen,
    fill,
    pace_fen,
    take,
)

NOW_US = 400 * DAY_US
GOOD = History(3, NOW_US - 30 * DAY_US, 25_000)
# The reference's own example: 200,000 yuan.
LINE_FEN = 20_000_000


@pytest.mark.parametrize(
    ("account_class", "borrower", "debt_fen", "expected"),
    [
        (AccountClass.CLASS_I, None, 0, Code.OK),
        (AccountClass.CLASS_III, Borrower(), 0, Code.OK),
        (AccountClass.NONE, None, 0, Code.REAL_NAME_REQUIRED),
        (AccountClass.CLASS_III, Borrower(open_order=b"x"), 0, Code.ADVANCE_OPEN),
        (AccountClass.CLASS_III, Borrower(owed_fen=1), 1, Code.DEBT_OPEN),
        # A debt of another kind counts as well.
        (AccountClass.CLASS_III, None, 1, Code.DEBT_OPEN),
    ],
)
def test_check_person(account_class, borrower, debt_fen, expected):
    """The line is for people who are known and owe nothing."""
    assert check_person(account_class, borrower, debt_fen) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (GOOD, Code.OK),
        (GOOD._replace(count=2), Code.HISTORY_TOO_SHORT),
        (GOOD._replace(first_at_us=GOOD.first_at_us + 1), Code.HISTORY_TOO_SHORT),
    ],
)
def test_check_history(history, expected):
    """Three credited top-ups and thirty days, to the microsecond."""
    assert check_history(history, NOW_US) == expected


@pytest.mark.parametrize(
    ("window_fen", "exposed_fen", "expected"),
    [
        (25_000, 0, 5_000),
        (24_999, 0, 4_999),
        (1_000_000, 0, 5_000),
        (4, 0, 0),
        (25_000, 15_999_999, 5_000),
        # From 80 % of the limit on, half.
        (25_000, 16_000_000, 2_500),
    ],
)
def test_amount_fen_max(window_fen, exposed_fen, expected):
    """Fifty yuan, a fifth of what was credited, and half of it when the line runs out."""
    line = Line(limit_fen=LINE_FEN, open_fen=exposed_fen)
    assert amount_fen_max(GOOD._replace(window_fen=window_fen), line) == expected


def test_check_line_stops_at_the_limit():
    """Exposure counts losses too, and reaches the limit but never passes it."""
    line = Line(limit_fen=100_000, open_fen=60_000, lost_fen=38_000)
    assert check_line(line, GOOD, 2_000, NOW_US) == Code.OK
    assert check_line(line, GOOD, 2_001, NOW_US) == Code.LINE_EXHAUSTED
    assert check_line(None, GOOD, 1, NOW_US) == Code.LINE_EXHAUSTED
    assert check_line(Line(limit_fen=LINE_FEN), GOOD, 5_001, NOW_US) == Code.EXCEEDS_ADVANCE_MAX


def test_check_line_keeps_its_pace():
    """Five per cent a minute; the next minute is free again."""
    line = Line(limit_fen=100_000)
    take(line, 4_000, NOW_US)
    assert check_line(line, GOOD, 1_000, NOW_US) == Code.OK
    assert check_line(line, GOOD, 1_001, NOW_US) == Code.LINE_PACED
    assert check_line(line, GOOD, 1_001, NOW_US + MINUTE_US) == Code.OK
    take(line, 1_001, NOW_US + MINUTE_US)
    assert (line.minute_fen, line.open_fen) == (1_001, 5_001)


def test_fill_replenishes_before_it_raises():
    """Money for the line covers what was lost first; what is left raises the limit."""
    line = Line(limit_fen=100, lost_fen=30)
    fill(line, 20)
    assert (line.limit_fen, line.lost_fen) == (100, 10)
    fill(line, 20)
    assert (line.limit_fen, line.lost_fen, exposure_fen(line)) == (110, 0, 0)


def test_cover_is_the_reference_example():
    """200,000 yuan at 20 orders a second, 30 % eligible, 40 yuan: 20 minutes, 69 % of demand."""
    line = Line(limit_fen=LINE_FEN)
    demand_fen = 20 * 60 * 30 * 4_000 // 100
    assert demand_fen == 1_440_000
    assert cover_s(line, demand_fen) == 20 * 60
    assert pace_fen(line) * 100 // demand_fen == 69
    assert cover_s(line, 0) == FOREVER_S
    assert LINE_FEN * 60 // demand_fen == 833


@pytest.mark.parametrize("state", AdvanceState)
@pytest.mark.parametrize("event", ["advance", "confirm", "claw_back", "write_off"])
def test_machine_has_a_row_or_refuses(state, event):
    """Every pair is either a row or no step at all."""
    rows = {
        (AdvanceState.OFFERED, "advance"): AdvanceState.OPEN,
        (AdvanceState.OPEN, "confirm"): AdvanceState.CONFIRMED,
        (AdvanceState.OPEN, "claw_back"): AdvanceState.CLAWED_BACK,
        (AdvanceState.CLAWED_BACK, "write_off"): AdvanceState.WRITTEN_OFF,
    }
    assert MACHINE.steps.get((state, event)) == rows.get((state, event))
