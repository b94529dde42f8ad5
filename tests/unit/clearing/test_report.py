"""Reports: what is stored of a day, for a terminal, a spreadsheet and a page."""

import csv
import io
from html import escape

from lingqian.clearing.classify import TABLE
from lingqian.clearing.day import Day, DayState
from lingqian.clearing.difference import Difference, DifferenceState
from lingqian.clearing.item import Way
from lingqian.clearing.report import read_day, report, show_day, yuan
from lingqian.clearing.sheet import CSV_HEADING, as_csv, as_page

DAY = Day(
    account="wx1", carried=0, closed_at_us=0, closed_by="", closing_fen=70_004, day=20_500,
    fund_digest=b"f" * 32, items=3, opening_fen=1, ours_fen=-5, owned=0, result_digest=b"r" * 32,
    sheet_digest=b"s" * 32, state=DayState.MATCHED, theirs_fen=1_000, trade_digest=b"t" * 32,
)  # fmt: skip


def difference(found, number="pa_1", state=DifferenceState.OWNED):
    """Return a difference of a class."""
    return Difference(
        account="wx1", asked_by="", class_code=found, day=20_500, decided_by="", due_at_us=1,
        fee_gap_fen=-3, found_at_us=1, gap_fen=1_005, is_booked=0, note_mac=b"", number=number,
        owner=TABLE[found].owner, remedy=0, state=state, way=Way.PAY,
    )  # fmt: skip


def told(*rows):
    """Return the report of a day with these differences."""
    return report(DAY, [(bytes((place,)) * 16, row) for place, row in enumerate(rows)])


def test_amounts_are_written_without_floats():
    """Below a yuan a sign is easily lost."""
    assert [yuan(each) for each in (0, -5, 100, -101, 2**53 + 1)] == [
        "0.00", "-0.05", "1.00", "-1.01", "90071992547409.93",
    ]  # fmt: skip


def test_days_are_read_as_they_are_shown():
    """The command line and the API take what the report prints."""
    assert show_day(20_500) == "2026-02-16"
    assert read_day("2026-02-16") == 20_500
    assert read_day("yesterday") is None


def test_what_waits_comes_first_and_the_urgent_before_it():
    """Who opens a report must not have to look for what is on fire."""
    rows = told(
        difference("L1", state=DifferenceState.REPAIRED), difference("L4"), difference("S1")
    ).rows
    assert [row.class_code for row in rows] == ["S1", "L4", "L1"]
    assert [row.is_urgent for row in rows] == [True, False, False]


def test_every_class_and_state_can_be_told():
    """A word that is missing would be found by the first person who needs it."""
    rows = [difference(found, state=state) for found in TABLE for state in DifferenceState]
    shown = told(*rows)
    page = as_page([shown])
    assert all(escape(row.zh) in page and escape(row.en) in page for row in TABLE.values())
    assert len(list(csv.reader(io.StringIO(as_csv([shown]))))) == 1 + len(rows)


def test_the_spreadsheet_has_no_formulas():
    """A bill is written by others: a number in it must not become a command on somebody's desk."""
    text = as_csv([told(difference("L4", number='=HYPERLINK("x")'))])
    heading, line = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert tuple(heading) == CSV_HEADING
    assert line[heading.index("number")] == '\'=HYPERLINK("x")'
    assert line[heading.index("gap_yuan")] == "10.05"


def test_the_page_shows_foreign_text_as_text():
    """The same for a browser."""
    page = as_page([told(difference("L4", number="<script>alert(1)</script>"))])
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_pages_without_anything_say_so():
    """An empty page looks like a broken one."""
    assert "没有差错" in as_page([told()])
    assert "还没有任何一天" in as_page([])
    assert as_csv([]).strip("\ufeff\r\n") == ",".join(CSV_HEADING)


def test_the_page_needs_nothing_from_elsewhere():
    """It is mailed and printed."""
    page = as_page([told(difference("S1"))])
    assert "http" not in page
    assert 'lang="zh-CN"' in page
