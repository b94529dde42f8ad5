"""Behaviour: steps that pages tell, what they foretell, and the funnel they make (埋点、漏斗).

Law: steps go the durable way of every command and never stand in the way of money: while the queue
is a quarter full they are refused, and a page tells them again.
"""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Meta

from lingqian.analytics.forecast import FEATURES, VERSION, Forecast, features, forecast
from lingqian.analytics.funnel import Row, funnel
from lingqian.analytics.segment import RULES_VERSION, Segment, segment_of
from lingqian.analytics.step import LADDER, SEEN, CancelReason, Step
from lingqian.clearing.report import read_day, show_day
from lingqian.flows.behaviour import StepsDone
from lingqian.identity.key import Scope
from lingqian.kernel.bound import (
    FUNNEL_DAYS_MAX,
    QUEUE_COMMANDS_MAX,
    STEP_ID_LENGTH_MAX,
    STEPS_AT_ONCE_MAX,
)
from lingqian.kernel.clock import business_day, day_start_us, from_rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Busy
from lingqian.kernel.id import PREFIX_ORDER, PREFIX_USER, parse
from lingqian.storage import behaviour as stored
from lingqian.storage import query
from lingqian.topup.plan import cheapest_coins
from lingqian.web import field
from lingqian.web.answer import refusal
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

# Above this many waiting commands there is only room for money.
_DEPTH_MAX: Final = QUEUE_COMMANDS_MAX // 4
_STEPS_READ_MAX: Final = 200
_TRACE_EXAMPLE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"

StepName = Literal[
    "plan_view", "amount_select", "quote", "invoke", "sheet_shown", "confirmed", "cancel"
]
ReasonName = Literal["", "back", "closed_sheet", "too_slow", "no_money", "changed_mind", "failed"]
Trace = Annotated[
    str, Meta(pattern="^[0-9a-f]{32}$", description="One passage; as in W3C trace context.")
]


class StepTold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One step of a person, as a page saw it; `id` is the page's own and makes telling it safe."""

    id: Annotated[str, Meta(min_length=1, max_length=STEP_ID_LENGTH_MAX, pattern="^[!-~]+$")]
    trace_id: Trace
    step: StepName
    at: field.Moment
    scene: field.Scene = ""
    order_id: field.OrderId | None = None
    amount_fen: Annotated[int, Meta(ge=0)] = 0
    reason: ReasonName = ""


class StepsTold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Steps of one person."""

    user_id: field.OwnId = UNSET
    events: Annotated[tuple[StepTold, ...], Meta(min_length=1, max_length=STEPS_AT_ONCE_MAX)]


class PartShown(msgspec.Struct, frozen=True):
    """One input of a forecast: what it means, its value, and what it added.

    `added` is in hundredths of a logit.
    """

    name: str
    meaning: str
    value: int
    added: int


class ForecastShown(msgspec.Struct, frozen=True):
    """How likely a payment within half an hour is, why, and what a page should prepare for it."""

    version: int
    probability_ppm: int
    prepare: tuple[str, ...]
    parts: tuple[PartShown, ...]


class StepsTaken(msgspec.Struct, frozen=True):
    """How many steps were new, and what the person's page should prepare."""

    recorded: int
    known: int
    prepare: tuple[str, ...]
    probability_ppm: int


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which days, both included; left out: today."""

    since: Annotated[str, Meta(max_length=10, description="YYYY-MM-DD, Asia/Shanghai.")] = ""
    until: Annotated[str, Meta(max_length=10, description="YYYY-MM-DD, Asia/Shanghai.")] = ""


class RowShown(msgspec.Struct, frozen=True, kw_only=True):
    """One segment on one day; without a day, over all of them. A rate of nothing is null."""

    day: str | None
    segment: str
    reached: Mapping[str, int]
    cancelled: Mapping[str, int]
    sheets_asked: int
    abandoned: int
    abandonment_ppm: int | None
    credited_orders: int
    payers: int
    orders_per_payer_ppm: int | None
    credited_fen: field.Fen
    channel_orders: int
    channel_ppm: int | None
    channel_amount_ppm: int | None


class FunnelShown(msgspec.Struct, frozen=True):
    """The funnel of some days by segment; `rules_version` says how people were told apart."""

    since: str
    until: str
    rules_version: int
    rows: tuple[RowShown, ...]


async def record(door: Door, call: Call) -> Reply:
    """Take down steps of a person and foretell whether a payment comes."""
    body = await call.take(StepsTold)
    person = call.who(body.user_id, "user_id")
    if door.wallet.intake.depth > _DEPTH_MAX:
        raise Busy("steps wait while there is much to do")
    if door.wallet.directory.status(person) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    told = [_told(door, person, each, place) for place, each in enumerate(body.events)]
    answer = await door.ask(stored.record_steps(person, told))
    if answer.code:
        return refusal(answer)
    outcome = answer.outcome
    fresh = len(outcome.fresh) if isinstance(outcome, StepsDone) else 0
    found = _forecast(door, person)
    return reply(202, StepsTaken(fresh, len(told) - fresh, found.prepare, found.ppm))


def _told(door: Door, person: bytes, each: StepTold, place: int) -> stored.Told:
    where = f"events[{place}]"
    at_us = from_rfc3339(each.at)
    if at_us is None or not 0 < at_us < 1 << 62:
        raise Refused(Code.INVALID_FIELD, field=f"{where}.at", detail="an instant as RFC 3339")
    if each.reason and each.step != "cancel":
        words = "only a cancel has a reason"
        raise Refused(Code.INVALID_FIELD, field=f"{where}.reason", detail=words)
    order_id = b""
    if each.order_id is not None:
        order_id = parse(PREFIX_ORDER, each.order_id) or b""
        row = query.order(door.reader, order_id)
        # Somebody else's order is no more known to this person than one that never was.
        if row is None or row.user_id != person:
            raise Refused(Code.INVALID_FIELD, field=f"{where}.order_id", detail="no such order")
    return stored.Told(
        each.id,
        bytes.fromhex(each.trace_id),
        Step[each.step.upper()],
        # Phones keep real time; the ledger's may have been moved forward in the sandbox.
        at_us + door.wallet.clock.offset_us,
        each.scene,
        order_id,
        each.amount_fen,
        each.reason,
    )


def _forecast(door: Door, person: bytes) -> Forecast:
    now_us = door.wallet.clock.now_us()
    today_us = day_start_us(business_day(now_us))
    events = stored.steps_of(door.reader, person, today_us, _STEPS_READ_MAX)
    known = stored.payer(door.reader, person, cheapest_coins(door.wallet.plans), now_us)
    segment = segment_of([each.scene for each in events])
    return forecast(features(events, known, segment, now_us))


async def foretell(door: Door, call: Call) -> Reply:
    """Foretell whether a person is about to pay, with every reason."""
    person = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(person) is None:
        raise Refused(Code.USER_UNKNOWN)
    found = _forecast(door, person)
    meanings = {row.name: row.meaning for row in FEATURES}
    parts = [PartShown(each.name, meanings[each.name], *each[1:]) for each in found.parts]
    return reply(200, ForecastShown(VERSION, found.ppm, found.prepare, tuple(parts)))


async def read(door: Door, call: Call) -> Reply:
    """Show how far people came, by day and segment."""
    days = _days(call.ask(Asked), business_day(door.wallet.clock.now_us()))
    database = door.wallet.database

    def work() -> tuple[Row, ...] | None:
        with closing(database.reader()) as connection:
            span = (day_start_us(days.start), day_start_us(days.stop))
            found = stored.behaviour(connection, *span)
        return None if found is None else funnel(found.events, found.outcomes, days)

    # A month of steps is seconds of work; nobody's payment waits for it.
    rows = await asyncio.to_thread(work)
    if rows is None:
        words = "there are too many steps for one report; ask for fewer days"
        raise Refused(Code.INVALID_FIELD, field="since", detail=words)
    return reply(200, funnel_shown(rows, days))


def _days(asked: Asked, today: int) -> range:
    first = _day(asked.since, "since") if asked.since else None
    last = _day(asked.until, "until") if asked.until else today
    first = last if first is None else first
    if not first <= last < first + FUNNEL_DAYS_MAX:
        words = f"at least one day, at most {FUNNEL_DAYS_MAX}"
        raise Refused(Code.INVALID_FIELD, field="since", detail=words)
    return range(first, last + 1)


def _day(text: str, name: str) -> int:
    day = read_day(text)
    if day is None:
        raise Refused(Code.INVALID_FIELD, field=name, detail="not a calendar date")
    return day


def funnel_shown(rows: tuple[Row, ...], days: range) -> FunnelShown:
    """Return a report as it is shown."""
    return FunnelShown(
        show_day(days.start),
        show_day(days.stop - 1),
        RULES_VERSION,
        tuple([_row_shown(row) for row in rows]),
    )


def _row_shown(row: Row) -> RowShown:
    names = [each.name.lower() for each in LADDER]
    return RowShown(
        day=show_day(row.day) if row.day else None,
        segment=row.segment.name.lower(),
        reached=dict(zip(names, row.reached, strict=True)),
        cancelled=row.cancelled,
        sheets_asked=row.asked,
        abandoned=row.abandoned,
        abandonment_ppm=row.abandonment_ppm,
        credited_orders=row.credited,
        payers=row.payers,
        orders_per_payer_ppm=row.orders_per_payer_ppm,
        credited_fen=row.credited_fen,
        channel_orders=row.by_channel,
        channel_ppm=row.penetration_ppm,
        channel_amount_ppm=row.penetration_amount_ppm,
    )


assert {Step[name.upper()] for name in get_args(StepName)} == SEEN, "every step a page may tell"
assert set(get_args(ReasonName)) == set(CancelReason), "every reason"

_ROW: Final = Row(
    20_779, Segment.FAN, (120, 90, 70, 64, 63, 60, 58, 58, 41), {"back": 30, "closed_sheet": 4},
    64, 6, 58, 55, 290_000, 52, 262_000,
)  # fmt: skip
_STEP_EXAMPLE: Final = {
    "id": "p1-1",
    "trace_id": _TRACE_EXAMPLE,
    "step": "plan_view",
    "at": field.MOMENT_EXAMPLE,
    "scene": "live",
}

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/behaviour-events",
        run=record,
        summary="Take down steps of a person",
        tag="behaviour",
        scopes=(Scope.WRITE_BEHAVIOUR, Scope.ACT_USERS),
        takes=StepsTold,
        example={"user_id": field.USER_EXAMPLE, "events": [_STEP_EXAMPLE]},
        gives={202: Given(StepsTaken, StepsTaken(1, 0, ("connection", "quote"), 377_541))},
        refuses=(Code.USER_UNKNOWN,),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/payment-forecast",
        run=foretell,
        summary="Foretell whether a person is about to pay",
        tag="behaviour",
        scopes=(Scope.WRITE_BEHAVIOUR,),
        gives={
            200: Given(
                ForecastShown,
                ForecastShown(
                    VERSION, 377_541, ("connection", "quote"),
                    (PartShown("is_amount_selected", FEATURES[1].meaning, 1, 150),),
                ),
            )
        },
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
    ),
    Operation(
        method="GET",
        path="/v1/funnel",
        run=read,
        summary="Show how far people came, by day and segment",
        tag="behaviour",
        scopes=(Scope.READ_FUNNEL,),
        asks=Asked,
        gives={200: Given(FunnelShown, funnel_shown((_ROW,), range(20_779, 20_780)))},
    ),
)  # fmt: skip
