"""Messages: the bodies we send, and what their answers say in the port's terms (报文).

Law: fields we do not know are let pass; a field we need and do not find makes the answer unusable.
Source: WeChat Pay APIv3, pages of each interface, read 2026-09.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from lingqian.channels.port import (
    PAID_STATES,
    PayoutReading,
    PayoutState,
    Product,
    Purchase,
    Reading,
    RefundOrder,
    RefundReading,
    RefundState,
    TradeState,
)
from lingqian.channels.wechatpay import state
from lingqian.kernel.bound import AMOUNT_FEN_MAX
from lingqian.kernel.clock import SECOND_US, SHANGHAI, from_rfc3339

DESCRIPTION_BYTES_MAX: Final = 127
ATTACH_BYTES_MAX: Final = 128
REASON_BYTES_MAX: Final = 80
REMARK_LENGTH_MAX: Final = 32
Fen = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_FEN_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=256)]


class Amount(msgspec.Struct):
    """The money of an order."""

    total: Fen = 0
    payer_total: Fen | None = None
    currency: Text = ""


class Payer(msgspec.Struct):
    """Who paid."""

    openid: Text = ""


class Promotion(msgspec.Struct):
    """A coupon; NOCASH ones were never paid in, so they are not settled to us."""

    amount: Fen = 0
    type: Text = ""


class Transaction(msgspec.Struct):
    """An order, as a query and as a notice say it; until it is paid, most of it is missing."""

    out_trade_no: Text
    trade_state: Text
    mchid: Text = ""
    appid: Text = ""
    transaction_id: Text = ""
    trade_type: Text = ""
    success_time: Text = ""
    amount: Amount = msgspec.field(default_factory=Amount)
    payer: Payer = msgspec.field(default_factory=Payer)
    promotion_detail: list[Promotion] | None = None


class RefundAmount(msgspec.Struct):
    """The money of a refund."""

    refund: Fen = 0
    settlement_refund: Fen | None = None
    currency: Text = ""


class Refund(msgspec.Struct):
    """A refund; a query says `status`, a notice `refund_status`."""

    out_refund_no: Text
    status: Text = ""
    refund_status: Text = ""
    out_trade_no: Text = ""
    refund_id: Text = ""
    transaction_id: Text = ""
    success_time: Text = ""
    user_received_account: Text = ""
    mchid: Text = ""
    amount: RefundAmount = msgspec.field(default_factory=RefundAmount)


class Transfer(msgspec.Struct):
    """A transfer to a person's own wallet."""

    out_bill_no: Text
    state: Text = ""
    transfer_bill_no: Text = ""
    transfer_amount: Fen = 0
    package_info: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    fail_reason: Text | None = ""
    create_time: Text = ""
    update_time: Text = ""
    mch_id: Text = ""


class Prepay(msgspec.Struct):
    """The token of a pay sheet, under the name its product gives it."""

    prepay_id: Text = ""
    code_url: Text = ""
    h5_url: Annotated[str, msgspec.Meta(max_length=1_024)] = ""


class Echo(msgspec.Struct):
    """The platform's echo."""

    echo_message: Text = ""


class BillPlace(msgspec.Struct):
    """Where a bill lies, and the hash of its plain bytes."""

    hash_type: Text
    hash_value: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{40}$")]
    download_url: Annotated[str, msgspec.Meta(max_length=2_048)]


def at_us(text: str) -> int:
    """Read a time of the platform; 0 when there is none. Units: µs.

    Raises: ValueError.
    """
    if not text:
        return 0
    found = from_rfc3339(text)
    if found is None:
        raise ValueError("a time is not RFC 3339 with an offset")
    return found


def write_time(moment_us: int) -> str:
    """Write a time as the platform reads it: whole seconds, in Shanghai's zone."""
    moment = datetime.fromtimestamp(moment_us // SECOND_US, SHANGHAI)
    return moment.isoformat(timespec="seconds")


def payer_digest(openid: str) -> bytes:
    """Return the SHA-256 of a person's id with the channel; empty when there is none."""
    return hashlib.sha256(openid.encode()).digest() if openid else b""


def read_trade(found: Transaction) -> Reading:
    """Say an order in the port's terms.

    Raises: ValueError when it is paid and does not say what is needed to credit it.
    """
    trade = state.TRADE.get(found.trade_state, TradeState.UNKNOWN)
    if trade not in PAID_STATES:
        return Reading(found.out_trade_no, trade)
    total = found.amount.total
    if not found.transaction_id or not found.success_time or not total:
        raise ValueError("a paid order without its number, time or amount")
    paid = found.amount.payer_total
    unfunded = sum(each.amount for each in found.promotion_detail or () if each.type == "NOCASH")
    if unfunded > total:
        raise ValueError("coupons above the order's amount")
    return Reading(
        found.out_trade_no,
        trade,
        total,
        total if paid is None else paid,
        total - unfunded,
        found.amount.currency,
        found.transaction_id,
        at_us(found.success_time),
        found.trade_type,
        payer_digest(found.payer.openid),
    )


def read_refund(found: Refund) -> RefundReading:
    """Say a refund in the port's terms.

    Raises: ValueError.
    """
    amount = found.amount
    settled = amount.settlement_refund
    return RefundReading(
        found.out_refund_no,
        state.REFUND.get(found.status or found.refund_status, RefundState.UNKNOWN),
        found.out_trade_no,
        found.refund_id,
        found.transaction_id,
        amount.refund,
        amount.refund if settled is None else settled,
        amount.currency,
        at_us(found.success_time),
        found.user_received_account,
    )


def read_payout(found: Transfer, payout_no: str) -> PayoutReading:
    """Say a transfer in the port's terms, under our own number for it.

    Raises: ValueError.
    """
    return PayoutReading(
        payout_no,
        state.PAYOUT.get(found.state, PayoutState.UNKNOWN),
        found.transfer_bill_no,
        found.transfer_amount,
        found.package_info,
        found.fail_reason or "",
        at_us(found.update_time or found.create_time),
    )


def order_body(purchase: Purchase, appid: str, mchid: str, notify_url: str) -> dict[str, Any]:
    """Return what a prepay call says."""
    body: dict[str, Any] = {
        "appid": appid,
        "mchid": mchid,
        "description": fit(purchase.description, DESCRIPTION_BYTES_MAX),
        "out_trade_no": purchase.attempt_no,
        "time_expire": write_time(purchase.expires_at_us),
        "notify_url": notify_url,
        "amount": {"total": purchase.amount_fen, "currency": purchase.currency},
    }
    if purchase.attach:
        body["attach"] = fit(purchase.attach, ATTACH_BYTES_MAX)
    if purchase.product in (Product.JSAPI, Product.MINI_PROGRAM):
        body["payer"] = {"openid": purchase.payer}
    scene: dict[str, Any] = {"payer_client_ip": purchase.client_ip} if purchase.client_ip else {}
    if purchase.product is Product.H5:
        scene["h5_info"] = {"type": "Wap"}
    if scene:
        body["scene_info"] = scene
    return body


def refund_body(order: RefundOrder, notify_url: str) -> dict[str, Any]:
    """Return what a refund call says; without an address, its notice would be the old XML."""
    is_theirs = bool(order.transaction_id)
    named = "transaction_id" if is_theirs else "out_trade_no"
    body: dict[str, Any] = {
        named: order.transaction_id if is_theirs else order.attempt_no,
        "out_refund_no": order.refund_no,
        "notify_url": notify_url,
        "amount": {
            "refund": order.amount_fen,
            "total": order.total_fen,
            "currency": order.currency,
        },
    }
    if order.reason:
        body["reason"] = fit(order.reason, REASON_BYTES_MAX)
    return body


def fit(text: str, bytes_max: int) -> str:
    """Cut a text to so many bytes between letters; what the platform cannot store becomes a mark.

    It refuses letters of four bytes, such as emoji.
    """
    plain = "".join(letter if ord(letter) < 0x1_0000 else "*" for letter in text)
    return plain.encode()[:bytes_max].decode(errors="ignore")
