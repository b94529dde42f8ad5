"""What is remembered: a line for each answer that anybody was given, and each event heard.

The judge believes this and the database alone.   Units: fen; ms.
"""

import json
from typing import NamedTuple

from lingqian.kernel.id import parse


def raw(prefix, name):
    """Return an id as it is stored."""
    return parse(prefix, name).hex()


class Person(NamedTuple):
    """Somebody who was given money."""

    user_id: str
    fen: int


class Packet(NamedTuple):
    """A packet that somebody was told is sent."""

    packet_id: str
    sender_id: str
    total_fen: int
    count: int  # type: ignore[assignment]  # hides tuple.count


class Open(NamedTuple):
    """What somebody who opened was told: a share and its amount, or the code of a refusal.

    `tries` counts the times it was asked, `ms` is from the first of them to the answer.
    """

    packet_id: str
    user_id: str
    code: str
    share: int
    fen: int
    tries: int
    ms: int


class Again(Open):
    """What somebody was told who opened the same twice, the second time."""


class Heard(NamedTuple):
    """An event that a follower was handed, and the balances that it told: [person, fen]."""

    lane: int
    seq: int
    number: int
    digest: str
    balances: list

    @property
    def id(self):
        """The event's id."""
        return f"{self.lane}:{self.seq}:{self.number}"


KINDS = {each.__name__: each for each in (Person, Packet, Open, Again, Heard)}


class Memory(NamedTuple):
    """All that a crowd was told, and all that a follower heard."""

    people: list
    packets: list
    opens: list
    agains: list
    heard: list

    @property
    def won(self):
        """The openings that took a share."""
        return [each for each in self.opens if each.share]


class Notebook:
    """Where somebody writes; a line is whole in the file before anything else is asked."""

    def __init__(self, path):
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def note(self, *told):
        """Write answers down."""
        rows = (json.dumps([type(each).__name__, *each]) + "\n" for each in told)
        self._file.write("".join(rows))

    def close(self):
        """Write no more."""
        self._file.close()


def remembered(*paths):
    """Read what was written; a last line that was cut off was never told."""
    memory = Memory(*[[] for _ in Memory._fields])
    places = dict(zip(KINDS, memory, strict=True))
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    name, *fields = json.loads(line)
                    places[name].append(KINDS[name](*fields))
    return memory
