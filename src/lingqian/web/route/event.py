"""Events: one stream of all that happens, resumed where it was cut (事件流)."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from lingqian.compose import real_us
from lingqian.events.envelope import TYPES
from lingqian.events.mask import Mask
from lingqian.events.push import Filter, Notices, Reader, stream
from lingqian.events.tail import Position, read_position
from lingqian.identity.key import Scope
from lingqian.identity.session import Session
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Busy
from lingqian.kernel.id import PREFIX_PACKET, PREFIX_USER, parse
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.person import SCHEME
from lingqian.web.problem import Refused
from lingqian.web.reply import EVENTS, Stream
from lingqian.web.sight import look

STREAMS_MAX: Final = 1_000
_RESUME_MAX: Final = 8_192


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events, and where to begin without a `Last-Event-ID`."""

    types: Annotated[
        str, Meta(max_length=1_000, description="Types, separated by commas; none: all.")
    ] = ""
    user_id: field.UserId | None = None
    packet_id: field.PacketId | None = None
    start: Literal["now", "first"] = "now"


def read_types(text: str, name: str) -> frozenset[str]:
    """Read a list of types.

    Refuses: invalid_field for a type there is not.
    """
    found = frozenset(text.split(",")) - {""}
    unknown = found - set(TYPES)
    if unknown:
        raise Refused(Code.INVALID_FIELD, field=name, detail=f"no type is called {min(unknown)}")
    return found


def _identity(prefix: str, text: str | None, name: str) -> bytes:
    if text is None:
        return b""
    identity = parse(prefix, text)
    if identity is None:
        raise Refused(Code.INVALID_FIELD, field=name)
    return identity


def _position(door: Door, call: Call, asked: Asked) -> Position:
    resume = call.header(b"last-event-id")
    if resume:
        position = read_position(resume) if len(resume) <= _RESUME_MAX else None
        if position is None:
            raise Refused(Code.INVALID_FIELD, field="Last-Event-ID", detail="not one of ours")
        return position
    return {} if asked.start == "first" else door.journal.ends()


def _while_good(door: Door, key: str) -> Callable[[], bool]:
    def may_go_on() -> bool:
        caller = door.keys.caller(key)
        is_good = caller is not None and Scope.EVENTS_READ in caller.scopes
        return is_good and not door.is_stopping

    return may_go_on


def _personal(door: Door, call: Call, position: Position, wanted: Filter) -> Reader:
    """Return the reader of a person: what concerns him, or a packet whose claims he may see.

    It ends with the access token; come back with the next one and the last id.
    Refuses: not_yourself, not_found.
    """
    person = call.caller.person
    if wanted.user_id not in (b"", person):
        raise Refused(Code.NOT_YOURSELF, field="user_id")
    if not wanted.packet_id or not look(door, wanted.packet_id, person).sees_claims:
        wanted = wanted._replace(user_id=person)
    token = call.header(b"authorization").removeprefix(SCHEME)

    def may_go_on() -> bool:
        is_good = isinstance(door.sessions.find(token, real_us()), Session)
        return is_good and not door.is_stopping

    own = Notices(door.bell)
    return Reader(door.journal, door.bell, own, position, wanted, may_go_on, Mask(person))


async def read(door: Door, call: Call) -> Any:  # noqa: ANN401 - a Stream
    """Stream events as they happen, and first those that were missed."""
    asked = call.ask(Asked)
    wanted = Filter(
        read_types(asked.types, "types"),
        _identity(PREFIX_USER, asked.user_id, "user_id"),
        _identity(PREFIX_PACKET, asked.packet_id, "packet_id"),
    )
    position = _position(door, call, asked)
    if door.streams >= STREAMS_MAX:
        raise Busy("too many streams are open")
    if call.caller.person:
        reader = _personal(door, call, position, wanted)
    else:
        may_go_on = _while_good(door, call.header(b"authorization").removeprefix("Bearer "))
        reader = Reader(door.journal, door.bell, door.notices, position, wanted, may_go_on)
    return Stream(200, door.counted(stream(reader)), EVENTS, ((b"x-accel-buffering", b"no"),))


_EXAMPLE: Final = "id: kpYAEQE\nevent: packet.claimed.v1\ndata: {…}\n\n"

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/events",
        run=read,
        summary="Stream events",
        tag="events",
        scopes=(Scope.EVENTS_READ,),
        asks=Asked,
        gives={200: Given(str, _EXAMPLE, "text/event-stream")},
        refuses=(Code.BUSY, Code.NOT_YOURSELF, Code.NOT_FOUND),
        by_person=True,
    ),
)
