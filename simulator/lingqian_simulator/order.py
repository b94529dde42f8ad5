"""Orders: create, renew, pay, close, expire, and what is told of them (下单、支付、关单).

Law: one out_trade_no is one order for ever; only an identical request may repeat it.
Source: WeChat Pay APIv3, 下单, 查询订单, 关闭订单; prepay_id and code_url live 2 h, h5_url 5 min,
an order without time_expire 7 days.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lingqian_simulator import state
from lingqian_simulator.clock import DAY_US, HOUR_US, MINUTE_US, from_rfc3339, moment, rfc3339
from lingqian_simulator.merchant import Merchant
from lingqian_simulator.money import fee_fen
from lingqian_simulator.notice import PAID, Letter, post
from lingqian_simulator.noun import Order, Payment
from lingqian_simulator.refusal import (
    APPID_DIFFERS,
    NUMBER_USED,
    ORDER_CLOSED,
    ORDER_PAID,
    PARAM_ERROR,
    Refused,
)
from lingqian_simulator.world import Entry, World

TRADE_TYPES: Final = {"jsapi": "JSAPI", "app": "APP", "h5": "MWEB", "native": "NATIVE"}
ORDER_LIFE_US: Final = 7 * DAY_US
PREPAY_LIFE_US: Final = {
    "jsapi": 2 * HOUR_US,
    "app": 2 * HOUR_US,
    "native": 2 * HOUR_US,
    "h5": 5 * MINUTE_US,
}
PAID_STATES: Final = frozenset({"SUCCESS", "REFUND"})


def create(world: World, merchant: Merchant, product: str, body: Mapping[str, Any]) -> Order:
    """Take an order, or renew the prepay session of the same one.

    Refuses: APPID_MCHID_NOT_MATCH, OUT_TRADE_NO_USED, ORDERPAID, ORDER_CLOSED, PARAM_ERROR.
    """
    if body["appid"] not in merchant.appids:
        raise Refused(APPID_DIFFERS)
    order = world.orders.get((merchant.mchid, body["out_trade_no"]))
    if order is None:
        order = _new(world, merchant, product, body)
    else:
        _renewable(world, order, product, body)
    _open_session(world, order)
    world.save(order)
    return order


def _new(world: World, merchant: Merchant, product: str, body: Mapping[str, Any]) -> Order:
    now = world.clock.now_us()
    return Order(
        mchid=merchant.mchid,
        out_trade_no=body["out_trade_no"],
        appid=body["appid"],
        product=product,
        request=dict(body),
        created_us=now,
        expire_us=_expiry(body, now),
        total_fen=body["amount"]["total"],
        notify_url=body["notify_url"],
        prepay_id="",
        prepay_expire_us=0,
    )


def _expiry(body: Mapping[str, Any], now_us: int) -> int:
    wanted = body.get("time_expire")
    if not wanted:
        return now_us + ORDER_LIFE_US
    found = from_rfc3339(wanted)
    if found is None:
        detail = {"field": "/time_expire", "value": wanted, "issue": "format", "location": "body"}
        raise Refused(
            PARAM_ERROR, "输入源“/body/time_expire”映射到字段“交易结束时间”格式错误", detail
        )
    return min(max(found, now_us + MINUTE_US), now_us + ORDER_LIFE_US)


def _renewable(world: World, order: Order, product: str, body: Mapping[str, Any]) -> None:
    settle(world, order)
    if order.state in PAID_STATES:
        raise Refused(ORDER_PAID)
    if order.state == "CLOSED":
        raise Refused(ORDER_CLOSED)
    if order.product != product or order.request != body:
        raise Refused(NUMBER_USED)


def _open_session(world: World, order: Order) -> None:
    now = world.clock.now_us()
    order.prepay_id = f"wx{moment(now):%d%H%M%S}{world.chance.hex(24)}00"
    order.prepay_expire_us = now + PREPAY_LIFE_US[order.product]
    if order.product == "native":
        world.by_code.pop(order.code, None)
        order.code = world.chance.alphanumerics(9)


def settle(world: World, order: Order) -> Order:
    """Let pass what time has done to an order; every reader and writer begins with it."""
    if order.state == "NOTPAY" and world.clock.now_us() >= order.expire_us:
        order.state = "CLOSED"
        order.closed_us = order.expire_us
        world.save(order)
    return order


def close(world: World, order: Order) -> None:
    """Close an order that nobody paid; again and again is the same.

    Refuses: ORDERPAID.
    """
    settle(world, order)
    following = state.after(state.ORDER, order.state, "close")
    if following is None:
        raise Refused(ORDER_PAID)
    if order.state != following:
        order.state = following
        order.closed_us = world.clock.now_us()
        world.save(order)


class Wish(NamedTuple):
    """How a person pays: nothing set is the ordinary way."""

    total_fen: int | None = None  # other than ordered: a wrong amount
    cash_coupon_fen: int = 0
    nocash_coupon_fen: int = 0
    is_late: bool = False  # although closed
    is_again: bool = False  # although paid
    bank_type: str = "OTHERS"
    openid: str = ""
    is_told: bool = True  # False: no notice is made at all


def pay_event(wish: Wish) -> str:
    """Return the event of the order's machine that a wish stands for."""
    if wish.is_again:
        return "pay_again"
    return "pay_late" if wish.is_late else "pay"


def why_not(world: World, order: Order, wish: Wish) -> str:
    """Say in English why a person cannot pay; empty when they can."""
    settle(world, order)
    if state.after(state.ORDER, order.state, pay_event(wish)) is None:
        return f"the order is {order.state}"
    if pay_event(wish) == "pay" and world.clock.now_us() >= order.prepay_expire_us:
        return "the prepay session has expired"
    total = order.total_fen if wish.total_fen is None else wish.total_fen
    coupons = wish.cash_coupon_fen + wish.nocash_coupon_fen
    if total < 1 or min(wish.cash_coupon_fen, wish.nocash_coupon_fen) < 0 or coupons > total:
        return "the amounts do not fit"
    return ""


def pay(world: World, order: Order, wish: Wish) -> Payment:
    """Let a person pay: money is booked, and a notice posted. `why_not` was asked before."""
    following = state.after(state.ORDER, order.state, pay_event(wish))
    assert following is not None, "the caller has asked why not"
    total = order.total_fen if wish.total_fen is None else wish.total_fen
    payer = order.request.get("payer") or {}
    now, draw = world.clock.now_us(), world.chance.digits
    payment = Payment(
        transaction_id=f"42000{draw(5)}{moment(now):%Y%m%d}{draw(10)}",
        total_fen=total,
        payer_fen=total - wish.cash_coupon_fen - wish.nocash_coupon_fen,
        cash_coupon_fen=wish.cash_coupon_fen,
        nocash_coupon_fen=wish.nocash_coupon_fen,
        fee_fen=fee_fen(total - wish.nocash_coupon_fen),
        bank_type=wish.bank_type,
        openid=wish.openid or payer.get("openid") or f"o{world.chance.alphanumerics(27)}",
        at_us=now,
    )
    order.state = following
    order.payments.append(payment)
    world.save(order)
    _book(world, order, payment)
    if wish.is_told:
        told = Letter(PAID, order.notify_url, order.out_trade_no, transaction(order, payment))
        post(world, world.merchants[order.mchid], told)
    return payment


def _book(world: World, order: Order, payment: Payment) -> None:
    ids = (order.mchid, payment.transaction_id)
    world.book(Entry(*ids, "交易", "交易", voucher=payment.transaction_id), payment.settled_fen)
    fee = Entry(*ids, "交易手续费", "扣除交易手续费", voucher=payment.transaction_id)
    world.book(fee, -payment.fee_fen)


def view(order: Order) -> dict[str, Any]:
    """Return an order as a query does."""
    if order.payments and order.state in PAID_STATES:
        return transaction(order, order.payments[0]) | _state(order)
    return {
        "amount": {"payer_currency": "CNY", "total": order.total_fen},
        "appid": order.appid,
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "promotion_detail": [],
        "scene_info": {"device_id": _device(order)},
        **_state(order),
    }


def _state(order: Order) -> dict[str, Any]:
    return {"trade_state": order.state, "trade_state_desc": state.ORDER_WORDS[order.state]}


def _device(order: Order) -> str:
    return str((order.request.get("scene_info") or {}).get("device_id") or "")


def transaction(order: Order, payment: Payment) -> dict[str, Any]:
    """Return a paid transaction, as a notice tells it."""
    return {
        "amount": {
            "currency": "CNY",
            "payer_currency": "CNY",
            "payer_total": payment.payer_fen,
            "total": payment.total_fen,
        },
        "appid": order.appid,
        "attach": order.request.get("attach") or "",
        "bank_type": payment.bank_type,
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "payer": {"openid": payment.openid},
        "promotion_detail": promotions(payment),
        "scene_info": {"device_id": _device(order)},
        "success_time": rfc3339(payment.at_us),
        "trade_state": "SUCCESS",
        "trade_state_desc": state.ORDER_WORDS["SUCCESS"],
        "trade_type": TRADE_TYPES[order.product],
        "transaction_id": payment.transaction_id,
    }


def promotions(payment: Payment) -> list[dict[str, Any]]:
    """Return the coupons of a payment; the first borne by WeChat, the second by the merchant."""
    rows = (
        ("CASH", payment.cash_coupon_fen, "wechatpay_contribute"),
        ("NOCASH", payment.nocash_coupon_fen, "merchant_contribute"),
    )
    return [
        {
            "coupon_id": f"{payment.transaction_id[-8:]}{place}",
            "name": "满减券",
            "scope": "GLOBAL",
            "type": kind,
            "amount": amount,
            "stock_id": f"{9_800_000 + place}",
            "wechatpay_contribute": 0,
            "merchant_contribute": 0,
            "other_contribute": 0,
            "currency": "CNY",
            payer: amount,
        }
        for place, (kind, amount, payer) in enumerate(rows)
        if amount
    ]
