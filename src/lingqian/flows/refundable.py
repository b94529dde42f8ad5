"""What of a top-up can be asked back at a moment, before anybody asks (可退金额).

Law: an amount up to it is taken by `flows.refund` on the same rows, one fen more is refused; the
minute between two refunds of one payment aside.
Units: fen; µs.
"""

from typing import NamedTuple

from lingqian.flows.refund import REFUNDABLE
from lingqian.kernel.bound import REFUND_DAYS_MAX, REFUNDS_PER_ATTEMPT_MAX
from lingqian.kernel.clock import DAY_US
from lingqian.topup.attempt import Attempt
from lingqian.topup.coin import Basis, Price, most_fen
from lingqian.topup.grant import Grant
from lingqian.topup.order import PAID_STATES, Order, OrderKind


class Ground(NamedTuple):
    """What a refund would stand on: the order's payment, its coins, and what the person has free.

    `attempt` is None where the balance has paid, `grant` where there are no coins.
    """

    order: Order
    attempt: Attempt | None
    grant: Grant | None
    available_fen: int


def refundable_fen(ground: Ground, basis: Basis, at_us: int) -> int:
    """Return the most that a person could ask back of an order now."""
    order = ground.order
    if order.credit_state not in REFUNDABLE or order.pay_state not in PAID_STATES:
        return 0
    room_fen = _room_fen(ground, at_us)
    if order.kind == OrderKind.BALANCE:
        return min(room_fen, ground.available_fen)
    if order.kind != OrderKind.COINS or ground.grant is None:
        return 0
    return min(room_fen, most_fen(ground.grant, Price(order.amount_fen, order.coins), basis))


def _room_fen(ground: Ground, at_us: int) -> int:
    """Return what the payment itself still takes back."""
    order, attempt = ground.order, ground.attempt
    paid_at_us = order.credited_at_us if attempt is None else attempt.success_at_us
    if at_us - paid_at_us > REFUND_DAYS_MAX * DAY_US:
        return 0
    if attempt is None:
        return order.amount_fen
    if attempt.refund_count >= REFUNDS_PER_ATTEMPT_MAX:
        return 0
    return attempt.paid_fen - attempt.refunding_fen - attempt.refunded_fen
