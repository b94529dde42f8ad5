"""Sealed parameters: what a cashier is called with, for the page that asked alone (收银台参数加密).

A page that sends `Sealed-To`, an ephemeral public key of P-256, gets the parameters of a pay sheet,
or of the sheet that takes a payout, sealed: ECDH with an ephemeral key of ours, HKDF-SHA256,
SM4-GCM bound to the order or the payout. A page's key is taken once.
Law: outside the sandbox a person's page gets them in no other way; whoever strips the header on its
way gets a refusal, and no parameters in the clear.
Source: SP 800-56A (ECDH), RFC 5869 (HKDF), GB/T 32907 and RFC 8998 (SM4-GCM).
"""

import secrets
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import UNSET

from lingqian.identity.possession import read64, write64
from lingqian.kernel.code import Code
from lingqian.storage.vault import Sm4Gcm
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.order import OrderShown, SealedInvocation
from lingqian.web.problem import Refused
from lingqian.web.reply import encode

HEADER: Final = b"sealed-to"
INFO: Final = b"lingqian cashier v1"
_POINT_BYTES: Final = 65
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 16


def page_key(door: Door, call: Call) -> bytes:
    """Return the key a page wants its parameters sealed to; nothing where it wants none.

    Refuses: invalid_field for what is no key, for one that was used before, and for none where a
    person's page has to have one.
    """
    text = call.header(HEADER)
    if not text:
        if call.caller.person and door.wallet.config.profile != "sandbox":
            words = "outside the sandbox a person's page has its parameters sealed"
            raise Refused(Code.INVALID_FIELD, field="Sealed-To", detail=words)
        return b""
    point = read64(text)
    if point is None or len(point) != _POINT_BYTES or not _is_point(point):
        raise Refused(Code.INVALID_FIELD, field="Sealed-To", detail="not a point of P-256")
    if not door.page_keys.take(point):
        raise Refused(Code.INVALID_FIELD, field="Sealed-To", detail="this key was used before")
    return point


def _is_point(raw: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError:
        return False
    return True


def sealed_to(point: bytes, shown: OrderShown) -> OrderShown:
    """Return an order whose pay sheet's parameters only the owner of a key can read."""
    if not point or shown.invocation is UNSET:
        return shown
    sealed = seal(point, shown.id, shown.invocation)
    return msgspec.structs.replace(shown, invocation=UNSET, sealed_invocation=sealed)


def seal(point: bytes, subject: str, parameters: dict[str, str]) -> SealedInvocation:
    """Seal the parameters of a sheet to a page's key, bound to the id they are about."""
    own = generate_private_key(SECP256R1())
    page = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    public = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = HKDF(SHA256(), _KEY_BYTES, salt=point + public, info=INFO).derive(
        own.exchange(ECDH(), page)
    )
    nonce = secrets.token_bytes(_NONCE_BYTES)
    text = Sm4Gcm(key).encrypt(nonce, encode(parameters), subject.encode())
    return SealedInvocation(write64(public), write64(nonce), write64(text))
