"""The raw bound: the engine alone, writing the very rows that the lane has just written (下界).

After each batch of the lane the same statements with the same rows, already encoded, are written to
a copy of the same file through the same driver with the same settings. The lane's share of that
speed is what its semantics leave over.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lingqian.storage.lane import Submission, Writer
from lingqian.storage.port import Batch
from lingqian.storage.sql import ADVANCE_LANE, fence
from lingqian.storage.sqlite import SqliteStore, writes

Statement = tuple[str, list[tuple[Any, ...]]]


class Recorder(SqliteStore):
    """The measured run's store: keeps what the last commit wrote, and how long keeping took."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written: list[Statement] = []
        self.aside_s = 0.0

    def commit(self, batches: list[Batch]) -> None:
        """Write as always, then copy the rows outside the measured time."""
        super().commit(batches)
        began = time.perf_counter()
        self.written = [(ADVANCE_LANE, [fence(batch)]) for batch in batches]
        for batch in batches:
            self.written += [(statement, list(lines)) for statement, lines in writes(batch)]
        self.aside_s += time.perf_counter() - began


class Raw:
    """The engine alone on a copy of the file."""

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)
        self._store.take([0])  # the same epoch as the lane that is recorded

    def write(self, written: list[Statement]) -> None:
        """Write one recorded batch in one durable transaction."""
        connection = self._store.connection
        connection.execute("BEGIN IMMEDIATE")
        for statement, lines in written:
            connection.executemany(statement, lines)
        connection.execute("COMMIT")
        self._store.checkpoint()

    def close(self) -> None:
        """Release the copy."""
        self._store.close()


class Laps(NamedTuple):
    """How long each batch took, the lane's and the engine's alone. Units: s."""

    lane_s: list[float]
    raw_s: list[float]

    @property
    def share(self) -> float:
        """The lane's speed as a share of the engine's."""
        return sum(self.raw_s) / sum(self.lane_s)


def race(writer: Writer, raw: Raw, submissions: Sequence[Submission], size: int) -> Laps:
    """Run batches through the lane and the engine by turns, so that both meet the same machine."""
    store = writer.store
    assert isinstance(store, Recorder), "the lane is recorded"
    laps = Laps([], [])
    for start in range(0, len(submissions), size):
        batch = submissions[start : start + size]
        aside_s, began = store.aside_s, time.perf_counter()
        answers = writer.apply(batch)
        laps.lane_s.append(time.perf_counter() - began - (store.aside_s - aside_s))
        assert not any(answer.code for answer in answers), "the commands are all valid"
        written, began = store.written, time.perf_counter()
        raw.write(written)
        laps.raw_s.append(time.perf_counter() - began)
    return laps
