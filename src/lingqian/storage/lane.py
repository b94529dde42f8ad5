"""The lane: take a batch, load, decide, fold, commit, answer. One way for every write (写入通道).

Law: one durable transaction per batch; nobody is answered before it; a refused command never
spoils its neighbours; what is in memory equals what is stored, or is thrown away.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from lingqian.flows.command import Command
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.kind import KINDS, burns, decide, fold, home_lane, need
from lingqian.flows.view import Policy, Reveal, View, Wanted
from lingqian.kernel.bound import CACHE_ROWS_MAX, COMMIT_TRIES_MAX, STORY_S
from lingqian.kernel.clock import SECOND_US, Clock
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged, Fault, Moved, Unknown, Unsent
from lingqian.ledger.chart import STORY_BOOKS
from lingqian.storage.codec import Row, encode, seal
from lingqian.storage.port import Batch, LaneRow, Personal, Store, Taken
from lingqian.storage.schema import TABLES

# Makes a named tuple in half the time of its own constructor: for those made for every command.
_new: Final = tuple.__new__
_CACHED: Final = tuple(table.attribute for table in TABLES)
# What belongs to a person is asked for as long as she comes; all else has a story that ends.
_LASTING: Final = ("users", "usages", "accounts", "conversations", "inflows", "borrowers")
_PASSING: Final = tuple(name for name in _CACHED if name not in _LASTING)


class Submission(NamedTuple):
    """A command and the personal data that came with it."""

    command: Command
    personal: tuple[Personal, ...] = ()


class Answer(NamedTuple):
    """What the lane says of one command once it is durable.

    `first` is what was answered before when the command came again; `seq` is 0 when nothing was
    written for it.
    """

    code: int
    command: Command
    outcome: object
    at_us: int
    seq: int
    field: str
    first: object


class Shell(NamedTuple):
    """What the core is handed from outside: time, chance, and the opener of sealed seeds."""

    clock: Clock
    chance: Callable[[int], bytes]
    reveal: Reveal


class Lane:
    """One serial writer over one partition; holds the partition's rows in memory."""

    def __init__(self, store: Store, row: LaneRow, policy: Policy, shell: Shell) -> None:
        self._store = store
        self._row = row
        self._policy = policy
        self._shell = shell
        self._view = View(row.lane, policy, shell.reveal)
        self._let_go_us = row.at_us

    @property
    def row(self) -> LaneRow:
        """The lane's fence and position after its last durable batch."""
        return self._row

    @property
    def view(self) -> View:
        """The rows in memory, for the laws that tests check after every batch."""
        return self._view

    def decide(self, submissions: Sequence[Submission]) -> tuple[list[Answer], Batch | None]:
        """Load, decide and fold a batch in memory; nothing is durable yet."""
        view = self._view
        self._load(submissions)
        at_us = max(self._shell.clock.now_us(), self._row.at_us + 1)
        seq = self._row.next_seq
        answers: list[Answer] = []
        rows: list[Row] = []
        personal: list[Personal] = []
        for command, private in submissions:
            if KINDS[type(command)].deepen and view.leads_on():
                self._load_again(command)
            try:
                decision = decide(view, command, at_us)
            except Damaged:
                # A seed that cannot be opened harms its own packet, never a neighbour in the batch.
                decision = refused(Code.UNAVAILABLE)
            code, outcome, _, _, field, first = decision
            is_written = first is None and (outcome is not None or burns(command, code))
            if is_written and not field:
                rows.append(self._fold(command, decision, seq, at_us))
                if private and not code:
                    personal.extend(private)
                answers.append(_new(Answer, (code, command, outcome, at_us, seq, field, first)))
                seq += 1
            else:
                answers.append(Answer(code, command, outcome, at_us, 0, field, first))
            at_us += 1
        if not rows:
            self._trim()
            return answers, None
        return answers, self._batch(rows, personal, at_us - 1)

    def _load(self, submissions: Sequence[Submission]) -> None:
        wanted = Wanted(is_gated=bool(self._policy.rules))
        deepest = 0
        for command, _ in submissions:
            need(command, wanted)
            deepest = max(deepest, len(KINDS[type(command)].deepen))
        self._store.load(self._view, wanted)
        for depth in range(deepest):
            wanted = Wanted(is_gated=False)
            for command, _ in submissions:
                steps = KINDS[type(command)].deepen
                if depth < len(steps):
                    steps[depth](self._view, command, wanted)
            self._store.load(self._view, wanted)

    def _load_again(self, command: Command) -> None:
        """Load what a command needs by now: one before it in the batch made it need more."""
        for step in KINDS[type(command)].deepen:
            wanted = Wanted(is_gated=False)
            step(self._view, command, wanted)
            self._store.load(self._view, wanted)

    def _fold(self, command: Command, decision: Decision, seq: int, at_us: int) -> Row:
        code, outcome, postings, relayed, _, _ = decision
        number = KINDS[type(command)].number
        values = (seq, at_us, number, code, command, outcome, postings, relayed)
        posted = fold(self._view, _new(Record, values))
        body = encode(command, outcome, posted, relayed)
        return _new(Row, (self._row.lane, seq, at_us, number, code, body))

    def _batch(self, rows: list[Row], personal: list[Personal], at_us: int) -> Batch:
        view, before = self._view, self._row
        batch_id = self._shell.chance(16)
        head = seal(before.head, batch_id, rows)
        after = LaneRow(before.lane, before.epoch, rows[-1].seq + 1, batch_id, head, at_us)
        dirty = [
            (place, table.dirty)
            for place, name in enumerate(_CACHED)
            if (table := getattr(view, name)).dirty
        ]
        appended = (view.new_keys, view.new_entries, view.new_relays, view.new_trails)
        return Batch(before, after, rows, *appended, personal, dirty)

    def passed(self, taken: tuple[Taken, ...]) -> Batch:
        """Return a batch that changes nothing but how far streams were read."""
        return Batch(self._row, self._row, [], [], [], [], [], [], [], taken)

    def committed(self, after: LaneRow) -> None:
        """Take a durable batch as the new truth of memory."""
        self._row = after
        view = self._view
        view.new_keys, view.new_entries, view.new_relays, view.new_trails = [], [], [], []
        for name in _CACHED:
            table = getattr(view, name)
            if table.dirty:
                table.dirty = {}
        self._trim()

    def _trim(self) -> None:
        """Drop what the next batch will hardly ask for: it would be most of the memory."""
        view = self._view
        view.tickets.clear()
        view.purses.clear()
        view.seen.clear()
        view.transfers.rows.clear()
        view.behaviour_events.rows.clear()
        for name in _CACHED:
            rows = getattr(view, name).rows
            if len(rows) > CACHE_ROWS_MAX:
                rows.clear()
        if self._row.at_us >= self._let_go_us + STORY_S * SECOND_US:
            self._let_go()

    def _let_go(self) -> None:
        """Drop the stories of the last while; one that goes on is read again when it does."""
        self._let_go_us = self._row.at_us
        self._view.secrets.clear()
        for name in _PASSING:
            getattr(self._view, name).rows.clear()
        accounts = self._view.accounts.rows
        for account in [each for each in accounts if each[16] in STORY_BOOKS]:
            del accounts[account]

    def forget(self, row: LaneRow) -> None:
        """Throw memory away and go on from a stored position: the batch was not committed."""
        self._row = row
        self._view = View(row.lane, self._policy, self._shell.reveal)


class Writer:
    """Owns lanes and commits their batches together; belongs to one thread.

    Where several processes share the lanes it gains and loses some between batches.
    """

    def __init__(self, store: Store, lanes: Sequence[int], policy: Policy, shell: Shell) -> None:
        self._store = store
        self._policy = policy
        self._shell = shell
        # Every lane there is, where others may own some of them; empty when all are ours.
        self._known: frozenset[int] = frozenset()
        self._lanes: dict[int, Lane] = {}
        self.take(lanes)
        # Whether the last batch let money go to another lane.
        self.has_let_go = False
        # Lanes whose last commit is unknown and could not be resolved yet.
        self._unresolved: list[Batch] = []
        # How commits ended, for whoever watches; written by this thread, read by any.
        self.outcomes: Counter[str] = Counter()

    @property
    def store(self) -> Store:
        """The store below."""
        return self._store

    @property
    def connection(self) -> Any:  # noqa: ANN401 - the engine's own type, for reads on this thread
        """The store's connection, for reads on the writer's thread."""
        return self._store.connection

    def read(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Do reads on the writer's thread, between batches.

        Raises: Unsent.
        """
        return self._store.read(work)

    def chore(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Run other writes in a transaction of their own.

        Raises: Unsent, Unknown.
        """
        return self._store.chore(work)

    @property
    def lanes(self) -> dict[int, Lane]:
        """The lanes by number."""
        return self._lanes

    @property
    def is_shared(self) -> bool:
        """Whether other processes may own some of the lanes."""
        return bool(self._known)

    def share(self, known: frozenset[int]) -> None:
        """Be told which lanes there are; those that are not ours are other processes'."""
        self._known = known

    def take(self, numbers: Sequence[int]) -> None:
        """Become the owner of lanes, of all or of none, which fences whoever was it before.

        Raises: Unsent; taking them again is always safe.
        """
        for row in self._store.take(numbers):
            self._lanes[row.lane] = Lane(self._store, row, self._policy, self._shell)

    def give(self, numbers: Sequence[int]) -> None:
        """Own these lanes no more; a commit of one that was cut is its next owner's to read."""
        for number in numbers:
            self._lanes.pop(number, None)
        self._unresolved = [each for each in self._unresolved if each.before.lane not in numbers]

    def give_all(self) -> None:
        """Be nobody's owner any more: what we believed about our lanes is not true."""
        self._lanes.clear()
        self._unresolved = []

    def is_home(self, command: Command) -> bool:
        """Say whether we answer a command: its lane is ours, or never was and so is anybody's."""
        number = home_lane(command)
        return number in self._lanes or (number not in self._known and bool(self._lanes))

    def apply(self, submissions: Sequence[Submission], taken: Sequence[Taken] = ()) -> list[Answer]:
        """Decide a batch and make it durable; one answer per command, in order.

        `taken` says how far lanes of ours have read streams, and is durable with the effects.
        Raises: Unsent, Unknown, Fenced: then no command of the batch has an answer, and asking
        again with the same keys is safe; Moved when `taken` names a lane that is not ours.
        """
        if any(each.lane not in self._lanes for each in taken):
            raise Moved("the lane is with another process")
        if self._unresolved:
            self._resolve(self._unresolved)
        answers: list[Any] = [None] * len(submissions)
        batches: list[Batch] = []
        try:
            for lane, places in self._routes(submissions):
                decided, batch = lane.decide([submissions[place] for place in places])
                for place, answer in zip(places, decided, strict=True):
                    answers[place] = answer
                if batch is not None:
                    batches.append(batch)
            batches = self._noted(batches, taken)
            if batches:
                self._commit(batches)
        except Fault:
            self._abandon()
            raise
        self.has_let_go = any(batch.relays for batch in batches)
        self._store.checkpoint()
        return answers

    def _routes(self, submissions: Sequence[Submission]) -> list[tuple[Lane, Sequence[int]]]:
        if len(self._lanes) == 1:
            return [(next(iter(self._lanes.values())), range(len(submissions)))]
        routes: dict[int, list[int]] = {}
        anywhere = next(iter(self._lanes))
        for place, submission in enumerate(submissions):
            number = home_lane(submission.command)
            # An id can name a lane that never was: nothing is there, and any lane can say so.
            number = number if number in self._lanes else anywhere
            routes.setdefault(number, []).append(place)
        return [(self._lanes[number], places) for number, places in sorted(routes.items())]

    def _noted(self, batches: list[Batch], taken: Sequence[Taken]) -> list[Batch]:
        """Return the batches with how far each lane has read; one that did nothing says only that.

        In order of lanes: on a server each takes its rows in the same order.
        """
        if not taken:
            return batches
        found = {batch.before.lane: batch for batch in batches}
        for lane in {each.lane for each in taken}:
            mine = tuple([each for each in taken if each.lane == lane])
            batch = found.get(lane)
            found[lane] = (
                self._lanes[lane].passed(mine) if batch is None else batch._replace(taken=mine)
            )
        return [found[lane] for lane in sorted(found)]

    def _commit(self, batches: list[Batch]) -> None:
        for attempt in range(COMMIT_TRIES_MAX):
            try:
                self._send(batches)
            except Unsent:
                if attempt == COMMIT_TRIES_MAX - 1:
                    raise
            except Unknown:
                self._unresolved = batches
                if not self._resolve(batches):
                    raise Unsent("the cut commit is proven not to have happened") from None
                return
            else:
                for batch in batches:
                    self._lanes[batch.before.lane].committed(batch.after)
                return

    def _send(self, batches: list[Batch]) -> None:
        """Commit once, and count how it ended."""
        try:
            self._store.commit(batches)
        except Fault as fault:
            self.outcomes[type(fault).__name__.lower()] += 1
            raise
        self.outcomes["committed"] += 1

    def _resolve(self, batches: list[Batch]) -> bool:
        """Find out what became of an unknown commit; True when it was committed.

        Raises: Unknown while the database cannot be asked.
        """
        rows = self._store.resolve(batches)
        self._unresolved = []
        # What only says how far was read leaves no trace in the lane's row: it is read again.
        is_committed = any(
            batch.rows and row.batch_id == batch.after.batch_id
            for row, batch in zip(rows, batches, strict=True)
        )
        self.outcomes["found_committed" if is_committed else "found_missing"] += 1
        for row in rows:
            lane = self._lanes[row.lane]
            if is_committed:
                lane.committed(row)
            else:
                lane.forget(row)
        return is_committed

    def _abandon(self) -> None:
        """Forget what a failed batch left in memory; unresolved lanes wait for `_resolve`."""
        waiting = {batch.before.lane for batch in self._unresolved}
        for number, lane in self._lanes.items():
            if number not in waiting:
                lane.forget(lane.row)

    def close(self) -> None:
        """Release the store."""
        self._store.close()
