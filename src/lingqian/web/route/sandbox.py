"""The sandbox: play money, and a business clock that a person may move forward (沙箱)."""

import asyncio
from typing import Annotated, Final

import aiohttp
import msgspec
from msgspec import Meta

from lingqian.identity.key import Scope
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_FUNDING, show
from lingqian.web import field
from lingqian.web.answer import first_of, refusal
from lingqian.web.call import Call, user_id
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
# 2100: far enough for any test, and every instant up to here can be written as RFC 3339.
_CLOCK_US_MAX: Final = 4_102_444_800 * SECOND_US


class NewFunding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to give play money, and how much."""

    user_id: field.UserId
    amount_fen: field.AmountFen


class FundingShown(msgspec.Struct, frozen=True):
    """Play money that has arrived."""

    id: field.FundingId
    user_id: field.UserId
    amount_fen: field.Fen
    created_at: field.Moment


class ClockChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far to move the business clock forward; it never goes back."""

    advance_s: Annotated[int, Meta(ge=0, le=400 * 86_400, description="Seconds.")]


class ClockShown(msgspec.Struct, frozen=True):
    """The business time now. Signatures and ids keep real time."""

    now: field.Moment


def _in_sandbox(door: Door) -> None:
    if door.wallet.config.profile != "sandbox":
        raise Refused(Code.SANDBOX_ONLY)


async def fund(door: Door, call: Call) -> Reply:
    """Put play money into a balance, once per idempotency key."""
    _in_sandbox(door)
    body = await call.take(NewFunding)
    key = call.key()
    identity = user_id(body.user_id, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    answer = await door.ask(door.wallet.desk.fund(identity, body.amount_fen, key))
    if answer.code:
        return refusal(answer)
    first, is_new = first_of(answer)
    shown = FundingShown(
        show(PREFIX_FUNDING, first.command.funding_id),
        body.user_id,
        body.amount_fen,
        rfc3339(first.at_us),
    )
    return reply(201 if is_new else 200, shown)


async def advance(door: Door, call: Call) -> Reply:
    """Move the business clock forward; what is due then happens at once."""
    _in_sandbox(door)
    body = await call.take(ClockChange)
    clock, advance_us = door.wallet.clock, body.advance_s * SECOND_US
    if clock.now_us() + advance_us > _CLOCK_US_MAX:
        raise Refused(Code.INVALID_FIELD, field="advance_s", detail="beyond the year 2100")
    if advance_us:
        await asyncio.to_thread(door.wallet.advance_clock, advance_us)
        await _move_simulator(door)
    return reply(200, ClockShown(rfc3339(clock.now_us())))


async def _move_simulator(door: Door) -> None:
    """Set a simulator's clock to ours: one business clock for both sides of a payment.

    Refuses: unavailable, when there should be one and it does not answer.
    """
    control = door.wallet.config.simulator_control_url
    if not control:
        return
    body = {"offset_s": door.wallet.clock.offset_us / SECOND_US}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(f"{control.rstrip('/')}/control/clock", json=body) as answer,
        ):
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refused(Code.UNAVAILABLE, detail="the simulator's clock did not move") from error


_FUNDING: Final = FundingShown(
    "fu_00006D3YKTC5N8R1V4X7Z2B6DK", field.USER_EXAMPLE, 20_000, field.MOMENT_EXAMPLE
)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/sandbox/funding",
        run=fund,
        summary="Give a person play money",
        tag="sandbox",
        scopes=(Scope.FUND_SANDBOX,),
        takes=NewFunding,
        example={"user_id": field.USER_EXAMPLE, "amount_fen": 20_000},
        gives={201: Given(FundingShown, _FUNDING), 200: Given(FundingShown, _FUNDING)},
        refuses=(Code.SANDBOX_ONLY, Code.USER_UNKNOWN, Code.EXCEEDS_BALANCE_MAX),
        is_keyed=True,
    ),
    Operation(
        method="POST",
        path="/v1/sandbox/clock",
        run=advance,
        summary="Move the business clock forward",
        tag="sandbox",
        scopes=(Scope.FUND_SANDBOX,),
        takes=ClockChange,
        example={"advance_s": 86_400},
        gives={200: Given(ClockShown, ClockShown(field.MOMENT_EXAMPLE))},
        refuses=(Code.SANDBOX_ONLY,),
    ),
)
