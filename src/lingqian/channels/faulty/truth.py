"""The truth of the faulty channel: what was ordered, paid, refunded and transferred (渠道真相).

Law: money that was paid is never forgotten, refunds never exceed it, and the bills are made of
exactly these rows.   Units: fen; µs; fee at 6,000 ppm of what is settled, half up per order.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lingqian.channels.port import (
    BillRow,
    BillSide,
    FundRow,
    PayoutOrder,
    PayoutState,
    Purchase,
    RefundOrder,
    RefundState,
    TradeState,
)
from lingqian.kernel.clock import DAY_US, SECOND_US, business_day
from lingqian.kernel.fault import Rejected

FEE_PPM: Final = 6_000
PPM: Final = 1_000_000
E5_PER_FEN: Final = 1_000
REFUND_US: Final = 60 * SECOND_US
LAPSE_US: Final = DAY_US


class Payment(NamedTuple):
    """Money that came."""

    attempt_no: str
    transaction_id: str
    amount_fen: int
    coupon_fen: int
    at_us: int

    @property
    def settle_fen(self) -> int:
        """Return what is settled: coupons nobody paid in beforehand are not."""
        return self.amount_fen - self.coupon_fen


@dataclass(slots=True)
class Order:
    """An attempt as the channel has it."""

    purchase: Purchase
    is_closed: bool = False
    payments: list[Payment] = field(default_factory=list)
    refunds: list["Refund"] = field(default_factory=list)

    def refunded_fen(self, now_us: int) -> int:
        """Return what has gone back or is on its way; a refund that closed is neither."""
        return sum(each.order.amount_fen for each in self.refunds if not each.is_closed(now_us))


@dataclass(slots=True)
class Refund:
    """A refund as the channel has it; it ends at `ends_at_us` as `end` says.

    `settle_fen` of it the channel takes back from the merchant; coupons bear the rest.
    """

    order: RefundOrder
    refund_id: str
    transaction_id: str
    settle_fen: int
    fee_back_fen: int
    at_us: int
    ends_at_us: int
    end: RefundState

    def state(self, now_us: int) -> RefundState:
        """Say the refund's state."""
        return self.end if now_us >= self.ends_at_us else RefundState.PROCESSING

    def is_closed(self, now_us: int) -> bool:
        """Say whether it failed for good, so that the money is the merchant's again."""
        return self.state(now_us) is RefundState.CLOSED


@dataclass(slots=True)
class Payout:
    """A transfer as the channel has it."""

    order: PayoutOrder
    channel_no: str
    at_us: int
    state: PayoutState = PayoutState.AWAITING_PERSON
    changed_at_us: int = 0
    fail_reason: str = ""


def fee_of(settle_fen: int) -> int:
    """Return the base fee, rounded half up."""
    return (2 * settle_fen * FEE_PPM + PPM) // (2 * PPM)


def _settled_left(payment: Payment, gone_fen: int) -> int:
    """Return what is left settled after refunds, its coupons being left in proportion."""
    return payment.settle_fen - payment.settle_fen * gone_fen // payment.amount_fen


class Truth:
    """Every order, refund and transfer of one account."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.refunds: dict[str, Refund] = {}
        self.payouts: dict[str, Payout] = {}
        self._numbers = 0

    def number(self, prefix: str) -> str:
        """Return the next number of the channel's own."""
        self._numbers += 1
        return f"{prefix}{self._numbers:020d}"

    def open(self, purchase: Purchase) -> None:
        """Take an order, or the same order again.

        Raises: Rejected.
        """
        order = self.orders.get(purchase.attempt_no)
        if order is None:
            self.orders[purchase.attempt_no] = Order(purchase)
        elif order.payments:
            raise Rejected("ORDERPAID", "", 400)
        elif order.is_closed:
            raise Rejected("ORDER_CLOSED", "", 400)
        elif order.purchase != purchase:
            raise Rejected("OUT_TRADE_NO_USED", "", 403)

    def state_of(self, order: Order, now_us: int) -> TradeState:
        """Say an order's state; one that has expired unpaid closes itself."""
        if order.payments:
            return TradeState.REFUNDED if order.refunded_fen(now_us) else TradeState.PAID
        if order.is_closed or now_us >= order.purchase.expires_at_us:
            return TradeState.CLOSED
        return TradeState.NOT_PAID

    def close(self, attempt_no: str) -> None:
        """Close an order, or a closed one again.

        Raises: Rejected.
        """
        order = self.orders.get(attempt_no)
        if order is None:
            raise Rejected("ORDER_NOT_EXIST", "", 404)
        if order.payments:
            raise Rejected("ORDERPAID", "", 400)
        order.is_closed = True

    def refund(self, order: RefundOrder, now_us: int, ends_at_us: int, end: RefundState) -> Refund:
        """Take a refund, or the same refund again; `end` is how it will end.

        Raises: Rejected.
        """
        known = self.refunds.get(order.refund_no)
        if known is not None:
            if known.order != order:
                raise Rejected("INVALID_REQUEST", "the refund differs from the first", 400)
            return known
        paid, first = self._paid(order)
        if order.total_fen != first.amount_fen:
            raise Rejected("INVALID_REQUEST", "the total differs from the order", 400)
        left_fen = first.amount_fen - paid.refunded_fen(now_us)
        if order.amount_fen > left_fen:
            raise Rejected("INVALID_REQUEST", "more than was paid", 400)
        gone_fen = first.amount_fen - left_fen
        before_fen = _settled_left(first, gone_fen)
        after_fen = _settled_left(first, gone_fen + order.amount_fen)
        found = self.refunds[order.refund_no] = Refund(
            order,
            self.number("50"),
            first.transaction_id,
            before_fen - after_fen,
            fee_of(before_fen) - fee_of(after_fen),
            now_us,
            ends_at_us,
            end,
        )
        paid.refunds.append(found)
        return found

    def _paid(self, order: RefundOrder) -> tuple[Order, Payment]:
        """Return what a refund names: an order's first payment, or one by its own number.

        Raises: Rejected.
        """
        if order.transaction_id:
            for found in self.orders.values():
                for payment in found.payments:
                    if payment.transaction_id == order.transaction_id:
                        return found, payment
        paid = self.orders.get(order.attempt_no)
        if paid is None or not paid.payments:
            raise Rejected("RESOURCE_NOT_EXISTS", "", 404)
        return paid, paid.payments[0]

    def reopen(self, refund: Refund, now_us: int) -> None:
        """Send an abnormal refund elsewhere: it succeeds a minute later.

        Raises: Rejected.
        """
        if refund.state(now_us) is not RefundState.ABNORMAL:
            raise Rejected("INVALID_REQUEST", "the refund is not abnormal", 400)
        refund.end, refund.ends_at_us = RefundState.SUCCESS, now_us + REFUND_US

    def pay_out(self, order: PayoutOrder, now_us: int) -> Payout:
        """Take a transfer, or the same transfer again.

        Raises: Rejected.
        """
        known = self.payouts.get(order.payout_no)
        if known is None:
            known = Payout(order, self.number("13"), now_us, changed_at_us=now_us)
            self.payouts[order.payout_no] = known
        elif known.order != order:
            raise Rejected("INVALID_REQUEST", "the transfer differs from the first", 400)
        return known

    def lapse(self, payout: Payout, now_us: int) -> None:
        """Return a transfer that nobody has confirmed for a day."""
        if payout.state is PayoutState.AWAITING_PERSON and now_us >= payout.at_us + LAPSE_US:
            self.end(payout, PayoutState.FAILED, payout.at_us + LAPSE_US, "OVERDUE_CLOSE")

    def end(self, payout: Payout, state: PayoutState, now_us: int, reason: str = "") -> None:
        """End a transfer."""
        payout.state, payout.changed_at_us, payout.fail_reason = state, now_us, reason

    def payments(self, day: int) -> list[Payment]:
        """Return the payments of a Shanghai day, in order of number."""
        return [
            payment
            for order in self.orders.values()
            for payment in order.payments
            if business_day(payment.at_us) == day
        ]

    def refunds_of(self, day: int) -> list[Refund]:
        """Return the refunds accepted on a Shanghai day."""
        return [each for each in self.refunds.values() if business_day(each.at_us) == day]


def trade_rows(truth: Truth, day: int) -> list[BillRow]:
    """Return a day's trade bill as it should be."""
    paid = [
        _payment_row(truth.orders[payment.attempt_no], payment) for payment in truth.payments(day)
    ]
    return paid + [_refund_row(refund) for refund in truth.refunds_of(day)]


def _payment_row(order: Order, payment: Payment) -> BillRow:
    return BillRow(
        BillSide.PAYMENT,
        payment.at_us // SECOND_US * SECOND_US,
        payment.attempt_no,
        payment.transaction_id,
        "",
        "",
        payment.amount_fen,
        payment.settle_fen,
        payment.coupon_fen,
        fee_of(payment.settle_fen) * E5_PER_FEN,
        FEE_PPM,
        "SUCCESS",
        order.purchase.product.name,
    )


def _refund_row(refund: Refund) -> BillRow:
    order = refund.order
    return BillRow(
        BillSide.REFUND,
        refund.at_us // SECOND_US * SECOND_US,
        order.attempt_no,
        refund.transaction_id,
        order.refund_no,
        refund.refund_id,
        order.amount_fen,
        refund.settle_fen,
        order.amount_fen - refund.settle_fen,
        -refund.fee_back_fen * E5_PER_FEN,
        FEE_PPM,
        "PROCESSING",
        "JSAPI",
    )


def fund_rows(truth: Truth, day: int) -> list[FundRow]:
    """Return a day's fund bill as it should be: every movement, and the balance after it."""
    rows: list[FundRow] = []
    balance_fen = 0
    for at_us, business_no, side, kind, amount_fen in sorted(_movements(truth)):
        balance_fen += amount_fen
        if business_day(at_us) == day:
            flow_no = f"{business_no}{side:d}"
            moment_us = at_us // SECOND_US * SECOND_US
            row = FundRow(
                BillSide(side), moment_us, business_no, flow_no, kind, amount_fen, balance_fen, ""
            )
            rows.append(row)
    return rows


_Movement = tuple[int, str, int, str, int]


def _movements(truth: Truth) -> list[_Movement]:
    """Return everything that moved the account's money: time, number, side, kind, amount."""
    found: list[_Movement] = []
    for order in truth.orders.values():
        for each in order.payments:
            number, fee_fen = each.transaction_id, fee_of(each.settle_fen)
            found.append((each.at_us, number, BillSide.PAYMENT, "交易", each.settle_fen))
            found.append((each.at_us, number, BillSide.FEE, "扣除交易手续费", -fee_fen))
    for refund in truth.refunds.values():
        found += _refund_movements(refund)
    for payout in truth.payouts.values():
        found += _payout_movements(payout)
    return [each for each in found if each[4]]


def _refund_movements(refund: Refund) -> list[_Movement]:
    """Return a refund leaving when it is taken, and all of it coming back when it closes."""
    fen, back_fen, number = refund.settle_fen, refund.fee_back_fen, refund.refund_id
    found: list[_Movement] = [
        (refund.at_us, number, BillSide.REFUND, "退款", -fen),
        (refund.at_us, number, BillSide.FEE_RETURN, "退还交易手续费", back_fen),
    ]
    if refund.end is RefundState.CLOSED:
        found.append((refund.ends_at_us, number, BillSide.OTHER_IN, "退款退回", fen))
        found.append((refund.ends_at_us, number, BillSide.FEE, "扣除交易手续费", -back_fen))
    return found


def _payout_movements(payout: Payout) -> list[_Movement]:
    """Return a transfer leaving when it is taken, and coming back when it fails."""
    fen, number = payout.order.amount_fen, payout.channel_no
    found: list[_Movement] = [(payout.at_us, number, BillSide.OTHER_OUT, "商家转账", -fen)]
    if payout.state in (PayoutState.FAILED, PayoutState.CANCELLED):
        found.append((payout.changed_at_us, number, BillSide.OTHER_IN, "商家转账退回", fen))
    return found
