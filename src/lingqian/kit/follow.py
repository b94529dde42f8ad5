"""Following events from a bus: in order, each once, and a gap is never passed over (事件消费).

Law: an event is handed out when it is the one after the last one handed out of its lane. What was
handed out before is skipped; what comes too early is held back until the topic tells what is
missing, or is asked for again. How far one has come is the follower's own to keep, in the
transaction of whatever the events did.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.events.bus import ABSENT, EVENTS, Bus, Carried, OutOfSpan
from lingqian.kernel.fault import Damaged, Unsent

COUNT_MAX: Final = 512


class Mark(NamedTuple):
    """How far a lane was followed: its event handed out last, and where its topic is read on."""

    seq: int = 0
    number: int = 0
    topic: bytes = ABSENT
    place: int = 0

    @property
    def is_start(self) -> bool:
        """Whether nothing was handed out yet."""
        return self.seq == 0


class Followed(NamedTuple):
    """An event as it is handed out; `event` is the CloudEvents envelope."""

    lane: int
    seq: int
    number: int
    event: dict[str, Any]

    @property
    def id(self) -> str:
        """The event's id: the same for ever."""
        return f"{self.lane}:{self.seq}:{self.number}"


class Gap(Exception):  # noqa: N818 - something to be asked about, not a fault of ours
    """A lane's next event is missing from the topic: `after` was the last, `found` came instead."""

    def __init__(self, lane: int, after: str, found: str) -> None:
        super().__init__(f"lane {lane}: {found} came where the event after {after} was expected")
        self.lane = lane
        self.after = after
        self.found = found


class Follower:
    """Follows some lanes of the events topic. Belongs to one thread."""

    def __init__(self, bus: Bus, marks: Mapping[int, Mark]) -> None:
        self._bus = bus
        self._marks = dict(marks)
        self._reader = bus.reader(EVENTS)
        self._identity = ABSENT
        # The gap that each lane stands before, until it is filled.
        self._gaps: dict[int, Gap] = {}

    @property
    def marks(self) -> dict[int, Mark]:
        """How far each lane was followed: to be kept with what the events did."""
        return dict(self._marks)

    @property
    def gaps(self) -> list[Gap]:
        """The lanes that wait for what is missing; a topic that is told again fills them."""
        return [self._gaps[lane] for lane in sorted(self._gaps)]

    def take(self, wait_s: float, count_max: int = COUNT_MAX) -> list[Followed]:
        """Return the next events, in the order of each lane; nothing when nothing has come.

        Raises: Unsent when the bus cannot be read now; Damaged when a message is not ours.
        """
        self._look()
        try:
            found = self._reader.take(count_max, wait_s)
        except OutOfSpan:
            self._identity = ABSENT
            return []
        return [event for each in found if (event := self._judged(each)) is not None]

    def again(self, lane: int) -> None:
        """Read a lane from its begin: what is missing may be there, what is known is skipped."""
        self._marks[lane] = self._marks[lane]._replace(topic=ABSENT, place=0)
        self._identity = ABSENT

    def close(self) -> None:
        """Let go."""
        self._reader.close()

    def _look(self) -> None:
        """See that the topic is the one we read; a new one is read from its begin."""
        identity = self._bus.identity(EVENTS)
        if identity == ABSENT:
            raise Unsent("there is no topic for events now")
        if identity == self._identity:
            return
        self._identity = identity
        for lane, mark in self._marks.items():
            if mark.topic != identity:
                self._marks[lane] = mark._replace(topic=identity, place=0)
        self._reader.seek({lane: self._start(lane) for lane in self._marks})

    def _start(self, lane: int) -> int:
        """Return where to read on; a line that has lost its begin is read from what is left."""
        begin, end = self._bus.span(EVENTS, lane)
        place = self._marks[lane].place
        return place if begin <= place <= end else begin

    def _judged(self, carried: Carried) -> Followed | None:
        """Return a message's event when it is its lane's next one."""
        lane, mark = carried.lane, self._marks[carried.lane]
        seq, number, previous = _headers(carried)
        self._marks[lane] = mark._replace(place=carried.place + 1)
        if (seq, number) <= (mark.seq, mark.number) and not mark.is_start:
            return None
        last = "" if mark.is_start else f"{lane}:{mark.seq}:{mark.number}"
        if previous != last:
            self._gaps.setdefault(lane, Gap(lane, last or "the begin", f"{lane}:{seq}:{number}"))
            return None
        self._gaps.pop(lane, None)
        self._marks[lane] = Mark(seq, number, self._identity, carried.place + 1)
        return Followed(lane, seq, number, msgspec.json.decode(carried.message.value))


def _headers(carried: Carried) -> tuple[int, int, str]:
    try:
        seq, number = int(carried.header("sequence")), int(carried.header("number"))
        return seq, number, carried.header("previous").decode("ascii")
    except ValueError as error:
        raise Damaged(f"events {carried.lane}/{carried.place} is not of our making") from error


def write_marks(marks: Mapping[int, Mark]) -> str:
    """Return marks as a text to keep."""
    rows = [[lane, *mark[:2], mark.topic.hex(), mark.place] for lane, mark in sorted(marks.items())]
    return msgspec.json.encode(rows).decode()


def read_marks(text: str) -> dict[int, Mark]:
    """Read kept marks.

    Raises: ValueError when the text is not of `write_marks`.
    """
    rows = msgspec.json.decode(text, type=list[tuple[int, int, int, str, int]])
    return {
        lane: Mark(seq, number, bytes.fromhex(topic), place)
        for lane, seq, number, topic, place in rows
    }
