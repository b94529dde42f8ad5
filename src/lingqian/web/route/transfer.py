"""Transfers: money from one person to another (转账)."""

from typing import Any, Final

import msgspec
from msgspec import UNSET

from lingqian.flows.transfer import TransferState
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_TRANSFER, PREFIX_USER, show
from lingqian.storage import query
from lingqian.storage.desk import FIELD_NOTE
from lingqian.web import field
from lingqian.web.answer import case_of, first_of, refusal
from lingqian.web.call import Call, user_id
from lingqian.web.code import FACTOR, PAYMENT
from lingqian.web.door import Door
from lingqian.web.factor import Payment, factors_of, remember_payee
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused, problem
from lingqian.web.reply import Reply, reply


class NewTransfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who pays whom, how much, and a few words."""

    source_id: field.OwnId = UNSET
    target_id: field.UserId
    amount_fen: field.AmountFen
    note: field.Note = ""


class TransferShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A transfer: `done`, `held` until its case is decided, or `refused` and given back."""

    id: field.TransferId
    state: str
    source_id: field.UserId
    target_id: field.UserId
    amount_fen: field.Fen
    note: str
    created_at: field.Moment
    case_id: str = ""


async def transfer(door: Door, call: Call) -> Reply:
    """Move money between two people, once per idempotency key."""
    body = await call.take(NewTransfer)
    key = call.key()
    source, target = call.who(body.source_id, "source_id"), user_id(body.target_id, "target_id")
    status = door.wallet.directory.status(target)
    if status is None:
        return problem(Code.USER_UNKNOWN, field="target_id")
    if door.wallet.directory.status(source) is None:
        return problem(Code.USER_UNKNOWN, field="source_id")
    payment = Payment(source, body.amount_fen, key, target)
    factors = await factors_of(door, call, payment)
    submission = door.wallet.desk.transfer(
        source,
        target,
        amount_fen=body.amount_fen,
        target=status,
        note=body.note,
        caller_key=key,
        factors=factors,
    )
    answer = await door.ask(submission)
    if answer.code:
        return refusal(answer)
    if call.caller.person:
        await remember_payee(door, payment)
    first, is_new = first_of(answer)
    return reply(201 if is_new else 200, _made(first, body))


def _made(first: Any, body: NewTransfer) -> TransferShown:  # noqa: ANN401 - an Answer or a Record
    """Return the first answer; the request is the same, so its words are those of the first."""
    is_held = first.outcome.state == TransferState.HELD
    return TransferShown(
        id=show(PREFIX_TRANSFER, first.command.transfer_id),
        state=TransferState(first.outcome.state).name.lower(),
        source_id=show(PREFIX_USER, first.command.source_id),
        target_id=body.target_id,
        amount_fen=body.amount_fen,
        note=body.note,
        created_at=rfc3339(first.at_us),
        case_id=case_of(first.command) if is_held else "",
    )


async def read(door: Door, call: Call) -> Reply:
    """Show a transfer."""
    identity = call.id(PREFIX_TRANSFER, "transfer_id")
    row = query.transfer(door.reader, identity)
    if row is None:
        raise Refused(Code.NOT_FOUND)
    call.belongs(row.source_id, row.target_id)
    shown = TransferShown(
        id=show(PREFIX_TRANSFER, identity),
        state=TransferState(row.state).name.lower(),
        source_id=show(PREFIX_USER, row.source_id),
        target_id=show(PREFIX_USER, row.target_id),
        amount_fen=row.amount_fen,
        note=door.text(identity, FIELD_NOTE),
        created_at=rfc3339(row.at_us),
    )
    return reply(200, shown)


_EXAMPLE: Final = TransferShown(
    id=field.TRANSFER_EXAMPLE,
    state="done",
    source_id=field.USER_EXAMPLE,
    target_id=field.OTHER_EXAMPLE,
    amount_fen=500,
    note="午饭",
    created_at=field.MOMENT_EXAMPLE,
)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/transfers",
        run=transfer,
        summary="Move money between two people",
        tag="transfers",
        scopes=(Scope.ACT_USERS,),
        takes=NewTransfer,
        example={
            "source_id": field.USER_EXAMPLE,
            "target_id": field.OTHER_EXAMPLE,
            "amount_fen": 500,
            "note": "午饭",
        },
        gives={201: Given(TransferShown, _EXAMPLE), 200: Given(TransferShown, _EXAMPLE)},
        refuses=(Code.ACCEPTED, Code.USER_UNKNOWN, Code.SAME_USER, *PAYMENT, *FACTOR),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/transfers/{transfer_id}",
        run=read,
        summary="Show a transfer",
        tag="transfers",
        scopes=(Scope.READ_USERS,),
        gives={200: Given(TransferShown, _EXAMPLE)},
        refuses=(Code.NOT_FOUND,),
        by_person=True,
    ),
)
