"""A database in a file, as a wallet opens it: store, readers, visitors (数据库文件)."""

from pathlib import Path
from typing import NamedTuple

import apsw

from lingqian.kernel.fault import Damaged
from lingqian.storage.keyring import open_beside
from lingqian.storage.port import Connection
from lingqian.storage.sqlite import SqliteStore, connect


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

    def __str__(self) -> str:
        """Say where it is."""
        return str(self.path)
