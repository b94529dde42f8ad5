"""A link: one connection that takes our statements and our values (连接).

Law: a value never meets the text of a statement as it is. Bytes and text travel as hexadecimal
digits, so no mode of the server and no character can end a literal. What was said ahead is heard
before anything is asked, so no answer is taken for that of another statement.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import index
from typing import Any, Final

import pymysql  # type: ignore[import-untyped]  # the driver has no types
from pymysql.constants.COMMAND import COM_QUERY  # type: ignore[import-untyped]  # as above

from lingqian.storage.mysql.dialect import said
from lingqian.storage.port import Values

# As much as one statement carries of many lines; the server must take at least four times this.
STATEMENT_BYTES_MAX: Final = 1_000_000
# As much as is asked ahead. Who cannot get rid of a large answer does not read on, and waits for
# us: what was said behind it must find room on the way, and any socket has room for as much.
AHEAD_BYTES_MAX: Final = 16_384
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


class Talk(pymysql.connections.Connection):  # type: ignore[misc]  # the driver has no types
    """The driver's connection, which may be told the next statement before the last is answered.

    The server takes statements from the stream one by one, whatever became of the one before.
    """

    def say(self, text: str) -> None:
        """Send a statement."""
        self._execute_command(COM_QUERY, text)

    def hear(self) -> Any:  # noqa: ANN401 - the driver has no types
        """Read the answer to the oldest statement that has none."""
        # An answer's packets are numbered from its own statement on.
        self._next_seq_id = 1
        self._read_query_result()
        return self._result


class Link:
    """One connection; belongs to one thread. Every method raises what the driver raises.

    A `Connection` of the port: statements are our own, and are said in the protocol's words here.
    """

    def __init__(self, connection: Talk) -> None:
        self._connection = connection
        self._changes = 0
        # How many statements were said whose answers nobody has read.
        self._unheard = 0

    def execute(self, text: str, values: Values = ()) -> Any:  # noqa: ANN401 - a cursor
        """Run one statement; return its rows, to iterate over or to fetch."""
        cursor = self._connection.cursor(_Rows)
        self._run(cursor, _told(text, values))
        self._changes = cursor.rowcount
        return cursor

    def executemany(self, text: str, lines: Iterable[Values]) -> None:
        """Run a statement for each line; add many rows in as few statements as carry them."""
        for statement in _told_many(text, lines):
            self._run(self._connection.cursor(), statement)

    def say(self, text: str, values: Values = ()) -> None:
        """Send a statement and go on; `hear` reads its answer."""
        self._say(_told(text, values))

    def say_many(self, text: str, lines: Iterable[Values]) -> None:
        """Send a statement for each line, many rows in as few as carry them, and go on.

        The server works on one while the next is written.
        """
        for statement in _told_many(text, lines):
            self._say(statement)

    def hear(self) -> list[int]:
        """Read all answers to what was said, in order; return how many rows each has found.

        Raises: the first error, when the last answer is read: what stood behind a statement that
        failed was done all the same.
        """
        return [int(answer.affected_rows) for answer in self._hear()]

    def ask(self, questions: Iterable[tuple[str, Values]]) -> list[Sequence[Any]]:
        """Say statements that read one behind the other; return the rows of each.

        Raises: the first error, when the last answer is read.
        """
        self.hear()
        answers: list[Any] = []
        ahead = 0
        for question in questions:
            told = _told(*question)
            if ahead + len(told) > AHEAD_BYTES_MAX:
                answers += self._hear()
                ahead = 0
            self._say(told)
            ahead += len(told)
        answers += self._hear()
        return [answer.rows for answer in answers]

    def _hear(self) -> list[Any]:
        answers: list[Any] = []
        failures: list[pymysql.err.Error] = []
        while self._unheard and self.is_open:
            self._unheard -= 1
            try:
                answers.append(self._whole(self._connection.hear))
            except pymysql.err.Error as error:
                failures.append(error)
        self._unheard = 0
        if failures:
            raise failures[0]
        return answers

    def _say(self, text: str) -> None:
        self._whole(self._connection.say, text)
        self._unheard += 1

    def _run(self, cursor: Any, text: str) -> None:  # noqa: ANN401 - the driver has no types
        self.hear()
        self._whole(cursor.execute, text)

    def _whole(self, step: Callable[..., Any], *arguments: str) -> Any:  # noqa: ANN401 - what the step returns
        """Send or read to the end, or never use the connection again.

        What is left of an answer would be taken for that of the next statement.
        """
        try:
            return step(*arguments)
        except pymysql.err.Error:
            raise
        except BaseException:
            self.close()
            raise

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


def _told(text: str, values: Values) -> str:
    """Return a statement of ours with its values, in the protocol's words."""
    statement = said(text)
    return filled(statement.parts, statement.arranged(values))


def _told_many(text: str, lines: Iterable[Values]) -> Iterator[str]:
    """Yield a statement for each line, or as few as carry them where rows are only added."""
    if _ADDS.match(text):
        yield from statements(text, lines)
    else:
        yield from (_told(text, line) for line in lines)


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
