"""Payouts: money on its way to a person's own wallet at the channel (提现).

Law: money leaves a balance when the payout is asked for and comes back only when the channel says
that it did not arrive; an answer that was cut off ends nothing. Until it is submitted, a payout is
ours to cancel; it is submitted in the lane before the first call, so that the two cannot cross.
Units: fen; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lingqian.kernel.bound import PAYOUT_CONFIRM_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.machine import machine


class PayoutStage(IntEnum):
    """Where a payout stands; WAITING asks the person to confirm at the channel."""

    ASKED = 0
    HELD = 1
    APPROVED = 2
    SUBMITTED = 3
    PROCESSING = 4
    WAITING = 5
    SUCCESS = 6
    FAILED = 7
    CANCELLED = 8
    REFUSED = 9


UNDER_WAY: Final = (PayoutStage.SUBMITTED, PayoutStage.PROCESSING, PayoutStage.WAITING)
RETURNED: Final = (PayoutStage.FAILED, PayoutStage.CANCELLED, PayoutStage.REFUSED)

MACHINE: Final = machine(
    PayoutStage.ASKED,
    [
        (PayoutStage.ASKED, "hold", PayoutStage.HELD),
        (PayoutStage.ASKED, "approve", PayoutStage.APPROVED),
        (PayoutStage.HELD, "approve", PayoutStage.APPROVED),
        (PayoutStage.HELD, "refuse", PayoutStage.REFUSED),
        (PayoutStage.APPROVED, "submit", PayoutStage.SUBMITTED),
        (PayoutStage.APPROVED, "cancel", PayoutStage.CANCELLED),
        *[
            (stage, event, target)
            for stage in UNDER_WAY
            for event, target in (
                ("process", PayoutStage.PROCESSING),
                ("wait", PayoutStage.WAITING),
                ("succeed", PayoutStage.SUCCESS),
                ("fail", PayoutStage.FAILED),
                ("cancel", PayoutStage.CANCELLED),
            )
        ],
    ],
)


@dataclass(slots=True)
class Payout:
    """One payout; `account` names the channel account it is paid from, empty for the bank by hand.

    `release_at_us` is when it may be sent at the earliest, `due_at_us` when it must be looked at
    next, 0 for never. `payee_mac` is a digest of where it goes.
    """

    account: str
    amount_fen: int
    channel_no: str
    created_at_us: int
    due_at_us: int
    fail_reason: str
    payee_mac: bytes
    release_at_us: int
    requested_by: str
    stage: int
    submitted_at_us: int
    success_at_us: int
    tries: int
    user_id: bytes


def is_unconfirmed(payout: Payout, at_us: int) -> bool:
    """Say whether the person has let the time to confirm pass, so that it should be taken back."""
    is_late = at_us >= payout.submitted_at_us + PAYOUT_CONFIRM_S * SECOND_US
    return payout.stage == PayoutStage.WAITING and is_late
