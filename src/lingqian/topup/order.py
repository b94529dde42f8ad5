"""Orders: one business intention, told by three small axes instead of one long list (充值订单).

Law: an order is credited at most once; every step into PAID or OVERPAID rests on evidence; CLOSED
is a statement about us, not about the person's money.   Units: fen; coins; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from lingqian.kernel.machine import machine


class OrderKind(IntEnum):
    """What the money of an order becomes."""

    BALANCE = 1
    COINS = 2
    PACKET = 3


class PayState(IntEnum):
    """What is proven of the money: did it come, once or more than once."""

    NONE = 0
    PAYING = 1
    PAID = 2
    CLOSED = 3
    OVERPAID = 4


# Money is proven, or was the person's own.
PAID_STATES: Final = (PayState.PAID, PayState.OVERPAID)


class CreditState(IntEnum):
    """What the person has of it."""

    NONE = 0
    HELD = 1
    CREDITED = 2
    REJECTED = 3
    ADVANCED = 4
    CONFIRMED = 5
    CLAWED_BACK = 6
    WRITTEN_OFF = 7
    REVERSING = 8
    PART_REVERSED = 9
    REVERSED = 10


class ReturnState(IntEnum):
    """What has gone back the way it came."""

    NONE = 0
    PENDING = 1
    PARTIAL = 2
    FULL = 3


PAY_MACHINE: Final = machine(
    PayState.NONE,
    [
        (PayState.NONE, "try", PayState.PAYING),
        (PayState.NONE, "close", PayState.CLOSED),
        (PayState.NONE, "pay", PayState.PAID),
        (PayState.PAYING, "pay", PayState.PAID),
        (PayState.PAYING, "close", PayState.CLOSED),
        # Late money: we had given up, the channel had not.
        (PayState.CLOSED, "pay", PayState.PAID),
        (PayState.PAID, "overpay", PayState.OVERPAID),
    ],
)

CREDIT_MACHINE: Final = machine(
    CreditState.NONE,
    [
        (CreditState.NONE, "credit", CreditState.CREDITED),
        (CreditState.NONE, "hold", CreditState.HELD),
        # Paid and never credited: the money goes back (late, refused by a person, packet gone).
        (CreditState.NONE, "reject", CreditState.REJECTED),
        (CreditState.HELD, "credit", CreditState.CREDITED),
        (CreditState.HELD, "reject", CreditState.REJECTED),
        (CreditState.NONE, "advance", CreditState.ADVANCED),
        (CreditState.ADVANCED, "confirm", CreditState.CONFIRMED),
        (CreditState.ADVANCED, "claw_back", CreditState.CLAWED_BACK),
        (CreditState.CLAWED_BACK, "write_off", CreditState.WRITTEN_OFF),
        (CreditState.CREDITED, "reverse", CreditState.REVERSING),
        (CreditState.CONFIRMED, "reverse", CreditState.REVERSING),
        (CreditState.PART_REVERSED, "reverse", CreditState.REVERSING),
        (CreditState.REVERSING, "reverse", CreditState.REVERSING),
        (CreditState.REVERSING, "restore", CreditState.CREDITED),
        (CreditState.REVERSING, "part", CreditState.PART_REVERSED),
        (CreditState.REVERSING, "full", CreditState.REVERSED),
    ],
)


@dataclass(slots=True)
class Order:
    """One top-up: whose, for what, how much, and where each of the three axes stands.

    `object_id` is the packet an order pays for, else empty. `requested_by` is the caller who asked.
    `received_fen` is all that its attempts have proven, `refunding_fen` what is on its way back.
    `live_attempt` is the one attempt that can be paid now, `paid_attempt` the one that was credited
    or will be; empty where there is none. `due_at_us` is when a job must look at it, 0 for never.
    """

    amount_fen: int
    attempt_count: int
    bonus_coins: int
    bonus_life_us: int
    coins: int
    created_at_us: int
    credit_state: int
    credited_at_us: int
    due_at_us: int
    expires_at_us: int
    kind: int
    live_attempt: bytes
    object_id: bytes
    paid_attempt: bytes
    pay_state: int
    plan: str
    received_fen: int
    refund_state: int
    refunded_fen: int
    refunding_fen: int
    requested_by: str
    scene: str
    user_id: bytes


def wallet_order(order_id: bytes) -> bytes:
    """Return the id of the order by which a person's own wallet pays in another's place: one each.

    It is of the same lane and time, so whoever knows the one finds the other.
    """
    return order_id[:8] + sha256(b"lingqian wallet order\x01" + order_id).digest()[:8]


def return_state(order: Order) -> ReturnState:
    """Say how far an order's money has gone back: a function of three amounts, no step of its own.

    A second payment after the first went back whole makes FULL into PARTIAL again. An order that
    the balance has paid received nothing of a channel; its own price is the measure.
    """
    if order.refunding_fen:
        return ReturnState.PENDING
    if not order.refunded_fen:
        return ReturnState.NONE
    is_full = order.refunded_fen >= (order.received_fen or order.amount_fen)
    return ReturnState.FULL if is_full else ReturnState.PARTIAL
