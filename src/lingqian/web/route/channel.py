"""Channels: how each account is served, its hosts and score, its outages, and switching (渠道)."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.channels.port import Product
from lingqian.channels.route import CREATION, Breaker, Candidate, Line, Phase, is_healthy, score
from lingqian.identity.key import Scope
from lingqian.kernel.bound import REASON_LENGTH_MAX
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.code import Code
from lingqian.storage.outage import Figures, Outage, Step, Sum, figures, outages
from lingqian.storage.standing import modes, waiting_count
from lingqian.topup.attempt import AttemptState
from lingqian.topup.mode import Mode, ModeRow
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused, problem
from lingqian.web.reply import Reply, reply

ModeName = Annotated[str, Meta(description="`normal`, `degraded`, `unwinding` or `forced_off`.")]
_LATELY: Final = ModeRow("", "", Mode.NORMAL, 0, "")


class BreakerShown(msgspec.Struct, frozen=True):
    """A breaker: one operation over one host; `closed` lets calls pass."""

    operation: str
    phase: Annotated[str, Meta(description="`closed`, `open` or `half_open`.")]


class HostShown(msgspec.Struct, frozen=True):
    """A host, and the breakers of what was asked of it since the server began."""

    host: str
    lines: tuple[BreakerShown, ...]


class ProductShown(msgspec.Struct, frozen=True, kw_only=True):
    """A product of an account: its bounds, its score now, and whether it may be asked for a sheet.

    The score is its rate of success less what its charge and its delay weigh, in millionths.
    """

    product: str
    amount_fen_min: field.Fen
    amount_fen_max: field.Fen
    score_ppm: int
    is_routable: bool


class ChannelShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A channel account: its mode, since when, by whom and why, and what is seen of it now."""

    account: field.AccountName
    mode: ModeName
    by: str = ""
    why: str = ""
    since: field.Moment | UnsetType = UNSET
    products: tuple[ProductShown, ...]
    hosts: tuple[HostShown, ...]
    callbacks_lost_ppm: int
    waiting: Annotated[int, Meta(description="Attempts whose end is not known yet.")]
    asked: Annotated[int, Meta(description="Attempts asked about since the outage ended.")]


class ChannelList(msgspec.Struct, frozen=True):
    """Every account, in the configured order."""

    channels: tuple[ChannelShown, ...]


class ModeChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's word on an account's mode: `force_off` outlasts every signal until `allow`."""

    event: Literal["force_off", "allow"]
    by: field.Person
    why: Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]


class StepShown(msgspec.Struct, frozen=True):
    """One switch of the mode."""

    at: field.Moment
    event: str
    mode: ModeName
    by: str
    why: str


class OutageShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One outage: bridged until `ended_at`, caught up at `closed_at`; absent while it goes on."""

    number: int
    began_at: field.Moment
    ended_at: field.Moment | UnsetType = UNSET
    closed_at: field.Moment | UnsetType = UNSET
    lasted_s: int
    unwound_s: int = 0
    steps: tuple[StepShown, ...]


class OutageList(msgspec.Struct, frozen=True):
    """An account's outages, the newest first."""

    outages: tuple[OutageShown, ...]


class SumShown(msgspec.Struct, frozen=True):
    """How many, and how much in all."""

    count: int
    amount_fen: field.Fen


class EndShown(msgspec.Struct, frozen=True):
    """Attempts that stand in one state now."""

    state: str
    count: int
    amount_fen: field.Fen


class AdvancesShown(msgspec.Struct, frozen=True, kw_only=True):
    """What became of what was advanced; its four parts add up to it.

    `unspent_fen` came back with the coins; `owed_fen` was spent and is owed; `lost_fen` was spent
    and given up.
    """

    count: int
    advanced_fen: field.Fen
    confirmed_fen: field.Fen
    open_fen: field.Fen
    unspent_fen: field.Fen
    owed_fen: field.Fen
    lost_fen: field.Fen
    loss_ppm: int
    asked_to_pay: Annotated[int, Meta(description="People who were asked to pay after all.")]


class OutageReport(msgspec.Struct, frozen=True, kw_only=True):
    """An outage by figures, as things are now.

    Orders and wallet payments are those of its time at any account; attempts and advances are the
    account's own. `at_risk_fen`: advanced, and neither paid nor taken back yet.
    """

    account: field.AccountName
    outage: OutageShown
    orders: int
    orders_untried: Annotated[int, Meta(description="Orders that no account took.")]
    attempts: tuple[EndShown, ...]
    wallet_payments: SumShown
    advances: AdvancesShown
    at_risk_fen: field.Fen
    asked: Annotated[int, Meta(description="Attempts asked about since it ended.")]
    waiting: Annotated[int, Meta(description="The account's attempts whose end is not known.")]


# --- accounts -----------------------------------------------------------------------------------


def _present(door: Door, call: Call) -> str:
    account: str = call.path_params["account"]
    if account not in door.wallet.channels:
        raise Refused(Code.NOT_FOUND)
    return account


def _shown(door: Door, account: str) -> ChannelShown:
    row = modes(door.reader).get(account, _LATELY)
    candidates = [each for each in door.wallet.candidates if each.account == account]
    hosts = next(each.hosts for each in door.wallet.config.channels if each.account == account)
    return ChannelShown(
        account=account,
        mode=Mode(row.mode).name.lower(),
        by=row.by,
        why=row.why,
        since=rfc3339(row.since_us) if row.since_us else UNSET,
        products=tuple([_product(door, each) for each in candidates]),
        hosts=tuple([_host(door, account, host) for host in hosts]),
        callbacks_lost_ppm=door.agent.errands.losses[account].lost_ppm,
        waiting=waiting_count(door.reader, account),
        asked=door.watch.asked(account),
    )


def _product(door: Door, candidate: Candidate) -> ProductShown:
    health = door.wallet.health
    now_us = health.now_us()
    return ProductShown(
        product=Product(candidate.product).name.lower(),
        amount_fen_min=candidate.amount_fen_min,
        amount_fen_max=candidate.amount_fen_max,
        score_ppm=score(health.state, candidate, now_us),
        is_routable=is_healthy(health.state, candidate, now_us),
    )


def _host(door: Door, account: str, host: str) -> HostShown:
    breakers = door.wallet.health.state.breakers
    used = {each.operation for each in breakers if (each.account, each.host) == (account, host)}
    found = [
        (name, breakers.get(Line(account, host, name), Breaker()).phase)
        for name in sorted({CREATION, *used})
    ]
    return HostShown(
        host, tuple([BreakerShown(name, Phase(each).name.lower()) for name, each in found])
    )


async def list_channels(door: Door, call: Call) -> Reply:
    """List every channel account with its mode, hosts and score."""
    del call
    shown = [_shown(door, account) for account in door.wallet.channels]
    return reply(200, ChannelList(tuple(shown)))


async def read(door: Door, call: Call) -> Reply:
    """Show a channel account."""
    return reply(200, _shown(door, _present(door, call)))


async def change_mode(door: Door, call: Call) -> Reply:
    """Force an account's degrading off, or allow it again; the reason is kept with the mode."""
    account = _present(door, call)
    body = await call.take(ModeChange)
    before = door.watch.mode(account)
    code = await door.watch.switch(account, body.event, body.by, body.why)
    if code:
        return problem(code, field="event", detail=f"{account} is {before.name.lower()}")
    return reply(200, _shown(door, account))


# --- outages ------------------------------------------------------------------------------------


def _moment(at_us: int) -> str | UnsetType:
    return rfc3339(at_us) if at_us else UNSET


def _outage(door: Door, outage: Outage) -> OutageShown:
    now_us = door.wallet.clock.now_us()
    ended_us = outage.ended_us or now_us
    unwound_us = (outage.closed_us or now_us) - outage.ended_us if outage.ended_us else 0
    return OutageShown(
        number=outage.number,
        began_at=rfc3339(outage.began_us),
        ended_at=_moment(outage.ended_us),
        closed_at=_moment(outage.closed_us),
        lasted_s=(ended_us - outage.began_us) // SECOND_US,
        unwound_s=unwound_us // SECOND_US,
        steps=_steps(outage.steps),
    )


def _steps(steps: Iterable[Step]) -> tuple[StepShown, ...]:
    return tuple(
        [
            StepShown(rfc3339(each.at_us), each.event, each.mode.name.lower(), each.by, each.why)
            for each in steps
        ]
    )


async def list_outages(door: Door, call: Call) -> Reply:
    """List an account's outages."""
    found = outages(door.reader, _present(door, call))
    return reply(200, OutageList(tuple([_outage(door, each) for each in reversed(found)])))


async def report(door: Door, call: Call) -> Reply:
    """Show one outage by figures: how long, who was bridged how, and what is still at risk."""
    account = _present(door, call)
    found = outages(door.reader, account)
    number: str = call.path_params["number"]
    known = {str(each.number): each for each in found}
    if number not in known:
        raise Refused(Code.NOT_FOUND)
    outage = known[number]
    clock = door.wallet.clock
    sums = figures(door.reader, account, outage, clock.now_us(), clock.offset_us)
    return reply(200, _report(door, account, outage, sums))


def _report(door: Door, account: str, outage: Outage, sums: Figures) -> OutageReport:
    given = sums.advances
    return OutageReport(
        account=account,
        outage=_outage(door, outage),
        orders=sums.orders,
        orders_untried=sums.orders_untried,
        attempts=_ends(sums.attempts),
        wallet_payments=SumShown(*sums.wallet),
        advances=AdvancesShown(
            count=given.advances,
            advanced_fen=given.advanced_fen,
            confirmed_fen=given.confirmed_fen,
            open_fen=given.open_fen,
            unspent_fen=given.unspent_fen,
            owed_fen=given.owed_fen,
            lost_fen=given.lost_fen,
            loss_ppm=given.loss_ppm,
            asked_to_pay=sums.asked_to_pay,
        ),
        at_risk_fen=given.open_fen + given.owed_fen,
        asked=door.watch.asked(account),
        waiting=sums.waiting,
    )


def _ends(attempts: dict[AttemptState, Sum]) -> tuple[EndShown, ...]:
    return tuple([EndShown(state.name.lower(), *attempts[state]) for state in sorted(attempts)])


_CHANNEL: Final = ChannelShown(
    account="main",
    mode="degraded",
    by="degrade",
    why="every route is open-circuited",
    since=field.MOMENT_EXAMPLE,
    products=(
        ProductShown(
            product="jsapi",
            amount_fen_min=1,
            amount_fen_max=5_000_000,
            score_ppm=941_000,
            is_routable=False,
        ),
    ),
    hosts=(HostShown("https://api.mch.weixin.qq.com", (BreakerShown("prepay", "open"),)),),
    callbacks_lost_ppm=0,
    waiting=17,
    asked=0,
)
_OUTAGE: Final = OutageShown(
    number=1,
    began_at=field.MOMENT_EXAMPLE,
    ended_at="2026-11-22T01:03:11.250Z",
    closed_at="2026-11-22T01:04:02.750Z",
    lasted_s=1_200,
    unwound_s=51,
    steps=(
        StepShown(
            field.MOMENT_EXAMPLE, "degrade", "degraded", "degrade", "every route is open-circuited"
        ),
    ),
)
_REPORT: Final = OutageReport(
    account="main",
    outage=_OUTAGE,
    orders=412,
    orders_untried=37,
    attempts=(EndShown("failed", 361, 1_805_000), EndShown("succeeded", 14, 70_000)),
    wallet_payments=SumShown(120, 600_000),
    advances=AdvancesShown(
        count=61,
        advanced_fen=183_000,
        confirmed_fen=178_000,
        open_fen=0,
        unspent_fen=3_800,
        owed_fen=1_200,
        lost_fen=0,
        loss_ppm=6_557,
        asked_to_pay=2,
    ),
    at_risk_fen=1_200,
    asked=375,
    waiting=0,
)
_OPERATE: Final = (Scope.OPERATE_CHANNELS,)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/channels",
        run=list_channels,
        summary="List channel accounts",
        tag="channels",
        scopes=_OPERATE,
        gives={200: Given(ChannelList, ChannelList((_CHANNEL,)))},
    ),
    Operation(
        method="GET",
        path="/v1/channels/{account}",
        run=read,
        summary="Show a channel account",
        tag="channels",
        scopes=_OPERATE,
        gives={200: Given(ChannelShown, _CHANNEL)},
        refuses=(Code.NOT_FOUND,),
    ),
    Operation(
        method="POST",
        path="/v1/channels/{account}/mode",
        run=change_mode,
        summary="Force degrading off, or allow it",
        tag="channels",
        scopes=_OPERATE,
        takes=ModeChange,
        example={"event": "force_off", "by": "wang.li", "why": "the channel says it was a drill"},
        gives={200: Given(ChannelShown, _CHANNEL)},
        refuses=(Code.NOT_FOUND, Code.ALREADY_SETTLED),
    ),
    Operation(
        method="GET",
        path="/v1/channels/{account}/outages",
        run=list_outages,
        summary="List an account's outages",
        tag="channels",
        scopes=_OPERATE,
        gives={200: Given(OutageList, OutageList((_OUTAGE,)))},
        refuses=(Code.NOT_FOUND,),
    ),
    Operation(
        method="GET",
        path="/v1/channels/{account}/outages/{number}",
        run=report,
        summary="Show an outage by figures",
        tag="channels",
        scopes=_OPERATE,
        gives={200: Given(OutageReport, _REPORT)},
        refuses=(Code.NOT_FOUND,),
    ),
)
