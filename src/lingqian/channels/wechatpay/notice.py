"""Notices: bytes from the street, verified, opened, and only then read (回调通知).

Law: signature over the raw bytes first, then all else. What is not about us is refused by name.
Source: WeChat Pay APIv3, page on payment notices and on opening resources, read 2026-09.
"""

import base64
import binascii
from typing import Annotated, Final, NamedTuple

import msgspec

from lingqian.channels.port import (
    Notice,
    NoticeKind,
    PayoutReading,
    Reading,
    RefundReading,
)
from lingqian.channels.wechatpay.message import (
    Refund,
    Transaction,
    Transfer,
    at_us,
    read_payout,
    read_refund,
    read_trade,
)
from lingqian.channels.wechatpay.payout import our_number
from lingqian.channels.wechatpay.suite import Aead, Suite, open_resource
from lingqian.kernel.fault import Rejected

NOTICE_BYTES_MAX: Final = 64 * 1_024
Short = Annotated[str, msgspec.Meta(max_length=128)]
# event type → what it is about. PROFITSHARING reuses a payment's event with another original type.
KIND: Final = {
    ("TRANSACTION.SUCCESS", "transaction"): NoticeKind.PAYMENT,
    ("REFUND.SUCCESS", "refund"): NoticeKind.REFUND,
    ("REFUND.ABNORMAL", "refund"): NoticeKind.REFUND,
    ("REFUND.CLOSED", "refund"): NoticeKind.REFUND,
    ("MCHTRANSFER.BILL.FINISHED", "mch_payment"): NoticeKind.PAYOUT,
}
_IMPLIED: Final = dict(tuple(KIND))


class Resource(msgspec.Struct):
    """The sealed part of a notice."""

    algorithm: Short
    ciphertext: str
    nonce: Short
    associated_data: Short | None = ""
    original_type: Short = ""


class Envelope(msgspec.Struct):
    """The open part of a notice."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    event_type: Short
    resource: Resource
    create_time: Short = ""


class Owner(NamedTuple):
    """Whose notices these are."""

    mchid: str
    appids: frozenset[str]


def read_notice(suite: Suite, aead: Aead, owner: Owner, body: bytes, signed_at_us: int) -> Notice:
    """Open and read a notice whose signature has been checked.

    Raises: Rejected `notice_malformed`, `resource_unopened`, `other_merchant`, `other_app`.
    """
    try:
        envelope = msgspec.json.decode(body, type=Envelope)
        created_at_us = at_us(envelope.create_time)
        kind = _kind(envelope)
        notice = Notice(
            envelope.id, kind, envelope.event_type, created_at_us, signed_at_us, "", None
        )
        if kind is NoticeKind.OTHER:
            return notice
        merchant, reading = _read(kind, owner, _opened(suite, aead, envelope.resource))
        return notice._replace(merchant=merchant, reading=reading)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise Rejected("notice_malformed", "a signed notice cannot be read") from error


def _kind(envelope: Envelope) -> NoticeKind:
    event = envelope.event_type
    original = envelope.resource.original_type or _IMPLIED.get(event, "")
    return KIND.get((event, original), NoticeKind.OTHER)


def _opened(suite: Suite, aead: Aead, resource: Resource) -> bytes:
    if resource.algorithm != suite.resource_algorithm:
        raise Rejected("resource_unopened", "the resource is sealed by another algorithm")
    sealed = base64.b64decode(resource.ciphertext.encode(), validate=True)
    return open_resource(aead, resource.nonce, resource.associated_data or "", sealed)


def _read(
    kind: NoticeKind, owner: Owner, plain: bytes
) -> tuple[str, Reading | RefundReading | PayoutReading]:
    if kind is NoticeKind.PAYMENT:
        trade = msgspec.json.decode(plain, type=Transaction)
        _check_merchant(owner, trade.mchid)
        if trade.appid not in owner.appids:
            raise Rejected("other_app", "a notice for an app that is not this account's")
        return trade.mchid, read_trade(trade)
    if kind is NoticeKind.REFUND:
        refund = msgspec.json.decode(plain, type=Refund)
        _check_merchant(owner, refund.mchid)
        return refund.mchid, read_refund(refund)
    transfer = msgspec.json.decode(plain, type=Transfer)
    _check_merchant(owner, transfer.mch_id)
    return transfer.mch_id, read_payout(transfer, our_number(transfer.out_bill_no))


def _check_merchant(owner: Owner, mchid: str) -> None:
    if mchid != owner.mchid:
        raise Rejected("other_merchant", "a notice for a merchant that is not this account's")
