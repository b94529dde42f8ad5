"""The ground a ledger stands on: what only an engine can say of itself to whoever judges it (底座).

Law: the passes of the audit and the folding of a rebuild are one code on every engine. What engines
do not share is a row of this kind, and there are as few of them as there are engines.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

import apsw

from lingqian.storage.expectation import Expectation, Line, Missed
from lingqian.storage.port import Connection, Database

SELECT_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
TABLE_INFO: Final = "SELECT * FROM pragma_table_info(?)"


class Column(NamedTuple):
    """A column: its name, the kind of its values, and its place in the key (0: in none)."""

    name: str
    kind: str
    place: int


Shapes = dict[str, list[Column]]


class Odd(NamedTuple):
    """What an engine finds of itself: the table, the row where there is one, words."""

    table: str
    key: str
    words: str


class Ground(NamedTuple):
    """One engine, as an audit asks it.

    `begin` fixes one moment for every read after it. `errors` is what the engine raises, and
    `is_damage` says of such an error that it tells of the ledger, and not that the engine could
    not be asked. `own_faults` is its check of its own pages and indexes; `odd_values` finds what
    its types let through; `odd_rows` does so in the tables that no other engine has; `missed` looks
    for expected lines.
    """

    begin: str
    errors: type[Exception]
    is_damage: Callable[[Exception], bool]
    own_faults: Callable[[Connection], Iterator[str]]
    odd_values: Callable[[Connection], Iterator[Odd]]
    odd_rows: Callable[[Connection], Iterator[Odd]]
    missed: Missed


class Ledger(Database, Protocol):
    """A database that commands look at: whether it is there, and one moment of it."""

    @property
    def is_shared(self) -> bool:
        """Whether several processes write it, each with a data directory of its own."""
        ...

    def is_there(self) -> bool:
        """Say whether a ledger was ever made here; looking makes none.

        Raises: Unsent when that cannot be asked.
        """
        ...

    def snapshot(self) -> AbstractContextManager[tuple[Connection, Ground]]:
        """Open it for reading, beside whoever writes; one moment of it begins with `begin`.

        Raises: Damaged when there is none, or it is not of this program's schema; Unsent.
        """
        ...

    def migrate(self) -> list[str]:
        """Bring it to the newest schema; return the steps that ran.

        Raises: Damaged when it is newer than this program; Fenced when it is in use; Unsent.
        """
        ...


def _own_faults(connection: Connection) -> Iterator[str]:
    for (words,) in connection.execute("PRAGMA integrity_check(100)"):
        if words != "ok":
            yield str(words)


def columns_of(connection: Connection, table: str) -> list[Column]:
    """Return the columns of a table, in their order."""
    rows = connection.execute(TABLE_INFO, (table,))
    return [Column(name, kind, place) for _, name, kind, _, _, place in rows]


def shapes(connection: Connection) -> Shapes:
    """Return every table of a database of this engine, column by column."""
    names = [str(name) for (name,) in connection.execute(SELECT_TABLES).fetchall()]
    return {name: columns_of(connection, name) for name in names}


def _odd_values(connection: Connection) -> Iterator[Odd]:
    """Look at every value: this engine itself would keep any."""
    for name, columns in shapes(connection).items():
        wrong = [f"typeof({column}) <> '{kind.lower()}'" for column, kind, _ in columns]
        key = " || '/' || ".join(f"hex({column})" for column, _, place in columns if place)
        query = f"SELECT {key} FROM {name} WHERE {' OR '.join(wrong)}"  # noqa: S608 - names from the schema
        for (shown,) in connection.execute(query):
            yield Odd(name, str(shown), f"{name} has a value of another type in row {shown}")


def _missed(connection: Connection, expectation: Expectation, lines: Sequence[Line]) -> list[Line]:
    """Let the engine compare, one seek a line: only what does not fit comes back."""
    found: list[Line] = connection.executemany(expectation.probe, lines).fetchall()
    return found


EMBEDDED: Final = Ground(
    begin="BEGIN",
    errors=apsw.Error,
    is_damage=lambda _: True,
    own_faults=_own_faults,
    odd_values=_odd_values,
    odd_rows=lambda _: iter(()),
    missed=_missed,
)
