"""Statements and packet history: where every fen went, on a page or as CSV (账单、红包记录)."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES, PREFIX_USER, show
from lingqian.storage import query
from lingqian.storage.statement import SEQ_MAX, Line, lines
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.card import History, card
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused
from lingqian.web.reply import CSV, Reply, Stream, reply
from lingqian.web.sight import look

_ROWS_AT_ONCE: Final = 500
_BOM: Final = "\N{BYTE ORDER MARK}"
# A cell that begins like this is run as a formula by the programs that open such files.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_HEADER: Final = (
    "id",
    "at",
    "what",
    "amount_fen",
    "balance_after_fen",
    "object_id",
    "other_id",
    "other_nickname",
)


class LineShown(msgspec.Struct, frozen=True):
    """One movement; `what` says what it was for, `object_id` names that thing."""

    id: str
    at: field.Moment
    what: str
    amount_fen: field.Fen
    balance_after_fen: field.Fen
    object_id: str
    other_id: str | None
    other_nickname: str | None


class Statement(msgspec.Struct, frozen=True):
    """A page of a statement, the newest first."""

    lines: tuple[LineShown, ...]
    next_cursor: str | None


class HistoryPage(field.Page, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Packets a person sent, or claimed from."""

    role: Literal["sent", "claimed"]


def _present(door: Door, call: Call) -> bytes:
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    return identity


def _shown(door: Door, line: Line) -> LineShown:
    cause = line.cause
    other = cause.other_id
    return LineShown(
        f"{line.seq}-{line.leg}",
        rfc3339(line.at_us),
        cause.word,
        line.amount_fen,
        line.balance_after_fen,
        show(cause.prefix, cause.object_id),
        show(PREFIX_USER, other) if other else None,
        door.nickname(other) if other else None,
    )


async def statement(door: Door, call: Call) -> Any:  # noqa: ANN401 - a Reply or a Stream
    """Show a page of a person's statement, or all of it as CSV."""
    identity = _present(door, call)
    asked = call.ask(field.Page)
    if "text/csv" in call.header(b"accept"):
        return as_csv(door, identity)
    return _page(door, identity, asked)


async def statement_csv(door: Door, call: Call) -> Any:  # noqa: ANN401 - a Stream
    """Give a person's whole statement as CSV."""
    return as_csv(door, _present(door, call))


def _page(door: Door, identity: bytes, asked: field.Page) -> Reply:
    after = read_cursor(b"s", asked.cursor, 12)
    before = (SEQ_MAX, 0)
    if after is not None:
        before = (int.from_bytes(after[:8], "big"), int.from_bytes(after[8:], "big"))
        if before[0] > SEQ_MAX:
            raise Refused(Code.INVALID_FIELD, field="cursor")
    found = lines(door.reader, identity, before, asked.limit)
    following = None
    if len(found) == asked.limit:
        last = found[-1]
        key = last.seq.to_bytes(8, "big") + last.leg.to_bytes(4, "big")
        following = write_cursor(b"s", key)
    return reply(200, Statement(tuple([_shown(door, line) for line in found]), following))


def as_csv(door: Door, identity: bytes) -> Stream:
    """Return a whole statement as CSV, the newest first, a few hundred lines at a time.

    The first of them are read before anything is promised: a status once sent cannot be taken back.
    Raises: Unsent.
    """
    first = _lines_shown(door, identity, (SEQ_MAX, 0))
    name = show(PREFIX_USER, identity)
    disposition = f'attachment; filename="statement-{name}.csv"'.encode()
    return Stream(200, _rows(door, identity, first), CSV, ((b"content-disposition", disposition),))


class _Some(NamedTuple):
    """Some lines of a statement as CSV, and where the next ones begin; None behind the last."""

    text: bytes
    following: tuple[int, int] | None


def _lines_shown(door: Door, identity: bytes, before: tuple[int, int]) -> _Some:
    found = lines(door.reader, identity, before, _ROWS_AT_ONCE)
    shown = [msgspec.structs.astuple(_shown(door, line)) for line in found]
    text = _csv([[safe(cell) for cell in row] for row in shown]).encode()
    is_last = len(found) < _ROWS_AT_ONCE
    return _Some(text, None if is_last else (found[-1].seq, found[-1].leg))


async def _rows(door: Door, identity: bytes, first: _Some) -> AsyncIterator[bytes]:
    some = first
    yield (_BOM + _csv([_HEADER])).encode() + some.text
    while some.following is not None:
        some = _lines_shown(door, identity, some.following)
        yield some.text


def _csv(rows: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def safe(cell: object) -> object:
    """Return a cell that no program runs as a formula: text that could be one gets a quote."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return "'" + cell
    return cell


async def history(door: Door, call: Call) -> Reply:
    """List the packets a person sent or claimed from, with what came back, and when."""
    identity = _present(door, call)
    asked = call.ask(HistoryPage)
    if asked.role == "sent":
        after = read_cursor(b"p", asked.cursor, ID_BYTES)
        newest = identity[:2] + b"\xff" * (ID_BYTES - 2)
        found = query.sent_packets(door.reader, identity, after or newest, asked.limit)
        key = found[-1] if found else b""
    else:
        after = read_cursor(b"q", asked.cursor, ID_BYTES - 2)
        newest = b"\xff" * (ID_BYTES - 2)
        lanes = door.wallet.lanes
        found = query.claimed_packets(door.reader, identity, after or newest, lanes, asked.limit)
        key = found[-1][2:] if found else b""
    following = None
    if len(found) == asked.limit:
        following = write_cursor(b"p" if asked.role == "sent" else b"q", key)
    shown = tuple([card(door, look(door, packet_id, identity)) for packet_id in found])
    return reply(200, History(shown, following))


_LINE: Final = LineShown(
    "17-0",
    field.MOMENT_EXAMPLE,
    "packet_claimed",
    4_321,
    14_321,
    field.PACKET_EXAMPLE,
    None,
    None,
)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/users/{user_id}/statement",
        run=statement,
        summary="Show a person's statement",
        tag="users",
        scopes=(Scope.READ_USERS,),
        asks=field.Page,
        gives={200: Given(Statement, Statement((_LINE,), None))},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/statement.csv",
        run=statement_csv,
        summary="Give a person's whole statement as CSV",
        tag="users",
        scopes=(Scope.READ_USERS,),
        gives={200: Given(str, ",".join(_HEADER), "text/csv")},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/packets",
        run=history,
        summary="List the packets a person sent or claimed from",
        tag="users",
        scopes=(Scope.READ_USERS, Scope.READ_PACKETS),
        asks=HistoryPage,
        gives={200: Given(History, History((), None))},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
)
