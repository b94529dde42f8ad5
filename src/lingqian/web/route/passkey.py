"""Passkeys: made on a phone, listed in its owner's security page, and what they prove (通行密钥).

Whoever adds one tells the payment password where there is one: a borrowed phone that is signed in
must not learn another finger.
"""

import json
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.compose import real_us
from lingqian.identity.passkey import Assertion, Site, check_assertion, read_new
from lingqian.identity.possession import read64, write64
from lingqian.kernel.bound import DEVICE_NAME_LENGTH_MAX
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_USER
from lingqian.storage import passkey as rows
from lingqian.storage import password
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import JSON, Reply, reply
from lingqian.web.tries import Digits, prove_password

_LIFE_S: Final = 120
_TIME_BYTES: Final = 8
_BYTES64: Final = "^[A-Za-z0-9_-]+$"
CredentialId = Annotated[str, Meta(max_length=1_364, pattern=_BYTES64)]
Bytes64 = Annotated[
    str, Meta(max_length=8_192, pattern=_BYTES64, description="base64url without padding.")
]


class PasskeyAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payment password, where there is one."""

    password: Digits | UnsetType = UNSET


class PasskeyOptions(msgspec.Struct, frozen=True):
    """What `navigator.credentials.create` is asked with; bytes are base64url."""

    public_key: dict[str, Any]


class NewPasskey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the phone has made: `clientDataJSON`, `attestationObject`, and a name for it."""

    client_data: Bytes64
    attestation: Bytes64
    name: Annotated[str, Meta(max_length=DEVICE_NAME_LENGTH_MAX)] = ""


class PasskeyMade(msgspec.Struct, frozen=True):
    """The passkey is known from now on."""

    id: CredentialId


class PasskeyProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the phone has signed for a payment; the challenge is SHA-256 of the payment's own."""

    id: CredentialId
    client_data: Bytes64
    authenticator_data: Bytes64
    signature: Bytes64


def site_of(door: Door, call: Call) -> Site:
    """Return the site that passkeys belong to: the public name, or the host that was asked."""
    origin = door.wallet.config.public_origin
    if origin:
        return Site(urlsplit(origin).hostname or "", frozenset((origin,)))
    host = call.header(b"host")
    name = urlsplit(f"//{host}").hostname or ""
    return Site(name, frozenset((f"http://{host}", f"https://{host}")))


def _challenge(door: Door, call: Call, until_us: int) -> bytes:
    until = until_us.to_bytes(_TIME_BYTES, "big")
    whose = (call.caller.person, call.caller.session_id)
    return until + door.wallet.vault.mac("passkey challenge", *whose, until)


async def options(door: Door, call: Call) -> Reply:
    """Give what a phone needs to make a passkey."""
    user_id = call.id(PREFIX_USER, "user_id")
    body = await call.take(PasskeyAsked)
    if password.find(door.reader, user_id, door.wallet.clock.now_us()) is not None:
        if body.password is UNSET:
            raise Refused(Code.INVALID_FIELD, field="password", detail="it has to be told")
        await prove_password(door, user_id, body.password)
    site = site_of(door, call)
    challenge = _challenge(door, call, real_us() + _LIFE_S * SECOND_US)
    handle = door.wallet.vault.mac("passkey user", user_id)
    known = rows.passkeys_of(door.reader, user_id)
    name = door.nickname(user_id) or "零钱"
    found = {
        "challenge": write64(challenge),
        "rp": {"id": site.rp_id, "name": "Lingqian 零钱"},
        "user": {"id": write64(handle), "name": name, "displayName": name},
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        "authenticatorSelection": {"userVerification": "required", "residentKey": "preferred"},
        "attestation": "none",
        "timeout": _LIFE_S * 1_000,
        "excludeCredentials": [
            {"type": "public-key", "id": write64(each.passkey.credential_id)} for each in known
        ],
    }
    return reply(200, PasskeyOptions(found))


async def add(door: Door, call: Call) -> Reply:
    """Keep the passkey that a phone has made."""
    user_id = call.id(PREFIX_USER, "user_id")
    body = await call.take(NewPasskey)
    client_data, attestation = _bytes(body.client_data), _bytes(body.attestation)
    challenge = _own_challenge(door, call, client_data)
    try:
        made = read_new(site_of(door, call), challenge, client_data, attestation)
    except ValueError as error:
        raise Refused(Code.PASSKEY_INVALID, detail=str(error)) from error
    sealed = door.wallet.vault.seal("identity", made.credential_id, body.name.encode())
    at_us = real_us()
    is_kept = await door.chore(lambda db: rows.add_passkey(db, user_id, made, sealed, at_us))
    if not is_kept:
        raise Refused(Code.PASSKEY_INVALID, detail="it is known already, or there are enough")
    return reply(201, PasskeyMade(write64(made.credential_id)))


def _bytes(text: str) -> bytes:
    """Read bytes that a page has sent.

    Refuses: passkey_invalid.
    """
    raw = read64(text)
    if raw is None:
        raise Refused(Code.PASSKEY_INVALID, detail="not base64url")
    return raw


def _own_challenge(door: Door, call: Call, client_data: bytes) -> bytes:
    """Return the challenge that client data names, if it was given to this session, lately.

    Refuses: challenge_invalid.
    """
    try:
        found: Any = json.loads(client_data)
        told = read64(found["challenge"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(Code.CHALLENGE_INVALID) from error
    until_us = int.from_bytes((told or b"")[:_TIME_BYTES], "big")
    own = _challenge(door, call, until_us)
    if told is None or until_us <= real_us() or not door.wallet.vault.same(own, told):
        raise Refused(Code.CHALLENGE_INVALID)
    return own


async def prove_passkey(door: Door, call: Call, challenge: bytes, proof: PasskeyProof) -> None:
    """Take a phone's signature over a challenge.

    Refuses: passkey_invalid.
    """
    person = call.caller.person
    credential_id = _bytes(proof.id)
    known = [each.passkey for each in rows.passkeys_of(door.reader, person)]
    mine = next((each for each in known if each.credential_id == credential_id), None)
    if mine is None:
        raise Refused(Code.PASSKEY_INVALID, detail="not one of this person's")
    said = Assertion(
        _bytes(proof.client_data), _bytes(proof.authenticator_data), _bytes(proof.signature)
    )
    try:
        counter = check_assertion(site_of(door, call), challenge, mine, said)
    except ValueError as error:
        raise Refused(Code.PASSKEY_INVALID, detail=str(error)) from error
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


_OPTIONS: Final = PasskeyOptions(
    {"challenge": "AAYD…", "rp": {"id": "pay.example", "name": "Lingqian 零钱"}}
)
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
        gives={200: Given(PasskeyOptions, _OPTIONS)},
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
        example={"client_data": "eyJ0eXBlIjoi", "attestation": "o2NmbXRk", "name": "指纹"},
        gives={201: Given(PasskeyMade, PasskeyMade(field.CREDENTIAL_EXAMPLE))},
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
