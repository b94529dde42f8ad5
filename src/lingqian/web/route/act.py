"""Acts: what operators did, to be read by who answers for them (操作日志)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.storage import act as rows
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.reply import Reply, reply

_NUMBER_BYTES: Final = 8
_NEWEST: Final = 1 << 62


class ActShown(msgspec.Struct, frozen=True):
    """One act: written once before it is done, with status 0, and once with that of its answer."""

    number: int
    at: field.Moment
    actor: Annotated[str, Meta(description="The name of the key.")]
    operation: str
    subject: Annotated[str, Meta(description="The path that was asked for.")]
    status: int


class ActList(msgspec.Struct, frozen=True):
    """A page of acts, the newest first."""

    acts: tuple[ActShown, ...]
    next_cursor: str | None


async def read(door: Door, call: Call) -> Reply:
    """List what operators did."""
    asked = call.ask(field.Page)
    after = read_cursor(b"a", asked.cursor, _NUMBER_BYTES)
    before = _NEWEST if after is None else min(_NEWEST, int.from_bytes(after, "big"))
    found = rows.acts(door.reader, before, asked.limit)
    shown = [ActShown(each.number, rfc3339(each.deed.at_us), *each.deed[1:]) for each in found]
    following = None
    if len(found) == asked.limit:
        following = write_cursor(b"a", found[-1].number.to_bytes(_NUMBER_BYTES, "big"))
    return reply(200, ActList(tuple(shown), following))


_ACT: Final = ActShown(
    2,
    field.MOMENT_EXAMPLE,
    "wang.li",
    "POST /v1/cases/{case_id}/release",
    f"/v1/cases/{field.CASE_EXAMPLE}/release",
    200,
)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/acts",
        run=read,
        summary="List what operators did",
        tag="operators",
        scopes=(Scope.ADMIN,),
        asks=field.Page,
        gives={200: Given(ActList, ActList((_ACT,), None))},
    ),
)
