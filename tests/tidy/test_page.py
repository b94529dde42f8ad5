"""The pages people read: commands that exist, links that lead somewhere, two READMEs that agree."""

import re
from collections.abc import Iterator
from pathlib import Path

import do
import generate
import pytest

from tidy.text import ROOT, files, name_of

PAGES = files(".md")
COMMAND = re.compile(r"(?:python3 do\.py|`make) ([a-z]+)\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
DECISION = re.compile(r"^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md$")
DECISION_LINES_MAX = 60
HEADINGS = ["## Context", "## Choice", "## What we gave up"]
READMES = ("README.md", "README.zh.md")
PICTURES = {".webp", ".png", ".jpg"}
PICTURE_BYTES_MAX = 120_000


def curl_block(page: str) -> str:
    """Return the shell lines between the curl marks of a README."""
    match = re.search(
        r"<!-- curl:start -->\n+```console\n(.*?)```\n+<!-- curl:end -->",
        (ROOT / page).read_text("utf-8"),
        re.DOTALL,
    )
    assert match, f"{page} has no marked block"
    return match[1]


def test_commands_named_in_pages_exist():
    """The first thing a stranger types has to work."""
    known = {*do.COMMANDS, *do.HERE}
    named = [(name_of(page), word) for page in PAGES for word in COMMAND.findall(page.read_text())]
    assert [row for row in named if row[1] not in known] == []
    assert {"demo", "test"} <= {word for page, word in named if page in READMES}


def links() -> Iterator[tuple[Path, str]]:
    """Yield every relative link of every page."""
    for page in PAGES:
        for target in LINK.findall(page.read_text("utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                yield page, target


def test_links_between_pages_lead_somewhere():
    """A dead link says that nobody walks here."""
    dead = [(name_of(page), to) for page, to in links() if not (page.parent / to).exists()]
    assert dead == []


def test_pictures_are_small_and_each_is_shown():
    """A README opens on a phone, too; `python3 do.py shots` takes its pictures."""
    shown = [to for page, to in links() if name_of(page) in READMES and Path(to).suffix in PICTURES]
    pictures = list((ROOT / "docs" / "image").iterdir())
    assert sorted(shown) == sorted(name_of(path) for path in pictures)
    assert [path.name for path in pictures if path.stat().st_size > PICTURE_BYTES_MAX] == []


def test_every_page_of_docs_is_linked_from_its_index():
    """A page nobody can find is not documentation."""
    docs = ROOT / "docs"
    linked = {(page.parent / to).resolve() for page, to in links() if page.is_relative_to(docs)}
    lost = [name_of(p) for p in PAGES if p.is_relative_to(docs) and p.resolve() not in linked]
    assert [page for page in lost if page != "docs/README.md"] == []


def test_decisions_are_numbered_without_gaps_and_keep_to_a_page():
    """A decision is cited by its number for years."""
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").iterdir())
    numbers = []
    for name in names:
        match = DECISION.match(name)
        assert match, name
        numbers.append(int(match[1]))
        lines = (ROOT / "docs" / "decisions" / name).read_text("utf-8").splitlines()
        assert lines[0].startswith(f"# {match[1]} "), name
        assert [line for line in lines if line.startswith("## ")] == HEADINGS, name
        assert len(lines) <= DECISION_LINES_MAX, name
    assert numbers == list(range(1, len(names) + 1))


def test_generated_pages_are_fresh():
    """`python3 do.py docs` writes them; a stale one would say what the code no longer does."""
    stale = [
        name
        for name, text in generate.pages().items()
        if (ROOT / "docs" / name).read_text("utf-8") != text
    ]
    assert stale == []


def test_both_readmes_show_the_same_lines():
    """The Chinese page must not fall behind; comments are in the page's language."""
    english, chinese = (
        [line for line in curl_block(page).splitlines() if not line.startswith("#")]
        for page in READMES
    )
    assert english == chinese


@pytest.mark.parametrize("page", READMES)
def test_readme_lines_use_only_what_the_demo_prints(page):
    """The block can be pasted, or run by a test, as soon as KEY is set."""
    block = curl_block(page)
    set_here = set(re.findall(r"^([A-Z_]+)=", block, re.MULTILINE))
    used = set(re.findall(r"\$\{?([A-Z_]+)", block))
    assert used - set_here == {"KEY"}
