"""Real names: verified by somebody outside, shown in part, and the class they lead to (实名)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.channels.verifier import Verdict, Verifier
from lingqian.identity.key import Scope
from lingqian.identity.real_name import (
    NAME_LENGTH_MAX,
    Check,
    RealName,
    class_of,
    is_name,
    is_number,
    mask_name,
    mask_number,
    normal_number,
)
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged
from lingqian.kernel.id import PREFIX_USER
from lingqian.storage import query
from lingqian.storage import real_name as rows
from lingqian.storage.real_name import Told
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door, fresh_key
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply
from lingqian.web.tries import count_try

_FACE_CHARS_MAX: Final = 1_400_000
_BODY_BYTES_MAX: Final = _FACE_CHARS_MAX + 4_096
RealNameText = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
IdNumberText = Annotated[str, Meta(min_length=1, max_length=32)]
Face = Annotated[
    str,
    Meta(
        max_length=_FACE_CHARS_MAX,
        pattern="^[A-Za-z0-9+/]+={0,2}$",
        description="A picture of the face, JPEG or PNG, as base64. It is passed on, never kept.",
    ),
]
# A stranger must not learn which documents there are: no match is one answer.
_REFUSALS: Final = {
    Verdict.MISMATCH: Code.REAL_NAME_MISMATCH,
    Verdict.UNKNOWN_DOCUMENT: Code.REAL_NAME_MISMATCH,
    Verdict.EXHAUSTED: Code.REAL_NAME_EXHAUSTED,
}


class RealNameTold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name and ID number as they stand on the card; a picture of the face for a higher class."""

    name: RealNameText
    id_number: IdNumberText
    face: Face | UnsetType = UNSET


class RealNameShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was verified, masked."""

    is_verified: bool
    account_class: int
    checks: tuple[str, ...] = ()
    name: Annotated[str, Meta(description="All but the last letter hidden.")] = ""
    id_number: Annotated[str, Meta(description="All but the first and the last digit hidden.")] = ""
    verified_at: field.Moment | UnsetType = UNSET


def _present(door: Door, call: Call) -> bytes:
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    return identity


async def read(door: Door, call: Call) -> Reply:
    """Show what was verified of a person, masked."""
    return _shown(door, _present(door, call))


def _shown(door: Door, user_id: bytes) -> Reply:
    status = door.wallet.directory.status(user_id)
    assert status is not None, "it was there a moment ago"
    row = rows.find(door.reader, user_id)
    if row is None or not row.verified_at_us:
        return reply(200, RealNameShown(is_verified=False, account_class=status.account_class))
    name, number = _masked(door, user_id, row)
    shown = RealNameShown(
        is_verified=True,
        account_class=status.account_class,
        checks=tuple([check.name.lower() for check in Check if check.name and row.checks & check]),
        name=name,
        id_number=number,
        verified_at=rfc3339(row.verified_at_us),
    )
    return reply(200, shown)


def _masked(door: Door, user_id: bytes, row: RealName) -> tuple[str, str]:
    try:
        told = rows.open_told(door.wallet.vault, user_id, row)
    except Damaged:
        # What cannot be read hides nothing else; the audit tells of it.
        return "", ""
    return mask_name(told.name), mask_number(told.number)


def read_told(door: Door, name: str, number: str) -> Told:
    """Return a name and a number in the form in which they are compared.

    Refuses: id_number_invalid, invalid_field.
    """
    told = Told(name.strip(), normal_number(number))
    today = datetime.fromtimestamp(door.wallet.clock.now_us() / SECOND_US, UTC).date()
    if not is_number(told.number, today):
        raise Refused(Code.ID_NUMBER_INVALID, field="id_number")
    if not is_name(told.name):
        raise Refused(Code.INVALID_FIELD, field="name", detail="not a name of a document")
    return told


async def verify(door: Door, call: Call) -> Reply:
    """Verify one's real name, and with a picture one's face; a class follows from it."""
    user_id = _present(door, call)
    body = await call.take(RealNameTold)
    verifier = door.wallet.verifier
    if verifier is None:
        raise Refused(Code.NO_VERIFIER)
    told = read_told(door, body.name, body.id_number)
    face = "" if body.face is UNSET else body.face
    for check in _wanted(door, user_id, told, has_face=bool(face)):
        await count_try(door, rows.count_try, user_id, Code.REAL_NAME_EXHAUSTED)
        await _check(door, verifier, (user_id, told), (check, face))
    await _raise_class(door, user_id)
    return _shown(door, user_id)


def _wanted(door: Door, user_id: bytes, told: Told, *, has_face: bool) -> list[Check]:
    """Return what is still to be verified.

    Refuses: real_name_known, when this account is somebody else's.
    """
    row = rows.find(door.reader, user_id)
    done = 0
    if row is not None and row.verified_at_us:
        if rows.macs(door.wallet.vault, told) != (row.name_mac, row.number_mac):
            raise Refused(Code.REAL_NAME_KNOWN)
        done = row.checks
    wanted = [Check.NUMBER, Check.FACE] if has_face else [Check.NUMBER]
    return [check for check in wanted if not done & check]


async def _check(
    door: Door, verifier: Verifier, whose: tuple[bytes, Told], what: tuple[Check, str]
) -> None:
    """Ask one question and keep the answer.

    Refuses: real_name_mismatch, face_mismatch, real_name_exhausted, real_name_taken.
    Raises: Unsent, Unknown, Rejected.
    """
    (user_id, told), (check, face) = whose, what
    if check is Check.FACE:
        verdict = await verifier.match_face(told.name, told.number, face)
    else:
        verdict = await verifier.match_name(told.name, told.number)
    if verdict is not Verdict.MATCH:
        is_face = check is Check.FACE and verdict is Verdict.MISMATCH
        raise Refused(Code.FACE_MISMATCH if is_face else _REFUSALS[verdict])
    vault, at_us = door.wallet.vault, door.wallet.clock.now_us()
    is_kept = await door.chore(
        lambda db: rows.put_verified(db, vault, user_id, told, checks=int(check), at_us=at_us)
    )
    if not is_kept:
        raise Refused(Code.REAL_NAME_TAKEN)


async def _raise_class(door: Door, user_id: bytes) -> None:
    """Give a person the class that the verified channels make, where it is higher."""
    user, row = query.user(door.reader, user_id), rows.find(door.reader, user_id)
    assert user is not None, "it was there a moment ago"
    assert row is not None, "it was verified a moment ago"
    found = class_of(door.wallet.config.profile, row.checks, user.account_class)
    if found == user.account_class:
        return
    submission = door.wallet.desk.change(
        user_id, user, caller_key=fresh_key(), changes={"account_class": found}, nickname=None
    )
    answer: Any = await door.ask(submission)
    assert not answer.code, "a person who is there can be changed"
    door.wallet.directory.forget_user(user_id)


_SHOWN: Final = Given(
    RealNameShown,
    RealNameShown(
        is_verified=True,
        account_class=2,
        checks=("number",),
        name="**明",
        id_number="1****************6",
        verified_at=field.MOMENT_EXAMPLE,
    ),
)
_PATH: Final = "/v1/users/{user_id}/real-name"
_MISSING: Final = (Code.NOT_FOUND, Code.USER_UNKNOWN)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path=_PATH,
        run=read,
        summary="Show what was verified of a person",
        tag="security",
        scopes=(Scope.READ_USERS,),
        gives={200: _SHOWN},
        refuses=_MISSING,
        by_person=True,
    ),
    Operation(
        method="POST",
        path=_PATH,
        run=verify,
        summary="Verify one's real name",
        tag="security",
        takes=RealNameTold,
        example={"name": "李小明", "id_number": "110101199003074506"},
        gives={200: _SHOWN},
        refuses=(
            *_MISSING,
            Code.NO_VERIFIER,
            Code.ID_NUMBER_INVALID,
            Code.REAL_NAME_MISMATCH,
            Code.FACE_MISMATCH,
            Code.REAL_NAME_EXHAUSTED,
            Code.REAL_NAME_KNOWN,
            Code.REAL_NAME_TAKEN,
        ),
        is_personal=True,
        body_bytes_max=_BODY_BYTES_MAX,
    ),
)
