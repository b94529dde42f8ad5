"""Operators: how a key's acts are guarded, and the passkeys of whoever acts with it (运营人员).

Whoever adds or forgets one acts, so he proves it is he, by what is known already: a stolen key does
not learn a finger of the thief. The first is added by a code of the authenticator.
"""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.compose import real_us
from lingqian.identity.possession import read64, write64
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.storage import operator_passkey as rows
from lingqian.storage.passkey import Kept
from lingqian.web import field
from lingqian.web.act import CODE, PASSKEY, begin_act, guards
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import ACT, Given, Operation
from lingqian.web.passkey import (
    MADE_EXAMPLE,
    NEW_EXAMPLE,
    OPTIONS_EXAMPLE,
    CredentialId,
    Holder,
    NewPasskey,
    PasskeyMade,
    PasskeyOptions,
    options_for,
    read_made,
)
from lingqian.web.problem import Refused
from lingqian.web.reply import JSON, Reply, reply


class OperatorPasskey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A passkey that acts under this key; times are real."""

    id: CredentialId
    name: str
    created_at: field.Moment
    used_at: field.Moment | UnsetType = UNSET


class OperatorShown(msgspec.Struct, frozen=True):
    """A key as whoever calls with it sees it."""

    name: str
    scopes: tuple[str, ...]
    proofs: Annotated[
        tuple[str, ...],
        Meta(description="What proves an act: any one of these; none in a sandbox."),
    ]
    passkeys: tuple[OperatorPasskey, ...]


def _shown(door: Door, kept: Kept) -> OperatorPasskey:
    credential_id = kept.passkey.credential_id
    used_at = rfc3339(kept.used_at_us) if kept.used_at_us else UNSET
    name = door.sessions.name(credential_id, kept.name_sealed)
    return OperatorPasskey(write64(credential_id), name, rfc3339(kept.created_at_us), used_at)


def _holder(door: Door, call: Call) -> Holder:
    own = call.caller.key_id.encode()
    handle = door.wallet.vault.mac("operator passkey user", own)
    return Holder("operator passkey", (own,), handle, call.caller.name)


async def read(door: Door, call: Call) -> Reply:
    """Show how the acts under the caller's own key are guarded."""
    caller = call.caller
    known = rows.passkeys_of(door.reader, caller.key_id)
    shown = OperatorShown(
        caller.name,
        tuple(sorted(caller.scopes)),
        guards(door, caller.key_id),
        tuple([_shown(door, each) for each in known]),
    )
    return reply(200, shown)


async def options(door: Door, call: Call) -> Reply:
    """Give what a device needs to make a passkey for the caller's own key."""
    known = rows.passkeys_of(door.reader, call.caller.key_id)
    return reply(200, options_for(door, call, _holder(door, call), known))


async def add(door: Door, call: Call) -> Reply:
    """Keep the passkey that a device has made; an act."""
    body = await call.take(NewPasskey)
    made = read_made(door, call, _holder(door, call), body)
    await begin_act(door, call)
    key_id, at_us = call.caller.key_id, real_us()
    sealed = door.wallet.vault.seal("identity", made.credential_id, body.name.encode())
    is_kept = await door.chore(lambda db: rows.add_passkey(db, key_id, made, sealed, at_us))
    if not is_kept:
        raise Refused(Code.PASSKEY_INVALID, detail="it is known already, or there are enough")
    return reply(201, PasskeyMade(write64(made.credential_id)))


async def remove(door: Door, call: Call) -> Reply:
    """Forget a passkey of the caller's own key; an act."""
    await begin_act(door, call)
    key_id, credential_id = call.caller.key_id, read64(call.path_params["credential_id"])
    if credential_id is None:
        raise Refused(Code.NOT_FOUND)
    if not await door.chore(lambda db: rows.delete_passkey(db, key_id, credential_id)):
        raise Refused(Code.NOT_FOUND)
    return Reply(204, b"", JSON)


_SHOWN: Final = OperatorShown(
    "wang.li",
    ("read:users", "review:cases"),
    (PASSKEY, CODE),
    (OperatorPasskey(field.CREDENTIAL_EXAMPLE, "指纹", field.MOMENT_EXAMPLE),),
)
_PATH: Final = "/v1/operators/me"

OPERATIONS: Final = (
    Operation(
        method="GET",
        path=_PATH,
        run=read,
        summary="Show how one's own acts are guarded",
        tag="operators",
        gives={200: Given(OperatorShown, _SHOWN)},
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/passkeys/options",
        run=options,
        summary="Prepare an operator's passkey",
        tag="operators",
        gives={200: Given(PasskeyOptions, OPTIONS_EXAMPLE)},
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/passkeys",
        run=add,
        summary="Add an operator's passkey",
        tag="operators",
        takes=NewPasskey,
        example=NEW_EXAMPLE,
        gives={201: Given(PasskeyMade, MADE_EXAMPLE)},
        refuses=tuple(ACT),
    ),
    Operation(
        method="DELETE",
        path=_PATH + "/passkeys/{credential_id}",
        run=remove,
        summary="Forget an operator's passkey",
        tag="operators",
        gives={204: Given(None)},
        refuses=(*ACT, Code.NOT_FOUND),
    ),
)
