"""The list of attacks: every test that it names exists, and the list is linked."""

import re

from tidy.text import ROOT

PAGE = ROOT / "docs" / "evidence" / "attacks.md"
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
ATTACKS_MIN = 18


def test_every_test_that_is_named_exists():
    """A list of promises that nothing holds would be worse than none."""
    page = PAGE.read_text("utf-8")
    lost = []
    for name, test in NAMED.findall(page):
        path = ROOT / "tests" / name
        text = path.read_text("utf-8") if path.exists() else ""
        if not re.search(rf"^def {test or 'test_'}", text, re.MULTILINE):
            lost.append((name, test))
    assert lost == []


def test_every_row_says_where_it_is_tried():
    """An attack without a test is an opinion."""
    attacks = PAGE.read_text("utf-8").partition("## What was found")[0]
    rows = [line for line in attacks.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= ATTACKS_MIN
    assert [row for row in rows if not NAMED.search(row)] == []
