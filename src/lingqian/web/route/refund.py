"""Refunds: money of a top-up asked back, the way it came (退款)."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from lingqian.flows.refund import Opened
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_ORDER, PREFIX_REFUND, show
from lingqian.storage import purse, query
from lingqian.storage.cashier import FIELD_REASON
from lingqian.topup.refund import Origin, Refund, RefundStage
from lingqian.web import field
from lingqian.web.answer import first_of, refusal
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply


class NewRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much to send back, and a few words for the person's own statement."""

    amount_fen: field.AmountFen
    reason: field.Reason = ""


class RefundShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A refund: why it is made and where it stands.

    `approved`, `submitted` and `processing` go on by themselves; `abnormal` waits for a person.
    """

    id: field.RefundId
    order_id: field.OrderId
    attempt_id: field.AttemptId
    amount_fen: field.Fen
    origin: str
    stage: str
    created_at: field.Moment
    coins: int = 0
    reason: str = ""
    charge_returned_fen: field.Fen = 0
    channel_refund_id: str = ""
    arrived_at: field.Moment | UnsetType = UNSET
    follows: field.RefundId | UnsetType = UNSET


class RefundList(msgspec.Struct, frozen=True):
    """Every refund of a top-up, the oldest first."""

    refunds: tuple[RefundShown, ...]


def _shown(door: Door, refund_id: bytes, row: Refund) -> RefundShown:
    return RefundShown(
        id=show(PREFIX_REFUND, refund_id),
        order_id=show(PREFIX_ORDER, row.order_id),
        attempt_id=show("pa", row.attempt_id),
        amount_fen=row.amount_fen,
        origin=Origin(row.origin).name.lower(),
        stage=RefundStage(row.stage).name.lower(),
        created_at=rfc3339(row.created_at_us),
        coins=row.coins_paid + row.coins_bonus,
        reason=door.text(refund_id, FIELD_REASON),
        charge_returned_fen=row.fee_back_fen,
        channel_refund_id=row.channel_refund_id,
        arrived_at=rfc3339(row.success_at_us) if row.success_at_us else UNSET,
        follows=show(PREFIX_REFUND, row.parent) if row.parent else UNSET,
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
        raise Refused(Code.REFUND_UNKNOWN)
    _check_owner(door, call, row.order_id)
    return reply(200, _shown(door, refund_id, row))


async def list_refunds(door: Door, call: Call) -> Reply:
    """List the refunds of a top-up, those made by the house included."""
    order_id = call.id(PREFIX_ORDER, "order_id")
    if query.order(door.reader, order_id) is None:
        raise Refused(Code.ORDER_UNKNOWN)
    _check_owner(door, call, order_id)
    found = purse.refunds_of(door.reader, order_id)
    return reply(200, RefundList(tuple([_shown(door, *each) for each in found])))


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
