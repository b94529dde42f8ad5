"""The page about the audit lists every kind of finding."""

from pathlib import Path

from lingqian.storage.finding import MEANING

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "audit.md"


def test_audit_page_lists_every_kind_with_its_meaning():
    """What a script may meet stands in the reference, in the words the program uses."""
    text = PAGE.read_text("utf-8")
    missing = [kind for kind, words in MEANING.items() if f"| `{kind}` | {words} |" not in text]
    assert missing == []
