"""Notices: the inbox of what channels told us, answered before it is processed (通知收件箱).

The raw bytes lie encrypted beside the journal; their SHA-256 is in it. Units: µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lingqian.kernel.machine import machine


class NoticeState(IntEnum):
    """What became of a notice that was genuine."""

    RECEIVED = 0
    APPLIED = 1
    # It told what was known already.
    DUPLICATE = 2
    # Genuine, and yet nothing could be credited: unknown order, another amount.
    PARKED = 3
    RESOLVED = 4


MACHINE: Final = machine(
    NoticeState.RECEIVED,
    [
        (NoticeState.RECEIVED, "apply", NoticeState.APPLIED),
        (NoticeState.RECEIVED, "repeat", NoticeState.DUPLICATE),
        (NoticeState.RECEIVED, "park", NoticeState.PARKED),
        (NoticeState.PARKED, "apply", NoticeState.APPLIED),
        (NoticeState.PARKED, "resolve", NoticeState.RESOLVED),
    ],
)


@dataclass(slots=True)
class Notice:
    """One notice by the channel's own id of it; `copies` counts every time it came."""

    account: str
    at_us: int
    attempt_id: bytes
    copies: int
    digest: bytes
    event: str
    reason: int
    signed_at_us: int
    state: int
