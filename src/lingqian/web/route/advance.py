"""Advances: the operator's own line, what was given from it, and giving up a debt (垫款)."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES, LANES_MAX, PREFIX_ORDER, PREFIX_USER, show
from lingqian.storage import standing
from lingqian.topup.advance import (
    ADVANCE_FEN_MAX,
    LIMIT_FEN_MAX,
    MINUTE_US,
    Advance,
    AdvanceState,
    exposure_fen,
    pace_fen,
)
from lingqian.topup.advance import Line as LineRow
from lingqian.web import field
from lingqian.web.answer import first_of, refusal
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

_TIME_BYTES: Final = 8
_LAST: Final = (2**63 - 1, b"\xff" * ID_BYTES)


class AdvanceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A lane's share of the line: what it may have out, what it has, and its pace.

    Its money is `limit_fen` less `open_fen` less `lost_fen`. From four fifths of the limit on, one
    person has half as much; at the limit nobody has any more.
    """

    lane: int
    limit_fen: field.Fen
    available_fen: field.Fen
    open_fen: field.Fen
    lost_fen: field.Fen
    minute_fen: Annotated[int, Meta(description="Advanced in this minute.")]
    minute_fen_max: Annotated[int, Meta(description="The most that one minute may advance.")]
    person_fen_max: Annotated[int, Meta(description="The most that one person may have at all.")]


class AdvanceLines(msgspec.Struct, frozen=True):
    """Every lane's line that was ever funded."""

    lines: tuple[AdvanceLine, ...]


class LineFunding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The operator's own money for a lane's line; a negative amount takes back what is not out."""

    amount_fen: Annotated[int, Meta(ge=-LIMIT_FEN_MAX, le=LIMIT_FEN_MAX)]
    lane: Annotated[int, Meta(ge=0, lt=LANES_MAX)] = 0


class AdvanceShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One advance: whose, for which order, and what became of it."""

    order_id: field.OrderId
    user_id: field.UserId
    account: field.AccountName
    amount_fen: field.Fen
    state: Annotated[str, Meta(description="`open`, `confirmed`, `clawed_back`, `written_off`.")]
    given_at: field.Moment
    due_at: Annotated[str, Meta(description="When unspent coins are taken back if unpaid.")]
    asked_at: field.Moment | UnsetType = UNSET
    ended_at: field.Moment | UnsetType = UNSET
    unspent_fen: field.Fen = 0
    owed_fen: field.Fen = 0


class AdvanceList(msgspec.Struct, frozen=True):
    """A page of advances, the newest first."""

    advances: tuple[AdvanceShown, ...]
    next_cursor: str | None


class WriteOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gives a debt up."""

    by: field.Person


def _line(door: Door, lane: int, row: LineRow) -> AdvanceLine:
    minute = door.wallet.clock.now_us() // MINUTE_US
    return AdvanceLine(
        lane=lane,
        limit_fen=row.limit_fen,
        available_fen=row.limit_fen - exposure_fen(row),
        open_fen=row.open_fen,
        lost_fen=row.lost_fen,
        minute_fen=row.minute_fen if row.minute == minute else 0,
        minute_fen_max=pace_fen(row),
        person_fen_max=ADVANCE_FEN_MAX,
    )


def advance_shown(order_id: bytes, row: Advance) -> AdvanceShown:
    """Tell an advance as the API does."""
    return AdvanceShown(
        order_id=show(PREFIX_ORDER, order_id),
        user_id=show(PREFIX_USER, row.user_id),
        account=row.account,
        amount_fen=row.amount_fen,
        state=AdvanceState(row.state).name.lower(),
        given_at=rfc3339(row.created_at_us),
        due_at=rfc3339(row.deadline_us),
        asked_at=rfc3339(row.asked_at_us) if row.asked_at_us else UNSET,
        ended_at=rfc3339(row.ended_at_us) if row.ended_at_us else UNSET,
        unspent_fen=row.unspent_fen,
        owed_fen=row.owed_fen,
    )


async def read_line(door: Door, call: Call) -> Reply:
    """Show the line: its limit, what is out, what was lost, and the pace it keeps."""
    del call
    rows = standing.lines(door.reader)
    return reply(200, AdvanceLines(tuple([_line(door, *each) for each in rows])))


async def fund_line(door: Door, call: Call) -> Reply:
    """Put the operator's own money into the line, or take it out, once per idempotency key."""
    body = await call.take(LineFunding)
    key = call.key()
    if body.lane not in door.wallet.lanes:
        raise Refused(Code.INVALID_FIELD, field="lane", detail="no such lane")
    cashier = door.wallet.cashier
    asked = cashier.fund_line(body.lane, body.amount_fen, key, call.caller.name)
    answer = await door.ask(asked)
    if answer.code:
        return refusal(answer)
    _, is_new = first_of(answer)
    row = standing.line(door.reader, body.lane)
    assert row is not None, "a line that was funded exists"
    return reply(201 if is_new else 200, _line(door, body.lane, row))


async def list_advances(door: Door, call: Call) -> Reply:
    """List advances, the newest first."""
    asked = call.ask(field.Page)
    after = read_cursor(b"v", asked.cursor, _TIME_BYTES + ID_BYTES)
    before = _LAST
    if after is not None:
        before = (int.from_bytes(after[:_TIME_BYTES], "big"), after[_TIME_BYTES:])
    found = standing.advances(door.reader, before, asked.limit)
    following = None
    if len(found) == asked.limit:
        order_id, last = found[-1]
        key = last.created_at_us.to_bytes(_TIME_BYTES, "big") + order_id
        following = write_cursor(b"v", key)
    return reply(200, AdvanceList(tuple([advance_shown(*each) for each in found]), following))


async def write_off(door: Door, call: Call) -> Reply:
    """Give up what is still owed of an advance: it becomes the operator's own loss."""
    order_id = call.id(PREFIX_ORDER, "order_id")
    body = await call.take(WriteOff)
    answer = await door.ask(door.wallet.cashier.write_off(order_id, body.by))
    if answer.code:
        return refusal(answer)
    row = standing.advance(door.reader, order_id)
    assert row is not None, "an advance that was written off exists"
    return reply(200, advance_shown(order_id, row))


_LINE: Final = AdvanceLine(
    lane=0,
    limit_fen=20_000_000,
    available_fen=19_500_000,
    open_fen=488_000,
    lost_fen=12_000,
    minute_fen=15_000,
    minute_fen_max=1_000_000,
    person_fen_max=ADVANCE_FEN_MAX,
)
_ADVANCE: Final = AdvanceShown(
    order_id=field.ORDER_EXAMPLE,
    user_id=field.USER_EXAMPLE,
    account="main",
    amount_fen=3_000,
    state="clawed_back",
    given_at=field.MOMENT_EXAMPLE,
    due_at="2026-11-23T00:43:11.250Z",
    asked_at="2026-11-22T01:04:02.750Z",
    ended_at="2026-11-23T00:43:11.250Z",
    unspent_fen=1_800,
    owed_fen=1_200,
)
_OPERATE: Final = (Scope.OPERATE_CHANNELS,)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/advance-lines",
        run=read_line,
        summary="Show the line for advances",
        tag="advances",
        scopes=_OPERATE,
        gives={200: Given(AdvanceLines, AdvanceLines((_LINE,)))},
    ),
    Operation(
        method="POST",
        path="/v1/advance-lines/funding",
        run=fund_line,
        summary="Fund the line for advances",
        tag="advances",
        scopes=_OPERATE,
        takes=LineFunding,
        example={"amount_fen": 20_000_000, "lane": 0},
        gives={201: Given(AdvanceLine, _LINE), 200: Given(AdvanceLine, _LINE)},
        refuses=(Code.EXCEEDS_AVAILABLE, Code.EXCEEDS_BALANCE_MAX),
        is_keyed=True,
    ),
    Operation(
        method="GET",
        path="/v1/advances",
        run=list_advances,
        summary="List advances",
        tag="advances",
        scopes=_OPERATE,
        asks=field.Page,
        gives={200: Given(AdvanceList, AdvanceList((_ADVANCE,), None))},
    ),
    Operation(
        method="POST",
        path="/v1/advances/{order_id}/write-off",
        run=write_off,
        summary="Give up what is owed of an advance",
        tag="advances",
        scopes=_OPERATE,
        takes=WriteOff,
        example={"by": "wang.li"},
        gives={200: Given(AdvanceShown, _ADVANCE)},
        refuses=(Code.NOT_FOUND, Code.ADVANCE_UNKNOWN, Code.ALREADY_SETTLED),
    ),
)
