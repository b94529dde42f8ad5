"""A world from one seed: clock, people, disk, misfortunes, and the real lane in it (模拟世界).

Law: the same seed gives the same journal bytes; whatever happens, the auditor agrees.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from random import Random
from typing import Any, Final, NamedTuple

import apsw

from lingqian.compliance.limit import Limit, Span, caps
from lingqian.flows.command import DeliverRelay
from lingqian.flows.view import Policy
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.fault import Fault
from lingqian.ledger.account import Account
from lingqian.risk.rule import Action, Rule, Verdict
from lingqian.simulation import exercise
from lingqian.simulation.auditor import Auditor, Left, Violation, Written, home
from lingqian.simulation.cut import Cut, CutStore
from lingqian.simulation.disk import DEADLY, Disk, Plan, Trouble, quiet
from lingqian.simulation.model import ESCROW, TRANSIT, Model
from lingqian.simulation.proof import audited, rebuilt
from lingqian.simulation.seed import Sealing
from lingqian.simulation.table import compare
from lingqian.simulation.traffic import Traffic, starts_at_us
from lingqian.storage.codec import Row, decode
from lingqian.storage.lane import Answer, Shell, Submission, Writer
from lingqian.storage.relay import waiting
from lingqian.storage.sweep import due

_PATH: Final = "ledger.db"
_SOURCE: Final = "a world of its own: small enough to be met"
_BATCH_SIZES: Final = (1, 1, 2, 8, 16, 32, 64, 200)
_SWEEP_ROWS: Final = 64
_TABLES_EVERY: Final = 12
_CALM_ROUNDS: Final = 40
# One start in five meets trouble: so many in a row do not happen by chance.
_STARTS_MAX: Final = 40
_TROUBLES: Final = (*[Trouble.POWER_CUT] * 5, *[Trouble.KILL] * 2, Trouble.FULL, *Trouble)
_ACCOUNT: Final = (
    "SELECT debits_posted, credits_posted, debits_pending, credits_pending, seq FROM accounts "
    "WHERE account = ?"
)
_SEALS: Final = (
    "SELECT s.batch_id, COALESCE(b.at_us, 0), s.lane, s.first_seq, s.last_seq FROM seals s "
    "LEFT JOIN seals b ON b.lane = s.lane AND b.last_seq = s.first_seq - 1 "
    "WHERE s.lane = ? AND s.last_seq >= ? AND s.first_seq < ? ORDER BY s.last_seq"
)
_ROWS: Final = (
    "SELECT lane, seq, at_us, kind, code, body FROM journal "
    "WHERE lane = ? AND seq BETWEEN ? AND ? ORDER BY seq"
)
LIMITS: Final[tuple[Limit, ...]] = (
    *(Limit(each, Span.SHARE, 20_000, _SOURCE) for each in AccountClass if each),
    *(Limit(each, Span.PAYMENT, 1_500_000, _SOURCE) for each in AccountClass if each),
    *(Limit(each, Span.COUNT, 50, _SOURCE) for each in AccountClass if each),
    *(Limit(each, Span.DAY_COUNT, 6, _SOURCE) for each in AccountClass if each),
    Limit(AccountClass.CLASS_I, Span.DAY, 100_000, _SOURCE),
    Limit(AccountClass.CLASS_I, Span.LIFE, 200_000, _SOURCE),
    Limit(AccountClass.CLASS_II, Span.DAY, 1_500_000, _SOURCE),
    Limit(AccountClass.CLASS_II, Span.YEAR, 2_000_000, _SOURCE),
    Limit(AccountClass.CLASS_III, Span.YEAR, 3_000_000, _SOURCE),
)
_RULES: Final[tuple[tuple[Rule, ...], ...]] = (
    (),
    (),
    (
        Rule("large", Action.TRANSFER, 200_000, Verdict.REVIEW),
        Rule("middle", Action.TRANSFER, 20_000, Verdict.DELAY, 3_600),
        Rule("small", Action.TRANSFER, 2_000, Verdict.CHALLENGE),
        Rule("send", Action.SEND, 30_000, Verdict.DELAY, 60),
        Rule("open", Action.CLAIM, 3_000, Verdict.REVIEW),
    ),
    (
        Rule("large", Action.SEND, 50_000, Verdict.REVIEW),
        Rule("larger", Action.SEND, 200_000, Verdict.BLOCK),
        Rule("middle", Action.SEND, 5_000, Verdict.CHALLENGE),
        Rule("pay", Action.TRANSFER, 900_000, Verdict.BLOCK),
        Rule("open", Action.CLAIM, 500, Verdict.CHALLENGE),
    ),
)


class Report(NamedTuple):
    """What became of a world."""

    seed: int
    lanes: int
    commands: int
    batches: int
    rows: int
    restarts: int
    points: int
    events: Counter[str]
    codes: Counter[int]
    head: str


class _Asked(NamedTuple):
    """A batch that was not answered, when it was asked, and the ids its lanes gave it."""

    batch: list[Submission]
    now_us: int
    batch_ids: list[bytes]


class WorldClock:
    """The business clock of a world; only the world moves it."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    def now_us(self) -> int:
        """Return the world's time."""
        return self.at_us


class World:
    """One run; `run` may be called once."""

    def __init__(self, seed: int, lanes: int, *, synchronous: str = "FULL") -> None:
        self.seed = seed
        self._chance = Random(seed)  # noqa: S311 - whoever knows the seed may know the world
        self._lanes = list(range(lanes))
        self._synchronous = synchronous
        self._clock = WorldClock(starts_at_us(self._chance))
        sealing = Sealing(self._chance.randbytes(32))
        self.model = Model(LIMITS, sealing.open)
        self.auditor = Auditor(self.model)
        self.events = self.model.events
        self.disk = Disk(f"lingqian-world-{id(self):x}", self._chance)
        self._traffic = Traffic(self._chance, self.model, lanes, sealing)
        self._shell = Shell(self._clock, self._batch_id, sealing.reveal)
        self._batch_ids: list[bytes] = []
        self._unanswered: list[_Asked] = []
        self._again: list[Submission] = []
        self._delivered: list[DeliverRelay] = []
        self._asked = self._batches = self._restarts = self._points = 0
        self._policy: Policy = Policy(caps(LIMITS))
        self._store: CutStore
        self._writer: Writer

    def run(self, commands: int, progress: Callable[[int], None] | None = None) -> Report:
        """Live through so many commands and the end, and report.

        Raises: Violation when the auditor and the product differ.
        """
        with quiet():
            return self._live(commands, progress)

    def _live(self, commands: int, progress: Callable[[int], None] | None) -> Report:
        self._start()
        people = max(12, min(100, commands // 60))
        self._submit(self._traffic.opening(people, self._clock.at_us))
        while self._asked < commands:
            self._pass_time()
            self._misfortune()
            before = self._asked
            self._submit(self._gather())
            if progress is not None:
                progress(self._asked - before)
            self._between_batches()
        self._end()
        return self._report()

    # --- starting and stopping ---

    def _start(self) -> None:
        """Start the process as often as it takes, and take stock of what it finds."""
        if self._chance.randrange(2):
            self._policy = Policy(caps(LIMITS), self._chance.choice(_RULES))
        for _ in range(_STARTS_MAX):
            if self._try_start():
                break
            self._event("crash while starting")
            self._after_crash()
        else:
            raise Violation("what the crash left cannot be opened any more")
        self._restarts += 1
        self._take_stock(Counter(), is_crash=True)
        # Only now: what was on its way was decided under the rules before.
        self.model.rules = self._policy.rules
        if self._restarts % _TABLES_EVERY == 0:
            compare(self._store.connection, self.model)

    def _try_start(self) -> bool:
        if self._chance.randrange(5) == 0:
            self._arm(10)
        wal_pages_max = self._chance.choice((40, 200, 1_000))
        store = None
        try:
            store = CutStore(
                _PATH, self.disk.mount(), wal_pages_max=wal_pages_max, synchronous=self._synchronous
            )
            self._store = store
            self._writer = Writer(store, self._lanes, self._policy, self._shell)
        except (apsw.Error, Fault):
            if store is not None:
                _drop(store)
            return False
        finally:
            self.disk.disarm()
        return True

    def _after_crash(self) -> None:
        """Bring the machine back: after a power cut with less on its disk, else with all of it."""
        if self._chance.randrange(3):
            self.disk.cut_power()
        else:
            self.disk.kill()

    def _crash(self) -> None:
        self.disk.is_dead = True
        self._leave()
        self._after_crash()
        self._start()

    def _leave(self) -> None:
        self._count_store()
        _drop(self._store)

    # --- asking ---

    def _batch_id(self, size: int) -> bytes:
        """Give a lane chance for a batch, and remember it: so a lost batch is found again."""
        self._batch_ids.append(self._chance.randbytes(size))
        return self._batch_ids[-1]

    def _gather(self) -> list[Submission]:
        chance, now_us = self._chance, self._clock.at_us
        batch = self._traffic.batch(chance.choice(_BATCH_SIZES), now_us)
        batch += [Submission(command) for command in self._chores()]
        if self._again and chance.randrange(2):
            batch += self._again
            self._again = []
        if chance.randrange(3) == 0:
            chance.shuffle(batch)
        return batch

    def _chores(self) -> list[Any]:
        """Return what timers and the relay would ask now, sometimes twice, late or out of order."""
        chance, connection = self._chance, self._store.connection
        commands: list[Any] = []
        try:
            if chance.randrange(3) == 0:
                commands += due(connection, self._clock.at_us, _SWEEP_ROWS)
            if len(self._lanes) > 1 and chance.randrange(2):
                commands += [self._carried(each) for each in waiting(connection)]
        except apsw.Error:
            return []
        if self._delivered and chance.randrange(6) == 0:
            commands.append(chance.choice(self._delivered[-20:]))
        return commands

    def _carried(self, delivery: DeliverRelay) -> DeliverRelay:
        chance, items = self._chance, delivery.items
        self._delivered.append(delivery)
        if chance.randrange(4) == 0:
            return delivery._replace(items=items[: chance.randrange(len(items) + 1)])
        if chance.randrange(10) == 0:
            return delivery._replace(first=delivery.first + 1, items=items[1:])
        return delivery

    def _submit(self, batch: list[Submission]) -> None:
        self._asked += len(batch)
        self._batches += 1
        self._batch_ids = []
        before, struck, cut = self.disk.points, self.disk.struck, self._store.cut
        try:
            answers = self._writer.apply(batch)
        except Fault as fault:
            if self.disk.struck == struck and self._store.cut == cut:
                raise Violation("the lane failed, and nothing had happened to it") from fault
            self._unanswered.append(_Asked(batch, self._clock.at_us, self._batch_ids))
            self.disk.disarm()
            if self.disk.is_dead:
                self._crash()
            return
        self.disk.disarm()
        self._points = self.disk.points - before
        if self.disk.is_dead or self._chance.randrange(150) == 0:
            # The answers never arrive: whoever asked has to ask again.
            self._unanswered.append(_Asked(batch, self._clock.at_us, self._batch_ids))
            self._crash()
            return
        self._hear(batch, answers)

    def _hear(self, batch: list[Submission], answers: list[Answer]) -> None:
        if self._unanswered:
            new = Counter(home(answer.command) for answer in answers if answer.seq)
            self._take_stock(new, is_crash=False)
        commands = [submission.command for submission in batch]
        self.auditor.answers(commands, answers, self._clock.at_us)
        self.auditor.accounts(self._counters)

    def _counters(self, account: bytes) -> Any:  # noqa: ANN401 - an account's counters
        lane = account[0] << 8 | account[1]
        rows = self._writer.lanes[lane].view.accounts.rows
        if account in rows:
            return rows[account]
        # Touched by a batch of an earlier process: not in this one's memory.
        stored = self._store.connection.execute(_ACCOUNT, (account,)).fetchone()
        return None if stored is None else Account(*stored)

    # --- what nobody was told ---

    def _take_stock(self, new: Counter[int], *, is_crash: bool) -> None:
        """Find in the journal what became of batches that were never answered.

        `new` is how many rows of each lane belong to a batch that was answered since.
        """
        batches, self._unanswered = self._unanswered, []
        sealed = {lane: self._sealed(lane, new[lane]) for lane in self._lanes}
        for asked in batches:
            is_committed = self._settle(asked, sealed)
            self._again += asked.batch
            if is_crash:
                after = "crash after commit, before the answer"
                self._event(after if is_committed else "crash before commit")
        for lane, groups in sealed.items():
            if groups:
                raise Violation(f"lane {lane} holds a batch nobody asked for: {groups[0].rows[0]}")
        self.auditor.conserved(self._store.connection)

    def _settle(self, asked: _Asked, sealed: dict[int, list[Left]]) -> bool:
        """Say whether a batch was committed, and if so let it happen in the model."""
        mine = {
            lane: batches.pop(0)
            for lane, batches in sealed.items()
            if batches and batches[0].batch_id in asked.batch_ids
        }
        if not mine:
            return False
        parts: dict[int, list[Any]] = {lane: [] for lane in self._lanes}
        for submission in asked.batch:
            parts[home(submission.command)].append(submission.command)
        for lane, part in parts.items():
            left = mine.get(lane, Left(b"", self._clock.at_us, []))
            self.auditor.unanswered(lane, part, left, asked.now_us)
        return True

    def _sealed(self, lane: int, new: int) -> list[Left]:
        """Return the journal's batches beyond what the auditor has seen."""
        connection = self._store.connection
        first, end = self.model.seqs.get(lane, 1), self._writer.lanes[lane].row.next_seq - new
        found: list[Any] = connection.execute(_SEALS, (lane, first, end)).fetchall()
        return [
            Left(batch_id, before, [_written(Row(*row)) for row in connection.execute(_ROWS, key)])
            for batch_id, before, *key in found
        ]

    # --- what happens to a world ---

    def _pass_time(self) -> None:
        """Move the clock: mostly a little, sometimes days, sometimes back."""
        chance, clock = self._chance, self._clock
        dice = chance.randrange(100)
        if dice < 4:
            clock.at_us -= 5 * SECOND_US
            self._event("clock jumped back")
        elif dice < 70:
            clock.at_us += chance.randrange(2 * SECOND_US)
        elif dice < 92:
            clock.at_us += chance.randrange(120 * SECOND_US)
        elif dice < 99:
            clock.at_us += chance.randrange(DAY_US)
        else:
            clock.at_us += chance.randrange(60 * DAY_US)

    def _misfortune(self) -> None:
        """Plan what may go wrong with the next batch."""
        dice = self._chance.randrange(100)
        if dice < 20:
            self._arm(self._points + 4)
        elif dice < 25:
            self._store.cut = self._chance.choice((Cut.BEFORE, Cut.AFTER))

    def _arm(self, points: int) -> None:
        chance = self._chance
        trouble = chance.choice(_TROUBLES)
        first = 1 + chance.randrange(max(points, 1))
        span = chance.choice((0, 0, 1, 5, 200)) if trouble not in DEADLY else 0
        self.disk.arm(Plan(trouble, first, first + span))

    def _between_batches(self) -> None:
        chance = self._chance
        if chance.randrange(40) == 0:
            # A stop in good order, with all answers heard.
            self._writer.close()
            self._count_store()
            self._start()

    def _end(self) -> None:
        """Let calm return: everything asked is answered, everything due is done, nothing waits."""
        self._crash()
        for _ in range(_CALM_ROUNDS):
            batch, self._again = self._again, []
            self._clock.at_us += 4 * DAY_US
            connection = self._store.connection
            batch += [Submission(each) for each in due(connection, self._clock.at_us, 4_096)]
            batch += [Submission(each) for each in waiting(connection)]
            if not batch and not self._unanswered:
                break
            self._submit(batch)
        else:
            raise Violation("the world does not come to rest")
        self._writer.close()
        self._count_store()
        self._start()
        compare(self._store.connection, self.model)
        self._at_rest()
        audited(self._store.connection)
        rebuilt(self._store.connection, f"rebuilt-{id(self):x}")

    def _at_rest(self) -> None:
        """Check what holds once nothing is on its way."""
        model = self.model
        moving = sum([fen for account, fen in model.posted.items() if account[16:] == TRANSIT])
        held = sum(model.held.values())
        escrow = sum([fen for account, fen in model.posted.items() if account[16:] == ESCROW])
        if moving or held or escrow:
            raise Violation(f"at rest {moving} fen are in transit, {held} held, {escrow} in escrow")

    # --- notes ---

    def _event(self, name: str, times: int = 1) -> None:
        assert exercise.known(name), f"{name} is not on the list"
        if times:
            self.events[name] += times

    def _count_store(self) -> None:
        store = self._store
        self._event("unknown commit that was committed", store.resolved[True])
        self._event("unknown commit that was not", store.resolved[False])
        self._event("checkpoint", store.checkpoints)

    def _report(self) -> Report:
        rows = {lane: self._writer.lanes[lane].row for lane in self._lanes}
        heads = b"".join([row.head for row in rows.values()])
        self._writer.close()
        self.disk.close()
        return Report(
            seed=self.seed,
            lanes=len(self._lanes),
            commands=self._asked,
            batches=self._batches,
            rows=sum([row.next_seq - 1 for row in rows.values()]),
            restarts=self._restarts,
            points=self.disk.points,
            events=self.events + self.disk.events,
            codes=self.auditor.codes,
            head=sha256(heads).hexdigest(),
        )


def _drop(store: CutStore) -> None:
    """Let go of a store whose process is gone; its disk refuses it whatever it still wants."""
    with suppress(apsw.Error):
        store.connection.close(force=True)


def _written(row: Row) -> Written:
    record = decode(row).record
    return Written(row.seq, row.at_us, row.code, record.command, record.outcome)
