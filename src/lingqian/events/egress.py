"""Events out: the journal told on a bus, each event once and in order (事件输出).

Law: nothing is stored of how far the bus has been told; it is read from the bus's own end. Each
message names the one before it, so whoever follows sees every gap. A topic that was lost is told
again from the journal's first row.
"""

from collections.abc import Callable, Iterable
from typing import Final

from lingqian.events.bus import ABSENT, EVENTS, Bus, Carried, Message, first, last
from lingqian.events.tail import ALL, Event, Journal, Position
from lingqian.events.tally import Tally
from lingqian.kernel.bound import BUS_ANSWER_S_MAX, BUS_MESSAGES_MAX
from lingqian.kernel.fault import Damaged, Fault, Unsent

CONTENT_TYPE: Final = b"application/cloudevents+json; charset=UTF-8"


class Egress:
    """Tells the lanes that are ours to tell. Belongs to one thread."""

    def __init__(
        self, bus: Bus, journal: Journal, held: Callable[[], Iterable[int]], tally: Tally
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._held = held
        self._tally = tally
        self._identity = ABSENT
        self._position: Position = {}
        # For each lane, the id of the event told last and the place that the next one gets.
        self._previous: dict[int, tuple[bytes, int]] = {}

    def round(self) -> bool:
        """Tell what is new; return whether there may be more.

        Raises: Unsent when the bus does not take it, or there is no topic; Damaged when the bus
        knows more than the journal.
        """
        lanes = self._look()
        found = self._journal.after(self._position, BUS_MESSAGES_MAX, lanes)
        has_more = found.end != self._position
        if self._tell(found.events):
            self._position = found.end
            self._tally.carried += len(found.events)
        self._tally.told = {lane: seq for lane, (seq, _) in self._position.items()}
        return has_more

    def _look(self) -> frozenset[int]:
        """Learn which lanes are ours and where their lines end, where we do not know it yet."""
        identity = self._bus.identity(EVENTS)
        if identity == ABSENT:
            raise Unsent("there is no topic for events; lingqian topic create makes it")
        if identity != self._identity:
            self._forget()
            self._identity = identity
        lanes = frozenset(self._held())
        for lane in [each for each in self._previous if each not in lanes]:
            del self._previous[lane], self._position[lane]
        for lane in lanes - self._previous.keys():
            self._resume(lane)
        return lanes

    def _forget(self) -> None:
        self._identity = ABSENT
        self._position, self._previous = {}, {}

    def _resume(self, lane: int) -> None:
        """Read from a line how far it has been told."""
        head = first(self._bus, EVENTS, lane, BUS_ANSWER_S_MAX)
        tail = last(self._bus, EVENTS, lane, BUS_ANSWER_S_MAX)
        if head is None or tail is None:
            # An empty line, or one that keeps nothing that long: who follows skips what he knows.
            self._position[lane] = (0, ALL)
            self._previous[lane] = (b"", self._bus.span(EVENTS, lane).end)
            return
        if head.place == 0 and head.header("previous"):
            # A topic made again while we were writing: its begin is missing, so all is told again.
            self._position[lane] = (0, ALL)
            self._previous[lane] = (b"", tail.place + 1)
            return
        seq, number = place_of(tail)
        if seq > self._journal.ends().get(lane, (0, ALL))[0]:
            raise Damaged(
                f"lane {lane}: the bus knows row {seq}, which the journal does not have; "
                "was an old backup restored?"
            )
        self._position[lane] = (seq, number + 1)
        self._previous[lane] = (name_of(seq, number, lane), tail.place + 1)

    def _tell(self, events: list[Event]) -> bool:
        """Put events on their lines; return whether they lie where they had to."""
        messages, expected = [], []
        previous = dict(self._previous)
        for each in events:
            before, place = previous[each.lane]
            messages.append((each.lane, _message(each, before)))
            expected.append(place)
            previous[each.lane] = (each.id.encode(), place + 1)
        try:
            places = self._bus.append(EVENTS, messages) if messages else []
        except Fault:
            # Some may be out: the end of the line says which.
            self._forget()
            raise
        if places != expected:
            # Another topic under the same name, or another writer: look again.
            self._forget()
            return False
        self._previous = previous
        return True


def name_of(seq: int, number: int, lane: int) -> bytes:
    """Return an event's id."""
    return b"%d:%d:%d" % (lane, seq, number)


def place_of(carried: Carried) -> tuple[int, int]:
    """Return which event of a lane a message tells: its row, and its number in the row.

    Raises: Damaged when a message on the topic is not one of ours.
    """
    try:
        return int(carried.header("sequence")), int(carried.header("number"))
    except ValueError as error:
        raise Damaged(f"events {carried.lane}/{carried.place} is not of our making") from error


def _message(event: Event, previous: bytes) -> Message:
    headers = (
        ("content-type", CONTENT_TYPE),
        ("lane", b"%d" % event.lane),
        ("sequence", b"%d" % event.seq),
        ("number", b"%d" % event.number),
        ("previous", previous),
    )
    return Message(event.subject.encode(), event.body, headers)
