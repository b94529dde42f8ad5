"""Reconciliation: days of channel accounts, run on demand, told, and their differences (对账)."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lingqian.clearing.classify import TABLE, Class, Owner
from lingqian.clearing.day import BLOCKER_WORDS, Day, DayState
from lingqian.clearing.difference import Difference, DifferenceState, Remedy, day_id
from lingqian.clearing.item import Way
from lingqian.clearing.report import ranked, read_day, report, show_day
from lingqian.clearing.sheet import as_csv, as_page
from lingqian.flows.command import ResolveDifference
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES, PREFIX_DIFFERENCE, show
from lingqian.storage import reconciliation as books
from lingqian.storage.kept_bill import sealed_note
from lingqian.storage.lane import Submission
from lingqian.storage.port import Connection
from lingqian.web import field
from lingqian.web.answer import refusal
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused
from lingqian.web.reply import CSV, Reply, reply

_HTML: Final = b"text/html; charset=utf-8"
# A report carries its style with it, and nothing else.
_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
)
_CURSOR: Final = b"d"
_DAY_CURSOR: Final = b"y"
DIFFERENCE_EXAMPLE: Final = "df_0000000000XW1E2Z7M5N9CD6D3"

DayText = Annotated[
    str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A business day in Shanghai.")
]
Account = Annotated[str, Meta(min_length=1, max_length=64, description="A channel account.")]


class DayShown(msgspec.Struct, frozen=True, kw_only=True):
    """One account's day: how far it has come, both sums, and what is left open."""

    account: Account
    day: DayText
    state: Annotated[str, Meta(description="`open`, `fetched`, `matched` or `closed`.")]
    items: int
    ours_fen: field.Fen
    theirs_fen: field.Fen
    opening_fen: field.Fen
    closing_fen: field.Fen
    carried: int
    owned: int
    closed_at: str
    closed_by: str
    trade_bill_sha256: str
    fund_bill_sha256: str
    result_sha256: str


class DayList(msgspec.Struct, frozen=True):
    """The days of all accounts, the newest first."""

    days: tuple[DayShown, ...]
    next_cursor: str | None = None


class DifferenceShown(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: its class and meaning, its size, with whom it is, and how it ended."""

    id: Annotated[str, Meta(description="A difference.")]
    account: Account
    day: DayText
    class_code: Annotated[str, Meta(description="L1 to L6, S1 to S3, F1, F2, C1, T1, B1.")]
    meaning_zh: str
    meaning_en: str
    kind: Annotated[str, Meta(description="`pay` or `refund`.")]
    number: Annotated[str, Meta(description="Our number, else the channel's.")]
    gap_fen: Annotated[int, Meta(description="The channel's amount less ours, in positive.")]
    charge_gap_fen: Annotated[int, Meta(description="The channel's own charge less ours.")]
    state: Annotated[
        str,
        Meta(
            description="`carried` and `owned` wait; `repaired`, `agreed`, `resolved` and "
            "`lapsed` have ended."
        ),
    ]
    owner: str
    due_at: field.Moment
    remedy: Annotated[str, Meta(description="`none`, `long`, `short` or `fee`.")]
    is_booked: bool
    asked_by: str
    decided_by: str


class DayReport(msgspec.Struct, frozen=True):
    """A day with its differences and those that earlier days have carried into it, urgent first."""

    reconciliation: DayShown
    differences: tuple[DifferenceShown, ...]
    next_cursor: str | None = None


class RunShown(msgspec.Struct, frozen=True):
    """How a run ended, and what keeps the day open."""

    account: Account
    day: DayText
    state: str
    blockers: tuple[str, ...]
    words: tuple[str, ...]
    waits: Annotated[str, Meta(description="The channel's own word where a bill is missing.")]


class RunAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day of which account to run now."""

    account: Account
    day: DayText
    by: field.Person


class ReportForm(field.Page, frozen=True, forbid_unknown_fields=True):
    """In which form a report is wanted; as JSON it comes in pages, else whole."""

    form: Literal["json", "csv", "html"] = "json"


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a difference ends: `explain` moves nothing; `ask` proposes a remedy, `agree` books it."""

    event: Literal["explain", "ask", "agree"]
    by: field.Person
    remedy: Literal["none", "long", "short"] = "none"
    note: field.Note = ""


def day_shown(row: Day) -> DayShown:
    """Tell a day as the API does."""
    return DayShown(
        account=row.account,
        day=show_day(row.day),
        state=DayState(row.state).name.lower(),
        items=row.items,
        ours_fen=row.ours_fen,
        theirs_fen=row.theirs_fen,
        opening_fen=row.opening_fen,
        closing_fen=row.closing_fen,
        carried=row.carried,
        owned=row.owned,
        closed_at=rfc3339(row.closed_at_us) if row.closed_at_us else "",
        closed_by=row.closed_by,
        trade_bill_sha256=row.trade_digest.hex(),
        fund_bill_sha256=row.fund_digest.hex(),
        result_sha256=row.result_digest.hex(),
    )


def difference_shown(identity: bytes, row: Difference) -> DifferenceShown:
    """Tell a difference as the API does."""
    known = TABLE[Class(row.class_code)]
    return DifferenceShown(
        id=show(PREFIX_DIFFERENCE, identity),
        account=row.account,
        day=show_day(row.day),
        class_code=row.class_code,
        meaning_zh=known.zh,
        meaning_en=known.en,
        kind=Way(row.way).name.lower(),
        number=row.number,
        gap_fen=row.gap_fen,
        charge_gap_fen=row.fee_gap_fen,
        state=DifferenceState(row.state).name.lower(),
        owner=Owner(row.owner).name.lower(),
        due_at=rfc3339(row.due_at_us),
        remedy=Remedy(row.remedy).name.lower(),
        is_booked=bool(row.is_booked),
        asked_by=row.asked_by,
        decided_by=row.decided_by,
    )


async def list_days(door: Door, call: Call) -> Reply:
    """List the days, the newest first."""
    asked = call.ask(field.Page)
    key = read_cursor(_DAY_CURSOR, asked.cursor, ID_BYTES)
    after = None if key is None else books.day_of_id(door.reader, key)
    rows = books.newest_days(door.reader, asked.limit + 1, after)
    shown = rows[: asked.limit]
    is_last = len(rows) <= asked.limit
    following = None if is_last else write_cursor(_DAY_CURSOR, day_id(*_name(shown[-1])))
    return reply(200, DayList(tuple([day_shown(row) for row in shown]), following))


def _name(row: Day) -> tuple[str, int]:
    return row.account, row.day


async def run(door: Door, call: Call) -> Reply:
    """Run a day: fetch, compare, repair, and close it if it can be."""
    body = await call.take(RunAsked)
    day = _day(body.day)
    if body.account not in door.wallet.channels:
        raise Refused(Code.NOT_FOUND)
    if day > door.reconciler.newest_day(body.account):
        raise Refused(Code.NOT_DUE)
    ended = await door.reconciler.reconcile(body.account, day, body.by)
    shown = RunShown(
        ended.account,
        show_day(ended.day),
        ended.state.name.lower(),
        tuple(str(each) for each in ended.blockers),
        tuple(" ".join(BLOCKER_WORDS[each]) for each in ended.blockers),
        ended.waits,
    )
    return reply(200, shown)


async def read(door: Door, call: Call) -> Reply:
    """Show a day, as data, as a spreadsheet or as a page."""
    asked = call.ask(ReportForm)
    row = books.day_row(door.reader, call.path_params["account"], _day(call.path_params["day"]))
    if row is None:
        raise Refused(Code.DAY_UNKNOWN)
    after = read_cursor(_CURSOR, asked.cursor, ID_BYTES)
    # A day may have as many differences as it has payments: not in the loop that answers others.
    return await door.wallet.archive.do(lambda connection: _told(connection, row, asked, after))


def _told(connection: Connection, row: Day, asked: ReportForm, after: bytes | None) -> Reply:
    found = books.told(connection, row)
    if asked.form == "json":
        return reply(200, _page(row, ranked(found), asked.limit, after))
    told = report(row, found)
    if asked.form == "csv":
        return Reply(200, as_csv([told]).encode(), CSV)
    return Reply(200, as_page([told]).encode(), _HTML, replaces=(_POLICY,))


def _page(
    row: Day, found: list[tuple[bytes, Difference]], limit: int, after: bytes | None
) -> DayReport:
    """Return the differences after the one that a cursor names; all of them if it has gone."""
    start = next((place for place, each in enumerate(found, 1) if each[0] == after), 0)
    rows = found[start : start + limit]
    shown = tuple([difference_shown(*each) for each in rows])
    is_last = start + limit >= len(found)
    return DayReport(day_shown(row), shown, None if is_last else write_cursor(_CURSOR, rows[-1][0]))


async def resolve(door: Door, call: Call) -> Reply:
    """End a difference by hand; where money moves, two people do."""
    identity = call.id(PREFIX_DIFFERENCE, "difference_id")
    body = await call.take(Resolution)
    mac, rows = sealed_note(door.wallet.vault, identity, body.note)
    remedy = Remedy[body.remedy.upper()]
    command = ResolveDifference(identity, body.event, remedy, body.by, mac)
    answer = await door.ask(Submission(command, rows))
    if answer.code:
        return refusal(answer)
    row = books.difference(door.reader, identity)
    assert row is not None, "a difference that was answered for exists"
    return reply(200, difference_shown(identity, row))


def _day(text: str) -> int:
    day = read_day(text)
    if day is None:
        raise Refused(Code.INVALID_FIELD, field="day", detail="not a calendar date")
    return day


_DAY_EXAMPLE: Final = DayShown(
    account="wx-main",
    day="2026-11-25",
    state="closed",
    items=1_204,
    ours_fen=6_020_000,
    theirs_fen=6_020_000,
    opening_fen=1_000_000,
    closing_fen=6_983_880,
    carried=0,
    owned=1,
    closed_at=field.MOMENT_EXAMPLE,
    closed_by="clock",
    trade_bill_sha256="0" * 64,
    fund_bill_sha256="1" * 64,
    result_sha256="2" * 64,
)
_DIFFERENCE_EXAMPLE: Final = DifferenceShown(
    id=DIFFERENCE_EXAMPLE,
    account="wx-main",
    day="2026-11-25",
    class_code="L4",
    meaning_zh=TABLE[Class.L4].zh,
    meaning_en=TABLE[Class.L4].en,
    kind="pay",
    number="from-elsewhere-1",
    gap_fen=0,
    charge_gap_fen=0,
    state="owned",
    owner="operator",
    due_at=field.MOMENT_EXAMPLE,
    remedy="none",
    is_booked=False,
    asked_by="",
    decided_by="",
)
_RUN_EXAMPLE: Final = RunShown("wx-main", "2026-11-25", "closed", (), (), "")

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/reconciliations",
        run=list_days,
        summary="List reconciled days",
        tag="reconciliation",
        scopes=(Scope.RECONCILE,),
        asks=field.Page,
        gives={200: Given(DayList, DayList((_DAY_EXAMPLE,)))},
    ),
    Operation(
        method="POST",
        path="/v1/reconciliations",
        run=run,
        summary="Run a day's reconciliation now",
        tag="reconciliation",
        scopes=(Scope.RECONCILE,),
        takes=RunAsked,
        example={"account": "wx-main", "day": "2026-11-25", "by": "wang.li"},
        gives={200: Given(RunShown, _RUN_EXAMPLE)},
        refuses=(Code.NOT_FOUND, Code.NOT_DUE),
    ),
    Operation(
        method="GET",
        path="/v1/reconciliations/{day}/{account}",
        run=read,
        summary="Show a reconciled day",
        tag="reconciliation",
        scopes=(Scope.RECONCILE,),
        asks=ReportForm,
        gives={200: Given(DayReport, DayReport(_DAY_EXAMPLE, (_DIFFERENCE_EXAMPLE,)))},
        refuses=(Code.DAY_UNKNOWN,),
    ),
    Operation(
        method="POST",
        path="/v1/differences/{difference_id}/resolution",
        run=resolve,
        summary="End a difference",
        tag="reconciliation",
        scopes=(Scope.RECONCILE,),
        takes=Resolution,
        example={"event": "explain", "by": "wang.li", "note": "the shop's own test payment"},
        gives={200: Given(DifferenceShown, _DIFFERENCE_EXAMPLE)},
        refuses=(
            Code.NOT_FOUND,
            Code.DIFFERENCE_UNKNOWN,
            Code.DIFFERENCE_CLOSED,
            Code.REMEDY_UNFIT,
            Code.REMEDY_NOT_ASKED,
            Code.SAME_PERSON,
        ),
    ),
)
