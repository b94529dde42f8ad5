"""Replay: the journal folded again from row 1, each row checked against those before it (重放).

Law: what the tables hold is what the fold of the journal makes of nothing, to the fen.
The typed rows come from the same fold as the lane's; balances and movements are told apart from it
(tally, movement), so that a mistake in one shows in the other.

Memory: rows that can never change again are compared at once and dropped; what stays is
proportional to people and to packets that are open, not to history.
"""

import gc
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from lingqian.flows.command import SendPacket
from lingqian.flows.decision import Record
from lingqian.flows.kind import BY_NUMBER, burns
from lingqian.flows.relay import RelayDone
from lingqian.flows.transfer import TransferState
from lingqian.flows.view import Counter, Policy, View
from lingqian.gift.gift import MACHINE as GIFT_MACHINE
from lingqian.kernel.fault import Damaged
from lingqian.ledger.chart import escrow_account
from lingqian.ledger.hold import HoldState
from lingqian.ledger.posting import Posted
from lingqian.redpacket.packet import MACHINE as PACKET_MACHINE
from lingqian.redpacket.packet import Packet, PacketKind, Progress, Secret
from lingqian.storage.chain import Chain, Seal
from lingqian.storage.codec import Row, decode
from lingqian.storage.expectation import DELIVERED, EXPECTATIONS, probe
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.ground import Ground
from lingqian.storage.luck import LUCKY, Luck
from lingqian.storage.movement import movement
from lingqian.storage.port import Connection, LaneRow
from lingqian.storage.schema import TABLES, TableRow
from lingqian.storage.tally import Tally
from lingqian.storage.vault import Vault
from lingqian.storage.walk import journal_rows, seal_rows

Emit = Callable[[Finding], None]
Tick = Callable[[int], None]

_CHUNK_ROWS: Final = 8_192
# Bytes that decode and yet fold into nothing possible: for an audit that is a finding, no bug.
IMPOSSIBLE: Final = (
    AssertionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    struct.error,
    TypeError,
    ValueError,
)
_FIRST: Final = itemgetter(0)
_ATTRIBUTES: Final = {table.name: table.attribute for table in TABLES}
_FINAL: Final[dict[str, Callable[[Any], bool]]] = {
    "transfers": lambda row: row.state != TransferState.HELD,
    "holds": lambda row: row.state != HoldState.HELD,
    "claims": lambda row: row.share > 0,
    "gifts": lambda row: row.state in GIFT_MACHINE.final,
    "progress": lambda row: row.state in PACKET_MACHINE.final,
}


class _Absent(dict[bytes, Any]):
    """Rows of a table that begins empty: what is not there is None."""

    def __missing__(self, key: bytes) -> None:
        return None


class _Hidden(Exception):  # noqa: N818 - never seen outside
    """Nothing is revealed here: the replay derives shares by itself."""


def _hide(packet_id: bytes, packet: Packet, progress: Progress) -> Secret:
    raise _Hidden(packet_id, packet, progress)


def _empty_view(lane: int) -> View:
    view = View(lane, Policy({}), _hide)
    for table in TABLES:
        getattr(view, table.attribute).rows = _Absent()
    return view


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no collector walk millions of rows in search of cycles that are never made here."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _End:
    """What a table's rows become when nothing can change them any more: lines to compare."""

    __slots__ = ("cut", "lines", "rows", "values")

    def __init__(self, view: View, table: TableRow) -> None:
        self.rows: dict[bytes, Any] = getattr(view, table.attribute).rows
        self.lines: list[tuple[Any, ...]] = []
        self.values = table.values()
        self.cut = table.cut


class Replay:
    """One lane's journal, folded and checked row by row."""

    def __init__(
        self,
        connection: Connection,
        row: LaneRow,
        ground: Ground,
        *,
        vault: Vault | None,
        emit: Emit,
    ) -> None:
        self._connection = connection
        self._missed = ground.missed
        self._row = row
        self._lane = row.lane
        self._lane_bytes = row.lane.to_bytes(2, "big")
        self._emit = emit
        self._luck = Luck(vault)
        self._view = _empty_view(row.lane)
        self._tally = Tally(row.lane, self._view.accounts.rows, self._find)
        self._keys: list[tuple[bytes, int]] = []
        self._relays: list[tuple[Any, ...]] = []
        self._delivered: list[tuple[Any, ...]] = []
        self._ends = {table.name: _End(self._view, table) for table in TABLES}
        self._next_seq = 1
        self._at_us = 0
        # How many rows of each table the journal makes.
        self.made: dict[str, int] = defaultdict(int)
        # The keys of the tables named here are kept, to find rows that nothing made.
        self.kept: dict[str, set[tuple[Any, ...]]] = {}

    def run(self, tick: Tick) -> None:
        """Replay the lane to its end and compare what is left."""
        with _uncollected():
            self._run(tick)

    def _run(self, tick: Tick) -> None:
        chain = Chain(self._lane, self._emit)
        waiting = 0
        for line, rows in self._batches():
            for row in rows:
                self._step(row)
            if line is None:
                chain.unsealed(rows)
            else:
                chain.follow(line, rows)
            waiting += len(rows)
            if waiting >= _CHUNK_ROWS:
                self._flush()
                tick(waiting)
                waiting = 0
        chain.close(self._row)
        self._finish()
        tick(waiting)

    def _batches(self) -> Iterator[tuple[Seal | None, list[Row]]]:
        """Yield the journal batch by batch, as the seals cut it; rows without a seal come last."""
        journal = journal_rows(self._connection, self._lane)
        ahead: list[Row] = []
        for line in seal_rows(self._connection, self._lane):
            rows = ahead + list(islice(journal, max(0, line.last_seq - self._next_seq + 1)))
            # Rows that were taken out let those of the next batch come early.
            end = len(rows)
            while end and rows[end - 1].seq > line.last_seq:
                end -= 1
            ahead = rows[end:]
            yield line, rows[:end]
        unsealed = [*ahead, *journal]
        if unsealed:
            yield None, unsealed

    def _find(self, kind: FindingKind, seq: int, words: str, key: str = "") -> None:
        self._emit(Finding(kind, "journal", self._lane, seq, key, words))

    def _step(self, row: Row) -> None:
        """Check one row against those before it and fold it."""
        _, seq, at_us, _, _, _ = row
        if seq != self._next_seq:
            words = f"row {seq} follows row {self._next_seq - 1}"
            self._find(FindingKind.SEQUENCE_GAP, self._next_seq, words)
        self._next_seq = seq + 1
        if at_us <= self._at_us:
            words = f"{at_us} µs is not after {self._at_us} µs"
            self._find(FindingKind.TIME_ORDER, seq, words)
        self._at_us = at_us
        try:
            record, posted = decode(row)
            is_burnt = burns(record.command, record.code)  # type: ignore[arg-type]  # a Command by its number
        except (Damaged, *IMPOSSIBLE) as error:
            self._find(FindingKind.JOURNAL_FORM, seq, str(error))
            return
        self._fold(record, posted)
        if is_burnt:
            self._keys.append((record.command.key, seq))  # type: ignore[attr-defined]  # kinds with `asked` have a key

    def _fold(self, record: Record, posted: list[Posted]) -> None:
        """Check what a row decided, fold it, and move its money."""
        view = self._view
        try:
            self._check(record)
            if record.outcome is not None:
                BY_NUMBER[record.kind].fold(view, record)
        except IMPOSSIBLE as error:
            words = f"{type(error).__name__}: {error}"
            self._find(FindingKind.JOURNAL_FOLD, record.seq, words)
        command = record.command
        if type(command) is SendPacket and command.kind == PacketKind.DRAW and not record.code:
            view.tickets[command.packet_id] = []
        for leg, each in enumerate(posted):
            self._tally.post(record.seq, leg, each)
        for account, amount_fen in record.credits:
            self._send(record.seq, account, amount_fen)

    def _check(self, record: Record) -> None:
        steps, carried = movement(self._view, record)
        if record.postings != steps:
            words = "the postings do not move what the row decided"
            self._find(FindingKind.POSTING_FORM, record.seq, words)
        if record.credits != carried:
            words = "what goes to other lanes is not what lands there"
            self._find(FindingKind.RELAY_ITEM, record.seq, words)
        if type(record.outcome) in LUCKY:
            for kind, words in self._luck.faults(self._view, record):
                self._find(kind, record.seq, words)
        elif type(record.outcome) is RelayDone:
            self._deliver(record.command)

    def _deliver(self, command: Any) -> None:  # noqa: ANN401 - the command of a RelayDone
        """Note what a delivery says was sent, to be looked up among the other lane's items."""
        source = command.source.to_bytes(2, "big")
        for number, item in enumerate(command.items, start=command.first):
            self._delivered.append((source, self._lane_bytes, number, *item))

    def _send(self, seq: int, account: bytes, amount_fen: int) -> None:
        heads = self._view.relay_heads
        key = self._lane_bytes + account[:2]
        head = heads.get(key)
        if head is None:
            head = Counter()
            heads.rows[key] = head
        head.value += 1
        self._relays.append((key[:2], key[2:], head.value, account, amount_fen, seq))

    # --- the tables ---------------------------------------------------------------------------

    def _flush(self) -> None:
        """Compare what can never change again, and drop it."""
        view = self._view
        for name, is_final in _FINAL.items():
            dirty = getattr(view, _ATTRIBUTES[name]).dirty
            done = [key for key, row in dirty.items() if is_final(row)]
            dirty.clear()
            if name == "progress":
                # An order may still speak of the packet it was to pay for.
                packets = view.packets
                done = [each for each in done if not packets.have(each).is_by_channel]
                for packet_id in done:
                    self._retire_packet(packet_id)
            self._retire(name, done)
        for table in TABLES:
            getattr(view, table.attribute).dirty.clear()
        self._probe()

    def _retire_packet(self, packet_id: bytes) -> None:
        """Let a packet that is over go, with its escrow and with tickets that won nothing."""
        self._retire("packets", (packet_id,))
        self._retire("accounts", (escrow_account(packet_id),))
        tickets = self._view.tickets.pop(packet_id, ())
        self._retire("claims", [packet_id + user_id for user_id, _ in tickets])

    def _retire(self, name: str, keys: Sequence[bytes]) -> None:
        """Turn rows that nothing changes any more into lines to compare."""
        end = self._ends[name]
        pop, append, values, cut = end.rows.pop, end.lines.append, end.values, end.cut
        for key in keys:
            row = pop(key, None)
            if row is None:
                continue
            if cut:
                append((key[:cut], key[cut:], *values(row)))
            else:
                append((key, *values(row)))

    def _probe(self) -> None:
        """Let the engine look for every line made since the last time."""
        self._probe_lines("keys", self._keys)
        self._probe_lines("entries", self._tally.entries)
        self._probe_lines("relays", self._relays)
        self._probe_lines("trails", self._view.new_trails)
        for name, end in self._ends.items():
            self._probe_lines(name, end.lines)
        for finding in probe(self._connection, self._missed, DELIVERED, self._delivered):
            words = f"delivered, but not sent so: {finding.words}"
            self._emit(finding._replace(kind=FindingKind.RELAY_ITEM, words=words))
        self._delivered.clear()

    def _probe_lines(self, name: str, lines: list[Any]) -> None:
        if not lines:
            return
        # Neighbours in the table are looked for together: few pages are touched.
        lines.sort(key=_FIRST)
        self.made[name] += len(lines)
        if name in self.kept:
            width = len(EXPECTATIONS[name].key)
            self.kept[name].update([line[:width] for line in lines])
        for finding in probe(self._connection, self._missed, EXPECTATIONS[name], lines):
            self._emit(finding)
        lines.clear()

    def _finish(self) -> None:
        """Compare all that is left."""
        self._flush()
        for name, end in self._ends.items():
            keys = [*end.rows]
            for start in range(0, len(keys), _CHUNK_ROWS):
                self._retire(name, keys[start : start + _CHUNK_ROWS])
                self._probe_lines(name, end.lines)
        self._probe()
