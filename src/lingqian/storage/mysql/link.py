"""A link: one connection that takes our statements and our values (连接).

Law: a value never meets the text of a statement as it is. Bytes and text travel as hexadecimal
digits, so no mode of the server and no character can end a literal.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import index
from typing import Any, Final

import pymysql  # type: ignore[import-untyped]  # the driver has no types

from lingqian.storage.mysql.dialect import said
from lingqian.storage.port import Values

# As much as one statement carries of many lines; the server must take at least four times this.
STATEMENT_BYTES_MAX: Final = 1_000_000
# Adds rows, each of values only.
_ADDS: Final = re.compile(r"INSERT INTO \S+ \([^)]*\) VALUES ")
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
def _line(text: str) -> tuple[str, tuple[str, ...], str]:
    """Cut a statement that adds rows into what stands before a row, the row, and what follows."""
    (first, *between, last) = said(text).parts
    head, _, start = first.partition(" VALUES ")
    end = last.index(")") + 1
    row = [part.replace("%", "%%") for part in (start, *between, last[:end])]
    return f"{head} VALUES ", tuple(row), last[end:]


def filled(parts: tuple[str, ...], values: Iterable[Any]) -> str:
    """Return a statement with its values; `parts` is what stands between them."""
    literals = _literals(values)
    assert len(literals) == len(parts) - 1, "a value for each place"
    return "".join(chain.from_iterable(zip(parts, literals, strict=False))) + parts[-1]


class _Rows(pymysql.cursors.Cursor):  # type: ignore[misc]  # the driver has no types
    """The answer to one statement; all of its rows are a list, as on the embedded engine."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        return list(super().fetchall())


class Link:
    """One connection; belongs to one thread. Every method raises what the driver raises.

    A `Connection` of the port: statements are our own, and are said in the protocol's words here.
    """

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver has no types
        self._connection = connection
        self._changes = 0

    def execute(self, text: str, values: Values = ()) -> Any:  # noqa: ANN401 - a cursor
        """Run one statement; return its rows, to iterate over or to fetch."""
        statement = said(text)
        cursor = self._connection.cursor(_Rows)
        self._run(cursor, filled(statement.parts, statement.arranged(values)))
        self._changes = cursor.rowcount
        return cursor

    def _run(self, cursor: Any, text: str) -> None:  # noqa: ANN401 - the driver has no types
        """Send a statement and read its answer to the end, or never use the connection again.

        What is left of an answer would be taken for that of the next statement.
        """
        try:
            cursor.execute(text)
        except pymysql.err.Error:
            raise
        except BaseException:
            self.close()
            raise

    def executemany(self, text: str, lines: Iterable[Values]) -> None:
        """Run a statement for each line; add many rows in as few statements as carry them."""
        if not _ADDS.match(text):
            for line in lines:
                self.execute(text, line)
            return
        for statement in statements(text, lines):
            self._run(self._connection.cursor(), statement)

    def changes(self) -> int:
        """Return how many rows the last `execute` found and wrote, or removed."""
        return self._changes

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


def statements(text: str, lines: Iterable[Values]) -> Iterator[str]:
    """Yield statements that add all the lines, each below the bound unless one line is larger.

    Written column by column: a table's column holds one kind of value, and many of one kind are
    written in one go.
    """
    head, parts, tail = _line(text)
    columns = [_column(values) for values in zip(*lines, strict=True)]
    if not columns:
        return
    assert len(columns) == len(parts) - 1, "a value for each place"
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
