"""Attempts: one number at one channel, what the channel proved of it, and when to ask (支付尝试).

Law: money that came is never ignored: CLOSED and FAILED both lead to SUCCEEDED. Only what a channel
states ends an attempt; a call that was cut off leaves it UNKNOWN.   Units: fen; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.machine import machine


class AttemptState(IntEnum):
    """Where an attempt stands with its channel."""

    INIT = 0
    PAYABLE = 1
    UNKNOWN = 2
    FAILED = 3
    CLOSING = 4
    CLOSED = 5
    SUCCEEDED = 6


class Mark(IntEnum):
    """What does not agree about an attempt; a person or the bill looks at it."""

    NONE = 0
    # Money came, but not the amount that was asked for.
    WRONG_AMOUNT = 1
    # The channel has proven the payment and says something else now.
    CONTRADICTED = 2
    # One attempt, two different payments at the channel.
    TWO_PAYMENTS = 3
    # A notice has told another amount; only what the channel answers when asked counts.
    DOUBTED = 4


LIVE_STATES: Final = (
    AttemptState.INIT,
    AttemptState.PAYABLE,
    AttemptState.UNKNOWN,
    AttemptState.CLOSING,
)
# Evidence of success in these states is late money.
DEAD_STATES: Final = (AttemptState.FAILED, AttemptState.CLOSED)

MACHINE: Final = machine(
    AttemptState.INIT,
    [
        (AttemptState.INIT, "payable", AttemptState.PAYABLE),
        (AttemptState.INIT, "unknown", AttemptState.UNKNOWN),
        (AttemptState.UNKNOWN, "payable", AttemptState.PAYABLE),
        *[(state, "fail", AttemptState.FAILED) for state in LIVE_STATES],
        *[(state, "shut", AttemptState.CLOSED) for state in LIVE_STATES],
        *[(state, "close", AttemptState.CLOSING) for state in LIVE_STATES[:3]],
        *[(state, "pay", AttemptState.SUCCEEDED) for state in (*LIVE_STATES, *DEAD_STATES)],
    ],
)


class PrepayResult(IntEnum):
    """How the call that asks for a pay sheet ended."""

    PAYABLE = 1
    UNKNOWN = 2
    FAILED = 3


@dataclass(slots=True)
class Attempt:
    """One attempt to be paid: what was asked, what came, and what has gone back of it.

    `amount_fen` is what was asked for, `paid_fen` what the channel proved; `payer_fen` what the
    person paid after coupons and `settle_fen` what is settled to us. Fees are what was booked.
    `refund_at_us` is when a refund of it was last asked for. `query_due_at_us`: 0 for never.
    """

    account: str
    amount_fen: int
    created_at_us: int
    fee_fen: int
    is_late: int
    mark: int
    order_id: bytes
    paid_fen: int
    payer_fen: int
    payer_mac: bytes
    prepaid_until_us: int
    product: int
    query_due_at_us: int
    rebate_fen: int
    refund_at_us: int
    refund_count: int
    refunded_fen: int
    refunding_fen: int
    service_fee_fen: int
    settle_fen: int
    state: int
    success_at_us: int
    transaction_id: str
    tries: int


# Seconds after the attempt began at which its channel is asked, then every ten minutes.
QUERY_AFTER_S: Final = (5, 15, 30, 60, 120, 300, 600)
QUERY_EVERY_S: Final = 600


def query_at_us(created_at_us: int, tries: int, at_us: int, expires_at_us: int) -> int:
    """Return when to ask the channel next: by the table, at the latest when the order expires.

    After expiry it is asked again at doubling distances from ten seconds to ten minutes, until it
    has said whether the money came.
    """
    if at_us >= expires_at_us:
        late_s = min(QUERY_EVERY_S, 10 << min(tries, 6))
        return at_us + late_s * SECOND_US
    if tries < len(QUERY_AFTER_S):
        planned_us = created_at_us + QUERY_AFTER_S[tries] * SECOND_US
    else:
        planned_us = at_us + QUERY_EVERY_S * SECOND_US
    return min(max(planned_us, at_us + SECOND_US), max(expires_at_us, at_us + SECOND_US))
