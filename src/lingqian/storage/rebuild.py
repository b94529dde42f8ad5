"""Rebuild: the journal folded from row 1 into an empty database, by the lane's own fold (重建).

Law: dropping every typed table loses nothing. The rows are loaded, folded and written by the same
code that serves the lane, so a rebuild that agrees to the fen proves fold and writes together; the
audit compares by an arithmetic of its own.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from lingqian.flows.decision import Record
from lingqian.flows.kind import KINDS, fold, need
from lingqian.flows.view import Policy, View, Wanted
from lingqian.kernel.bound import CACHE_ROWS_MAX
from lingqian.kernel.fault import Damaged, Unsent
from lingqian.ledger.posting import Posted
from lingqian.redpacket.packet import Packet, Progress, Secret
from lingqian.storage.chain import Seal
from lingqian.storage.codec import Row, decode, seal
from lingqian.storage.ground import EMBEDDED, Ground, columns_of
from lingqian.storage.head import lane_rows, sync_folder
from lingqian.storage.operation import OPERATION_TABLES
from lingqian.storage.port import Batch, Connection, LaneRow, Store
from lingqian.storage.replay import IMPOSSIBLE, Tick
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sql import insert
from lingqian.storage.sqlite import SqliteStore
from lingqian.storage.walk import LARGE_PAGE_ROWS, PAGE_ROWS, Way, journal_rows, seal_rows, walk

_GROUP_ROWS: Final = 4_096
_COPIED: Final = ("personal", *sorted(OPERATION_TABLES))
_SHOWN: Final = 3
_RANK: Final = {int: 0, float: 0, str: 1, bytes: 2}


class TableCheck(NamedTuple):
    """How one table of the ledger compares with what the journal makes of nothing."""

    table: str
    rows: int
    missing: int
    extra: int
    different: int
    shown: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Say whether both are the same, row by row and value by value."""
        return not (self.missing or self.extra or self.different)


class _Sealed(NamedTuple):
    line: Seal
    rows: list[Row]


def _no_luck(packet_id: bytes, packet: Packet, progress: Progress) -> Secret:
    raise AssertionError("a fold derives no shares", packet_id, packet, progress)


def fold_journal(source: Connection, store: Store, tick: Tick) -> None:
    """Fold every lane's journal into an empty store.

    Raises: Damaged when the journal cannot be read or folded; the audit says where and why.
    """
    for row in lane_rows(source):
        _Folding(store, row).run(source, tick)
    _copy_beside(source, store)


class _Folding:
    """One lane, folded group by group; a group is as many batches as one commit takes well."""

    def __init__(self, store: Store, row: LaneRow) -> None:
        self._store = store
        self._goal = row
        (self._at,) = store.take([row.lane])
        self._view = View(row.lane, Policy({}), _no_luck)

    def run(self, source: Connection, tick: Tick) -> None:
        for group in _groups(source, self._goal.lane):
            self._fold_group(group)
            tick(sum(len(each.rows) for each in group))
        lane, epoch, *position = self._goal
        if position != list(self._at[2:]):
            raise Damaged(f"lane {lane}: its row is not what its last seal says; run the audit")
        self._store.chore(
            lambda db: db.execute("UPDATE lanes SET epoch = ? WHERE lane = ?", (epoch, lane))
        )

    def _fold_group(self, group: list[_Sealed]) -> None:
        # The whole group at once: the tickets of a draw gather in memory from its first claim on.
        # What rows of the group lead on to is loaded before the row that needs it.
        records = [decode(row) for each in group for row in each.rows]
        self._load([decoded.record for decoded in records])
        for record, posted in records:
            self._fold(record, posted)
        view = self._view
        dirty = [
            (place, changed)
            for place, table in enumerate(TABLES)
            if (changed := getattr(view, table.attribute).dirty)
        ]
        batches = [self._batch(each) for each in group]
        batches[-1] = batches[-1]._replace(
            keys=view.new_keys,
            entries=view.new_entries,
            relays=view.new_relays,
            trails=view.new_trails,
            dirty=dirty,
        )
        self._store.commit(batches)
        self._store.checkpoint()
        self._forget()

    def _load(self, records: list[Record]) -> None:
        """Load what the lane loaded before it decided these commands."""
        wanted = Wanted(is_gated=True)
        commands: list[Any] = [record.command for record in records]
        for command in commands:
            need(command, wanted)
        wanted.keys.clear()
        self._store.load(self._view, wanted)
        for depth in range(max(len(KINDS[type(each)].deepen) for each in commands)):
            wanted = Wanted(is_gated=True)
            for command in commands:
                for step in KINDS[type(command)].deepen[depth : depth + 1]:
                    step(self._view, command, wanted)
            self._store.load(self._view, wanted)

    def _load_again(self, command: Any) -> None:  # noqa: ANN401 - its own type, by the table
        """Load what a row before it in the group has made it need."""
        if not self._view.leads_on():
            return
        for step in KINDS[type(command)].deepen:
            wanted = Wanted(is_gated=True)
            step(self._view, command, wanted)
            self._store.load(self._view, wanted)

    def _fold(self, record: Record, posted: list[Posted]) -> None:
        place = f"journal row {self._goal.lane}:{record.seq}"
        self._load_again(record.command)
        try:
            made = fold(self._view, record)
        except IMPOSSIBLE as error:
            raise Damaged(f"{place} cannot be folded ({error}); run the audit") from error
        if made != posted:
            raise Damaged(f"{place} states balances that do not follow; run the audit")

    def _batch(self, sealed: _Sealed) -> Batch:
        line, rows = sealed
        before = self._at
        head = seal(before.head, line.batch_id, rows)
        after = LaneRow(before.lane, line.epoch, line.last_seq + 1, line.batch_id, head, line.at_us)
        self._at = after._replace(epoch=before.epoch)
        return Batch(before, after, rows, [], [], [], [], [], [])

    def _forget(self) -> None:
        view = self._view
        view.new_keys, view.new_entries, view.new_relays, view.new_trails = [], [], [], []
        view.tickets.clear()
        view.purses.clear()
        view.seen.clear()
        for table in TABLES:
            loaded = getattr(view, table.attribute)
            loaded.dirty = {}
            if len(loaded.rows) > CACHE_ROWS_MAX:
                loaded.rows.clear()


def _groups(source: Connection, lane: int) -> Iterator[list[_Sealed]]:
    """Yield a lane's sealed batches, a commit's worth at a time."""
    journal = journal_rows(source, lane)
    group: list[_Sealed] = []
    size = 0
    for line in seal_rows(source, lane):
        rows = list(islice(journal, line.last_seq - line.first_seq + 1))
        if not rows or (rows[0].seq, rows[-1].seq) != (line.first_seq, line.last_seq):
            words = f"rows {line.first_seq} to {line.last_seq} of lane {lane}"
            raise Damaged(f"{words} are not in the journal; run the audit")
        group.append(_Sealed(line, rows))
        size += len(rows)
        if size >= _GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group
    if next(journal, None) is not None:
        raise Damaged(f"lane {lane} has rows behind its last seal; run the audit")


def _copy_beside(source: Connection, store: Store) -> None:
    """Copy what the journal does not hold: personal data, and the tables of operation."""

    def write(target: Connection) -> None:
        for name in _COPIED:
            way = _way(target, name, LARGE_PAGE_ROWS)
            text = insert(name, (*way.key, *way.others))
            target.executemany(text, walk(source, way))

    store.chore(write)


def _way(target: Connection, name: str, page_rows: int = PAGE_ROWS) -> Way:
    """Return the way through a table as the new database has it: both have the same columns."""
    columns = columns_of(target, name)
    key = sorted([(each.place, each.name) for each in columns if each.place])
    others = tuple(each.name for each in columns if not each.place)
    return Way(name, tuple(column for _, column in key), others, page_rows)


def compare(source: Connection, target: Connection) -> Iterator[TableCheck]:
    """Compare every table of the ledger in both databases, row by row in key order.

    The target is a database of the embedded engine, just made.
    Raises: Damaged when stored text is not text.
    """
    for table in TABLES:
        yield _compare(source, target, table.name)
    for name in APPENDED:
        yield _compare(source, target, name, LARGE_PAGE_ROWS if name in _COPIED else PAGE_ROWS)
    yield _compare(source, target, "lanes")


def _compare(
    source: Connection, target: Connection, name: str, page_rows: int = PAGE_ROWS
) -> TableCheck:
    way = _way(target, name, page_rows)
    try:
        return _walk(name, len(way.key), walk(source, way), walk(target, way))
    except UnicodeDecodeError as error:
        raise Damaged(f"{name} holds text that is not UTF-8; run the audit") from error


def _walk(name: str, width: int, found: Iterator[Any], wanted: Iterator[Any]) -> TableCheck:
    """Walk two ordered lists of rows side by side."""
    rows = missing = extra = different = 0
    shown: list[str] = []
    one, two = next(found, None), next(wanted, None)
    while one is not None or two is not None:
        if one == two:
            rows += 1
            one, two = next(found, None), next(wanted, None)
            continue
        order = _order(one, two, width)
        if len(shown) < _SHOWN:
            shown.append(_told(one, two, order))
        if order <= 0:
            rows += 1
            extra += order < 0
            one = next(found, None)
        if order >= 0:
            missing += order > 0
            two = next(wanted, None)
        different += order == 0
    return TableCheck(name, rows, missing, extra, different, tuple(shown))


def _order(one: Any, two: Any, width: int) -> int:  # noqa: ANN401 - rows of any table
    """Say which key comes first: negative for the first row, positive for the second."""
    if one is None or two is None:
        return 1 if one is None else -1
    if one[:width] == two[:width]:
        return 0
    return -1 if _ranked(one[:width]) < _ranked(two[:width]) else 1


def _ranked(key: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """Order values of different types as the engine does: numbers, text, bytes."""
    return [(_RANK[type(part)], part) for part in key]


def _told(one: object, two: object, order: int) -> str:
    if order < 0:
        return f"nothing in the journal makes {one}"
    return f"the journal makes {two}" + ("" if order else f", stored is {one}")


def rebuild(
    source: Connection, target: Path, tick: Tick, ground: Ground = EMBEDDED
) -> list[TableCheck]:
    """Fold a ledger's journal into a new file, durably, and compare; one snapshot throughout.

    The new file is of the embedded engine, whichever the ledger is on.
    Raises: Damaged when the journal cannot be folded; Unsent when the engine cannot be asked.
    """
    store = SqliteStore(target, synchronous="OFF")
    source.execute(ground.begin)
    try:
        fold_journal(source, store, tick)
        checks = [*compare(source, store.connection)]
    except ground.errors as error:
        if ground.is_damage(error):
            raise
        raise Unsent(f"the database cannot be asked: {error}") from error
    finally:
        with suppress(ground.errors):
            source.execute("ROLLBACK")
        store.close()
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    sync_folder(target.parent)
    return checks
