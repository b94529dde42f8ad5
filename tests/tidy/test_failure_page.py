"""The pages for whoever is woken: all of one plan, with commands, metrics and codes that exist."""

import re

import pytest
from typer.testing import CliRunner

from lingqian.cli.main import COMMANDS, app
from lingqian.web.metric import METRICS
from tidy.text import ROOT

FOLDER = ROOT / "docs" / "operating" / "failure"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
HEADINGS = [
    "## What one sees",
    "## What happens by itself",
    "## What you do",
    "## When it is over",
    "## What was measured",
]
COMMAND = re.compile(r"`lingqian ([a-z]+)((?: [a-z]+)*)([^`]*)`")
METRIC = re.compile(r"`(lingqian_[a-z_]+)")
NAMES = {name for row in METRICS for name in (row.name, *row.exported)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_answers_the_five_questions_in_order(page):
    """At three in the morning nobody looks for the place."""
    lines = page.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("## ")] == HEADINGS
    assert lines[0].startswith("# ")
    assert re.search("[一-鿿]", lines[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_exists(page):
    """A command that is not there is found now and not then."""
    text = page.read_text("utf-8")
    assert {name for name in METRIC.findall(text) if name not in NAMES} == set()
    for name, words, options in COMMAND.findall(text):
        assert name in {row.name for row in COMMANDS}, name
        told = CliRunner().invoke(app, [name, *words.split(), "--help"])
        assert told.exit_code == 0, f"lingqian {name}{words}: {told.output}"
        for option in re.findall(r"--[a-z-]+", options):
            assert option in told.stdout, f"lingqian {name}{words} {option}"


def test_the_index_lists_every_page_in_both_languages():
    """And nothing else."""
    index = (FOLDER / "README.md").read_text("utf-8")
    rows = [line for line in index.splitlines() if line.startswith("| ") and ".md)" in line]
    assert sorted(re.findall(r"\]\((\w+\.md)\)", "\n".join(rows))) == [page.name for page in PAGES]
    assert all(re.search("[一-鿿]", row.split("|")[1]) for row in rows)


def test_a_page_says_what_was_measured_or_that_it_was_not():
    """A claim without a test is marked as one."""
    for page in PAGES:
        measured = page.read_text("utf-8").partition(HEADINGS[-1])[2]
        assert "tests/" in measured or "not run here" in measured.lower(), page.stem
