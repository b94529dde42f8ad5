"""A store whose commits can be cut, and that says what became of them (断连的提交)."""

from enum import IntEnum

from lingqian.kernel.bound import WAL_PAGES_MAX
from lingqian.kernel.fault import Unknown
from lingqian.storage.port import Batch, LaneRow
from lingqian.storage.sqlite import SqliteStore


class Cut(IntEnum):
    """Where the line to the database breaks: before the commit arrives, or after it was done."""

    NONE = 0
    BEFORE = 1
    AFTER = 2


class CutStore(SqliteStore):
    """The real store, with a line to it that breaks on demand and a log that is folded early."""

    def __init__(self, path: str, vfs: str, *, wal_pages_max: int, synchronous: str) -> None:
        self.cut = Cut.NONE
        self.resolved = {True: 0, False: 0}
        self.checkpoints = 0
        self._wal_pages_bound = wal_pages_max
        super().__init__(path, vfs=vfs, is_alone=True, synchronous=synchronous)

    def commit(self, batches: list[Batch]) -> None:
        """Commit, unless the line breaks.

        Raises: Unknown where it was cut; else what the store raises.
        """
        cut, self.cut = self.cut, Cut.NONE
        if cut == Cut.BEFORE:
            raise Unknown("the line broke before the commit")
        super().commit(batches)
        if cut == Cut.AFTER:
            raise Unknown("the line broke after the commit")

    def resolve(self, batches: list[Batch]) -> list[LaneRow]:
        """Resolve, and count which way it was."""
        rows = super().resolve(batches)
        self.resolved[rows[0].batch_id == batches[0].after.batch_id] += 1
        return rows

    def checkpoint(self) -> None:
        """Checkpoint as the store does, at a size of the log that a short world reaches."""
        if self._wal_pages >= self._wal_pages_bound:
            self._wal_pages = WAL_PAGES_MAX
            self.checkpoints += 1
        super().checkpoint()
