"""Refunds: accepted, then succeeded, abnormal or closed (退款).

Law: the refunds of a payment that were not closed never exceed it; when they reach it, their shares
of what was settled, of the coupons and of the fee are exactly what the payment had.
Source: WeChat Pay APIv3, 退款申请, 查询退款, 发起异常退款, 退款结果通知.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lingqian_simulator import state
from lingqian_simulator.call import Call, Reply, reply
from lingqian_simulator.clock import DAY_US, MINUTE_US, SECOND_US, moment, rfc3339
from lingqian_simulator.merchant import Merchant
from lingqian_simulator.money import fee_fen
from lingqian_simulator.notice import REFUNDED, Letter, post
from lingqian_simulator.noun import Order, Payment, Refund
from lingqian_simulator.platform import opened
from lingqian_simulator.refusal import (
    INVALID_REQUEST,
    NOT_ENOUGH,
    REFUND_DIFFERS,
    REFUND_EXCEEDS,
    REFUND_NO_ORDER,
    REFUND_NOT_ABNORMAL,
    REFUND_TOO_LATE,
    REFUND_TOO_MANY,
    REFUND_TOO_SOON,
    REFUND_UNKNOWN,
    Refused,
)
from lingqian_simulator.world import Entry, World

COUNT_MAX: Final = 50
LIFE_US: Final = 365 * DAY_US
_ACCOUNT: Final = "支付用户零钱"
_CARD: Final = "招商银行储蓄卡0403"
# What two requests with one number must agree on.
_SAME: Final = ("transaction_id", "out_trade_no", "amount")


class Shares(NamedTuple):
    """How a refund divides over the parts of its payment; fen."""

    payer: int
    settled: int
    cash_coupon: int
    fee: int


def create(call: Call) -> Reply:
    """Accept a refund; the same number again is the same refund."""
    body, merchant, world = call.body, call.merchant, call.world
    refund = world.refunds.get((merchant.mchid, body["out_refund_no"]))
    if refund is not None:
        if any(refund.request.get(name) != body.get(name) for name in _SAME):
            raise Refused(REFUND_DIFFERS)
        return reply(view(world, refund))
    order, payment = _paid(world, merchant, body)
    _check(world, order, payment, body)
    refund = _accept(world, order, payment, body)
    _expect(world, refund)
    return reply(view(world, refund))


def _paid(world: World, merchant: Merchant, body: Mapping[str, Any]) -> tuple[Order, Payment]:
    transaction_id, number = body.get("transaction_id"), body.get("out_trade_no")
    if not transaction_id and not number:
        raise Refused(INVALID_REQUEST, "transaction_id和out_trade_no不能同时为空")
    order = (
        world.by_transaction.get(transaction_id)
        if transaction_id
        else world.orders.get((merchant.mchid, str(number)))
    )
    if order is None or order.mchid != merchant.mchid or not order.payments:
        raise Refused(REFUND_NO_ORDER)
    if number and order.out_trade_no != number:
        raise Refused(REFUND_DIFFERS)
    own = (p for p in order.payments if p.transaction_id == transaction_id)
    return order, next(own, order.payments[0])


def of_payment(world: World, order: Order, payment: Payment) -> list[Refund]:
    """Return the refunds of a payment that were not closed."""
    return [
        refund
        for refund in world.refunds_of.get(order.key, [])
        if refund.transaction_id == payment.transaction_id and refund.state != "CLOSED"
    ]


def _check(world: World, order: Order, payment: Payment, body: Mapping[str, Any]) -> None:
    amount, now = body["amount"], world.clock.now_us()
    before = of_payment(world, order, payment)
    left = payment.total_fen - sum(refund.refund_fen for refund in before)
    if amount["total"] != payment.total_fen:
        raise Refused(REFUND_DIFFERS)
    if amount["refund"] > left:
        raise Refused(REFUND_EXCEEDS)
    if now - payment.at_us > LIFE_US:
        raise Refused(REFUND_TOO_LATE)
    if len(before) >= COUNT_MAX:
        raise Refused(REFUND_TOO_MANY)
    if before and now - before[-1].created_us < MINUTE_US:
        raise Refused(REFUND_TOO_SOON)


def shares(payment: Payment, before: list[Refund], refund_fen: int) -> Shares:
    """Divide a refund over the parts of a payment, so that the last one brings them to zero."""
    after = sum(refund.refund_fen for refund in before) + refund_fen
    settled = _share(payment.settled_fen, after, payment, [r.settled_refund_fen for r in before])
    settled_left = payment.settled_fen - settled - sum(r.settled_refund_fen for r in before)
    fee_left = payment.fee_fen - sum(r.fee_fen for r in before)
    return Shares(
        payer=_share(payment.payer_fen, after, payment, [r.payer_refund_fen for r in before]),
        settled=settled,
        cash_coupon=_share(
            payment.cash_coupon_fen, after, payment, [r.cash_coupon_refund_fen for r in before]
        ),
        fee=max(fee_left - fee_fen(settled_left), 0),
    )


def _share(part_fen: int, after_fen: int, payment: Payment, before_fen: list[int]) -> int:
    return max(part_fen * after_fen // payment.total_fen - sum(before_fen), 0)


def _accept(world: World, order: Order, payment: Payment, body: Mapping[str, Any]) -> Refund:
    now = world.clock.now_us()
    found = shares(payment, of_payment(world, order, payment), body["amount"]["refund"])
    if found.settled - found.fee > world.balance_fen(order.mchid):
        raise Refused(NOT_ENOUGH)
    refund = Refund(
        mchid=order.mchid,
        out_refund_no=body["out_refund_no"],
        refund_id=f"5030{world.chance.digits(4)}{moment(now):%Y%m%d}{world.chance.digits(13)}",
        out_trade_no=order.out_trade_no,
        transaction_id=payment.transaction_id,
        request=dict(body),
        refund_fen=body["amount"]["refund"],
        payer_refund_fen=found.payer,
        settled_refund_fen=found.settled,
        cash_coupon_refund_fen=found.cash_coupon,
        fee_fen=found.fee,
        notify_url=body.get("notify_url") or "",
        created_us=now,
        account=_ACCOUNT,
    )
    order.state = state.ORDER[order.state, "refund"]
    world.save(order)
    world.save(refund)
    # The fee comes back first, so that the balance is never below zero in between.
    world.book(_entry(refund, "退还交易手续费"), refund.fee_fen)
    world.book(_entry(refund, "退款"), -refund.settled_refund_fen)
    return refund


def _entry(refund: Refund, name: str) -> Entry:
    note = str(refund.request.get("reason") or "")
    return Entry(refund.mchid, refund.refund_id, name, name, "API", note, refund.out_refund_no)


def _expect(world: World, refund: Refund) -> None:
    merchant = world.merchants[refund.mchid]
    if merchant.refund_mode == "auto" and refund.state == "PROCESSING":
        due = world.clock.now_us() + round(merchant.refund_delay_s * SECOND_US)
        world.agenda.at(due, lambda: move(world, refund, "succeed"))


def resume(world: World) -> None:
    """Take up the refunds that were being processed when the process ended."""
    for refund in world.refunds.values():
        _expect(world, refund)


def move(world: World, refund: Refund, event: str) -> bool:
    """Let a refund succeed, fail (abnormal) or close, and tell it; False when it cannot."""
    following = state.after(state.REFUND, refund.state, event)
    if following is None:
        return False
    refund.state = following
    refund.done_us = world.clock.now_us()
    if following == "CLOSED":
        world.book(_entry(refund, "退款退回"), refund.settled_refund_fen)
        world.book(_entry(refund, "扣除交易手续费"), -refund.fee_fen)
    world.save(refund)
    kind = REFUNDED.get(following)
    if refund.notify_url and kind is not None:
        told = Letter(kind, refund.notify_url, refund.out_refund_no, plaintext(world, refund))
        post(world, world.merchants[refund.mchid], told)
    world.store.commit()
    return True


def query(call: Call) -> Reply:
    """Answer what became of a refund."""
    refund = call.world.refunds.get((call.merchant.mchid, call.path["out_refund_no"]))
    if refund is None:
        raise Refused(REFUND_UNKNOWN)
    return reply(view(call.world, refund))


def apply_abnormal(call: Call) -> Reply:
    """Send an abnormal refund to a bank card."""
    refund = call.world.refunds.get((call.merchant.mchid, call.body["out_refund_no"]))
    if refund is None or refund.refund_id != call.path["refund_id"]:
        raise Refused(REFUND_UNKNOWN)
    if call.body["type"] == "USER_BANK_CARD":
        missing = [n for n in ("bank_type", "bank_account", "real_name") if not call.body.get(n)]
        if missing:
            raise Refused(INVALID_REQUEST, f"缺少参数{missing[0]}")
    for name in ("bank_account", "real_name"):
        opened(call, name)
    if state.after(state.REFUND, refund.state, "apply") is None:
        raise Refused(REFUND_NOT_ABNORMAL)
    refund.channel, refund.account = "OTHER_BANKCARD", _CARD
    move(call.world, refund, "apply")
    _expect(call.world, refund)
    return reply(view(call.world, refund))


def _payment(world: World, refund: Refund) -> Payment:
    order = world.orders[refund.mchid, refund.out_trade_no]
    return next(p for p in order.payments if p.transaction_id == refund.transaction_id)


def view(world: World, refund: Refund) -> dict[str, Any]:
    """Return a refund as its operations do."""
    payment = _payment(world, refund)
    asked = refund.request["amount"]
    found: dict[str, Any] = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": refund.channel,
        "user_received_account": refund.account,
        "create_time": rfc3339(refund.created_us),
        "status": refund.state,
        "funds_account": refund.request.get("funds_account") or "AVAILABLE",
        "amount": {
            "total": payment.total_fen,
            "refund": refund.refund_fen,
            "from": asked.get("from") or [],
            "payer_total": payment.payer_fen,
            "payer_refund": refund.payer_refund_fen,
            "settlement_refund": refund.settled_refund_fen,
            "settlement_total": payment.settled_fen,
            "discount_refund": refund.refund_fen - refund.payer_refund_fen,
            "currency": "CNY",
            "refund_fee": refund.fee_fen,
        },
        "promotion_detail": [],
    }
    if refund.state == "SUCCESS":
        found["success_time"] = rfc3339(refund.done_us)
    return found


def plaintext(world: World, refund: Refund) -> dict[str, Any]:
    """Return a refund as a notice tells it."""
    payment = _payment(world, refund)
    found: dict[str, Any] = {
        "mchid": refund.mchid,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "refund_status": refund.state,
        "user_received_account": refund.account,
        "amount": {
            "total": payment.total_fen,
            "refund": refund.refund_fen,
            "payer_total": payment.payer_fen,
            "payer_refund": refund.payer_refund_fen,
        },
    }
    if refund.state == "SUCCESS":
        found["success_time"] = rfc3339(refund.done_us)
    return found
