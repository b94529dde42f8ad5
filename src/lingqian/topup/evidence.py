"""Evidence: what a channel proved, where we heard it, and what it did to an order (凭证).

Law: the first signal moves an order, every later one is kept and changes nothing; evidence outranks
what we thought, and never undoes money.   Units: fen; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from lingqian.channels.port import TradeState
from lingqian.kernel.bound import AMOUNT_FEN_MAX


class Source(IntEnum):
    """Where a reading came from."""

    NOTICE = 1
    QUERY = 2
    CLIENT = 3
    CLOSE = 4
    BILL = 5
    OPERATOR = 6


class Effect(IntEnum):
    """What one piece of evidence did."""

    NOTED = 0
    WAITING = 1
    SHUT = 2
    FAILED = 3
    CREDITED = 4
    HELD = 5
    RETURNED = 6
    OVERPAID = 7
    PARKED = 8
    CONTRADICTED = 9
    # Money for coins that were advanced, and for coins that were taken back.
    CONFIRMED = 10
    REPAID = 11
    # A notice told another amount than was asked for: the channel is asked, and decides.
    DOUBTED = 12


class Reason(IntEnum):
    """Why money that surely came could not be placed by itself."""

    NONE = 0
    UNKNOWN_ORDER = 1
    WRONG_AMOUNT = 2
    OTHER_ACCOUNT = 3
    TWO_PAYMENTS = 4
    TRANSACTION_TAKEN = 5


# Money under a number of nobody's, on another account, or a second time under one number: it can be
# given back to its own payment.
UNASKED: Final = (Reason.UNKNOWN_ORDER, Reason.OTHER_ACCOUNT, Reason.TWO_PAYMENTS)

# Effects that book money of a channel.
RECEIVED: Final = (
    Effect.CREDITED,
    Effect.HELD,
    Effect.RETURNED,
    Effect.OVERPAID,
    Effect.PARKED,
    Effect.CONFIRMED,
    Effect.REPAID,
)
# A channel that says one of these of money it has proven before contradicts itself. NOT_PAID and
# PAYING do not: an answer may have left before the payment and come in after its notice.
DENIALS: Final = (TradeState.ABSENT, TradeState.CLOSED, TradeState.REVOKED)


@dataclass(slots=True)
class Payment:
    """One transaction of a channel and the attempt it pays; `parked_fen` is not placed yet.

    `refund_count` are refunds of the payment itself, which no order of ours has for its own.
    """

    account: str
    amount_fen: int
    at_us: int
    attempt_id: bytes
    parked_fen: int
    reason: int
    success_at_us: int
    transaction_id: str
    # Later than the others, so at the end of the table.
    refund_count: int
    settle_fen: int


def transaction_key(lane: int, account: str, transaction_id: str) -> bytes:
    """Return the key of a channel's transaction in a lane."""
    return _key(lane, b"lingqian transaction\x01", account, transaction_id)


def notice_key(lane: int, account: str, notice_id: str) -> bytes:
    """Return the key of a channel's notice in a lane."""
    return _key(lane, b"lingqian notice\x01", account, notice_id)


def stranger_id(lane: int, account: str, attempt_no: str) -> bytes:
    """Return what stands for a number that is none of ours, so that its money can be booked."""
    return _key(lane, b"lingqian stranger\x01", account, attempt_no)


def _key(lane: int, tag: bytes, account: str, number: str) -> bytes:
    name = account.encode()
    message = tag + len(name).to_bytes(2, "big") + name + number.encode()
    return lane.to_bytes(2, "big") + sha256(message).digest()[:14]


def is_sound(amounts_fen: tuple[int, ...], transaction_id: str, success_at_us: int) -> bool:
    """Say whether a reading of success carries what a booking needs; the first amount is paid."""
    is_whole = all(0 <= each <= AMOUNT_FEN_MAX for each in amounts_fen) and amounts_fen[0] > 0
    return is_whole and bool(transaction_id) and success_at_us > 0
