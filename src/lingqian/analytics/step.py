"""Steps: what a person did on the way to a top-up, as a page saw it (埋点).

Law: money never waits for a step and no step moves money; what has been paid and credited is read
from the ledger, never believed from a page.   Units: fen; µs.
Source: top-up reference §14, economics and funnel.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from lingqian.kernel.clock import DAY_US, SECOND_US

TRACE_BYTES: Final = 16
# A page may hand in what it kept while it was offline; clocks of phones run ahead, or stand.
KEPT_US_MAX: Final = 7 * DAY_US
AHEAD_US_MAX: Final = 5 * SECOND_US


class Step(IntEnum):
    """The steps of one passage, in their order; CANCEL ends it."""

    PLAN_VIEW = 1
    AMOUNT_SELECT = 2
    QUOTE = 3
    INVOKE = 4
    SHEET_SHOWN = 5
    CONFIRMED = 6
    PAID = 7
    CREDITED = 8
    FIRST_SPEND = 9
    CANCEL = 20


# What a page may say. The rest is proven by the ledger, when it is asked for.
SEEN: Final = frozenset(
    (
        Step.PLAN_VIEW,
        Step.AMOUNT_SELECT,
        Step.QUOTE,
        Step.INVOKE,
        Step.SHEET_SHOWN,
        Step.CONFIRMED,
        Step.CANCEL,
    )
)
LADDER: Final = tuple(each for each in Step if each is not Step.CANCEL)


class CancelReason(StrEnum):
    """Why a person gave up, in the page's knowledge."""

    NONE = ""
    BACK = "back"
    CLOSED_SHEET = "closed_sheet"
    TOO_SLOW = "too_slow"
    NO_MONEY = "no_money"
    CHANGED_MIND = "changed_mind"
    FAILED = "failed"


@dataclass(slots=True)
class BehaviourEvent:
    """One step: who, when by the phone, in which passage, about which order.

    `at_us` is the phone's time, held within what the ledger's time allows; `received_us` is the
    ledger's own. `order_id` is empty until an order exists.
    """

    amount_fen: int
    at_us: int
    order_id: bytes
    reason: str
    received_us: int
    scene: str
    step: int
    trace: bytes
    user_id: bytes


def held_us(told_us: int, now_us: int) -> int:
    """Return when a step was taken: as the phone says, unless that cannot be."""
    return min(max(told_us, now_us - KEPT_US_MAX), now_us + AHEAD_US_MAX)
