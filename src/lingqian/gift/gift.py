"""Gifts: coins that became a streamer's income and the platform's revenue (送礼).

Law: value = streamer's part + platform's part; the streamer's part waits in its income account
until it is settled, once.   Units: coins; fen; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lingqian.kernel.machine import machine


class GiftState(IntEnum):
    """Where the income of a gift stands."""

    GIVEN = 0
    PENDING = 1
    SETTLED = 2


MACHINE: Final = machine(
    GiftState.GIVEN,
    [
        (GiftState.GIVEN, "wait", GiftState.PENDING),
        (GiftState.PENDING, "settle", GiftState.SETTLED),
    ],
)


@dataclass(slots=True)
class Gift:
    """One gift: who gave what to whom, what its coins had cost, and how that was parted."""

    at_us: int
    code: str
    coins: int
    count: int
    platform_fen: int
    scene: str
    settles_at_us: int
    state: int
    streamer_fen: int
    streamer_id: bytes
    user_id: bytes
    value_fen: int


def income_owner(lane: int, streamer_id: bytes) -> bytes:
    """Return whose income account a lane keeps for a streamer who may live in another.

    Income waits where it was earned and travels only when it is settled.
    """
    return lane.to_bytes(2, "big") + streamer_id[2:]
