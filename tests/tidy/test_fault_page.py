"""The page for somebody on call: what it says the program says is what the program says."""

import re

from tidy.text import ROOT

PAGE = ROOT / "docs" / "operating" / "faults.md"
HOLE = re.compile(r"…|\b[ABMN]\b")  # what differs each time
JOIN = re.compile(r'"\s*\n\s*f?"')  # a message written over several lines


def sayings(text):
    """Yield every message quoted in the first column."""
    for line in text.splitlines():
        first = line.partition(" | ")[0]
        if line.startswith("| `"):
            yield re.search("`(.+)`", first)[1]


def test_every_message_on_the_page_is_in_the_code():
    """At three in the morning one searches for the words on the screen."""
    files = sorted((ROOT / "src" / "lingqian").rglob("*.py"))
    source = JOIN.sub("", "\n".join(path.read_text("utf-8") for path in files))
    quoted = list(sayings(PAGE.read_text("utf-8")))
    assert len(quoted) >= 9
    parts = [part.strip() for saying in quoted for part in HOLE.split(saying)]
    assert [part for part in parts if part not in source] == []


def test_a_message_nobody_says_is_found():
    """The control: the test above can fail."""
    (saying,) = sayings("| `the moon is in use by process N` | x | y |")
    assert HOLE.split(saying) == ["the moon is in use by process ", ""]
