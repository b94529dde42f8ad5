"""The nouns the service keeps: orders with their payments, refunds, transfers, notices.

Units: fen; business time in microseconds, but for what a notice's sendings say.
"""

from typing import Any

import msgspec


class Payment(msgspec.Struct):
    """Money that a person paid for an order; a second one for one order only by control."""

    transaction_id: str
    total_fen: int  # as the notice says; the order's own but for a fault on demand
    payer_fen: int  # total less coupons
    cash_coupon_fen: int  # 充值券: the merchant receives it
    nocash_coupon_fen: int  # 免充值券: the merchant bears it
    fee_fen: int
    bank_type: str
    openid: str
    at_us: int

    @property
    def settled_fen(self) -> int:
        """What the merchant is owed before the fee: 应结订单金额."""
        return self.total_fen - self.nocash_coupon_fen


class Order(msgspec.Struct):
    """An order, by (mchid, out_trade_no) for ever."""

    mchid: str
    out_trade_no: str
    appid: str
    product: str  # jsapi, app, h5, native
    request: dict[str, Any]  # the first one, whole: what a repetition is compared with
    created_us: int
    expire_us: int
    total_fen: int
    notify_url: str
    prepay_id: str
    prepay_expire_us: int
    code: str = ""  # of a code_url
    state: str = "NOTPAY"
    closed_us: int = 0
    payments: list[Payment] = msgspec.field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        """The order's place."""
        return self.mchid, self.out_trade_no


class Refund(msgspec.Struct):
    """A refund, by (mchid, out_refund_no) for ever."""

    mchid: str
    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    request: dict[str, Any]
    refund_fen: int
    payer_refund_fen: int
    settled_refund_fen: int
    cash_coupon_refund_fen: int
    fee_fen: int  # brought back
    notify_url: str
    created_us: int
    state: str = "PROCESSING"
    channel: str = "ORIGINAL"
    account: str = ""
    done_us: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """The refund's place."""
        return self.mchid, self.out_refund_no


class Transfer(msgspec.Struct):
    """A transfer to a person's balance (商家转账单), by (mchid, out_bill_no) for ever."""

    mchid: str
    out_bill_no: str
    transfer_bill_no: str
    appid: str
    openid: str
    request: dict[str, Any]
    amount_fen: int
    remark: str
    notify_url: str
    package: str
    created_us: int
    updated_us: int
    user_name: str = ""  # as it was decrypted
    state: str = "WAIT_USER_CONFIRM"
    fail_reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The transfer's place."""
        return self.mchid, self.out_bill_no


class Sending(msgspec.Struct):
    """One attempt to deliver a notice, with what came of it."""

    at_us: int
    result: str  # status of the answer, or what went wrong
    fault: str = ""


class Notice(msgspec.Struct):
    """A notice: one id and one body, sent until it is answered with 2xx."""

    id: str
    mchid: str
    url: str
    event: str
    body: str
    created_us: int
    due_us: int
    about: str  # the merchant's number of what it tells
    state: str = "waiting"  # delivered, lost, exhausted
    sendings: list[Sending] = msgspec.field(default_factory=list)
    fault: str = ""  # strikes every sending of this notice
