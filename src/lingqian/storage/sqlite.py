"""SQLite through apsw: WAL, synchronous=FULL, one writer connection (嵌入式存储).

Law: an answer is given only after COMMIT has returned. Reads have connections of their own.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

import apsw

from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import PAGE_CACHE_MIB_DEFAULT, WAL_PAGES_MAX
from lingqian.kernel.fault import Damaged, Fenced, Unknown, Unsent
from lingqian.storage.checkpoint import Checkpointer
from lingqian.storage.loader import Loader, Question, Rows
from lingqian.storage.port import Batch, LaneRow
from lingqian.storage.position import positions
from lingqian.storage.schema import TABLES, TableRow
from lingqian.storage.sql import (
    ADVANCE_LANE,
    INSERT_ROW,
    INSERTS,
    SELECT_LANE,
    SELECT_ONE,
    Lines,
    additions,
    fence,
    named,
    replacements,
)

_BATCH_ID_NONE: Final = bytes(16)
_BUSY_MS: Final = 5_000
# A database in memory has no log and needs none.
_MODES: Final = ("wal", "memory")
_RETRIABLE: Final = (apsw.BusyError, apsw.LockedError)


def _upsert(table: TableRow) -> str:
    sets = ", ".join(f'"{name}" = excluded."{name}"' for name in table.columns)
    return f"{INSERT_ROW[table.name]} ON CONFLICT ({named(table.key)}) DO UPDATE SET {sets}"


_UPSERTS: Final = {table.name: _upsert(table) for table in TABLES}
_PUT_PERSONAL: Final = INSERTS["personal"] + (
    " ON CONFLICT (owner_id, field) DO UPDATE SET cipher = excluded.cipher, mac = excluded.mac"
)
_NEW_LANE: Final = (
    "INSERT INTO lanes (lane, epoch, next_seq, batch_id, head, at_us) VALUES (?, 0, 1, ?, ?, 0) "
    "ON CONFLICT (lane) DO NOTHING"
)
_FENCE_LANE: Final = "UPDATE lanes SET epoch = epoch + 1 WHERE lane = ?"


def connect(
    path: str, *, vfs: str | None = None, readonly: bool = False, is_alone: bool = False
) -> apsw.Connection:
    """Open one connection with the settings every reader shares."""
    flags = (
        apsw.SQLITE_OPEN_READONLY
        if readonly
        else (apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    )
    flags |= apsw.SQLITE_OPEN_URI
    if vfs is None and not readonly:
        _make_private(path)
    connection = apsw.Connection(path, flags=flags, vfs=vfs, statementcachesize=256)
    with _closed_unless_usable(connection):
        connection.set_busy_timeout(_BUSY_MS)
        if is_alone:
            # First of all: reading the schema of a WAL file needs shared memory, or to be alone.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def _make_private(path: str) -> None:
    """Make a new file readable by its owner only; the engine gives its log the same rights.

    A file that cannot be made is the engine's to complain of.
    """
    if path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def _closed_unless_usable(connection: apsw.Connection) -> Iterator[None]:
    """Close a connection that could not be set up at once, not whenever memory is tidied."""
    try:
        yield
    except BaseException:
        with suppress(apsw.Error):
            connection.close(force=True)
        raise


def migrations() -> list[tuple[int, str, str]]:
    """Return the numbered schema steps: number, name, text."""
    folder = resources.files("lingqian.storage.migration")
    steps = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name[:4]), entry.name, entry.read_text("utf-8")) for entry in steps)


def migrate(connection: apsw.Connection) -> list[str]:
    """Bring a database to the newest schema, each step in its own transaction; return what ran.

    Raises: Damaged when the database is newer than this program.
    """
    steps = migrations()
    version = connection.pragma("user_version")
    if version > steps[-1][0]:
        raise Damaged(f"the database has schema {version}; this program knows {steps[-1][0]}")
    done = []
    for number, name, text in steps:
        if number > version:
            connection.execute(f"BEGIN IMMEDIATE; {text}; PRAGMA user_version = {number}; COMMIT")
            done.append(name)
    return done


class SqliteStore:
    """The embedded store. All methods belong to the one thread that writes.

    Opening raises: Damaged when the file is, or is newer than this program; Unsent when it cannot
    be opened for writing.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        vfs: str | None = None,
        is_alone: bool = False,
        synchronous: str = "FULL",
        cache_mib: int = PAGE_CACHE_MIB_DEFAULT,
    ) -> None:
        self._path = str(path)
        self._vfs = vfs
        # Alone: WAL without shared memory, for file systems (and the simulated disk) without it.
        self._is_alone = is_alone
        self._synchronous = synchronous
        self._cache_mib = cache_mib
        # Errors of commits by the engine's own words, for whoever watches.
        self.errors: Counter[str] = Counter()
        self._checkpointer = Checkpointer(self._open_beside)
        try:
            self._connection = self._open()
            with _closed_unless_usable(self._connection):
                migrate(self._connection)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise Damaged(f"{path} is damaged ({error}); restore a backup of it") from error
        except apsw.Error as error:
            raise Unsent(f"{path} cannot be opened for writing: {error}") from error

    def _open(self) -> apsw.Connection:
        connection = connect(self._path, vfs=self._vfs, is_alone=self._is_alone)
        with _closed_unless_usable(connection):
            mode = connection.pragma("journal_mode", "WAL")
            if mode not in _MODES:
                # The engine keeps quiet about it: on a file system without shared memory it stays
                # with what it had, under which a power cut may undo what was answered.
                raise Unsent(f"the write-ahead log cannot be turned on: the mode is still {mode}")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA cache_size = -{1_024 * self._cache_mib}")
            # Checkpoints happen between batches, never inside an unlucky commit.
            connection.wal_autocheckpoint(0)
            self._wal_pages = 0
            self._held_pages = 0
            connection.set_wal_hook(self._note_wal)
        return connection

    def _open_beside(self) -> apsw.Connection:
        connection = connect(self._path, vfs=self._vfs)
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection

    def _note_wal(self, connection: apsw.Connection, database: str, pages: int) -> int:
        del connection, database
        self._wal_pages = pages
        return apsw.SQLITE_OK

    @property
    def connection(self) -> apsw.Connection:
        """The writer connection, for reads and chores on the writer's own thread."""
        return self._connection

    @property
    def path(self) -> str:
        """Where the database lies."""
        return self._path

    def reader(self) -> apsw.Connection:
        """Open a connection for reads on a snapshot; belongs to the thread that asks.

        A store that is alone on its disk has one connection for everything.
        """
        if self._is_alone:
            return self._connection
        return connect(self._path, vfs=self._vfs, readonly=True)

    def _immediate(self, what: str) -> "_Transaction":
        return _Transaction(self._connection, what)

    def take(self, lanes: Sequence[int]) -> list[LaneRow]:
        """Take lanes: raise their epochs, which fences every earlier owner; return their rows.

        Raises: Unsent, and then none of them was taken.
        """
        new = [(lane, _BATCH_ID_NONE, bytes(32)) for lane in lanes]
        with self._immediate("taking lanes"):
            self._connection.executemany(_NEW_LANE, new)
            self._connection.executemany(_FENCE_LANE, [(lane,) for lane in lanes])
            return [_lane_row(self._connection, lane) for lane in lanes]

    def read(self, work: Callable[[apsw.Connection], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Do reads on the writer's connection, between batches.

        Raises: Unsent when the engine cannot read now.
        """
        try:
            return work(self._connection)
        except apsw.Error as error:
            raise Unsent(f"nothing was read: {error}") from error

    def chore(self, work: Callable[[apsw.Connection], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Run other writes (keys, endpoints, settings) in a transaction of their own.

        Raises: Unsent.
        """
        with self._immediate("a chore"):
            return work(self._connection)

    def load(self, view: View, wanted: Wanted) -> None:
        """Read every wanted row the view does not have yet, a few set-based reads.

        Raises: Unsent when the engine cannot read now.
        """
        self.read(lambda connection: _LOADER.load(connection, view, wanted))

    def commit(self, batches: list[Batch]) -> None:
        """Write the batches of one or more lanes in one durable transaction.

        Raises: Unsent, Unknown, Fenced.
        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for batch in batches:
                self._write(batch)
        except Fenced:
            self._rollback()
            raise
        except apsw.Error as error:
            self._note(error)
            self._rollback()
            raise Unsent(f"nothing was written: {error}") from error
        try:
            connection.execute("COMMIT")
        except _RETRIABLE as error:
            self._note(error)
            self._rollback()
            raise Unsent(f"nothing was written: {error}") from error
        except apsw.Error as error:
            self._note(error)
            raise Unknown(f"the commit was cut: {error}") from error

    def _note(self, error: apsw.Error) -> None:
        self.errors[type(error).__name__.removesuffix("Error").lower()] += 1

    def _write(self, batch: Batch) -> None:
        connection = self._connection
        connection.execute(ADVANCE_LANE, fence(batch))
        if connection.changes() != 1:
            raise Fenced(f"lane {batch.before.lane} has another owner")
        for statement, lines in writes(batch):
            connection.executemany(statement, lines)

    def _rollback(self) -> None:
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def resolve(self, batches: list[Batch]) -> list[LaneRow]:
        """Fence an unknown commit on a new connection, then read what became of it.

        Raises: Unknown when the database still cannot be asked.
        """
        with suppress(apsw.Error):
            self._connection.close(force=True)
        lanes = [(batch.before.lane,) for batch in batches]
        try:
            self._connection = self._open()
            with self._immediate("fencing"):
                self._connection.executemany(_FENCE_LANE, lanes)
            return [_lane_row(self._connection, lane) for (lane,) in lanes]
        except (apsw.Error, Unsent) as error:
            raise Unknown(f"the database cannot be asked: {error}") from error

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database when it is large; never inside a commit.

        The bulk is moved beside the writer, but not where the writer is alone on its disk. What
        fails here (a full disk) loses nothing: the log stays, and the next batch tries again.
        """
        if self._wal_pages < WAL_PAGES_MAX + self._held_pages:
            return
        if self._is_alone or self._checkpointer.is_settled(self._wal_pages):
            with suppress(apsw.Error):
                pages, moved_pages = self._connection.wal_checkpoint(
                    mode=apsw.SQLITE_CHECKPOINT_PASSIVE
                )
                # A long reader keeps the log from beginning anew: look again when it has grown.
                self._held_pages = pages if moved_pages < pages else 0
                self._wal_pages = 0

    def close(self) -> None:
        """Fold the log into the file and release it."""
        self._checkpointer.finish()
        with suppress(apsw.Error):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.close(force=True)


def _lane_row(connection: apsw.Connection, lane: int) -> LaneRow:
    row: Any = connection.execute(SELECT_LANE, (lane,)).fetchone()
    return LaneRow(*row)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT around a chore; any engine error in it means it was not done."""

    def __init__(self, connection: apsw.Connection, what: str) -> None:
        self._connection = connection
        self._what = what

    def __enter__(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise Unsent(f"{self._what}: {error}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        try:
            self._connection.execute("ROLLBACK" if kind else "COMMIT")
        except apsw.Error as failure:
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")
            raise Unsent(f"{self._what}: {failure}") from failure
        if isinstance(error, apsw.Error):
            raise Unsent(f"{self._what}: {error}") from error


def writes(batch: Batch) -> Iterator[tuple[str, Lines]]:
    """Yield every statement of a batch after the fence, each with its lines in key order."""
    for name, lines in additions(batch):
        yield INSERTS[name], lines
    if batch.personal:
        yield _PUT_PERSONAL, batch.personal
    for name, lines in replacements(batch):
        yield _UPSERTS[name], lines
    yield from positions(batch)


def _ask(connection: apsw.Connection, questions: list[Question]) -> Iterator[Rows]:
    """Ask when the rows before have been taken: nothing is far here."""
    for text, values, is_of_lines in questions:
        yield (connection.executemany if is_of_lines else connection.execute)(text, values)


def _ask_pairs(table: TableRow, pairs: list[tuple[bytes, bytes]]) -> list[Question]:
    """Find one after the other: each is a seek, and the statement stays prepared."""
    return [Question(SELECT_ONE[table.name], pairs, is_of_lines=True)]


_LOADER: Final = Loader(_ask, _ask_pairs)
