"""A process that dies: the real lane on the simulated disk, asked in batches, started again (进程).

Law: a batch that was not answered was committed whole or not at all; whoever asked asks again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final, NamedTuple

import apsw

from lingqian.flows.decision import Record
from lingqian.flows.view import Policy
from lingqian.kernel.fault import Damaged, Fault
from lingqian.redpacket.packet import Packet, Progress, Secret
from lingqian.simulation.auditor import Violation
from lingqian.simulation.cut import Cut, CutStore
from lingqian.simulation.disk import DEADLY, Disk, Plan, Trouble
from lingqian.simulation.world import WorldClock
from lingqian.storage.codec import Row, decode
from lingqian.storage.lane import Answer, Shell, Submission, Writer

_PATH: Final = "ledger.db"
_STARTS_MAX: Final = 40
_WAL_PAGES: Final = (40, 200, 1_000)
_TROUBLES: Final = (*[Trouble.POWER_CUT] * 5, *[Trouble.KILL] * 2, Trouble.FULL, *Trouble)
_ROWS: Final = (
    "SELECT lane, seq, at_us, kind, code, body FROM journal WHERE lane = ? AND seq >= ? "
    "ORDER BY seq"
)


class Hardship(NamedTuple):
    """How often, in a hundred batches: the disk fails, the line is cut, no answer arrives."""

    disk: int = 0
    line: int = 0
    silence: int = 0


PEACE: Final = Hardship()
ROUGH: Final = Hardship(disk=6, line=2, silence=1)


class Process:
    """A process and its successors on one disk. `ask` answers, or says nothing at all."""

    def __init__(self, chance: Random, lanes: int, clock: WorldClock, policy: Policy) -> None:
        self.lanes = list(range(lanes))
        self.disk = Disk(f"lingqian-process-{id(self):x}", chance)
        self.events: Counter[str] = Counter()
        self.hardship = PEACE
        self.batches = self.restarts = self.commands = 0
        self._chance = chance
        self._clock = clock
        self._policy = policy
        self._read: dict[int, int] = dict.fromkeys(self.lanes, 1)
        self._points = 40
        self._store: CutStore
        self._writer: Writer
        self._start()

    @property
    def connection(self) -> apsw.Connection:
        """The store's connection, for what a process reads."""
        return self._store.connection

    @property
    def writer(self) -> Writer:
        """The process's own writer."""
        return self._writer

    def ask(self, batch: Sequence[Submission]) -> list[Answer] | None:
        """Ask a batch; None when no answer arrives, whatever became of it.

        Raises: Violation when the lane fails though nothing has happened to it.
        """
        self.batches += 1
        self.commands += len(batch)
        self._plan()
        before, struck, cut = self.disk.points, self.disk.struck, self._store.cut
        try:
            answers = self._writer.apply(batch)
        except Fault as fault:
            if self.disk.struck == struck and self._store.cut == cut:
                raise Violation("the lane failed, and nothing had happened to it") from fault
            self.disk.disarm()
            self._die()
            return None
        self.disk.disarm()
        self._points = self.disk.points - before
        if self.disk.is_dead or self._falls(self.hardship.silence):
            self._die()
            return None
        return answers

    def news(self) -> Iterator[tuple[int, Record]]:
        """Yield every journal row not read before: its lane and what it says."""
        for lane in self.lanes:
            rows: list[Any] = self.connection.execute(_ROWS, (lane, self._read[lane])).fetchall()
            for each in rows:
                yield lane, decode(Row(*each)).record
            if rows:
                self._read[lane] = rows[-1][1] + 1

    def close(self) -> None:
        """Let go of the file and of the disk, whatever state they are in."""
        with suppress(apsw.Error):
            self._writer.close()
        self.disk.close()

    # --- dying and starting -------------------------------------------------------------------

    def _falls(self, per_cent: int) -> bool:
        return bool(per_cent) and self._chance.randrange(100) < per_cent

    def _plan(self) -> None:
        """Plan what may go wrong with the next batch."""
        if self._falls(self.hardship.disk):
            self._arm(self._points + 4)
        elif self._falls(self.hardship.line):
            self._store.cut = self._chance.choice((Cut.BEFORE, Cut.AFTER))
            self.events["line cut"] += 1

    def _arm(self, points: int) -> None:
        chance = self._chance
        trouble = chance.choice(_TROUBLES)
        first = 1 + chance.randrange(max(points, 1))
        span = chance.choice((0, 0, 1, 5, 200)) if trouble not in DEADLY else 0
        self.disk.arm(Plan(trouble, first, first + span))

    def _die(self) -> None:
        """End the process where it stands, and start another on what the disk has kept."""
        self.events["crash"] += 1
        self.disk.is_dead = True
        with suppress(apsw.Error):
            self._store.connection.close(force=True)
        self._after_death()
        self._start()

    def _after_death(self) -> None:
        if self._chance.randrange(3):
            self.disk.cut_power()
        else:
            self.disk.kill()

    def _start(self) -> None:
        for _ in range(_STARTS_MAX):
            if self._try_start():
                self.restarts += 1
                return
            self.events["crash while starting"] += 1
            self._after_death()
        raise Violation("what the crash left cannot be opened any more")

    def _try_start(self) -> bool:
        if self._falls(self.hardship.disk):
            self._arm(10)
        store = None
        try:
            pages = self._chance.choice(_WAL_PAGES)
            store = CutStore(_PATH, self.disk.mount(), wal_pages_max=pages, synchronous="FULL")
            shell = Shell(self._clock, self._chance.randbytes, _no_seed)
            self._writer = Writer(store, self.lanes, self._policy, shell)
            self._store = store
        except (apsw.Error, Fault):
            if store is not None:
                with suppress(apsw.Error):
                    store.connection.close(force=True)
            return False
        finally:
            self.disk.disarm()
        return True


def _no_seed(packet_id: bytes, packet: Packet, progress: Progress) -> Secret:
    """Open no seed.

    Raises: Damaged; worlds of orders have no packets that are claimed.
    """
    del packet, progress
    raise Damaged(packet_id.hex())
