"""Refunds: money of a top-up asked back, the way it came (退款)."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.channels.port import CardChannel
from lingqian.flows.refund import Opened
from lingqian.identity.key import Scope
from lingqian.kernel.bound import BANK_TYPE_LENGTH_MAX, CARD_DIGITS_MAX, NICKNAME_LENGTH_MAX
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES, PREFIX_ORDER, PREFIX_REFUND, show
from lingqian.storage import purse, query
from lingqian.storage.cashier import FIELD_REASON, Card
from lingqian.topup.refund import Origin, Refund, RefundStage, Way
from lingqian.web import field
from lingqian.web.answer import first_of, refusal
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply


class NewRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much to send back, and a few words for the person's own statement."""

    amount_fen: field.AmountFen
    reason: field.Reason = ""


class RefundShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A refund: why it is made and where it stands.

    `approved`, `submitted`, `processing` and `redirected` go on by themselves; `abnormal` waits
    for a person.
    """

    id: field.RefundId
    order_id: field.OrderId | UnsetType = UNSET
    attempt_id: field.AttemptId | UnsetType = UNSET
    payment_id: Annotated[
        str, Meta(description="The payment nobody had asked for, of /v1/parked-payments.")
    ] = ""
    amount_fen: field.Fen
    origin: str
    stage: str
    created_at: field.Moment
    coins: int = 0
    subsidy_fen: Annotated[
        int,
        Meta(
            description="What the house adds to the worth of the coins (`refund_basis`: paid_only);"
            " below zero what it keeps."
        ),
    ] = 0
    reason: str = ""
    charge_returned_fen: field.Fen = 0
    channel_refund_id: str = ""
    arrived_at: field.Moment | UnsetType = UNSET
    follows: field.RefundId | UnsetType = UNSET
    way: Annotated[
        str,
        Meta(
            description="Where it arrives: empty with its payment, `card`, `merchant`, `balance`."
        ),
    ] = ""


class BankCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's own card: the bank by the channel's code, its number, the holder's name."""

    bank_type: Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]*$", max_length=BANK_TYPE_LENGTH_MAX)]
    bank_account: Annotated[str, Meta(pattern="^[0-9]{8,}$", max_length=CARD_DIGITS_MAX)]
    real_name: Annotated[str, Meta(min_length=1, max_length=NICKNAME_LENGTH_MAX)]


class Redirection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a stuck refund goes: to the person's card, or to the merchant's own account."""

    to: Literal["card", "merchant"]
    card: BankCard | None = None


class StuckPage(msgspec.Struct, frozen=True):
    """A page of refunds that wait for a person, the newest first."""

    refunds: tuple["RefundShown", ...]
    next_cursor: str | None


class RefundList(msgspec.Struct, frozen=True):
    """Every refund of a top-up, the oldest first."""

    refunds: tuple[RefundShown, ...]


def _shown(door: Door, refund_id: bytes, row: Refund) -> RefundShown:
    return RefundShown(
        id=show(PREFIX_REFUND, refund_id),
        order_id=show(PREFIX_ORDER, row.order_id) if row.order_id else UNSET,
        attempt_id=show("pa", row.attempt_id) if row.order_id and row.attempt_id else UNSET,
        payment_id=row.transaction_key.hex(),
        amount_fen=row.amount_fen,
        origin=Origin(row.origin).name.lower(),
        stage=RefundStage(row.stage).name.lower(),
        created_at=rfc3339(row.created_at_us),
        coins=row.coins_paid + row.coins_bonus,
        subsidy_fen=row.subsidy_fen,
        reason=door.text(refund_id, FIELD_REASON),
        charge_returned_fen=row.fee_back_fen,
        channel_refund_id=row.channel_refund_id,
        arrived_at=rfc3339(row.success_at_us) if row.success_at_us else UNSET,
        follows=show(PREFIX_REFUND, row.parent) if row.parent else UNSET,
        way=Way(row.way).name.lower() if row.way else "",
    )


def _check_owner(door: Door, call: Call, order_id: bytes) -> None:
    """Let a person ask about his own top-ups only.

    Refuses: not_found.
    """
    order = query.order(door.reader, order_id)
    call.belongs(*([] if order is None else [order.user_id]))


async def ask(door: Door, call: Call) -> Reply:
    """Ask money of a credited top-up back, once per idempotency key."""
    order_id = call.id(PREFIX_ORDER, "order_id")
    body = await call.take(NewRefund)
    _check_owner(door, call, order_id)
    caller = (call.key(), call.caller.name)
    submission = door.wallet.cashier.ask_refund(order_id, body.amount_fen, body.reason, caller)
    answer = await door.ask(submission)
    if answer.code:
        return refusal(answer)
    first, is_new = first_of(answer)
    outcome: Any = first.outcome
    opened: Opened = outcome
    row = purse.refund(door.reader, opened.refund_id)
    assert row is not None, "a refund that was answered exists"
    return reply(201 if is_new else 200, _shown(door, opened.refund_id, row))


async def read(door: Door, call: Call) -> Reply:
    """Show a refund."""
    refund_id = call.id(PREFIX_REFUND, "refund_id")
    row = purse.refund(door.reader, refund_id)
    if row is None:
        call.belongs()
        raise Refused(Code.REFUND_UNKNOWN)
    _check_owner(door, call, row.order_id)
    return reply(200, _shown(door, refund_id, row))


async def list_refunds(door: Door, call: Call) -> Reply:
    """List the refunds of a top-up, those made by the house included."""
    order_id = call.id(PREFIX_ORDER, "order_id")
    if query.order(door.reader, order_id) is None:
        call.belongs()
        raise Refused(Code.ORDER_UNKNOWN)
    _check_owner(door, call, order_id)
    found = purse.refunds_of(door.reader, order_id)
    return reply(200, RefundList(tuple([_shown(door, *each) for each in found])))


async def list_stuck(door: Door, call: Call) -> Reply:
    """List the refunds that wait for a person."""
    asked = call.ask(field.Page)
    after = read_cursor(b"s", asked.cursor, ID_BYTES)
    found = purse.refunds_stuck(door.reader, asked.limit, after or _NEWEST)
    following = write_cursor(b"s", found[-1][0]) if len(found) == asked.limit else None
    return reply(200, StuckPage(tuple([_shown(door, *each) for each in found]), following))


async def redirect(door: Door, call: Call) -> Reply:
    """Send a stuck refund another way, once per idempotency key; its number stays."""
    refund_id = call.id(PREFIX_REFUND, "refund_id")
    body = await call.take(Redirection)
    caller = (call.key(), call.caller.name)
    if (body.to == "card") != (body.card is not None):
        raise Refused(Code.INVALID_FIELD, field="card", detail="whose card? for a card only")
    _check_channel(door, refund_id)
    card = None if body.card is None else Card(*msgspec.structs.astuple(body.card))
    answer = await door.ask(door.wallet.cashier.redirect_refund(refund_id, card, caller))
    if answer.code:
        return refusal(answer)
    row = purse.refund(door.reader, refund_id)
    assert row is not None, "a refund that was answered exists"
    return reply(200, _shown(door, refund_id, row))


def _check_channel(door: Door, refund_id: bytes) -> None:
    """Refuse what the refund's channel cannot do.

    Refuses: refund_unknown, no_channel.
    """
    row = purse.refund(door.reader, refund_id)
    if row is None:
        raise Refused(Code.REFUND_UNKNOWN)
    if row.stage != RefundStage.ABNORMAL:
        return  # the lane says why not
    account = purse.paid(door.reader, row).account
    if not isinstance(door.wallet.channels.get(account), CardChannel):
        raise Refused(Code.NO_CHANNEL, detail="the account cannot send a refund to a card")


_REFUND: Final = RefundShown(
    id=field.REFUND_EXAMPLE,
    order_id=field.ORDER_EXAMPLE,
    attempt_id=field.ATTEMPT_EXAMPLE,
    amount_fen=2_000,
    origin="person",
    stage="approved",
    created_at=field.MOMENT_EXAMPLE,
    reason="买多了",
)
_STUCK: Final = msgspec.structs.replace(_REFUND, stage="abnormal")
_SENT_ON: Final = msgspec.structs.replace(_REFUND, stage="redirected", way="merchant")
_NEWEST: Final = b"\xff" * (ID_BYTES + 1)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/top-ups/{order_id}/refunds",
        run=ask,
        summary="Ask money of a top-up back",
        tag="refunds",
        scopes=(Scope.WRITE_REFUNDS, Scope.ACT_USERS),
        takes=NewRefund,
        example={"amount_fen": 2_000, "reason": "买多了"},
        gives={201: Given(RefundShown, _REFUND), 200: Given(RefundShown, _REFUND)},
        refuses=(
            Code.NOT_FOUND,
            Code.ORDER_UNKNOWN,
            Code.ACCOUNT_FROZEN,
            Code.NOT_REFUNDABLE,
            Code.REFUND_TOO_LATE,
            Code.EXCEEDS_REFUND_COUNT,
            Code.EXCEEDS_REFUNDABLE,
            Code.REFUND_TOO_SOON,
            Code.REFUND_TAKES_ALL,
            Code.EXCEEDS_AVAILABLE,
            Code.EXCEEDS_BALANCE_MAX,
        ),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/top-ups/{order_id}/refunds",
        run=list_refunds,
        summary="List the refunds of a top-up",
        tag="refunds",
        scopes=(Scope.READ_TOP_UPS,),
        gives={200: Given(RefundList, RefundList((_REFUND,)))},
        refuses=(Code.NOT_FOUND, Code.ORDER_UNKNOWN),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/refunds",
        run=list_stuck,
        summary="List refunds that wait for a person",
        tag="refunds",
        scopes=(Scope.REVIEW_CASES,),
        asks=field.Page,
        gives={200: Given(StuckPage, StuckPage((_STUCK,), None))},
    ),
    Operation(
        method="POST",
        path="/v1/refunds/{refund_id}/redirection",
        run=redirect,
        summary="Send a stuck refund another way",
        tag="refunds",
        scopes=(Scope.REVIEW_CASES,),
        takes=Redirection,
        example={"to": "merchant"},
        gives={200: Given(RefundShown, _SENT_ON)},
        refuses=(
            Code.NOT_FOUND,
            Code.REFUND_UNKNOWN,
            Code.REFUND_NOT_STUCK,
            Code.NO_CHANNEL,
        ),
        is_keyed=True,
    ),
    Operation(
        method="GET",
        path="/v1/refunds/{refund_id}",
        run=read,
        summary="Show a refund",
        tag="refunds",
        scopes=(Scope.READ_TOP_UPS,),
        gives={200: Given(RefundShown, _REFUND)},
        refuses=(Code.NOT_FOUND, Code.REFUND_UNKNOWN),
        by_person=True,
    ),
)
