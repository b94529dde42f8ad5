"""Refunds: money on its way back to the payment it came by, under one number (退款).

Law: a refund keeps its number on every retry; what it carries waits in its own payable account
until the channel says that it has arrived.   Units: fen; coins; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from lingqian.kernel.id import ID_BYTES, lane_of, mint
from lingqian.kernel.machine import machine


class Origin(IntEnum):
    """Why money goes back."""

    PERSON = 1
    PACKET_REST = 2
    LATE = 3
    OVERPAID = 4
    SURPLUS = 5
    REJECTED = 6
    BILL = 7
    # Money that nobody had asked for: back to the payment itself, counted at no order.
    UNASKED = 8


class RefundStage(IntEnum):
    """Where a refund stands; ABNORMAL waits for a person, CLOSED can be followed by another."""

    REQUESTED = 0
    REVIEW = 1
    APPROVED = 2
    SUBMITTED = 3
    PROCESSING = 4
    SUCCESS = 5
    CLOSED = 6
    ABNORMAL = 7
    # A person has named another way; the channel has not yet said that it takes it.
    REDIRECTED = 8


class Way(IntEnum):
    """Where a refund arrives: with its payment, on the person's card, with the merchant.

    BALANCE: the balance has paid the order, so that its payment is there.
    """

    ORIGINAL = 0
    CARD = 1
    MERCHANT = 2
    BALANCE = 3


MACHINE: Final = machine(
    RefundStage.REQUESTED,
    [
        (RefundStage.REQUESTED, "approve", RefundStage.APPROVED),
        (RefundStage.REQUESTED, "review", RefundStage.REVIEW),
        (RefundStage.REVIEW, "approve", RefundStage.APPROVED),
        (RefundStage.REVIEW, "refuse", RefundStage.CLOSED),
        (RefundStage.APPROVED, "submit", RefundStage.SUBMITTED),
        (RefundStage.APPROVED, "process", RefundStage.PROCESSING),
        (RefundStage.SUBMITTED, "process", RefundStage.PROCESSING),
        *[
            (state, event, target)
            for state in (RefundStage.APPROVED, RefundStage.SUBMITTED, RefundStage.PROCESSING)
            for event, target in (
                ("succeed", RefundStage.SUCCESS),
                ("close", RefundStage.CLOSED),
                ("fail", RefundStage.ABNORMAL),
            )
        ],
        (RefundStage.ABNORMAL, "process", RefundStage.PROCESSING),
        (RefundStage.ABNORMAL, "succeed", RefundStage.SUCCESS),
        (RefundStage.ABNORMAL, "close", RefundStage.CLOSED),
        (RefundStage.ABNORMAL, "redirect", RefundStage.REDIRECTED),
        (RefundStage.REDIRECTED, "process", RefundStage.PROCESSING),
        (RefundStage.REDIRECTED, "succeed", RefundStage.SUCCESS),
        (RefundStage.REDIRECTED, "close", RefundStage.CLOSED),
        (RefundStage.REDIRECTED, "fail", RefundStage.ABNORMAL),
    ],
)


@dataclass(slots=True)
class Refund:
    """One refund; `parent` is the closed one it follows, empty for a first.

    `coins_paid` and `coins_bonus` are the coins set aside for it, destroyed when it succeeds.
    `transaction_key` is the payment it goes back to where no order counts it, else empty.
    `way` is where it arrives, `card_mac` a digest of the card that was named last, if one was.
    `subsidy_fen` is what the house adds to the price of its coins; below zero, what it keeps.
    """

    amount_fen: int
    attempt_id: bytes
    channel_refund_id: str
    coins_bonus: int
    coins_paid: int
    created_at_us: int
    due_at_us: int
    fee_back_fen: int
    order_id: bytes
    origin: int
    parent: bytes
    reason_mac: bytes
    stage: int
    success_at_us: int
    tries: int
    user_id: bytes
    # Later than the others, so at the end of the table.
    card_mac: bytes
    transaction_key: bytes
    way: int
    subsidy_fen: int


def refund_id(attempt_id: bytes, origin: Origin) -> bytes:
    """Return the number of the refund that a decision itself makes of an attempt: always the same.

    Lane and time are the attempt's, so that it has the form of an id; one for each reason.
    """
    digest = sha256(b"lingqian refund\x01" + attempt_id + bytes((origin,))).digest()
    return attempt_id[:8] + digest[: ID_BYTES - 8]


def payment_refund_id(transaction_key: bytes, at_us: int) -> bytes:
    """Return the number of the refund of a payment nobody had asked for: always the same.

    Lane and time are the payment's.
    """
    digest = sha256(b"lingqian payment refund\x01" + transaction_key).digest()
    chance = int.from_bytes(digest[: ID_BYTES - 8], "big")
    return mint(lane_of(transaction_key), at_us // 1_000, chance)


def next_id(closed_id: bytes) -> bytes:
    """Return the number of the refund that follows a closed one: always the same for it."""
    digest = sha256(b"lingqian next refund\x01" + closed_id).digest()
    return closed_id[:8] + digest[: ID_BYTES - 8]
