"""Cases: what the gate stopped, listed, released or refused by a person (审核)."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lingqian.flows.case import Case, CaseState
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import (
    ID_BYTES,
    PREFIX_CASE,
    PREFIX_ORDER,
    PREFIX_PACKET,
    PREFIX_PAYOUT,
    PREFIX_TRANSFER,
    show,
)
from lingqian.risk.rule import Action, Verdict
from lingqian.storage import query
from lingqian.web import field
from lingqian.web.answer import refusal
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

_NEWEST: Final = (2**62, b"\xff" * ID_BYTES)


class CaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """One stopped command: what, whose, how much, by which rule, with whom, until when."""

    id: field.CaseId
    state: Annotated[
        str,
        Meta(
            description="`challenged`, `delayed` or `held` wait; `passed`, `released`, "
            "`refused` and `lapsed` are decided."
        ),
    ]
    action: str
    verdict: str
    rule: str
    user_id: field.UserId
    object_id: str
    amount_fen: field.Fen
    owner: str
    opened_at: field.Moment
    due_at: field.Moment
    decided_by: str
    requested_by: str


class CaseList(msgspec.Struct, frozen=True):
    """A page of cases, the newest first."""

    cases: tuple[CaseShown, ...]
    next_cursor: str | None


class CasePage(field.Page, frozen=True, forbid_unknown_fields=True):
    """Those that wait for somebody, or all."""

    state: Literal["open", "all"] = "open"


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who decides."""

    by: field.Person


_PREFIX: Final = {
    Action.TRANSFER: PREFIX_TRANSFER,
    Action.TOP_UP: PREFIX_ORDER,
    Action.PAYOUT: PREFIX_PAYOUT,
}


def _shown(case_id: bytes, row: Case) -> CaseShown:
    prefix = _PREFIX.get(Action(row.action), PREFIX_PACKET)
    return CaseShown(
        id=show(PREFIX_CASE, case_id),
        state=CaseState(row.state).name.lower(),
        action=Action(row.action).name.lower(),
        verdict=Verdict(row.verdict).name.lower(),
        rule=row.rule,
        user_id=show("us", row.user_id),
        object_id=show(prefix, row.object_id),
        amount_fen=row.amount_fen,
        owner=row.owner,
        opened_at=rfc3339(row.opened_at_us),
        due_at=rfc3339(row.due_at_us),
        decided_by=row.decided_by,
        requested_by=row.requested_by,
    )


async def list_cases(door: Door, call: Call) -> Reply:
    """List cases."""
    asked = call.ask(CasePage)
    after = read_cursor(b"k", asked.cursor, 8 + ID_BYTES)
    before = _NEWEST
    if after is not None:
        before = (int.from_bytes(after[:8], "big") & (2**63 - 1), after[8:])
    found = query.cases(door.reader, before, asked.limit, is_open=asked.state == "open")
    following = None
    if len(found) == asked.limit:
        last = found[-1]
        following = write_cursor(b"k", last.case.opened_at_us.to_bytes(8, "big") + last.case_id)
    return reply(200, CaseList(tuple([_shown(*each) for each in found]), following))


async def read(door: Door, call: Call) -> Reply:
    """Show a case."""
    case_id = call.id(PREFIX_CASE, "case_id")
    row = query.case(door.reader, case_id)
    if row is None:
        raise Refused(Code.CASE_UNKNOWN)
    return reply(200, _shown(case_id, row))


async def release(door: Door, call: Call) -> Reply:
    """Let what was stopped go on."""
    return await _settle(door, call, "release")


async def refuse(door: Door, call: Call) -> Reply:
    """Refuse what was stopped; money set aside comes back."""
    return await _settle(door, call, "refuse")


async def _settle(door: Door, call: Call, event: str) -> Reply:
    case_id = call.id(PREFIX_CASE, "case_id")
    body = await call.take(Settlement)
    found = query.case(door.reader, case_id)
    # Four eyes are those of two keys: who asked by a key does not decide with it.
    by = call.caller.name if found is not None and found.requested_by else body.by
    answer = await door.ask(door.wallet.desk.settle(case_id, event, by))
    if answer.code:
        return refusal(answer)
    row = query.case(door.reader, case_id)
    assert row is not None, "a settled case exists"
    return reply(200, _shown(case_id, row))


_EXAMPLE: Final = CaseShown(
    id=field.CASE_EXAMPLE,
    state="held",
    action="transfer",
    verdict="review",
    rule="large",
    user_id=field.USER_EXAMPLE,
    object_id=field.TRANSFER_EXAMPLE,
    amount_fen=1_000_000,
    owner="risk",
    opened_at=field.MOMENT_EXAMPLE,
    due_at="2026-11-25T00:43:11.250Z",
    decided_by="",
    requested_by="",
)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/cases",
        run=list_cases,
        summary="List cases",
        tag="cases",
        scopes=(Scope.REVIEW_CASES,),
        asks=CasePage,
        gives={200: Given(CaseList, CaseList((_EXAMPLE,), None))},
    ),
    Operation(
        method="GET",
        path="/v1/cases/{case_id}",
        run=read,
        summary="Show a case",
        tag="cases",
        scopes=(Scope.REVIEW_CASES,),
        gives={200: Given(CaseShown, _EXAMPLE)},
        refuses=(Code.NOT_FOUND, Code.CASE_UNKNOWN),
    ),
    Operation(
        method="POST",
        path="/v1/cases/{case_id}/release",
        run=release,
        summary="Release what was stopped",
        tag="cases",
        scopes=(Scope.REVIEW_CASES,),
        takes=Settlement,
        example={"by": "wang.li"},
        gives={200: Given(CaseShown, _EXAMPLE)},
        refuses=(Code.NOT_FOUND, Code.CASE_UNKNOWN, Code.CASE_CLOSED, Code.SAME_PERSON),
    ),
    Operation(
        method="POST",
        path="/v1/cases/{case_id}/refusal",
        run=refuse,
        summary="Refuse what was stopped",
        tag="cases",
        scopes=(Scope.REVIEW_CASES,),
        takes=Settlement,
        example={"by": "wang.li"},
        gives={200: Given(CaseShown, _EXAMPLE)},
        refuses=(Code.NOT_FOUND, Code.CASE_UNKNOWN, Code.CASE_CLOSED, Code.SAME_PERSON),
    ),
)
