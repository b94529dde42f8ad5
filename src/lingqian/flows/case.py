"""Cases: what the gate stopped, who must look at it, and until when (审核单).

A case names the request it stopped by its key and what it asked for, so a retry finds it again.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from lingqian.kernel.machine import machine


class CaseState(IntEnum):
    """Where a case stands."""

    CREATED = 0
    CHALLENGED = 1
    DELAYED = 2
    HELD = 3
    PASSED = 4
    RELEASED = 5
    REFUSED = 6
    LAPSED = 7


MACHINE: Final = machine(
    CaseState.CREATED,
    [
        (CaseState.CREATED, "challenge", CaseState.CHALLENGED),
        (CaseState.CREATED, "delay", CaseState.DELAYED),
        (CaseState.CREATED, "review", CaseState.HELD),
        (CaseState.CHALLENGED, "release", CaseState.PASSED),
        (CaseState.CHALLENGED, "refuse", CaseState.REFUSED),
        (CaseState.CHALLENGED, "due", CaseState.LAPSED),
        (CaseState.DELAYED, "release", CaseState.RELEASED),
        (CaseState.DELAYED, "refuse", CaseState.REFUSED),
        (CaseState.DELAYED, "due", CaseState.RELEASED),
        (CaseState.HELD, "release", CaseState.RELEASED),
        (CaseState.HELD, "refuse", CaseState.REFUSED),
        (CaseState.HELD, "due", CaseState.LAPSED),
        # Money that came in is never let go by a clock: its case goes to somebody higher.
        (CaseState.HELD, "escalate", CaseState.HELD),
        # A challenge that lapsed is weighed anew by a new try of the same command.
        (CaseState.LAPSED, "challenge", CaseState.CHALLENGED),
        (CaseState.LAPSED, "delay", CaseState.DELAYED),
        (CaseState.LAPSED, "review", CaseState.HELD),
    ],
)
OPEN_STATES: Final = (CaseState.CHALLENGED, CaseState.DELAYED, CaseState.HELD)
CLEARED_STATES: Final = (CaseState.PASSED, CaseState.RELEASED)


@dataclass(slots=True)
class Case:
    """One stopped command: what, whose, how much, by which rule, with whom, until when.

    `requested_by` is who asked for what was stopped; the database refuses a row in which the same
    name has decided (four eyes).
    """

    action: int
    amount_fen: int
    decided_by: str
    due_at_us: int
    object_id: bytes
    opened_at_us: int
    owner: str
    requested_by: str
    rule: str
    state: int
    user_id: bytes
    verdict: int


def case_id(key: bytes, asked: tuple[bytes | str | int, ...] = ()) -> bytes:
    """Return the id of the case a request would open; its first two bytes keep the lane.

    A key that is not burnt may come again with other wishes: `asked` makes that another request,
    so that a challenge passed for one payment never clears a larger one or one to somebody else.
    """
    plain = tuple([each if isinstance(each, bytes | str) else int(each) for each in asked])
    message = bytes((len(key),)) + key + repr(plain).encode()
    return key[:2] + sha256(b"lingqian case\x01" + message).digest()[:14]
