"""Our statements in the words of the MySQL protocol: a table of rules, applied once a text (方言).

Law: a statement is written once, as the embedded engine reads it. A rule says another word for the
same thing and never another thing; what no rule can say is written so that both engines read it.
What stands in quotes is nobody's word and stays as it is.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_MARK: Final = re.compile(r"\?(\d*)|(?<![:\w]):([a-z]\w*)")
# How a quoted piece and a value's place stand in a text while rules change the words around them.
_PIECE: Final = re.compile("\x01(\\d+)\x01")
_VALUE: Final = re.compile("\x02(\\w+)\x02")
_OPERAND: Final = r"([\w.]+|\x02\w+\x02)"
_TEXTS_MAX: Final = 2_048


class Rule(NamedTuple):
    """What the embedded engine reads, what the others read instead, and why they differ."""

    ours: str
    theirs: str
    why: str


RULES: Final = (
    Rule(
        r"\b(by|key|keys|lines)\b", r'"\1"',
        "their own words; ours are written in capitals, so one in small letters is a name",
    ),
    Rule(r"\biif\(", "IF(", "another name"),
    Rule(r"\bAS BLOB\)", "AS BINARY)", "another name of the type"),
    Rule(
        r"\b(?:MAX|max)\(([^(),]+), ([^(),]+)\)", r"GREATEST(\1, \2)",
        "theirs is over rows only",
    ),
    Rule(
        r"\btypeof\(\w+\) <> \x01\d+\x01", "FALSE",
        "a column holds nothing but its type; the embedded engine takes any",
    ),
    Rule(
        rf"\({_OPERAND}, {_OPERAND}\) (<|>) \({_OPERAND}, {_OPERAND}\)",
        r"(\1 \3= \4 AND (\1 \3 \4 OR \2 \3 \5))",
        "they compare pairs, and find no index for it",
    ),
    Rule(r"\bINDEXED BY (\w+)", r"FORCE INDEX (\1)", "another word"),
    Rule(
        r"\bON CONFLICT \([^)]*\) DO UPDATE SET\b", "ON DUPLICATE KEY UPDATE",
        "they name no index: a second unique one would be replaced under too",
    ),
    Rule(r"\bexcluded\.(\w+)", r"VALUES(\1)", "another name of the row that came"),
    Rule(
        r"\bON CONFLICT \((\w+)[^)]*\) DO NOTHING\b", r"ON DUPLICATE KEY UPDATE \1 = \1",
        "their way to ignore a row also ignores what is wrong with it",
    ),
)  # fmt: skip
_COMPILED: Final = tuple((re.compile(rule.ours), rule.theirs) for rule in RULES)


class Statement(NamedTuple):
    """A text in the protocol's words: what stands between the values, and which value goes where.

    `order` holds places of a sequence (from 0), or names where the text has names.
    """

    parts: tuple[str, ...]
    order: tuple[int, ...] | tuple[str, ...]
    is_plain: bool

    def arranged(self, values: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
        """Return the values in the order of the text."""
        if self.is_plain:
            assert len(values) == len(self.order), "a value for each question mark"
            return values  # type: ignore[return-value]  # named values are never plain
        return [values[place] for place in self.order]  # type: ignore[index]  # as the text has it


@lru_cache(maxsize=_TEXTS_MAX)
def said(text: str) -> Statement:
    """Return a text of ours as the protocol says it."""
    pieces: list[str] = []
    words = _QUOTED.sub(lambda found: _put(pieces, found[0]), text)
    words = _numbered(words)
    for pattern, theirs in _COMPILED:
        words = pattern.sub(theirs, words)
    parts = _VALUE.split(words)
    order = parts[1::2]
    restored = [_PIECE.sub(lambda found: pieces[int(found[1])], part) for part in parts[::2]]
    if order and not order[0].isdecimal():
        return Statement(tuple(restored), tuple(order), is_plain=False)
    places = tuple(map(int, order))
    return Statement(tuple(restored), places, is_plain=places == tuple(range(len(places))))


def _put(pieces: list[str], quoted: str) -> str:
    pieces.append(quoted)
    return f"\x01{len(pieces) - 1}\x01"


def _numbered(words: str) -> str:
    """Give every value its place or its name; a question mark follows the one before it."""
    last = -1

    def place(found: re.Match[str]) -> str:
        nonlocal last
        if found[2]:
            return f"\x02{found[2]}\x02"
        last = int(found[1]) - 1 if found[1] else last + 1
        return f"\x02{last}\x02"

    return _MARK.sub(place, words)
