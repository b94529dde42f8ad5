"""A link: one connection that takes our statements and our values (连接).

Law: a value never meets the text of a statement as it is. Bytes and text travel as hexadecimal
digits, so no mode of the server and no character can end a literal.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import index
from typing import Any, Final

import pymysql  # type: ignore[import-untyped]  # the driver has no types

# As much as one statement carries of many lines; the server must take at least four times this.
STATEMENT_BYTES_MAX: Final = 1_000_000
_LITERALS: Final[dict[type, Callable[[Any], str]]] = {
    int: str,
    bool: lambda value: str(int(value)),
    bytes: lambda value: f"x'{value.hex()}'",
    str: lambda value: f"_utf8mb4 x'{value.encode().hex()}'",
    type(None): lambda _: "NULL",
}


def _number(value: Any) -> str:  # noqa: ANN401 - an enumeration's value
    """Write a number that has a name; what only looks like a number, as a float does, is none."""
    return str(index(value))


def _literals(values: Iterable[Any]) -> list[str]:
    kinds = _LITERALS
    return [kinds.get(type(value), _number)(value) for value in values]


@lru_cache(maxsize=512)
def _parts(text: str) -> tuple[str, ...]:
    return tuple(text.split("?"))


@lru_cache(maxsize=512)
def _line(text: str) -> tuple[str, tuple[str, ...], str]:
    """Cut a statement that adds rows into what stands before a row, the row, and what follows."""
    head, _, rest = text.partition(" VALUES ")
    end = rest.index(")") + 1
    return f"{head} VALUES ", tuple(rest[:end].replace("%", "%%").split("?")), rest[end:]


def said(parts: tuple[str, ...], values: Iterable[Any]) -> str:
    """Return a statement with its values; `parts` is what stood between the question marks."""
    literals = _literals(values)
    assert len(literals) == len(parts) - 1, "a value for each question mark"
    return "".join(chain.from_iterable(zip(parts, literals, strict=False))) + parts[-1]


class _Rows(pymysql.cursors.Cursor):  # type: ignore[misc]  # the driver has no types
    """The answer to one statement; all of its rows are a list, as on the embedded engine."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        return list(super().fetchall())


class Link:
    """One connection; belongs to one thread. Every method raises what the driver raises."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver has no types
        self._connection = connection

    def execute(self, text: str, values: Iterable[Any] = ()) -> Any:  # noqa: ANN401 - a cursor
        """Run one statement; return its rows, to iterate over or to fetch."""
        values = tuple(values)
        cursor = self._connection.cursor(_Rows)
        cursor.execute(said(_parts(text), values) if values else text)
        return cursor

    def executemany(self, text: str, lines: Iterable[Iterable[Any]]) -> None:
        """Add many rows, as few statements as carry them."""
        for statement in statements(text, lines):
            self._connection.cursor().execute(statement)

    @property
    def is_open(self) -> bool:
        """Whether there is still a connection, as far as this side knows."""
        return bool(self._connection.open)

    @property
    def in_transaction(self) -> bool:
        """Whether the server said with its last answer that a transaction is open."""
        status = self._connection.server_status
        return bool(status & pymysql.constants.SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def close(self) -> None:
        """Let the connection go; the server may no longer be listening."""
        with suppress(pymysql.err.Error):
            self._connection.close()


def statements(text: str, lines: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield statements that add all the lines, each below the bound unless one line is larger.

    Written column by column: a table's column holds one kind of value, and many of one kind are
    written in one go.
    """
    head, parts, tail = _line(text)
    columns = [_column(values) for values in zip(*lines, strict=True)]
    if not columns:
        return
    assert len(columns) == len(parts) - 1, "a value for each question mark"
    places = [place for place, _ in columns]
    row = "".join(chain.from_iterable(zip(parts, places, strict=False))) + parts[-1]
    rows = list(map(row.__mod__, zip(*[literals for _, literals in columns], strict=True)))
    for some in _bounded(rows):
        yield f"{head}{','.join(some)}{tail}"


def _column(values: tuple[Any, ...]) -> tuple[str, Iterable[Any]]:
    """Return how a column stands in a row, and what is put there for each line."""
    kinds = set(map(type, values))
    if kinds == {bytes}:
        return "x'%s'", map(bytes.hex, values)
    if kinds == {int}:
        return "%d", values
    return "%s", _literals(values)


def _bounded(rows: list[str]) -> Iterator[list[str]]:
    """Cut rows into as few runs as fit a statement each."""
    if sum(map(len, rows)) + len(rows) <= STATEMENT_BYTES_MAX:
        yield rows
        return
    some: list[str] = []
    size = 0
    for row in rows:
        if some and size + len(row) > STATEMENT_BYTES_MAX:
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row) + 1
    yield some
