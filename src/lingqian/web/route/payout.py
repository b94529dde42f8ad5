"""Payouts: a balance on its way to the person's own wallet at the channel (提现)."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from lingqian.channels.port import SheetChannel
from lingqian.compliance.factor import Act
from lingqian.events.pace import Priority
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.kernel.id import PREFIX_PAYOUT, PREFIX_USER, show
from lingqian.storage import purse
from lingqian.storage.cashier import Payee
from lingqian.topup.payout import Payout, PayoutStage
from lingqian.web import field
from lingqian.web.answer import case_of, first_of, refusal
from lingqian.web.call import Call
from lingqian.web.code import FACTOR, PAYMENT
from lingqian.web.door import Door
from lingqian.web.factor import Payment, factors_of
from lingqian.web.operation import Given, Operation
from lingqian.web.order import SealedInvocation
from lingqian.web.problem import Refused
from lingqian.web.purchase import Payer
from lingqian.web.reply import Reply, reply
from lingqian.web.sealed import page_key, seal


class NewPayout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose balance, how much, and to whom at the channel."""

    user_id: field.OwnId = UNSET
    amount_fen: field.AmountFen
    payee: Payer
    real_name: field.Nickname = ""
    account: field.AccountName = ""
    note: field.Note = "提现"


class PayoutShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A payout and where it stands; while it is `waiting`, the person confirms at the channel."""

    id: field.PayoutId
    user_id: field.UserId
    account: field.AccountName
    amount_fen: field.Fen
    stage: str
    created_at: field.Moment
    release_at: field.Moment
    fail_reason: str = ""
    channel_no: str = ""
    arrived_at: field.Moment | UnsetType = UNSET
    confirmation: dict[str, str] | UnsetType = UNSET
    sealed_confirmation: SealedInvocation | UnsetType = UNSET
    case_id: field.CaseId | UnsetType = UNSET


def _shown(
    door: Door, payout_id: bytes, row: Payout, case_id: str | UnsetType = UNSET
) -> PayoutShown:
    return PayoutShown(
        id=show(PREFIX_PAYOUT, payout_id),
        user_id=show(PREFIX_USER, row.user_id),
        account=row.account,
        amount_fen=row.amount_fen,
        stage=PayoutStage(row.stage).name.lower(),
        created_at=rfc3339(row.created_at_us),
        release_at=rfc3339(row.release_at_us),
        fail_reason=row.fail_reason,
        channel_no=row.channel_no,
        arrived_at=rfc3339(row.success_at_us) if row.success_at_us else UNSET,
        confirmation=_confirmation(door, payout_id, row),
        case_id=case_id,
    )


def _sealed_to(point: bytes, shown: PayoutShown) -> PayoutShown:
    """Return a payout whose confirmation only the owner of a key can read."""
    if not point or shown.confirmation is UNSET:
        return shown
    sealed = seal(point, shown.id, shown.confirmation)
    return msgspec.structs.replace(shown, confirmation=UNSET, sealed_confirmation=sealed)


def _confirmation(door: Door, payout_id: bytes, row: Payout) -> dict[str, str] | UnsetType:
    """Return what the person's client confirms with, while that is wanted and still known."""
    package = door.agent.outbound.packages.get(payout_id)
    channel: Any = door.wallet.channels.get(row.account)
    if row.stage != PayoutStage.WAITING or not package or not isinstance(channel, SheetChannel):
        return UNSET
    return channel.confirmation(package)


def _account(door: Door, asked: str) -> str:
    """Return the account to pay from: the one asked for, or the first that pays out.

    Refuses: no_channel.
    """
    for name, channel in door.wallet.channels.items():
        if asked in ("", name) and channel.profile.can_pay_out:
            return name
    raise Refused(Code.NO_CHANNEL, field="account", detail="no such account pays out")


async def ask(door: Door, call: Call) -> Reply:
    """Ask for a payout, once per idempotency key; the money is set aside at once."""
    body = await call.take(NewPayout)
    caller = (call.key(), call.caller.name)
    identity = call.who(body.user_id, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    payment = Payment(identity, body.amount_fen, caller[0], act=Act.PAYOUT)
    factors = await factors_of(door, call, payment)
    point = page_key(door, call)
    submission = door.wallet.cashier.ask_payout(
        identity,
        body.amount_fen,
        Payee(body.payee.openid, body.real_name, body.note),
        account=_account(door, body.account),
        delay_s=door.wallet.config.payout_delay_s,
        caller=caller,
        factors=factors,
    )
    answer = await door.ask(submission)
    if answer.code:
        return refusal(answer)
    first, is_new = first_of(answer)
    payout_id = first.command.payout_id
    row = purse.payout(door.reader, payout_id)
    assert row is not None, "a payout that was answered exists"
    case_id = case_of(first.command) if row.stage == PayoutStage.HELD else UNSET
    shown = _shown(door, payout_id, row, case_id)
    return reply(201 if is_new else 200, _sealed_to(point, shown))


async def read(door: Door, call: Call) -> Reply:
    """Show a payout; what the person confirms with only as a page may have it.

    Refuses: payout_unknown; invalid_field as `page_key` does.
    """
    payout_id = call.id(PREFIX_PAYOUT, "payout_id")
    row = purse.payout(door.reader, payout_id)
    if row is None:
        call.belongs()
        raise Refused(Code.PAYOUT_UNKNOWN)
    call.belongs(row.user_id)
    if row.stage == PayoutStage.WAITING and payout_id not in door.agent.outbound.packages:
        # Forgotten by a restart: the channel tells it again.
        try:
            await door.agent.outbound.push_payout(payout_id, Priority.CLIENT)
        except Fault:
            return reply(200, _shown(door, payout_id, row))
        row = purse.payout(door.reader, payout_id) or row
    shown = _shown(door, payout_id, row)
    if shown.confirmation is UNSET:
        # A page that looks again and again uses up no key while there is nothing to seal.
        return reply(200, shown)
    return reply(200, _sealed_to(page_key(door, call), shown))


async def cancel(door: Door, call: Call) -> Reply:
    """Take back a payout that has not been sent."""
    payout_id = call.id(PREFIX_PAYOUT, "payout_id")
    known = purse.payout(door.reader, payout_id)
    call.belongs(*([] if known is None else [known.user_id]))
    answer = await door.ask(door.wallet.cashier.cancel_payout(payout_id, call.caller.name))
    if answer.code:
        return refusal(answer)
    row = purse.payout(door.reader, payout_id)
    assert row is not None, "a payout that was answered exists"
    return reply(200, _shown(door, payout_id, row))


_PAYOUT: Final = PayoutShown(
    id=field.PAYOUT_EXAMPLE,
    user_id=field.USER_EXAMPLE,
    account="main",
    amount_fen=3_000,
    stage="approved",
    created_at=field.MOMENT_EXAMPLE,
    release_at=field.MOMENT_EXAMPLE,
)
_ACT: Final = (Scope.WRITE_PAYOUTS, Scope.ACT_USERS)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/payouts",
        run=ask,
        summary="Pay a balance out to the person's own wallet",
        tag="payouts",
        scopes=_ACT,
        takes=NewPayout,
        example={
            "user_id": field.USER_EXAMPLE,
            "amount_fen": 3_000,
            "payee": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        },
        gives={201: Given(PayoutShown, _PAYOUT), 200: Given(PayoutShown, _PAYOUT)},
        refuses=(Code.ACCEPTED, Code.USER_UNKNOWN, Code.NO_CHANNEL, *PAYMENT, *FACTOR),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/payouts/{payout_id}",
        run=read,
        summary="Show a payout",
        tag="payouts",
        scopes=(Scope.READ_USERS,),
        gives={200: Given(PayoutShown, _PAYOUT)},
        refuses=(Code.NOT_FOUND, Code.PAYOUT_UNKNOWN, Code.INVALID_FIELD),
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/payouts/{payout_id}/cancellation",
        run=cancel,
        summary="Take back a payout that has not been sent",
        tag="payouts",
        scopes=_ACT,
        gives={200: Given(PayoutShown, _PAYOUT)},
        refuses=(
            Code.NOT_FOUND,
            Code.PAYOUT_UNKNOWN,
            Code.ALREADY_SETTLED,
            Code.PAYOUT_UNDER_WAY,
        ),
        by_person=True,
    ),
)
