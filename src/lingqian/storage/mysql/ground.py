"""A ledger on a database server, as an audit and a rebuild ask it (服务器底座).

Law: every read after `begin` sees the same moment of all lanes, whoever commits meanwhile. A batch
is one transaction, so what it has written is seen whole or not at all, and what follows from it
is never seen without it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, Final

from pymysql.err import Error  # type: ignore[import-untyped]  # the driver has no types

from lingqian.kernel.bound import DATABASE_JUDGE_S_MAX
from lingqian.kernel.fault import Damaged, Unsent
from lingqian.storage.expectation import Expectation, Line
from lingqian.storage.ground import Ground, Odd, Shapes, shapes
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.engine import Engine
from lingqian.storage.mysql.link import Link
from lingqian.storage.mysql.meaning import DAMAGED, REFUSED, code_of, meaning_of
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.schema import SELECT_STEPS, missing
from lingqian.storage.port import Connection
from lingqian.storage.sql import chunks, named
from lingqian.storage.sqlite import connect as connect_file
from lingqian.storage.sqlite import migrate

BEGIN: Final = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
SELECT_COLUMNS: Final = (
    "SELECT table_name, column_name, data_type, collation_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE()"
)
# What only many processes have, and a query for every row of it that contradicts itself or another.
OWN_TABLES: Final = {
    "members": """
        SELECT member, 'it has no name, no role, or no end' FROM members
        WHERE member = '' OR roles = '' OR version < 0 OR until_us <= 0
        """,
    "leases": """
        SELECT l.name, 'held by ' || l.owner || ', epoch ' || l.epoch || ': no such member'
        FROM leases l LEFT JOIN members m ON m.member = l.owner
        WHERE l.name = '' OR l.epoch < 0
            OR (l.owner <> '' AND (m.member IS NULL OR l.epoch = 0))
        """,
}
_NO_TABLE: Final = 1146
_KEYS_AT_ONCE: Final = 64
_COLLATION: Final = "utf8mb4_bin"
# The types that our steps give columns, by the kind of value they hold.
_KINDS: Final = {
    "bigint": "INTEGER",
    "varbinary": "BLOB",
    "blob": "BLOB",
    "mediumblob": "BLOB",
    "longblob": "BLOB",
    "varchar": "TEXT",
    "text": "TEXT",
}


@cache
def _shapes() -> Shapes:
    """Return the tables and columns there must be: those of the embedded engine's own steps."""
    with closing(connect_file(":memory:")) as connection:
        migrate(connection)
        return shapes(connection)


def _odd_values(connection: Connection) -> Iterator[Odd]:
    """Compare columns: a column of the right type holds nothing else, so no value is looked at."""
    found = {(row[0], row[1]): row[2:] for row in connection.execute(SELECT_COLUMNS)}
    for table, columns in _shapes().items():
        for name, kind, _ in columns:
            have, collation = found.get((table, name), ("missing", None))
            if _KINDS.get(have.lower()) != kind:
                yield Odd(table, name, f"column {name} of {table} is {have}, not of kind {kind}")
            elif kind == "TEXT" and collation != _COLLATION:
                yield Odd(table, name, f"column {name} of {table} compares by {collation}")


def _odd_rows(connection: Connection) -> Iterator[Odd]:
    for table, query in OWN_TABLES.items():
        for key, words in connection.execute(query):
            yield Odd(table, str(key), str(words))


def _missed(connection: Connection, expectation: Expectation, lines: Sequence[Line]) -> list[Line]:
    """Read what is stored under the keys, many at once, and compare here: a journey costs more."""
    width = len(expectation.key)
    found: list[Line] = []
    for start in range(0, len(lines), _KEYS_AT_ONCE):
        some = lines[start : start + _KEYS_AT_ONCE]
        rows = _stored(connection, expectation, [line[:width] for line in some])
        stored = {row[:width]: row for row in rows}
        found += [line[:width] for line in some if stored.get(line[:width]) != tuple(line)]
    return found


def _stored(
    connection: Connection, expectation: Expectation, keys: Sequence[Line]
) -> Iterator[Line]:
    select = f'SELECT {named(expectation.columns)} FROM "{expectation.table}" WHERE '  # noqa: S608 - names from the schema table
    if len(expectation.key) == 1:
        (name,) = expectation.key
        for size, chunk in chunks([key for (key,) in keys]):
            marks = ", ".join("?" * size)
            yield from connection.execute(f'{select}"{name}" IN ({marks})', chunk)
        return
    one = " AND ".join(f'"{name}" = ?' for name in expectation.key)
    text = select + " OR ".join([f"({one})"] * len(keys))
    yield from connection.execute(text, [part for key in keys for part in key])


def _is_damage(error: Exception) -> bool:
    return meaning_of(error) in (REFUSED, DAMAGED)


def ground(engine: Engine, open_beside: Callable[[], Link]) -> Ground:
    """Return the ground of a server; checking pages would end the moment, so it is done beside."""

    def own_faults(connection: Connection) -> Iterator[str]:
        del connection
        with closing(open_beside()) as link:
            for table in _shapes():
                yield from _check_table(link, engine, table)

    return Ground(
        begin=BEGIN,
        errors=Error,
        is_damage=_is_damage,
        own_faults=own_faults,
        odd_values=_odd_values,
        odd_rows=_odd_rows,
        missed=_missed,
    )


def _check_table(link: Link, engine: Engine, table: str) -> Iterator[str]:
    rows: Any = link.execute(engine.check_table.format(table))
    for _, _, kind, words in rows:
        if kind != "status" or words != "OK":
            yield f"{table}: {words}"


@contextmanager
def snapshot(
    address: Address,
    options: Options = Options(),  # noqa: B008 - a frozen value
) -> Iterator[tuple[Connection, Ground]]:
    """Open a ledger on a server for reading, beside whoever writes; close it.

    A server whose settings promise too little is read like any other.

    Raises: Damaged when the database is none of this program's schema; Unsent when the server
    cannot be asked.
    """
    patient = options._replace(is_sandbox=True, answer_s=DATABASE_JUDGE_S_MAX)

    def open_beside() -> Link:
        return _open(address, patient)[0]

    try:
        link, engine = _open(address, patient)
        with closing(link):
            _refuse_other_schema(address, link)
            yield link, ground(engine, open_beside)
    except Error as error:
        raise Unsent(f"{address!r} cannot be read: {error}") from error


def is_there(address: Address, options: Options) -> bool:
    """Say whether a database has steps of our schema, whichever; looks only.

    Raises: Unsent when the server cannot be asked.
    """
    try:
        with closing(_open(address, options)[0]) as link:
            return bool(link.execute(SELECT_STEPS).fetchone())
    except Error as error:
        if code_of(error) == _NO_TABLE:
            return False
        raise Unsent(f"{address!r} cannot be asked: {error}") from error


def _open(address: Address, options: Options) -> tuple[Link, Engine]:
    """Open a connection that only reads, and may take its time."""
    link, engine = connect(address, options)
    for statement in (*engine.read_only, *engine.patient):
        link.execute(statement)
    return link, engine


def _refuse_other_schema(address: Address, link: Link) -> None:
    """Refuse a database without our tables, or with fewer or other steps than this program's.

    Raises: Damaged.
    """
    try:
        lacking = missing(link)
    except Error as error:
        if code_of(error) != _NO_TABLE:
            raise
        raise Damaged(f"there is no ledger at {address!r}") from error
    if lacking:
        words = f"{address!r} lacks schema {lacking[0].number} and what follows"
        raise Damaged(f"{words}; run `lingqian migrate`")
