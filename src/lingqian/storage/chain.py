"""The chain of seals: every byte of every batch hashed again (封印链).

A head that does not fit names its batch; whether the batch or only the seal was changed shows in
the next one, which continues from what was true when it was sealed.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from lingqian.storage.codec import Row, seal
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.port import LaneRow

START_HEAD = bytes(32)


class Seal(NamedTuple):
    """One row of the seals table, in the order in which it is read."""

    last_seq: int
    first_seq: int
    batch_id: bytes
    epoch: int
    at_us: int
    head: bytes


class Chain:
    """One lane's chain, followed seal by seal."""

    def __init__(self, lane: int, emit: Callable[[Finding], None]) -> None:
        self._lane = lane
        self._emit = emit
        self._last = Seal(0, 1, bytes(16), 0, 0, START_HEAD)
        # What the next batch may continue from: the head as stored, or as the rows make it.
        self._stored = self._made = START_HEAD
        self._doubt: Seal | None = None

    def follow(self, line: Seal, rows: list[Row]) -> None:
        """Check a seal over the rows it covers."""
        last = self._last
        if line.first_seq != last.last_seq + 1 or line.last_seq < line.first_seq:
            words = f"rows {line.first_seq} to {line.last_seq} after row {last.last_seq}"
            self._find(FindingKind.SEAL_RANGE, line.last_seq, words)
        if line.epoch < last.epoch or line.at_us <= last.at_us:
            words = f"epoch {line.epoch} at {line.at_us} µs after {last.epoch} at {last.at_us} µs"
            self._find(FindingKind.SEAL_FIELD, line.last_seq, words)
        if rows and not last.at_us < rows[0][2] <= rows[-1][2] <= line.at_us:
            words = f"sealed at {line.at_us} µs, which is before its rows, or they overlap"
            self._find(FindingKind.SEAL_FIELD, line.last_seq, words)
        self._last = line
        if rows:
            self._hash(line, rows)
        else:
            self._settle("")
            words = f"rows {line.first_seq} to {line.last_seq} are not in the journal"
            self._find(FindingKind.SEAL_RANGE, line.last_seq, words)
            self._stored = self._made = line.head

    def _hash(self, line: Seal, rows: list[Row]) -> None:
        from_stored = _seal(self._stored, line.batch_id, rows)
        if self._doubt is None:
            self._made = from_stored
        elif from_stored == line.head:
            self._settle("the next batch continues from the seal, so its rows were changed")
            self._made = from_stored
        else:
            self._made = _seal(self._made, line.batch_id, rows)
            if self._made == line.head:
                self._settle("the next batch continues from its rows, so the seal was changed")
            else:
                self._settle("")
                self._made = from_stored
        self._stored = line.head
        if self._made != line.head:
            self._doubt = line

    def _settle(self, hint: str) -> None:
        """Say that the batch in doubt does not fit, now that it is known why as far as can be."""
        line, self._doubt = self._doubt, None
        if line is not None:
            words = f"rows {line.first_seq} to {line.last_seq} do not hash to their seal"
            words = f"{words}; {hint}" if hint else words
            self._find(FindingKind.SEAL_HEAD, line.last_seq, words)

    def unsealed(self, rows: list[Row]) -> None:
        """Say that rows stand behind the last seal."""
        words = f"rows {rows[0][1]} to {rows[-1][1]} stand behind the last seal"
        self._find(FindingKind.SEAL_RANGE, rows[0][1], words)

    def close(self, row: LaneRow) -> None:
        """Compare the lane's own row with its last seal."""
        self._settle("")
        last = self._last
        expected = (last.last_seq + 1, last.batch_id, last.head, last.at_us)
        if (row.next_seq, row.batch_id, row.head, row.at_us) != expected:
            names = ("next_seq", "batch_id", "head", "at_us")
            pairs = zip(names, row[2:], expected, strict=True)
            words = ", ".join(name for name, found, wanted in pairs if found != wanted)
            self._find(FindingKind.LANE_ROW, last.last_seq, f"not as sealed: {words}", "lanes")
        if row.epoch < last.epoch:
            words = f"epoch {row.epoch} is before the last seal's {last.epoch}"
            self._find(FindingKind.LANE_ROW, last.last_seq, words, "lanes")

    def _find(self, kind: FindingKind, seq: int, words: str, table: str = "seals") -> None:
        self._emit(Finding(kind, table, self._lane, seq, "", words))


def _seal(head: bytes, batch_id: bytes, rows: list[Row]) -> bytes:
    """Return the head after a batch; nothing when its values are not even of the right kind."""
    try:
        return seal(head, batch_id, rows)
    except (struct.error, TypeError):
        return b""
