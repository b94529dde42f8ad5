"""Orders in words: one top-up as its owner's app may see it (充值订单)."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.channels.port import Product
from lingqian.flows.refundable import Ground, refundable_fen
from lingqian.identity.user import UserState
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.code import TABLE, Code
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_ORDER,
    PREFIX_PACKET,
    PREFIX_USER,
    show,
)
from lingqian.storage import purse, query, query_top_up, standing
from lingqian.storage.story import situation
from lingqian.topup.advance import DEADLINE_US
from lingqian.topup.attempt import AttemptState
from lingqian.topup.order import (
    CreditState,
    Order,
    OrderKind,
    PayState,
    ReturnState,
    wallet_order,
)
from lingqian.topup.sentence import say, sentence
from lingqian.web import field
from lingqian.web.bridge import offers
from lingqian.web.door import Door
from lingqian.web.sheet import Opened

_WALLET_WORDS: Final = (
    "支付渠道暂时不可用，可以改用零钱支付。",
    "The payment channel cannot be reached; your own balance can pay instead.",
)
_ADVANCE_WORDS: Final = (
    "支付渠道暂时不可用，平台可先行垫付：金币立即到账，只能送礼物，请在期限内完成付款。",
    "The payment channel cannot be reached; the coins can be advanced, for gifts only.",
)


class AttemptShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One try to pay: at which account, by which product, and where it stands."""

    id: field.AttemptId
    account: field.AccountName
    product: str
    state: str
    created_at: field.Moment
    transaction_id: str = ""


class Hindrance(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no pay sheet now, and in the channel's own word if it gave one."""

    code: str
    message_zh: str
    message_en: str
    detail: str = ""


class OfferShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A way that is open while no channel takes the payment: post to `path` to take it."""

    way: Annotated[str, Meta(description="`wallet` or `advance`.")]
    path: str
    amount_fen: field.Fen
    message_zh: str
    message_en: str
    due_in_s: Annotated[int, Meta(description="How long an unpaid advance is left open.")] = 0


class SealedInvocation(msgspec.Struct, frozen=True):
    """The sheet's parameters, sealed to the page's key (`Sealed-To`); bytes are base64url.

    SM4-GCM under HKDF-SHA256 of ECDH, salt both keys, info `lingqian cashier v1`, bound to the id.
    """

    key: str
    nonce: str
    text: str


class OrderShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A top-up: what is proven, what the person has, and why, in one sentence."""

    id: field.OrderId
    state: Annotated[
        str, Meta(description="In a word; `message_zh` and `message_en` say it whole.")
    ]
    is_credited: bool
    message_zh: str
    message_en: str
    user_id: field.UserId
    kind: str
    amount_fen: field.Fen
    pay_state: str
    credit_state: str
    refund_state: str
    created_at: field.Moment
    expires_at: field.Moment
    attempts: tuple[AttemptShown, ...]
    coins: int = 0
    bonus_coins: int = 0
    plan_id: str = ""
    scene: str = ""
    refunded_fen: field.Fen = 0
    refundable_fen: (
        Annotated[field.Fen, Meta(description="What could be asked back now; not told in lists.")]
        | UnsetType
    ) = UNSET
    packet_id: field.PacketId | UnsetType = UNSET
    credited_at: field.Moment | UnsetType = UNSET
    due_at: (
        Annotated[field.Moment, Meta(description="By when an advance has to be paid.")] | UnsetType
    ) = UNSET
    will_be_reviewed: bool = False
    invocation: (
        Annotated[dict[str, str], Meta(description="What the pay sheet is opened with.")]
        | UnsetType
    ) = UNSET
    sealed_invocation: SealedInvocation | UnsetType = UNSET
    hindrance: Hindrance | UnsetType = UNSET
    offers: tuple[OfferShown, ...] = ()
    wallet_order_id: (
        Annotated[
            field.OrderId, Meta(description="The order by which the own wallet paid instead.")
        ]
        | UnsetType
    ) = UNSET


def order_listed(door: Door, order_id: bytes) -> OrderShown | None:
    """Return an order as one of many; None when there is none."""
    shown = order_shown(door, order_id)
    return shown and msgspec.structs.replace(shown, refundable_fen=UNSET)


def order_shown(
    door: Door, order_id: bytes, opened: Opened | None = None, *, is_reviewed: bool = False
) -> OrderShown | None:
    """Return an order as it may be shown; None when there is none."""
    order = query.order(door.reader, order_id)
    if order is None:
        return None
    found = say(sentence(situation(door.reader, order_id, order)), order.kind, order.amount_fen)
    return OrderShown(
        id=show(PREFIX_ORDER, order_id),
        state=found.name,
        is_credited=found.is_credited,
        message_zh=found.zh,
        message_en=found.en,
        user_id=show(PREFIX_USER, order.user_id),
        kind=OrderKind(order.kind).name.lower(),
        amount_fen=order.amount_fen,
        pay_state=PayState(order.pay_state).name.lower(),
        credit_state=CreditState(order.credit_state).name.lower(),
        refund_state=ReturnState(order.refund_state).name.lower(),
        created_at=rfc3339(order.created_at_us),
        expires_at=rfc3339(order.expires_at_us),
        attempts=_attempts(door, order_id),
        coins=order.coins,
        bonus_coins=order.bonus_coins,
        plan_id=order.plan,
        scene=order.scene,
        refunded_fen=order.refunded_fen,
        refundable_fen=_refundable_fen(door, order_id, order),
        packet_id=show(PREFIX_PACKET, order.object_id) if order.object_id else UNSET,
        credited_at=_credited_at(order),
        due_at=_due_at(door, order_id, order),
        will_be_reviewed=is_reviewed,
        invocation=_invocation(opened),
        hindrance=_hindrance(opened),
        offers=_offers(door, order_id, order, opened),
        wallet_order_id=_wallet_order_id(door, order_id, order),
    )


def _refundable_fen(door: Door, order_id: bytes, order: Order) -> int:
    """Return what could be asked back now, by the rows a refund would be decided on."""
    reader, paid = door.reader, order.paid_attempt
    user, balance = query.user(reader, order.user_id), query.balance(reader, order.user_id)
    if user is None or user.state != UserState.ACTIVE:
        return 0
    ground = Ground(
        order,
        query.attempt(reader, paid) if paid else None,
        purse.grant(reader, order_id),
        balance.amount_fen - balance.held_fen,
    )
    return refundable_fen(ground, door.wallet.cashier.basis, door.wallet.clock.now_us())


def _offers(
    door: Door, order_id: bytes, order: Order, opened: Opened | None
) -> tuple[OfferShown, ...]:
    """Return the ways that are open to somebody who asked for a pay sheet and has none."""
    if opened is None or opened.invocation is not None:
        return ()
    found, path = offers(door, order_id, order), f"/v1/top-ups/{show(PREFIX_ORDER, order_id)}"
    shown = []
    if found.has_wallet:
        shown.append(
            OfferShown("wallet", f"{path}/wallet-payment", order.amount_fen, *_WALLET_WORDS)
        )
    if found.account:
        due_s = DEADLINE_US // SECOND_US
        shown.append(
            OfferShown("advance", f"{path}/advance", order.amount_fen, *_ADVANCE_WORDS, due_s)
        )
    return tuple(shown)


def _wallet_order_id(door: Door, order_id: bytes, order: Order) -> str | UnsetType:
    if order.kind != OrderKind.COINS or order.pay_state in (PayState.PAID, PayState.OVERPAID):
        return UNSET
    own = wallet_order(order_id)
    return UNSET if query.order(door.reader, own) is None else show(PREFIX_ORDER, own)


def _credited_at(order: Order) -> str | UnsetType:
    return rfc3339(order.credited_at_us) if order.credited_at_us else UNSET


def _due_at(door: Door, order_id: bytes, order: Order) -> str | UnsetType:
    if order.credit_state != CreditState.ADVANCED:
        return UNSET
    row = standing.advance(door.reader, order_id)
    assert row is not None, "an order that was advanced has its advance"
    return rfc3339(row.deadline_us)


def _attempts(door: Door, order_id: bytes) -> tuple[AttemptShown, ...]:
    return tuple(
        [
            AttemptShown(
                id=show(PREFIX_ATTEMPT, attempt_id),
                account=row.account,
                product=Product(row.product).name.lower(),
                state=AttemptState(row.state).name.lower(),
                created_at=rfc3339(row.created_at_us),
                transaction_id=row.transaction_id,
            )
            for attempt_id, row in query_top_up.attempts(door.reader, order_id)
        ]
    )


def _invocation(opened: Opened | None) -> dict[str, str] | UnsetType:
    has_sheet = opened is not None and opened.invocation is not None
    return opened.invocation if has_sheet else UNSET  # type: ignore[union-attr,return-value]  # checked above


def _hindrance(opened: Opened | None) -> Hindrance | UnsetType:
    if opened is None or not opened.code:
        return UNSET
    row = TABLE[Code(opened.code)]
    return Hindrance(Code(opened.code).name.lower(), row.zh, row.en, opened.detail)
