"""A database in a file, as a wallet and its commands open it (数据库文件).

Law: whoever reads is told of a file that fails in the words of the house, as of a server.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from lingqian.kernel.bound import PAGE_CACHE_MIB_DEFAULT
from lingqian.kernel.fault import Damaged, Fault, Unsent
from lingqian.storage.ground import EMBEDDED, Ground
from lingqian.storage.keyring import open_beside
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.port import Connection, Rows
from lingqian.storage.sqlite import SqliteStore, connect, migrate, migrations


def _told(error: apsw.Error) -> Fault:
    is_damaged = isinstance(error, apsw.CorruptError | apsw.NotADBError)
    return (Damaged if is_damaged else Unsent)(f"nothing was read: {error}")


class FileReader:
    """A connection for reads of a file. Raises: Unsent; Damaged when the engine says so."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def execute(self, text: str, values: Any = None) -> Rows:  # noqa: ANN401 - as the engine takes them
        """Run one statement and return its rows."""
        try:
            return self._connection.execute(text, values)
        except apsw.Error as error:
            raise _told(error) from error

    def executemany(self, text: str, lines: Iterable[Any]) -> Rows:
        """Run one statement for each line of values; return all of its rows."""
        try:
            return self._connection.executemany(text, lines)
        except apsw.Error as error:
            raise _told(error) from error

    def changes(self) -> int:
        """Return how many rows the last statement wrote."""
        return self._connection.changes()

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()


class SqliteFile(NamedTuple):
    """Where a database lies, and how much of it the writer keeps in memory. Units: MiB."""

    path: Path
    cache_mib: int = PAGE_CACHE_MIB_DEFAULT

    def store(self) -> SqliteStore:
        """Open the writer's store, with the newest schema.

        Raises: Damaged, Unsent.
        """
        try:
            return SqliteStore(self.path, cache_mib=self.cache_mib)
        except apsw.Error as error:
            raise Damaged(f"{self.path} cannot be opened: {error}") from error

    def reader(self) -> Connection:
        """Open a connection for reads, of the thread that asks."""
        return FileReader(connect(str(self.path), readonly=True))

    def visitor(self) -> Connection:
        """Open a connection for small writes; the file is made when there is none."""
        return open_beside(self.path)

    @property
    def away_s(self) -> float:
        """How long no read has had an answer: a file is where we are."""
        return 0.0

    @property
    def is_shared(self) -> bool:
        """Whether several processes write it: never."""
        return False

    def is_there(self) -> bool:
        """Say whether there is a file."""
        return self.path.exists()

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Connection, Ground]]:
        """Open the ledger for reading, beside whoever writes; close it.

        Raises: Damaged when there is none, or it is no database of this program's schema.
        """
        if not self.is_there():
            raise Damaged(f"there is no ledger at {self}")
        try:
            connection = connect(str(self.path), readonly=True)
            version, newest = connection.pragma("user_version"), migrations()[-1][0]
        except apsw.Error as error:
            raise Damaged(f"{self} cannot be opened: {error}") from error
        try:
            if version != newest:
                words = f"{self} has schema {version}, this program knows {newest}"
                raise Damaged(f"{words}; run `lingqian migrate`")
            yield connection, EMBEDDED
        except apsw.CorruptError as error:
            raise Damaged(f"{self} is damaged: {error}") from error
        finally:
            connection.close(force=True)

    def migrate(self) -> list[str]:
        """Bring the file of a stopped wallet to the newest schema; return the steps that ran.

        Raises: Damaged when it is newer than this program; Fenced when it is in use.
        """
        lock = DirectoryLock(self.path.parent)
        try:
            with closing(connect(str(self.path))) as connection:
                connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
                return migrate(connection)
        finally:
            lock.release()

    def __str__(self) -> str:
        """Say where it is."""
        return str(self.path)
