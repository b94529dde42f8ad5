"""Passkeys at the door: what a browser is asked, and what it has made or signed, read (通行密钥).

Law: a challenge is ours, of this holder and of the last two minutes; nothing of it is stored.
"""

import json
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from lingqian.compose import real_us
from lingqian.identity.passkey import Assertion, Passkey, Site, check_assertion, read_new
from lingqian.identity.possession import read64, write64
from lingqian.kernel.bound import DEVICE_NAME_LENGTH_MAX
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.storage.passkey import Kept
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.problem import Refused

_LIFE_S: Final = 120
_TIME_BYTES: Final = 8
_BYTES64: Final = "^[A-Za-z0-9_-]+$"
CredentialId = Annotated[str, Meta(max_length=1_364, pattern=_BYTES64)]
Bytes64 = Annotated[
    str, Meta(max_length=8_192, pattern=_BYTES64, description="base64url without padding.")
]


class PasskeyOptions(msgspec.Struct, frozen=True):
    """What `navigator.credentials.create` is asked with; bytes are base64url."""

    public_key: dict[str, Any]


class NewPasskey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device has made: `clientDataJSON`, `attestationObject`, and a name for it."""

    client_data: Bytes64
    attestation: Bytes64
    name: Annotated[str, Meta(max_length=DEVICE_NAME_LENGTH_MAX)] = ""


class PasskeyMade(msgspec.Struct, frozen=True):
    """The passkey is known from now on."""

    id: CredentialId


class PasskeyProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a device has signed: SHA-256 of the challenge that the refusal gave."""

    id: CredentialId
    client_data: Bytes64
    authenticator_data: Bytes64
    signature: Bytes64


class Holder(NamedTuple):
    """Whose a passkey is to be: by what its challenge is bound, its handle, and what it is called.

    `kind` keeps the challenges of persons apart from those of operators.
    """

    kind: str
    whose: tuple[bytes, ...]
    handle: bytes
    name: str


def site_of(door: Door, call: Call) -> Site:
    """Return the site that passkeys belong to: the public name, or the host that was asked."""
    origin = door.wallet.config.public_origin
    if origin:
        return Site(urlsplit(origin).hostname or "", frozenset((origin,)))
    host = call.header(b"host")
    name = urlsplit(f"//{host}").hostname or ""
    return Site(name, frozenset((f"http://{host}", f"https://{host}")))


def options_for(door: Door, call: Call, holder: Holder, known: list[Kept]) -> PasskeyOptions:
    """Return what a device needs to make a passkey for a holder."""
    site = site_of(door, call)
    challenge = _challenge(door, holder, real_us() + _LIFE_S * SECOND_US)
    found = {
        "challenge": write64(challenge),
        "rp": {"id": site.rp_id, "name": "Lingqian 零钱"},
        "user": {"id": write64(holder.handle), "name": holder.name, "displayName": holder.name},
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        "authenticatorSelection": {"userVerification": "required", "residentKey": "preferred"},
        "attestation": "none",
        "timeout": _LIFE_S * 1_000,
        "excludeCredentials": [
            {"type": "public-key", "id": write64(each.passkey.credential_id)} for each in known
        ],
    }
    return PasskeyOptions(found)


def read_made(door: Door, call: Call, holder: Holder, body: NewPasskey) -> Passkey:
    """Return the passkey that a device has made for a holder.

    Refuses: challenge_invalid, passkey_invalid.
    """
    client_data, attestation = bytes_of(body.client_data), bytes_of(body.attestation)
    challenge = _own_challenge(door, holder, client_data)
    try:
        return read_new(site_of(door, call), challenge, client_data, attestation)
    except ValueError as error:
        raise Refused(Code.PASSKEY_INVALID, detail=str(error)) from error


class Signed(NamedTuple):
    """A signature that holds: of which passkey, and where its counter stands now."""

    passkey: Passkey
    counter: int


def read_signed(
    door: Door, call: Call, known: list[Kept], challenge: bytes, proof: PasskeyProof
) -> Signed:
    """Return which of the known passkeys has signed a challenge.

    Refuses: passkey_invalid.
    """
    credential_id = bytes_of(proof.id)
    found = [each.passkey for each in known if each.passkey.credential_id == credential_id]
    if not found:
        raise Refused(Code.PASSKEY_INVALID, detail="not one that is known here")
    said = Assertion(
        bytes_of(proof.client_data), bytes_of(proof.authenticator_data), bytes_of(proof.signature)
    )
    try:
        return Signed(found[0], check_assertion(site_of(door, call), challenge, found[0], said))
    except ValueError as error:
        raise Refused(Code.PASSKEY_INVALID, detail=str(error)) from error


def bytes_of(text: str) -> bytes:
    """Read bytes that a page has sent.

    Refuses: passkey_invalid.
    """
    raw = read64(text)
    if raw is None:
        raise Refused(Code.PASSKEY_INVALID, detail="not base64url")
    return raw


def _challenge(door: Door, holder: Holder, until_us: int) -> bytes:
    until = until_us.to_bytes(_TIME_BYTES, "big")
    return until + door.wallet.vault.mac(f"{holder.kind} challenge", *holder.whose, until)


def _own_challenge(door: Door, holder: Holder, client_data: bytes) -> bytes:
    """Return the challenge that client data names, if it was given to this holder, lately.

    Refuses: challenge_invalid.
    """
    try:
        found: Any = json.loads(client_data)
        told = read64(found["challenge"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(Code.CHALLENGE_INVALID) from error
    until_us = int.from_bytes((told or b"")[:_TIME_BYTES], "big")
    own = _challenge(door, holder, until_us)
    if told is None or until_us <= real_us() or not door.wallet.vault.same(own, told):
        raise Refused(Code.CHALLENGE_INVALID)
    return own


OPTIONS_EXAMPLE: Final = PasskeyOptions(
    {"challenge": "AAYD…", "rp": {"id": "pay.example", "name": "Lingqian 零钱"}}
)
NEW_EXAMPLE: Final = {"client_data": "eyJ0eXBlIjoi", "attestation": "o2NmbXRk", "name": "指纹"}
MADE_EXAMPLE: Final = PasskeyMade(field.CREDENTIAL_EXAMPLE)
