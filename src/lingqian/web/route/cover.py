"""Covers of people's own: pictures uploaded, drawn anew, shown, removed, withdrawn (自定义封面)."""

import asyncio
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.identity.key import Scope
from lingqian.kernel.bound import COVER_BYTES_MAX
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES, PREFIX_COVER, PREFIX_USER, show
from lingqian.storage import cover as rows
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.cover import image_path
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.picture import FORMS, redraw
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply
from lingqian.web.tries import count_try

JPEG: Final = b"image/jpeg"
_TIME_BYTES: Final = 8
_NEWEST: Final = (1 << 62, b"\xff" * ID_BYTES)
# An id names bytes that never change; other apps' pages show them too.
_HEADERS: Final = (
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
_REFUSALS: Final = {
    rows.Added.FULL: Code.TOO_MANY_COVERS,
    rows.Added.WITHDRAWN: Code.COVER_WITHDRAWN,
}
ImagePath = Annotated[str, Meta(description="Where its picture stands; needs no key.")]


class CoverShown(msgspec.Struct, frozen=True):
    """A cover as its owner sees it; `id` is what a packet takes as its `cover`."""

    id: field.CoverId
    image: ImagePath
    created_at: field.Moment


class CoverList(msgspec.Struct, frozen=True):
    """A person's covers, the newest first."""

    covers: tuple[CoverShown, ...]


class CoverJudged(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cover as an operator sees it; one that was withdrawn has no picture any more."""

    id: field.CoverId
    user_id: field.UserId
    created_at: field.Moment
    image: ImagePath | UnsetType = UNSET
    withdrawn_at: field.Moment | UnsetType = UNSET


class CoverPage(msgspec.Struct, frozen=True):
    """A page of everybody's covers, the newest first."""

    covers: tuple[CoverJudged, ...]
    next_cursor: str | None


def _present(door: Door, call: Call) -> bytes:
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    return identity


def _shown(kept: rows.Kept) -> CoverShown:
    name = show(PREFIX_COVER, kept.cover_id)
    return CoverShown(name, image_path(kept.cover_id), rfc3339(kept.created_at_us))


async def upload(door: Door, call: Call) -> Reply:
    """Keep a picture as a cover: cut to the envelope, drawn anew, nothing else of it kept."""
    user_id = _present(door, call)
    media, body = await call.take_bytes(FORMS)
    await count_try(door, rows.count_try, user_id, Code.COVER_TRIES_EXHAUSTED)
    async with door.slow:
        image = await asyncio.to_thread(redraw, media, body)
    vault, at_us = door.wallet.vault, door.wallet.clock.now_us()
    added: rows.Added = await door.chore(lambda db: rows.add(db, vault, user_id, image, at_us))
    if added in _REFUSALS:
        raise Refused(_REFUSALS[added])
    cover_id, _ = rows.macs(vault, user_id, image)
    kept = [each for each in rows.covers_of(door.reader, user_id) if each.cover_id == cover_id]
    if not kept:
        raise Refused(Code.COVER_WITHDRAWN)
    return reply(201 if added is rows.Added.NEW else 200, _shown(kept[0]))


async def list_own(door: Door, call: Call) -> Reply:
    """List the covers a person can send."""
    found = rows.covers_of(door.reader, _present(door, call))
    return reply(200, CoverList(tuple([_shown(each) for each in found])))


async def remove(door: Door, call: Call) -> Reply:
    """Forget a cover and its picture; packets that have it show the ordinary one from now on."""
    user_id = _present(door, call)
    cover_id = call.id(PREFIX_COVER, "cover_id")
    if not await door.chore(lambda db: rows.remove(db, user_id, cover_id)):
        raise Refused(Code.NOT_FOUND)
    return Reply(204, b"")


async def image(door: Door, call: Call) -> Reply:
    """Give a cover's picture to whoever knows its id, as everybody does who sees its packet."""
    cover_id = call.id(PREFIX_COVER, "cover_id")
    found = rows.image_of(door.reader, door.wallet.vault, cover_id)
    if found is None:
        raise Refused(Code.NOT_FOUND)
    return Reply(200, found, JPEG, replaces=_HEADERS)


async def read_newest(door: Door, call: Call) -> Reply:
    """List everybody's covers, to be looked at by an operator."""
    asked = call.ask(field.Page)
    after = read_cursor(b"v", asked.cursor, _TIME_BYTES + ID_BYTES)
    before = _NEWEST
    if after is not None:
        at_us = int.from_bytes(after[:_TIME_BYTES], "big")
        before = (min(at_us, _NEWEST[0]), after[_TIME_BYTES:])
    found = rows.newest(door.reader, before, asked.limit)
    following = None
    if len(found) == asked.limit:
        key = found[-1].created_at_us.to_bytes(_TIME_BYTES, "big") + found[-1].cover_id
        following = write_cursor(b"v", key)
    return reply(200, CoverPage(tuple([_judged(each) for each in found]), following))


def _judged(kept: rows.Kept) -> CoverJudged:
    ended_us = kept.withdrawn_at_us
    return CoverJudged(
        show(PREFIX_COVER, kept.cover_id),
        show(PREFIX_USER, kept.user_id),
        rfc3339(kept.created_at_us),
        UNSET if ended_us else image_path(kept.cover_id),
        rfc3339(ended_us) if ended_us else UNSET,
    )


async def withdraw(door: Door, call: Call) -> Reply:
    """Take a cover out of circulation: its picture is destroyed and comes back for nobody."""
    cover_id = call.id(PREFIX_COVER, "cover_id")
    at_us = door.wallet.clock.now_us()
    if not await door.chore(lambda db: rows.withdraw(db, cover_id, at_us)):
        raise Refused(Code.NOT_FOUND)
    return Reply(204, b"")


_COVER: Final = CoverShown(
    field.COVER_EXAMPLE, f"/v1/covers/{field.COVER_EXAMPLE}/image", field.MOMENT_EXAMPLE
)
_JUDGED: Final = CoverJudged(
    field.COVER_EXAMPLE, field.USER_EXAMPLE, field.MOMENT_EXAMPLE, _COVER.image
)
_GIVEN: Final = Given(CoverShown, _COVER)
_OWN: Final = "/v1/users/{user_id}/covers"
_MISSING: Final = (Code.NOT_FOUND, Code.USER_UNKNOWN)
_SEND: Final = (Scope.WRITE_PACKETS, Scope.ACT_USERS)


def _operation(method: str, path: str, run: Any, **more: Any) -> Operation:  # noqa: ANN401 - a handler, a row's fields
    return Operation(method=method, path=path, run=run, tag="covers", **more)


OPERATIONS: Final = (
    _operation(
        "POST",
        _OWN,
        upload,
        summary="Keep a picture as a cover",
        scopes=_SEND,
        takes_media=tuple(FORMS),
        gives={201: _GIVEN, 200: _GIVEN},
        refuses=(
            *_MISSING,
            Code.PICTURE_UNFIT,
            Code.COVER_TRIES_EXHAUSTED,
            Code.TOO_MANY_COVERS,
            Code.COVER_WITHDRAWN,
        ),
        by_person=True,
        body_bytes_max=COVER_BYTES_MAX,
    ),
    _operation(
        "GET",
        _OWN,
        list_own,
        summary="List a person's covers",
        scopes=(Scope.READ_USERS,),
        gives={200: Given(CoverList, CoverList((_COVER,)))},
        refuses=_MISSING,
        by_person=True,
    ),
    _operation(
        "DELETE",
        f"{_OWN}/{{cover_id}}",
        remove,
        summary="Forget a cover",
        scopes=_SEND,
        gives={204: Given(None)},
        refuses=_MISSING,
        by_person=True,
    ),
    _operation(
        "GET",
        "/v1/covers/{cover_id}/image",
        image,
        summary="Give a cover's picture",
        gives={200: Given(str, "…", JPEG.decode())},
        refuses=(Code.NOT_FOUND,),
        is_public=True,
    ),
    _operation(
        "GET",
        "/v1/covers",
        read_newest,
        summary="List everybody's covers",
        scopes=(Scope.ADMIN,),
        asks=field.Page,
        gives={200: Given(CoverPage, CoverPage((_JUDGED,), None))},
    ),
    _operation(
        "POST",
        "/v1/covers/{cover_id}/withdrawal",
        withdraw,
        summary="Take a cover out of circulation",
        scopes=(Scope.ADMIN,),
        gives={204: Given(None)},
        refuses=(Code.NOT_FOUND,),
    ),
)
