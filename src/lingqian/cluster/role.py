"""Roles: what a process does, and which of them may ask what of which (角色).

Law: a process answers a call only where the caller's role stands in the call's row, and asks it
only of a process whose role stands there too. A row that is missing is a no.
Source: house rule, decisions/0026.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """What a process does; one process may have several roles."""

    EDGE = "edge"
    LANE = "lane"
    RELAY = "relay"
    JOBS = "jobs"
    DATABASE = "database"
    BROKER = "broker"


# What `lingqian serve` can be; the others are servers of somebody else's making.
OURS: Final = (Role.EDGE, Role.LANE, Role.RELAY, Role.JOBS)


class Call(StrEnum):
    """What one process asks of another."""

    GREET = "greet"
    COMMAND = "command"
    DELIVER = "deliver"
    HAND_OVER = "hand_over"


class Right(NamedTuple):
    """A row of the table: who may ask, who may be asked, and what it is for."""

    callers: frozenset[Role]
    answerers: frozenset[Role]
    words: str


RIGHTS: Final[Mapping[Call, Right]] = {
    Call.GREET: Right(
        frozenset(OURS), frozenset(OURS), "say who one is, and that one is still there"
    ),
    Call.COMMAND: Right(
        frozenset({Role.EDGE, Role.JOBS}),
        frozenset({Role.LANE}),
        "put a command to the lane that decides it",
    ),
    Call.DELIVER: Right(
        frozenset({Role.RELAY}),
        frozenset({Role.LANE}),
        "bring money that another lane has let go",
    ),
    Call.HAND_OVER: Right(
        frozenset({Role.LANE, Role.RELAY, Role.JOBS}),
        frozenset({Role.LANE, Role.RELAY, Role.JOBS}),
        "say that a lease was let go, so that its next holder looks at once",
    ),
}
assert RIGHTS.keys() == set(Call), "every call has a row"
