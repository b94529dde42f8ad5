"""The list of mutants cannot rot: every text is there once, and every refusal has a mutant."""

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mutant import MUTANTS

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lingqian"
GUARDED = [
    *(f"flows/{name}.py" for name in
      ("gate", "transfer", "packet", "claim", "close", "settle", "relay", "kind", "user", "order",
       "attempt", "notice", "evidence", "park", "refund", "payout", "gift")),
    "flows/advance.py",
    "flows/clearing.py",
    "flows/mode.py",
    "topup/advance.py",
    "compliance/limit.py",
]  # fmt: skip


def test_every_mutant_stands_once_in_its_file():
    """A guard that was reworded takes its mutant along, or the mutant proves nothing."""
    lost = [
        f"{each.file}: {each.text!r}"
        for each in MUTANTS
        if (SOURCE / each.file).read_text("utf-8").count(each.text) != 1
    ]
    assert lost == []


def test_every_mutant_changes_something_and_still_parses():
    """A mutant that is no Python fails any test and so proves nothing about this one."""
    for each in MUTANTS:
        text = (SOURCE / each.file).read_text("utf-8")
        changed = text.replace(each.text, each.instead)
        assert changed != text
        ast.parse(changed)


def refusals(path: Path) -> list[tuple[int, int]]:
    """Return the lines of every branch that ends in a refusal: its condition and its return."""
    spans = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Return):
            words = ast.unparse(node.body[-1]).replace("Code.OK", "")
            if "Code." in words or "refused(" in words or "stop.code" in words:
                spans.append((node.lineno, node.body[-1].end_lineno))
    return spans


@pytest.mark.parametrize("file", GUARDED)
def test_every_refusal_has_a_mutant(file):
    """A new guard must come with the proof that a test would miss it."""
    path = SOURCE / file
    text = path.read_text("utf-8")
    touched = set()
    for each in MUTANTS:
        if each.file == file:
            start = text[: text.index(each.text)].count("\n") + 1
            touched.update(range(start, start + each.text.count("\n", 0, -1) + 1))
    missing = [
        f"{file}:{first}" for first, last in refusals(path)
        if not touched & set(range(first, last + 1))
    ]  # fmt: skip
    assert missing == []
