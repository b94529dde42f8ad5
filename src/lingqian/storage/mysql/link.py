"""A link: one connection that takes our statements and our values (连接).

Law: a value never meets the text of a statement as it is. Bytes and text travel as hexadecimal
digits, so no mode of the server and no character can end a literal.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain
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


def _literal(value: Any) -> str:  # noqa: ANN401 - any column's value
    write = _LITERALS.get(type(value))
    # Numbers with names (an enumeration's) are numbers.
    return write(value) if write is not None else str(int(value))


@lru_cache(maxsize=512)
def _parts(text: str) -> tuple[str, ...]:
    return tuple(text.split("?"))


@lru_cache(maxsize=512)
def _line(text: str) -> tuple[str, tuple[str, ...], str]:
    """Cut a statement that adds rows into what stands before a row, the row, and what follows."""
    head, _, rest = text.partition(" VALUES ")
    end = rest.index(")") + 1
    return f"{head} VALUES ", tuple(rest[:end].split("?")), rest[end:]


def said(parts: tuple[str, ...], values: Iterable[Any]) -> str:
    """Return a statement with its values; `parts` is what stood between the question marks."""
    literals = list(map(_literal, values))
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
    """Yield statements that add all the lines, each below the bound unless one line is larger."""
    head, parts, tail = _line(text)
    rows: list[str] = []
    size = 0
    for line in lines:
        row = said(parts, line)
        if rows and size + len(row) > STATEMENT_BYTES_MAX:
            yield head + ",".join(rows) + tail
            rows, size = [], 0
        rows.append(row)
        size += len(row) + 1
    if rows:
        yield head + ",".join(rows) + tail
