"""The bus inside one process: lines in memory, for one process and for tests (进程内总线).

Law: it passes the contract suite of every bus. A process alone needs none: its intake takes
commands and its journal tail tells events.
"""

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from typing import final

from lingqian.events.bus import ABSENT, Carried, Message, OutOfSpan, Span
from lingqian.kernel.fault import Unsent


class _Topic:
    def __init__(self, lanes: int) -> None:
        self.identity = secrets.token_bytes(16)
        self.lines: list[list[Message]] = [[] for _ in range(lanes)]


@final
class LocalBus:
    """Lines in memory; any thread may append, each reader belongs to one."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._changed = threading.Condition()

    def create(self, topic: str, lanes: int) -> None:
        """Make a topic with a line per lane; one that is there stays as it is."""
        with self._changed:
            self._topics.setdefault(topic, _Topic(lanes))

    def delete(self, topic: str) -> None:
        """Forget a topic and all that lies on it."""
        with self._changed:
            self._topics.pop(topic, None)

    def identity(self, topic: str) -> bytes:
        """Return what tells this topic from one of the same name made later, or ABSENT."""
        found = self._topics.get(topic)
        return ABSENT if found is None else found.identity

    def span(self, topic: str, lane: int) -> Span:
        """Return what a line holds."""
        with self._changed:
            return Span(0, len(self._line(topic, lane)))

    def append(self, topic: str, messages: Sequence[tuple[int, Message]]) -> list[int]:
        """Put messages on the lines of their lanes; return the place of each."""
        places = []
        with self._changed:
            for lane, message in messages:
                line = self._line(topic, lane)
                places.append(len(line))
                line.append(message)
            self._changed.notify_all()
        return places

    def reader(self, topic: str) -> "LocalReader":
        """Return a new reader that reads nothing yet."""
        return LocalReader(self, topic)

    def close(self) -> None:
        """Do nothing: what was appended stays as long as the bus does."""

    def _line(self, topic: str, lane: int) -> list[Message]:
        """Return a line.

        Raises: Unsent when there is none.
        """
        found = self._topics.get(topic)
        if found is None or lane >= len(found.lines):
            raise Unsent(f"there is no line {topic}/{lane}")
        return found.lines[lane]

    def take(self, topic: str, places: dict[int, int], count_max: int) -> list[Carried]:
        """Return what comes next on each line, and move the places past it.

        Raises: OutOfSpan, Unsent.
        """
        taken: list[Carried] = []
        for lane, place in places.items():
            line = self._line(topic, lane)
            if place > len(line):
                raise OutOfSpan(lane)
            fresh = line[place : place + count_max - len(taken)]
            taken.extend(Carried(lane, place + at, each) for at, each in enumerate(fresh))
            places[lane] = place + len(fresh)
        return taken

    def wait(
        self, topic: str, places: dict[int, int], count_max: int, wait_s: float
    ) -> list[Carried]:
        """Return what comes next, and wait for it a while.

        Raises: OutOfSpan, Unsent.
        """
        until_s = time.monotonic() + wait_s
        with self._changed:
            while not (taken := self.take(topic, places, count_max)):
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    return self.take(topic, places, count_max)
        return taken


@final
class LocalReader:
    """Reads lines of a topic from places that its owner keeps."""

    def __init__(self, bus: LocalBus, topic: str) -> None:
        self._bus = bus
        self._topic = topic
        self._places: dict[int, int] = {}

    def seek(self, places: Mapping[int, int]) -> None:
        """Read these lanes from these places on, and no others."""
        self._places = dict(places)

    def take(self, count_max: int, wait_s: float) -> list[Carried]:
        """Return what comes next, in the order of each line; nothing when nothing has come."""
        return self._bus.wait(self._topic, self._places, count_max, wait_s)

    def close(self) -> None:
        """Do nothing."""
