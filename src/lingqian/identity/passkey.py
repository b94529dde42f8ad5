"""Passkeys: a key in a phone that a fingerprint or a face unlocks, and what it signed (通行密钥).

Law: ES256 only; the person was verified by the device, not merely present; this site and challenge.
What a device says of its own make is not believed and not asked for.
Source: WebAuthn Level 3 §7.1, §7.2; RFC 9053 §7.1 for the key's form.
"""

import json
from hashlib import sha256
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.hashes import SHA256

from lingqian.identity.cbor import Reader
from lingqian.identity.possession import write64

PASSKEYS_PER_USER_MAX: Final = 10
CREDENTIAL_BYTES_MAX: Final = 1_023
COORDINATE_BYTES: Final = 32
_PRESENT: Final = 0x01
_VERIFIED: Final = 0x04
_ATTESTED: Final = 0x40
_EXTENDED: Final = 0x80
_AAGUID_BYTES: Final = 16
# The members of an ES256 key: kind 2 (EC2), algorithm -7, curve 1 (P-256), x, y.
_KIND, _ALGORITHM, _CURVE, _X, _Y = 1, 3, -1, -2, -3


class Point(NamedTuple):
    """A public key of P-256: its two coordinates, 32 bytes each."""

    x: bytes
    y: bytes

    def open(self) -> EllipticCurvePublicKey:
        """Return the key as the library knows it.

        Raises: ValueError for what is not a point of the curve.
        """
        x, y = (int.from_bytes(each, "big") for each in self)
        return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()


class Site(NamedTuple):
    """Where a passkey belongs: the site's name, and the addresses its pages may have."""

    rp_id: str
    origins: frozenset[str]


class Passkey(NamedTuple):
    """A passkey as it is kept."""

    credential_id: bytes
    key: Point
    counter: int


class Assertion(NamedTuple):
    """What a device signed, in the bytes it gave."""

    client_data: bytes
    authenticator_data: bytes
    signature: bytes


class _Data(NamedTuple):
    flags: int
    counter: int
    rest: bytes


def read_new(site: Site, challenge: bytes, client_data: bytes, attestation: bytes) -> Passkey:
    """Return the passkey that a device has made for this site and challenge.

    Raises: ValueError with what is wrong with it.
    """
    _check_client(site, "webauthn.create", challenge, client_data)
    reader = Reader(attestation)
    found = reader.value()
    if reader.at != len(attestation) or not isinstance(found, dict):
        raise ValueError("not an attestation")
    raw = found.get("authData")
    if not isinstance(raw, bytes):
        raise ValueError("no authenticator data")  # noqa: TRY004 - a stranger's bytes, no bug
    data = _read_data(site, raw)
    if not data.flags & _ATTESTED:
        raise ValueError("no credential in it")
    return _read_credential(data)


def _read_credential(data: _Data) -> Passkey:
    reader = Reader(data.rest)
    reader.take(_AAGUID_BYTES)
    size = int.from_bytes(reader.take(2), "big")
    if not 0 < size <= CREDENTIAL_BYTES_MAX:
        raise ValueError("an id of no length, or of too much")
    credential_id = reader.take(size)
    key = _read_key(reader.value())
    if data.flags & _EXTENDED:
        reader.value()
    if reader.at != len(data.rest):
        raise ValueError("more than a credential")
    return Passkey(credential_id, key, data.counter)


def _read_key(found: Any) -> Point:  # noqa: ANN401 - a stranger's value
    if not isinstance(found, dict):
        raise ValueError("no key")  # noqa: TRY004 - a stranger's bytes, no bug
    kind = (found.get(_KIND), found.get(_ALGORITHM), found.get(_CURVE))
    x, y = found.get(_X), found.get(_Y)
    if kind != (2, -7, 1) or not (isinstance(x, bytes) and isinstance(y, bytes)):
        raise ValueError("not an ES256 key")
    if len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
        raise ValueError("not a point of P-256")
    point = Point(x, y)
    point.open()
    return point


def check_assertion(site: Site, challenge: bytes, passkey: Passkey, said: Assertion) -> int:
    """Return the device's counter after a good signature over a challenge.

    Raises: ValueError with what is wrong with it.
    """
    _check_client(site, "webauthn.get", challenge, said.client_data)
    data = _read_data(site, said.authenticator_data)
    if data.rest and not data.flags & _EXTENDED:
        raise ValueError("more than was asked for")
    message = said.authenticator_data + sha256(said.client_data).digest()
    try:
        passkey.key.open().verify(said.signature, message, ECDSA(SHA256()))
    except InvalidSignature as error:
        raise ValueError("the signature is not that of the passkey") from error
    # Zero is what devices say that do not count; whoever counts goes upward, or was copied.
    if (data.counter or passkey.counter) and data.counter <= passkey.counter:
        raise ValueError("the counter has not gone on: the passkey may have been copied")
    return data.counter


def _read_data(site: Site, raw: bytes) -> _Data:
    reader = Reader(raw)
    name, flags = reader.take(32), reader.take(1)[0]
    counter = int.from_bytes(reader.take(4), "big")
    if name != sha256(site.rp_id.encode()).digest():
        raise ValueError("for another site")
    if not (flags & _PRESENT and flags & _VERIFIED):
        raise ValueError("the device has not verified anybody")
    return _Data(flags, counter, raw[reader.at :])


def _check_client(site: Site, kind: str, challenge: bytes, raw: bytes) -> None:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError("no client data") from error
    if not isinstance(found, dict) or found.get("type") != kind:
        raise ValueError("made for something else")
    if found.get("challenge") != write64(challenge):
        raise ValueError("of another challenge")
    if found.get("origin") not in site.origins or found.get("crossOrigin") is True:
        raise ValueError("from a page of another site")
