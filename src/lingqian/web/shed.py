"""Shedding: what is told to come back later as the queue fills, and in which order (过载舍弃).

Law: what moves money already promised is kept longest, and what a channel tells us is never shed;
whoever is told "busy" has lost nothing and may come again with the same key.
"""

from enum import IntEnum
from typing import Final

from lingqian.kernel.fault import Busy


class Rank(IntEnum):
    """What an operation is worth when not everything can be done; lower goes first."""

    REPORT = 0
    NOTIFY = 1
    # A look at a packet or a balance: most of those who look at a packet come too late anyway.
    LOOK = 2
    OPEN = 3
    PAY = 4
    KEEP = 5


# A rank is shed when so much of the queue is full, in per cent; a full queue refuses by itself.
SHED_AT_PCT: Final[dict[Rank, int]] = {
    Rank.REPORT: 25,
    Rank.NOTIFY: 40,
    Rank.LOOK: 55,
    Rank.OPEN: 70,
    Rank.PAY: 100,
}
# By tag: what only reads, and everything else.
BY_TAG: Final[dict[str, tuple[Rank, Rank]]] = {
    "users": (Rank.LOOK, Rank.PAY),
    "conversations": (Rank.LOOK, Rank.PAY),
    "sessions": (Rank.LOOK, Rank.PAY),
    "security": (Rank.LOOK, Rank.PAY),
    "sandbox": (Rank.PAY, Rank.PAY),
    "transfers": (Rank.LOOK, Rank.PAY),
    "packets": (Rank.LOOK, Rank.PAY),
    "covers": (Rank.NOTIFY, Rank.NOTIFY),
    "top-ups": (Rank.LOOK, Rank.PAY),
    "refunds": (Rank.LOOK, Rank.PAY),
    "gifts": (Rank.LOOK, Rank.PAY),
    "payouts": (Rank.LOOK, Rank.PAY),
    "trails": (Rank.REPORT, Rank.REPORT),
    "channels": (Rank.REPORT, Rank.KEEP),
    "advances": (Rank.REPORT, Rank.PAY),
    "cases": (Rank.REPORT, Rank.PAY),
    "operators": (Rank.REPORT, Rank.PAY),
    "reconciliation": (Rank.REPORT, Rank.REPORT),
    "behaviour": (Rank.REPORT, Rank.REPORT),
    "limits": (Rank.REPORT, Rank.REPORT),
    "events": (Rank.NOTIFY, Rank.NOTIFY),
    "webhooks": (Rank.NOTIFY, Rank.NOTIFY),
    # Pages come from memory; without them nobody would see the words that say why.
    "pages": (Rank.KEEP, Rank.KEEP),
    "health": (Rank.KEEP, Rank.KEEP),
}
# Operations that are worth more or less than others of their tag.
APART: Final[dict[str, Rank]] = {
    "POST /v1/packets/{packet_id}/claims": Rank.OPEN,
    "GET /v1/packets/{packet_id}/proof": Rank.REPORT,
    "GET /packets/{packet_id}/card.png": Rank.NOTIFY,
    "GET /v1/users": Rank.REPORT,
    "GET /v1/users/{user_id}/statement.csv": Rank.REPORT,
    "GET /v1/refunds": Rank.REPORT,
    "GET /v1/parked-payments": Rank.REPORT,
}


def rank_of(method: str, path: str, tag: str) -> Rank:
    """Return what an operation is worth."""
    reading, writing = BY_TAG[tag]
    return APART.get(f"{method} {path}", reading if method == "GET" else writing)


def is_shed(rank: Rank, full_pct: int) -> bool:
    """Say whether an operation is told to come later, with so much of the queue full."""
    return rank != Rank.KEEP and full_pct >= SHED_AT_PCT[rank]


def check_load(rank: Rank, full_pct: int) -> None:
    """Let an operation in, or tell whoever asks to come later.

    Raises: Busy.
    """
    if is_shed(rank, full_pct):
        raise Busy(f"{full_pct} % of the queue is full, and this can wait")
