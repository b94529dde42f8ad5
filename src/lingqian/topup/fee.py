"""Fees of a payment: computed from a plan, rounded half up once per payment (手续费).

Law: what a refund gives back is fee(before) − fee(remaining), so that partial refunds never add up
to more than was paid.   Units: fen; ppm (millionths); basis points. No floats.
"""

from typing import Final, NamedTuple

PPM: Final = 1_000_000
BP: Final = 10_000


class FeePlan(NamedTuple):
    """What a channel account costs.

    The base fee is on what is settled; the service fee on the order's amount, of which the
    provider gives back `subsidy_bp` while the window is open (until `subsidy_until_us`).
    """

    base_ppm: int = 6_000
    service_ppm: int = 2_000
    subsidy_bp: int = 5_000
    subsidy_until_us: int = 0


class Fees(NamedTuple):
    """Three lines of one payment."""

    base_fen: int
    service_fen: int
    rebate_fen: int


def share_of(amount_fen: int, parts: int, whole: int) -> int:
    """Return amount · parts / whole, rounded half up."""
    return (2 * amount_fen * parts + whole) // (2 * whole)


def fees(plan: FeePlan, amount_fen: int, settle_fen: int, success_at_us: int) -> Fees:
    """Return the fees of one payment; the subsidy counts by the channel's success time."""
    is_subsidised = success_at_us < plan.subsidy_until_us
    rebated_ppm_bp = plan.service_ppm * plan.subsidy_bp if is_subsidised else 0
    return Fees(
        share_of(settle_fen, plan.base_ppm, PPM),
        share_of(amount_fen, plan.service_ppm, PPM),
        share_of(amount_fen, rebated_ppm_bp, PPM * BP),
    )


def fee_back(ppm: int, paid_fen: int, gone_fen: int, back_fen: int) -> int:
    """Return what a refund gives back of a fee: fee(before) − fee(remaining) at the same rate.

    `paid_fen` was paid at first, `gone_fen` of it has gone back before, `back_fen` goes now.
    """
    assert gone_fen >= 0, "what went back is an amount"
    assert gone_fen + back_fen <= paid_fen, "no more goes back than came"
    before_fen = share_of(paid_fen - gone_fen, ppm, PPM)
    return before_fen - share_of(paid_fen - gone_fen - back_fen, ppm, PPM)
