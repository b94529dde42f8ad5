"""Holds: money set aside until it is captured, released or expires (冻结).

Law: held → captured | released, each step a record of its own; available counts open holds.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lingqian.kernel.machine import machine


class HoldState(IntEnum):
    """Where a hold stands."""

    HELD = 1
    CAPTURED = 2
    RELEASED = 3
    EXPIRED = 4


MACHINE: Final = machine(
    HoldState.HELD,
    [
        (HoldState.HELD, "capture", HoldState.CAPTURED),
        (HoldState.HELD, "release", HoldState.RELEASED),
        (HoldState.HELD, "expire", HoldState.EXPIRED),
    ],
)


@dataclass(slots=True)
class Hold:
    """A hold: the two accounts, the amount in fen, its state and when that last changed."""

    amount_fen: int
    at_us: int
    credit: bytes
    debit: bytes
    state: int
