"""`lingqian reconcile`: a day with one difference of each class, in every form a report has."""

import csv
import json
from html import escape
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from lingqian.clearing.classify import TABLE
from lingqian.clearing.day import DayState
from lingqian.clearing.difference import DifferenceState, day_id, difference_id
from lingqian.clearing.item import Way
from lingqian.compose import DATABASE
from lingqian.storage.sqlite import connect, migrate

ACCOUNT, DAY, TEXT = "wx-main", 20_783, "2026-11-26"


def put(connection, table, row):
    """Write one row as it would have been folded."""
    names, places = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values()))


@pytest.fixture
def folder(tmp_path):
    """A data directory with a matched day, in which each class was found once."""
    connection = connect(str(tmp_path / DATABASE))
    migrate(connection)
    put(connection, "days", {
        "day_id": day_id(ACCOUNT, DAY), "account": ACCOUNT, "carried": 0, "closed_at_us": 0,
        "closed_by": "", "closing_fen": 7, "day": DAY, "fund_digest": b"f" * 32, "items": 20,
        "opening_fen": 0, "ours_fen": 1, "owned": 0, "result_digest": b"r" * 32,
        "sheet_digest": b"s" * 32, "state": DayState.MATCHED, "theirs_fen": 2,
        "trade_digest": b"t" * 32,
    })  # fmt: skip
    for place, found in enumerate(TABLE, 1):
        name = (Way.PAY, f"number-{found}")
        put(connection, "differences", {
            "difference_id": difference_id(ACCOUNT, DAY, name, found), "account": ACCOUNT,
            "asked_by": "", "class_code": found, "day": DAY, "decided_by": "", "due_at_us": 1,
            "fee_gap_fen": place, "found_at_us": 1, "gap_fen": -place, "is_booked": 0,
            "note_mac": b"", "number": name[1], "owner": TABLE[found].owner, "remedy": 0,
            "state": DifferenceState.OWNED, "way": Way.PAY,
        })  # fmt: skip
    connection.close()
    return tmp_path


def run(folder, *words):
    """Run the command."""
    shell = typer.Typer(add_completion=False)
    shell.command("reconcile")(import_module("lingqian.cli.reconcile").reconcile)
    env = {"COLUMNS": "220"}
    return CliRunner().invoke(shell, ["--data", str(folder), *map(str, words)], env=env)


def test_the_terminal_shows_each_class_with_its_meaning(folder):
    """Whoever is on call at night has a terminal; exit code 1, for the day is not closed."""
    told = run(folder, "--day", TEXT)
    assert told.exit_code == 1, told.output
    for place, (found, row) in enumerate(TABLE.items(), 1):
        assert row.zh in told.output, found
        assert f"number-{found}" in told.output
        assert f"-0.{place:02d}" in told.output
    assert "待日结" in told.output


def test_the_spreadsheet_and_the_page_show_each_class(folder, tmp_path):
    """Finance works in the one and signs the other."""
    table, page = tmp_path / "day.csv", tmp_path / "day.html"
    assert run(folder, "--day", TEXT, "--csv", table, "--html", page).exit_code == 1
    rows = list(csv.DictReader(table.read_text("utf-8-sig").splitlines()))
    assert {row["class"]: row["meaning_zh"] for row in rows} == {
        found: row.zh for found, row in TABLE.items()
    }
    assert [row["class"] for row in rows][:2] == ["B1", "S1"], "what is urgent comes first"
    html = page.read_text("utf-8")
    for found, row in TABLE.items():
        assert f"<strong>{found}</strong>" in html
        assert row.zh in html
        assert escape(row.en) in html


def test_a_script_reads_a_day_a_line(folder):
    """And learns from the exit code that there is something to do."""
    told = run(folder, "--json")
    (line,) = [json.loads(each) for each in told.stdout.splitlines()]
    assert (line["account"], line["day"], line["state"]) == (ACCOUNT, TEXT, "compared, not closed")
    assert {each["class"] for each in line["differences"]} == set(TABLE)


def test_a_day_that_is_none_and_a_folder_that_is_none_are_told(folder, tmp_path):
    """Exit code 2: it was asked wrongly."""
    told = run(folder, "--day", "yesterday")
    assert told.exit_code == 2
    assert "2026-11-25" in told.output
    assert run(tmp_path / "nothing").exit_code == 2


def test_a_day_that_nobody_has_reconciled_is_an_empty_report(folder):
    """No line is not an error."""
    told = run(folder, "--day", "2020-01-01")
    assert told.exit_code == 0
    assert "还没有对过账" in told.output
