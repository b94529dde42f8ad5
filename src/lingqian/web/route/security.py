"""Security: the payment password, and tokens that prove one payment (安全中心、支付密码).

Law: every try is counted, durably, before it is looked at.
"""

import asyncio
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.identity.approval import APPROVAL_LIFE_S
from lingqian.identity.key import Scope
from lingqian.identity.password import (
    RESET_WAIT_S,
    is_locked,
    is_weak,
    tries_left,
)
from lingqian.identity.possession import write64
from lingqian.identity.real_name import NAME_LENGTH_MAX
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_USER
from lingqian.storage import passkey as passkeys
from lingqian.storage import password as rows
from lingqian.storage import real_name as names
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.factor import PASSKEY, PASSWORD, approve, kinds, open_challenge
from lingqian.web.operation import Given, Operation
from lingqian.web.passkey import CredentialId, PasskeyProof
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply
from lingqian.web.route.passkey import prove_passkey
from lingqian.web.route.real_name import read_told
from lingqian.web.tries import Digits, count_try, prove_password

ChallengeText = Annotated[str, Meta(min_length=1, max_length=128)]


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The new payment password, and the old one where there is one."""

    password: Digits
    old_password: Digits | UnsetType = UNSET


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What answers a challenge: the challenge itself, and the payment password or a passkey."""

    challenge: ChallengeText
    password: Digits | UnsetType = UNSET
    passkey: PasskeyProof | UnsetType = UNSET


class PasskeyShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A passkey as its owner sees it."""

    id: CredentialId
    name: str
    created_at: field.Moment
    used_at: field.Moment | UnsetType = UNSET


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person who has forgotten the password says who he is; a key with `admin` need not."""

    name: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] = ""
    id_number: Annotated[str, Meta(max_length=32)] = ""


class PaymentToken(msgspec.Struct, frozen=True):
    """A token for the one payment of its challenge; send `Payment-Factor: <factor> <it>`."""

    payment_token: str
    factor: str
    expires_in_s: int


class SecurityShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a person's payments are guarded."""

    has_password: bool
    account_class: int
    passkeys: tuple[PasskeyShown, ...]
    password_set_at: field.Moment | UnsetType = UNSET
    tries_left: int | UnsetType = UNSET
    locked_until: field.Moment | UnsetType = UNSET
    reset_at: (
        Annotated[
            field.Moment, Meta(description="When the password ends, because a reset was asked for.")
        ]
        | UnsetType
    ) = UNSET


def _present(door: Door, call: Call) -> bytes:
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    return identity


def _moment(at_us: int) -> str | UnsetType:
    return rfc3339(at_us) if at_us else UNSET


def _shown(door: Door, user_id: bytes) -> Reply:
    at_us = door.wallet.clock.now_us()
    status = door.wallet.directory.status(user_id)
    assert status is not None, "it was there a moment ago"
    found = rows.find(door.reader, user_id, at_us)
    keys = tuple([_passkey(door, each) for each in passkeys.passkeys_of(door.reader, user_id)])
    account_class = status.account_class
    if found is None:
        bare = SecurityShown(has_password=False, account_class=account_class, passkeys=keys)
        return reply(200, bare)
    shown = SecurityShown(
        has_password=True,
        account_class=account_class,
        passkeys=keys,
        password_set_at=rfc3339(found.set_at_us),
        tries_left=tries_left(found, at_us),
        locked_until=_moment(found.locked_until_us if is_locked(found, at_us) else 0),
        reset_at=_moment(found.reset_at_us),
    )
    return reply(200, shown)


def _passkey(door: Door, kept: passkeys.Kept) -> PasskeyShown:
    credential_id = kept.passkey.credential_id
    return PasskeyShown(
        write64(credential_id),
        door.sessions.name(credential_id, kept.name_sealed),
        rfc3339(kept.created_at_us),
        _moment(kept.used_at_us),
    )


async def read(door: Door, call: Call) -> Reply:
    """Show how a person's payments are guarded."""
    return _shown(door, _present(door, call))


async def put_password(door: Door, call: Call) -> Reply:
    """Set the payment password; where there is one, the old one has to be told."""
    user_id = _present(door, call)
    body = await call.take(NewPassword)
    if is_weak(body.password):
        raise Refused(Code.WEAK_PASSWORD, field="password")
    instead = await _old(door, user_id, body.old_password)
    async with door.slow:
        hashed = await asyncio.to_thread(
            rows.hash_password, door.wallet.vault, user_id, body.password
        )
    at_us = door.wallet.clock.now_us()
    is_put = await door.chore(lambda db: rows.put(db, user_id, hashed, at_us, instead=instead))
    if not is_put:
        raise Refused(Code.INVALID_FIELD, field="old_password", detail="it was changed meanwhile")
    return _shown(door, user_id)


async def _old(door: Door, user_id: bytes, text: str | UnsetType) -> bytes:
    """Return what is kept of the password that is to be replaced; nothing where there is none."""
    if rows.find(door.reader, user_id, door.wallet.clock.now_us()) is None:
        return b""
    if text is UNSET:
        raise Refused(Code.INVALID_FIELD, field="old_password", detail="the old one has to be told")
    return await prove_password(door, user_id, text)


async def reset(door: Door, call: Call) -> Reply:
    """Let a payment password end after a day; until then its owner can call it off."""
    user_id = _present(door, call)
    body = await call.take(Reset)
    if call.caller.person:
        await _check_identity(door, user_id, body)
    at_us = door.wallet.clock.now_us()
    found = await door.chore(lambda db: rows.reset(db, user_id, at_us, RESET_WAIT_S))
    if found is None:
        raise Refused(Code.PASSWORD_NOT_SET)
    return _shown(door, user_id)


async def _check_identity(door: Door, user_id: bytes, body: Reset) -> None:
    """Let a person who has forgotten the password prove who he is.

    Refuses: real_name_required, id_number_invalid, real_name_exhausted, real_name_mismatch.
    """
    known = names.find(door.reader, user_id)
    if known is None or not known.verified_at_us:
        raise Refused(Code.REAL_NAME_REQUIRED)
    told = read_told(door, body.name, body.id_number)
    await count_try(door, names.count_try, user_id, Code.REAL_NAME_EXHAUSTED)
    if names.macs(door.wallet.vault, told) != (known.name_mac, known.number_mac):
        raise Refused(Code.REAL_NAME_MISMATCH)


async def keep(door: Door, call: Call) -> Reply:
    """Call the reset of a payment password off."""
    user_id = _present(door, call)
    at_us = door.wallet.clock.now_us()
    if await door.chore(lambda db: rows.keep(db, user_id, at_us)) is None:
        raise Refused(Code.PASSWORD_NOT_SET)
    return _shown(door, user_id)


async def prove(door: Door, call: Call) -> Reply:
    """Prove the payment of a challenge by the payment password or a passkey."""
    user_id = _present(door, call)
    body = await call.take(Proof)
    digest = open_challenge(door, call, body.challenge)
    if isinstance(body.password, str) == isinstance(body.passkey, PasskeyProof):
        raise Refused(Code.INVALID_FIELD, field="password", detail="either password or passkey")
    if isinstance(body.passkey, PasskeyProof):
        name = PASSKEY
        await prove_passkey(door, call, sha256(body.challenge.encode()).digest(), body.passkey)
    else:
        name = PASSWORD
        await prove_password(door, user_id, str(body.password))
    token = approve(door, call, digest, kinds(door)[name])
    return reply(201, PaymentToken(token, name, APPROVAL_LIFE_S))


_SHOWN: Final = Given(
    SecurityShown,
    SecurityShown(
        has_password=True,
        account_class=3,
        passkeys=(PasskeyShown(field.CREDENTIAL_EXAMPLE, "指纹", field.MOMENT_EXAMPLE),),
        password_set_at=field.MOMENT_EXAMPLE,
        tries_left=5,
    ),
)
_MISSING: Final = (Code.NOT_FOUND, Code.USER_UNKNOWN)
_GUARDED: Final = (Code.PASSWORD_NOT_SET, Code.PASSWORD_LOCKED, Code.WRONG_PASSWORD)
_RESET: Final = "/v1/users/{user_id}/payment-password/reset"

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/users/{user_id}/security",
        run=read,
        summary="Show how a person's payments are guarded",
        tag="security",
        scopes=(Scope.READ_USERS,),
        gives={200: _SHOWN},
        refuses=_MISSING,
        by_person=True,
    ),
    Operation(
        method="PUT",
        path="/v1/users/{user_id}/payment-password",
        run=put_password,
        summary="Set one's payment password",
        tag="security",
        takes=NewPassword,
        example={"password": "274913"},
        gives={200: _SHOWN},
        refuses=(*_MISSING, *_GUARDED, Code.WEAK_PASSWORD),
        is_personal=True,
    ),
    Operation(
        method="POST",
        path=_RESET,
        run=reset,
        summary="Let a payment password end",
        tag="security",
        scopes=(Scope.ADMIN,),
        takes=Reset,
        example={"name": "李小明", "id_number": "110101199003074506"},
        gives={200: _SHOWN},
        refuses=(
            *_MISSING,
            Code.PASSWORD_NOT_SET,
            Code.REAL_NAME_REQUIRED,
            Code.ID_NUMBER_INVALID,
            Code.REAL_NAME_EXHAUSTED,
            Code.REAL_NAME_MISMATCH,
        ),
        by_person=True,
    ),
    Operation(
        method="DELETE",
        path=_RESET,
        run=keep,
        summary="Call the reset of a payment password off",
        tag="security",
        scopes=(Scope.ADMIN,),
        gives={200: _SHOWN},
        refuses=(*_MISSING, Code.PASSWORD_NOT_SET),
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/users/{user_id}/payment-tokens",
        run=prove,
        summary="Prove a payment",
        tag="security",
        takes=Proof,
        example={"challenge": "lc_AAAA…", "password": "274913"},
        gives={201: Given(PaymentToken, PaymentToken("lp_AAAA…", PASSWORD, APPROVAL_LIFE_S))},
        refuses=(*_MISSING, *_GUARDED, Code.CHALLENGE_INVALID, Code.PASSKEY_INVALID),
        is_personal=True,
    ),
)
