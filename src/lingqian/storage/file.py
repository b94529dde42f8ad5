"""A database in a file, as a wallet and its commands open it (数据库文件)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from lingqian.kernel.fault import Damaged
from lingqian.storage.ground import EMBEDDED, Ground
from lingqian.storage.keyring import open_beside
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.port import Connection
from lingqian.storage.sqlite import SqliteStore, connect, migrate, migrations


class SqliteFile(NamedTuple):
    """Where a database lies."""

    path: Path

    def store(self) -> SqliteStore:
        """Open the writer's store, with the newest schema.

        Raises: Damaged, Unsent.
        """
        try:
            return SqliteStore(self.path)
        except apsw.Error as error:
            raise Damaged(f"{self.path} cannot be opened: {error}") from error

    def reader(self) -> Connection:
        """Open a connection for reads, of the thread that asks."""
        return connect(str(self.path), readonly=True)

    def visitor(self) -> Connection:
        """Open a connection for small writes; the file is made when there is none."""
        return open_beside(self.path)

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
