"""Parked money: verified payments that could not be placed, ended by a person (挂账)."""

from typing import Final, Literal

import msgspec

from lingqian.flows.park import CREDIT, REFUND
from lingqian.identity.key import Scope
from lingqian.kernel.bound import PAGE_ROWS_MAX
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES
from lingqian.storage import query_top_up
from lingqian.topup.evidence import Payment, Reason
from lingqian.web import field
from lingqian.web.answer import refusal
from lingqian.web.call import Call, user_id
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

# A payment that was placed once and whose refund arrived with the merchant.
CAME_BACK: Final = "came_back"


class PaymentShown(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's payment: why it could not be placed, and how much of it still waits."""

    id: str
    account: field.AccountName
    transaction_id: str
    amount_fen: field.Fen
    parked_fen: field.Fen
    reason: str
    paid_at: field.Moment
    booked_at: field.Moment


class PaymentList(msgspec.Struct, frozen=True):
    """Payments that wait, the oldest first."""

    payments: tuple[PaymentShown, ...]


class Allocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the money goes: back to its payment, or into somebody's balance."""

    action: Literal["refund", "credit"]
    user_id: field.UserId | None = None


def _shown(key: bytes, row: Payment) -> PaymentShown:
    return PaymentShown(
        id=key.hex(),
        account=row.account,
        transaction_id=row.transaction_id,
        amount_fen=row.amount_fen,
        parked_fen=row.parked_fen,
        reason=Reason(row.reason).name.lower() if row.reason else CAME_BACK,
        paid_at=rfc3339(row.success_at_us),
        booked_at=rfc3339(row.at_us),
    )


async def list_parked(door: Door, call: Call) -> Reply:
    """List payments that nobody could place."""
    del call
    found = query_top_up.parked(door.reader, PAGE_ROWS_MAX)
    return reply(200, PaymentList(tuple([_shown(*each) for each in found])))


def _key(call: Call) -> bytes:
    try:
        key = bytes.fromhex(call.path_params["payment_id"])
    except ValueError as error:
        raise Refused(Code.NOT_FOUND) from error
    if len(key) != ID_BYTES:
        raise Refused(Code.NOT_FOUND)
    return key


async def allocate(door: Door, call: Call) -> Reply:
    """End parked money: send it back, or credit it to a person."""
    key = _key(call)
    body = await call.take(Allocation)
    if (body.action == "credit") != (body.user_id is not None):
        raise Refused(Code.INVALID_FIELD, field="user_id", detail="whose is it? for a credit only")
    target = b"" if body.user_id is None else user_id(body.user_id, "user_id")
    if target and door.wallet.directory.status(target) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    action = REFUND if body.action == "refund" else CREDIT
    by = call.caller.name
    answer = await door.ask(door.wallet.cashier.allocate(key, action, target, by))
    if answer.code:
        return refusal(answer)
    row = query_top_up.payment(door.reader, key)
    assert row is not None, "a payment that was allocated exists"
    return reply(200, _shown(key, row))


_PAYMENT: Final = PaymentShown(
    id="0000" + "5f" * 14,
    account="main",
    transaction_id="4200001234202611220000000001",
    amount_fen=4_999,
    parked_fen=4_999,
    reason="wrong_amount",
    paid_at=field.MOMENT_EXAMPLE,
    booked_at=field.MOMENT_EXAMPLE,
)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/parked-payments",
        run=list_parked,
        summary="List payments that nobody could place",
        tag="channels",
        scopes=(Scope.REVIEW_CASES,),
        gives={200: Given(PaymentList, PaymentList((_PAYMENT,)))},
    ),
    Operation(
        method="POST",
        path="/v1/parked-payments/{payment_id}/allocation",
        run=allocate,
        summary="End parked money",
        tag="channels",
        scopes=(Scope.REVIEW_CASES,),
        takes=Allocation,
        example={"action": "refund"},
        gives={200: Given(PaymentShown, _PAYMENT)},
        refuses=(
            Code.NOT_FOUND,
            Code.USER_UNKNOWN,
            Code.NOTHING_PARKED,
            Code.ATTEMPT_UNKNOWN,
            Code.NOT_REFUNDABLE,
            Code.REFUND_TOO_LATE,
        ),
    ),
)
