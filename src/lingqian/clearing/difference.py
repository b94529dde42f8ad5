"""Differences: what did not agree, who must end it, and how it ended (差错).

Law: a difference is named by account, day, key and class, so finding it again finds the same one;
it ends once. One that is carried is looked for in the bills of the next days before it is owned.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from lingqian.clearing.classify import Class
from lingqian.clearing.item import Way
from lingqian.kernel.id import ID_BYTES
from lingqian.kernel.machine import machine


class DifferenceState(IntEnum):
    """Where a difference stands."""

    NEW = 0
    CARRIED = 1
    OWNED = 2
    REPAIRED = 3
    AGREED = 4
    RESOLVED = 5
    LAPSED = 6


class Remedy(IntEnum):
    """What is booked to make our books say what the channel has.

    LONG: the channel's surplus is unallocated money. SHORT: the house makes good what the channel
    lacks. FEE: the fee is what the bill says; the other two restate it as well.
    """

    NONE = 0
    LONG = 1
    SHORT = 2
    FEE = 3


MACHINE: Final = machine(
    DifferenceState.NEW,
    [
        # Noted before it is repaired: a run that is cut off in between must not forget it.
        (DifferenceState.NEW, "find", DifferenceState.NEW),
        (DifferenceState.NEW, "carry", DifferenceState.CARRIED),
        (DifferenceState.NEW, "own", DifferenceState.OWNED),
        (DifferenceState.NEW, "repair", DifferenceState.REPAIRED),
        (DifferenceState.CARRIED, "agree", DifferenceState.AGREED),
        # After three days the same item is found again under the class of a loss or a find.
        (DifferenceState.CARRIED, "lapse", DifferenceState.LAPSED),
        (DifferenceState.CARRIED, "own", DifferenceState.OWNED),
        (DifferenceState.CARRIED, "repair", DifferenceState.REPAIRED),
        (DifferenceState.OWNED, "repair", DifferenceState.REPAIRED),
        (DifferenceState.OWNED, "agree", DifferenceState.AGREED),
        (DifferenceState.OWNED, "resolve", DifferenceState.RESOLVED),
    ],
)
OPEN_STATES: Final = (DifferenceState.CARRIED, DifferenceState.OWNED)
LIVE_STATES: Final = (DifferenceState.NEW, *OPEN_STATES)

# Clearing is decided in the lane of the house: one row per account and day, for all lanes.
LANE: Final = bytes(2)


def day_id(account: str, day: int) -> bytes:
    """Return the id of one account's day."""
    return _named(b"day", account, str(day))


def flow_id(account: str, flow_no: str) -> bytes:
    """Return the id of a movement that the fund bill alone shows."""
    return _named(b"flow", account, flow_no)


def difference_id(account: str, day: int, key: tuple[Way, str], found: Class) -> bytes:
    """Return the id of a difference: the same for every run that finds it."""
    way, number = key
    return _named(b"difference", account, str(day), way.name, number, found)


def _named(kind: bytes, *parts: str) -> bytes:
    """Digest length-prefixed parts, so that no two names run together."""
    texts = [part.encode() for part in parts]
    message = b"".join(len(text).to_bytes(4, "big") + text for text in texts)
    digest = sha256(b"lingqian clearing\x01" + kind + b"\x00" + message).digest()
    return LANE + digest[: ID_BYTES - len(LANE)]


@dataclass(slots=True)
class Difference:
    """One difference: where, of what class, how much, with whom, until when, and its end.

    `gap_fen` is the channel's amount less ours, in positive and out negative; `fee_gap_fen` is the
    channel's fee less ours. `remedy` is what is proposed, and once `is_booked` what was booked.
    `asked_by` is who proposed how it ends, `decided_by` who agreed; `note_mac` is a digest of what
    they wrote.
    """

    account: str
    asked_by: str
    class_code: str
    day: int
    decided_by: str
    due_at_us: int
    fee_gap_fen: int
    found_at_us: int
    gap_fen: int
    is_booked: int
    note_mac: bytes
    number: str
    owner: int
    remedy: int
    state: int
    way: int


@dataclass(slots=True)
class Flow:
    """A movement of a channel account that only its fund bill tells of.

    `amount_fen` is in positive: a top-up of the account, or what lay in it on the first day.
    `subject_id` is our payout or refund that it belongs to; empty where the bank is its other side.
    """

    account: str
    amount_fen: int
    day: int
    flow_no: str
    label: str
    subject_id: bytes
