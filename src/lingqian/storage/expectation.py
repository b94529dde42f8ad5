"""Expectations: rows that the journal makes, looked for in the tables exactly as they must be.

Law: if every expected row is found equal, and a table has no more rows than were expected, the
table is what the journal says. How the comparing is done is the engine's; only what does not fit
comes back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.port import Connection
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sql import named

_KEYS: Final = {
    "keys": ("key",),
    "entries": ("account", "seq", "leg"),
    "relays": ("source", "target", "number"),
    "trails": ("subject_id", "seq"),
}
_SHOWN_CHARS: Final = 80


class Expectation(NamedTuple):
    """How one table is compared: key columns first, then all others."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    probe: str
    select: str


Line = tuple[Any, ...]
# Returns the keys of those lines that are not in their table exactly so.
Missed = Callable[[Connection, Expectation, Sequence[Line]], list[Line]]


def _expectation(table: str, key: tuple[str, ...], others: tuple[str, ...]) -> Expectation:
    columns = (*key, *others)
    marks = ", ".join(f"?{place}" for place in range(1, len(key) + 1))
    same = " AND ".join(f'"{name}" = ?{place}' for place, name in enumerate(columns, start=1))
    where = " AND ".join(f'"{name}" = ?' for name in key)
    return Expectation(
        table,
        key,
        columns,
        f'SELECT {marks} WHERE NOT EXISTS (SELECT 1 FROM "{table}" WHERE {same})',  # noqa: S608 - names from the schema table
        f'SELECT {named(columns)} FROM "{table}" WHERE {where}',  # noqa: S608 - names from the schema table
    )


def _rest(name: str) -> tuple[str, ...]:
    return tuple(column for column in APPENDED[name] if column not in _KEYS[name])


EXPECTATIONS: Final[dict[str, Expectation]] = {
    **{table.name: _expectation(table.name, table.key, table.columns) for table in TABLES},
    **{name: _expectation(name, key, _rest(name)) for name, key in _KEYS.items()},
}
# What a delivery says it credits, against the item that the other lane has sent.
DELIVERED: Final = _expectation("relays", _KEYS["relays"], ("account", "amount_fen"))


def probe(
    connection: Connection, missed: Missed, expectation: Expectation, lines: Sequence[Line]
) -> Iterator[Finding]:
    """Yield a finding for every expected line that is not in the table exactly so."""
    keys = missed(connection, expectation, lines)
    if not keys:
        return
    width = len(expectation.key)
    expected = {line[:width]: line for line in lines}
    for key in keys:
        stored = connection.execute(expectation.select, key).fetchone()
        yield _finding(expectation, expected[key], stored)


def _finding(expectation: Expectation, line: Line, stored: Line | None) -> Finding:
    width = len(expectation.key)
    key = show_key(line[:width])
    lane, seq = place_of(expectation, line)
    if stored is None:
        words = f"{expectation.table} has no row {key}"
        return Finding(FindingKind.ROW_MISSING, expectation.table, lane, seq, key, words)
    pairs = zip(expectation.columns, line, stored, strict=True)
    differing = [
        f"{name} is {_show(found)}, the journal makes it {_show(wanted)}"
        for name, wanted, found in pairs
        if wanted != found or type(found) is float
    ]
    words = "; ".join(differing) or "a value is stored under another type"
    return Finding(FindingKind.ROW_DIFFERS, expectation.table, lane, seq, key, words)


def place_of(expectation: Expectation, line: Line) -> tuple[int, int]:
    """Return the lane and the journal row that an expected line belongs to, as far as it says."""
    lane = line[0][0] << 8 | line[0][1] if isinstance(line[0], bytes) and len(line[0]) > 1 else 0
    if "seq" in expectation.columns:
        return lane, line[expectation.columns.index("seq")]
    return lane, 0


def show_key(key: Line) -> str:
    """Write a key as findings show it."""
    return "/".join(_show(part) for part in key)


def _show(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
