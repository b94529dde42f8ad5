"""Passkeys: made on a phone, listed in its owner's security page, and what they prove (通行密钥).

Whoever adds one tells the payment password where there is one: a borrowed phone that is signed in
must not learn another finger.
"""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from lingqian.compose import real_us
from lingqian.identity.possession import read64, write64
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_USER
from lingqian.storage import passkey as rows
from lingqian.storage import password
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.passkey import (
    MADE_EXAMPLE,
    NEW_EXAMPLE,
    OPTIONS_EXAMPLE,
    Holder,
    NewPasskey,
    PasskeyMade,
    PasskeyOptions,
    PasskeyProof,
    options_for,
    read_made,
    read_signed,
)
from lingqian.web.problem import Refused
from lingqian.web.reply import JSON, Reply, reply
from lingqian.web.tries import Digits, prove_password


class PasskeyAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payment password, where there is one."""

    password: Digits | UnsetType = UNSET


def _holder(door: Door, call: Call, user_id: bytes) -> Holder:
    """Return a person as the holder of a passkey; its challenges are of this session."""
    whose = (call.caller.person, call.caller.session_id)
    handle = door.wallet.vault.mac("passkey user", user_id)
    return Holder("passkey", whose, handle, door.nickname(user_id) or "零钱")


async def options(door: Door, call: Call) -> Reply:
    """Give what a phone needs to make a passkey."""
    user_id = call.id(PREFIX_USER, "user_id")
    body = await call.take(PasskeyAsked)
    if password.find(door.reader, user_id, door.wallet.clock.now_us()) is not None:
        if body.password is UNSET:
            raise Refused(Code.INVALID_FIELD, field="password", detail="it has to be told")
        await prove_password(door, user_id, body.password)
    known = rows.passkeys_of(door.reader, user_id)
    return reply(200, options_for(door, call, _holder(door, call, user_id), known))


async def add(door: Door, call: Call) -> Reply:
    """Keep the passkey that a phone has made."""
    user_id = call.id(PREFIX_USER, "user_id")
    body = await call.take(NewPasskey)
    made = read_made(door, call, _holder(door, call, user_id), body)
    sealed = door.wallet.vault.seal("identity", made.credential_id, body.name.encode())
    at_us = real_us()
    is_kept = await door.chore(lambda db: rows.add_passkey(db, user_id, made, sealed, at_us))
    if not is_kept:
        raise Refused(Code.PASSKEY_INVALID, detail="it is known already, or there are enough")
    return reply(201, PasskeyMade(write64(made.credential_id)))


async def prove_passkey(door: Door, call: Call, challenge: bytes, proof: PasskeyProof) -> None:
    """Take a phone's signature over a challenge.

    Refuses: passkey_invalid.
    """
    person = call.caller.person
    mine, counter = read_signed(door, call, rows.passkeys_of(door.reader, person), challenge, proof)
    at_us = real_us()
    if not await door.chore(lambda db: rows.use_passkey(db, person, mine, counter, at_us)):
        raise Refused(Code.PASSKEY_INVALID, detail="it was used elsewhere at the same moment")


async def remove(door: Door, call: Call) -> Reply:
    """Forget a passkey of one's own."""
    user_id = call.id(PREFIX_USER, "user_id")
    credential_id = read64(call.path_params["credential_id"])
    if credential_id is None:
        raise Refused(Code.NOT_FOUND)
    if not await door.chore(lambda db: rows.delete_passkey(db, user_id, credential_id)):
        raise Refused(Code.NOT_FOUND)
    return Reply(204, b"", JSON)


_PATH: Final = "/v1/users/{user_id}/passkeys"

OPERATIONS: Final = (
    Operation(
        method="POST",
        path=f"{_PATH}/options",
        run=options,
        summary="Prepare a passkey",
        tag="security",
        takes=PasskeyAsked,
        example={"password": "274913"},
        gives={200: Given(PasskeyOptions, OPTIONS_EXAMPLE)},
        refuses=(
            Code.NOT_FOUND, Code.PASSWORD_NOT_SET, Code.PASSWORD_LOCKED, Code.WRONG_PASSWORD,
        ),
        is_personal=True,
    ),
    Operation(
        method="POST",
        path=_PATH,
        run=add,
        summary="Add a passkey",
        tag="security",
        takes=NewPasskey,
        example=NEW_EXAMPLE,
        gives={201: Given(PasskeyMade, MADE_EXAMPLE)},
        refuses=(Code.NOT_FOUND, Code.CHALLENGE_INVALID, Code.PASSKEY_INVALID),
        is_personal=True,
    ),
    Operation(
        method="DELETE",
        path=_PATH + "/{credential_id}",
        run=remove,
        summary="Forget a passkey",
        tag="security",
        gives={204: Given(None)},
        refuses=(Code.NOT_FOUND,),
        is_personal=True,
    ),
)  # fmt: skip
