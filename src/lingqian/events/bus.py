"""The bus: what carries messages between processes, one line per lane, and may forget (消息总线).

Law: in a line messages keep the order they were put in; each has a place, dense from the line's
begin. A bus is never the truth: whatever it loses, the journal tells again. One contract suite runs
on every adapter.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from lingqian.kernel.fault import Unsent

EVENTS: Final = "events"
COMMANDS: Final = "commands"
RELAY: Final = "relay"
REPLIES: Final = "replies"
DEAD: Final = "dead"
# Every topic there is; all have one line per lane.
TOPICS: Final = (EVENTS, COMMANDS, RELAY, REPLIES, DEAD)
# A topic that was deleted and made again has another identity; one that is not there has this one.
ABSENT: Final = b""
# Whoever was failed by a bus asks it again after so long. Unit: seconds.
AGAIN_AFTER_S: Final = 0.5

Headers = tuple[tuple[str, bytes], ...]


class Message(NamedTuple):
    """What is put on a line: what it is about, its bytes, and words beside it."""

    key: bytes
    value: bytes
    headers: Headers = ()


class Carried(NamedTuple):
    """A message as it lies on a line."""

    lane: int
    place: int
    message: Message

    def header(self, name: str) -> bytes:
        """Return a header's bytes; nothing when it is not there."""
        return dict(self.message.headers).get(name, b"")


class Span(NamedTuple):
    """What a line holds: places from `begin` up to, not including, `end`."""

    begin: int
    end: int


class OutOfSpan(Exception):  # noqa: N818 - an answer of the bus, always handled
    """A reader stands where the line has nothing (any more); `lane` names the line."""

    def __init__(self, lane: int) -> None:
        super().__init__(f"lane {lane}")
        self.lane = lane


class Reader(Protocol):
    """Reads lines of one topic from places that its owner keeps. Belongs to one thread."""

    def seek(self, places: Mapping[int, int]) -> None:
        """Read these lanes from these places on, and no others."""
        ...

    def take(self, count_max: int, wait_s: float) -> list[Carried]:
        """Return what comes next, in the order of each line; nothing when nothing has come.

        Raises: OutOfSpan; Unsent when the bus cannot be read now.
        """
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Bus(Protocol):
    """Lines of messages by topic and lane."""

    def identity(self, topic: str) -> bytes:
        """Return what tells this topic from one of the same name made later, or ABSENT.

        Raises: Unsent when the bus cannot be asked.
        """
        ...

    def span(self, topic: str, lane: int) -> Span:
        """Return what a line holds.

        Raises: Unsent when the bus cannot be asked, or has no such line.
        """
        ...

    def append(self, topic: str, messages: Sequence[tuple[int, Message]]) -> list[int]:
        """Put messages on the lines of their lanes, durably; return the place of each.

        Raises: Unsent when one was not taken; some may have been, and in each line these are the
        first ones.
        """
        ...

    def reader(self, topic: str) -> Reader:
        """Return a new reader that reads nothing yet."""
        ...

    def close(self) -> None:
        """Let go; what was appended stays."""
        ...


def first(bus: Bus, topic: str, lane: int, wait_s: float) -> Carried | None:
    """Return the message at a line's begin; None when the line is empty.

    Raises: Unsent when it cannot be read within `wait_s`.
    """
    begin, end = bus.span(topic, lane)
    return None if begin == end else _at(bus, topic, (lane, begin), wait_s)


def last(bus: Bus, topic: str, lane: int, wait_s: float) -> Carried | None:
    """Return the message at a line's end; None when the line is empty.

    Raises: Unsent when it cannot be read within `wait_s`.
    """
    begin, end = bus.span(topic, lane)
    return None if begin == end else _at(bus, topic, (lane, end - 1), wait_s)


def _at(bus: Bus, topic: str, where: tuple[int, int], wait_s: float) -> Carried:
    reader = bus.reader(topic)
    try:
        reader.seek(dict([where]))
        found = reader.take(1, wait_s)
    except OutOfSpan as error:
        raise Unsent(f"{topic} has moved on under its reader, {error}") from error
    finally:
        reader.close()
    if not found:
        raise Unsent(f"{topic} says it holds messages and shows none")
    return found[0]
