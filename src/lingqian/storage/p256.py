"""P-256: signatures of devices, checked by a library and handed to the pure rooms (签名)."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from lingqian.identity.possession import COORDINATE_BYTES, Point

_CURVE: Final = SECP256R1()
_ALGORITHM: Final = ECDSA(SHA256())


def verify(key: Point, signature: bytes, message: bytes) -> bool:
    """Say whether a signature of r and s, 32 bytes each, is that of a key over a message."""
    if len(signature) != 2 * COORDINATE_BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return verify_der(key, encode_dss_signature(r, s), message)


def verify_der(key: Point, signature: bytes, message: bytes) -> bool:
    """Say the same of a signature as X.509 and WebAuthn write it."""
    numbers = EllipticCurvePublicNumbers(
        int.from_bytes(key.x, "big"), int.from_bytes(key.y, "big"), _CURVE
    )
    try:
        numbers.public_key().verify(signature, message, _ALGORITHM)
    except (InvalidSignature, ValueError):
        # ValueError: not a point of the curve.
        return False
    return True
