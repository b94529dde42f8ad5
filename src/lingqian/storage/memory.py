"""The embedded store in memory: the same engine, schema and statements, on no disk (内存存储).

Law: it passes the port's contract suite like every other adapter; it forgets when closed.
"""

from typing import final

from lingqian.storage.sqlite import SqliteStore, connect


@final
class MemoryStore(SqliteStore):
    """A store named within this process; its readers and its writer share one database.

    The engine frees a memory database with its last connection, and `resolve` closes the writer
    before it opens another: one more connection keeps the database alive until `close`.
    """

    def __init__(self, name: str) -> None:
        path = f"file:/{name}?vfs=memdb"
        self._keeper = connect(path)
        super().__init__(path)

    def close(self) -> None:
        """Release the database; what it held is gone."""
        super().close()
        self._keeper.close(force=True)


def memory_store(name: str) -> MemoryStore:
    """Open a store in memory; the same name is the same database while one of them is open."""
    return MemoryStore(name)
