"""Commands in: a lane reads its stream and commits how far with what the messages did (命令输入).

Law: where to read on is what the ledger says, never what the bus remembers. A message that is no
command of this lane and this stream is parked in the transaction that passes over it, and copied
to the dead letters. A place that is gone is said in the same way.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from lingqian.events.bus import ABSENT, DEAD, REPLIES, Bus, Carried, Message, OutOfSpan
from lingqian.events.tally import Tally
from lingqian.flows.kind import home_lane
from lingqian.kernel.bound import BUS_MESSAGES_MAX
from lingqian.kernel.fault import Damaged, Fault, Unsent
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Parked, Taken
from lingqian.storage.position import Parker, Position
from lingqian.storage.wire import read_submission, write_answer

WAIT_S: Final = 0.25
LOOK_EVERY_S: Final = 1.0
# Headers of a command: where its answer is to go, and what the asker calls it.
REPLY: Final = "reply"
ASK: Final = "ask"
_log = logging.getLogger(__name__)


class Door(NamedTuple):
    """What reading needs of the ledger's side."""

    #: The lanes that are ours to read.
    held: Callable[[], Iterable[int]]
    #: How far a lane has read a stream, as stored.
    position: Callable[[int, str], Position]
    #: Decide a batch, durable with how far was read.
    consume: Callable[[Sequence[Submission], Sequence[Taken]], list[Answer]]
    parker: Parker
    now_us: Callable[[], int]


class _Batch(NamedTuple):
    """What was read at once: commands with their messages, and how far each lane has come."""

    commands: list[tuple[Carried, Submission]]
    taken: list[Taken]
    dead: list[tuple[Carried, str]]


class Ingress:
    """Reads one stream for the lanes that are ours. Belongs to one thread."""

    def __init__(
        self, bus: Bus, stream: str, kinds: frozenset[type], door: Door, tally: Tally
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._kinds = kinds
        self._door = door
        self._tally = tally
        self._reader = bus.reader(stream)
        self._identity = ABSENT
        self._lanes: frozenset[int] = frozenset()
        self._looked_s = float("-inf")

    def round(self, wait_s: float = WAIT_S) -> int:
        """Read what has come and do it; return how many messages there were.

        Raises: Unsent, Unknown, Fenced, Moved, Stopping: the next round begins where the ledger
        says.
        """
        self._look()
        try:
            found = self._reader.take(BUS_MESSAGES_MAX, wait_s)
            if found:
                self._do(self._sorted(found))
        except OutOfSpan as error:
            try:
                self._note_loss(error.lane)
            finally:
                self._identity = ABSENT
            return 0
        except Fault:
            self._identity = ABSENT
            raise
        return len(found)

    def _look(self) -> None:
        """See that the topic and our lanes are those we read; else begin where the ledger says."""
        now_s = time.monotonic()
        lanes = frozenset(self._door.held())
        is_known = self._identity != ABSENT and lanes == self._lanes
        if is_known and now_s < self._looked_s + LOOK_EVERY_S:
            return
        identity = self._bus.identity(self._stream)
        if identity == ABSENT:
            raise Unsent(f"there is no topic {self._stream}; lingqian topic create makes it")
        self._looked_s = now_s
        if is_known and identity == self._identity:
            return
        self._identity, self._lanes = identity, lanes
        self._reader.seek({lane: self._place(lane) for lane in sorted(lanes)})

    def _place(self, lane: int) -> int:
        """Return where a lane reads on; a topic it has not read it reads from the begin."""
        topic, place = self._door.position(lane, self._stream)
        return place if topic == self._identity else 0

    def _sorted(self, found: list[Carried]) -> _Batch:
        batch = _Batch([], [], [])
        by_lane: dict[int, list[Carried]] = {}
        for each in found:
            by_lane.setdefault(each.lane, []).append(each)
        for lane, carried in by_lane.items():
            taken = Taken(lane, self._stream, self._identity, carried[-1].place + 1)
            parked = []
            for each in carried:
                reason = self._read(each, batch)
                if reason:
                    parked.append(self._park(taken, each.place, each.message.value, reason))
                    batch.dead.append((each, reason))
            batch.taken.append(taken._replace(parked=tuple(parked)))
        return batch

    def _read(self, carried: Carried, batch: _Batch) -> str:
        """Take a message's command into the batch, or return why it is none."""
        try:
            submission = read_submission(carried.message.value)
        except Damaged as error:
            return str(error)
        if type(submission.command) not in self._kinds:
            return f"{type(submission.command).__name__} does not come this way"
        if home_lane(submission.command) != carried.lane:
            return f"its home is lane {home_lane(submission.command)}"
        batch.commands.append((carried, submission))
        return ""

    def _park(self, taken: Taken, place: int, value: bytes, reason: str) -> Parked:
        return self._door.parker.park(taken, place, value, reason, self._door.now_us())

    def _do(self, batch: _Batch) -> None:
        answers = self._door.consume([each for _, each in batch.commands], batch.taken)
        self._tally.carried += len(batch.commands)
        self._tally.parked += len(batch.dead)
        for carried, reason in batch.dead:
            _log.error("%s %d/%d parked: %s", self._stream, *carried[:2], reason)
        messages = [carried for carried, _ in batch.commands]
        self._say(REPLIES, [*map(_reply, messages, answers)])
        self._say(DEAD, [_dead(self._stream, *each) for each in batch.dead])

    def _say(self, topic: str, messages: list[tuple[int, Message] | None]) -> None:
        """Tell what is durable already; whoever hears nothing asks again with the same key."""
        wanted = [each for each in messages if each is not None]
        try:
            if wanted:
                self._bus.append(topic, wanted)
        except Fault as fault:
            _log.warning("%s: %s", topic, fault)

    def _note_loss(self, lane: int) -> None:
        """Go on at the line's begin, and say in the ledger that the place was gone.

        What lay before it was removed before it was read, or the line lost its end: what is read
        twice is done once.
        Raises: Unsent when nothing is lost: a topic that was made again has not what the old one
        had, and for a moment its broker says so of places that it has.
        """
        at = self._place(lane)
        begin, end = self._bus.span(self._stream, lane)
        is_new = self._bus.identity(self._stream) != self._identity
        if is_new or begin <= at <= end:
            raise Unsent(f"{self._stream} {lane}: place {at} was not given of {begin} to {end}")
        words = f"place {at} is gone; the line has {begin} to {end} and is read from {begin}"
        _log.error("%s %d: %s", self._stream, lane, words)
        taken = Taken(lane, self._stream, self._identity, begin)
        taken = taken._replace(parked=(self._park(taken, at, b"", words),))
        self._door.consume([], [taken])
        self._tally.parked += 1

    def close(self) -> None:
        """Read no more."""
        self._reader.close()


def _reply(carried: Carried, answer: Answer) -> tuple[int, Message] | None:
    """Return an answer for whoever asked for one."""
    lane, ask = carried.header(REPLY), carried.header(ASK)
    if not lane.isdigit() or not ask:
        return None
    return int(lane), Message(ask, write_answer(answer), ((ASK, ask),))


def _dead(stream: str, carried: Carried, reason: str) -> tuple[int, Message]:
    """Return a message as the dead letters keep it: its bytes, where it lay, why."""
    where = (
        ("stream", stream.encode()),
        ("place", b"%d" % carried.place),
        ("reason", reason.encode()),
    )
    message = carried.message
    return carried.lane, message._replace(headers=(*message.headers, *where))
