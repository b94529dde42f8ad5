"""国密 as WeChat Pay uses it: SM2 with SM3, SM2 sealing, SM4-GCM.

Source: wechatpay-java's shangmi module; GB/T 32918, 32905, 32907; RFC 8998 for SM4-GCM.
"""

import base64
import re
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding

from lingqian.channels.wechatpay import der
from lingqian.channels.wechatpay.sm2 import (
    EC_PUBLIC_KEY,
    KEY_BYTES,
    POINT_BYTES,
    SM2_CURVE,
    Sm2,
    choose,
    sm3,
)
from lingqian.channels.wechatpay.sm2_libcrypto import LibcryptoSm2
from lingqian.channels.wechatpay.sm2_pure import PureSm2

SM4_KEY_BYTES: Final = 16
TAG_BYTES: Final = 16
_UNCOMPRESSED: Final = b"\0\4"
_PEM: Final = re.compile(
    rb"-----BEGIN (PRIVATE KEY|PUBLIC KEY)-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----"
)


@cache
def back_end() -> Sm2:
    """Return this process's back end: libcrypto where it passes, else our own arithmetic."""
    return choose((LibcryptoSm2, PureSm2))


class SmPrivateKey:
    """A merchant's SM2 key."""

    def __init__(self, key: bytes, sm2: Sm2) -> None:
        self._key = key
        self._sm2 = sm2

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message; another one each time."""
        return self._sm2.sign(self._key, message)

    def open_field(self, sealed: bytes) -> bytes:
        """Open a sealed field.

        Raises: ValueError.
        """
        return self._sm2.decrypt(self._key, sealed)


class SmPublicKey:
    """A platform's SM2 key."""

    def __init__(self, key: bytes, sm2: Sm2) -> None:
        self._key = key
        self._sm2 = sm2

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether the signature is this key's."""
        return self._sm2.verify(self._key, message, signature)

    def seal_field(self, plain: bytes) -> bytes:
        """Seal a field."""
        return self._sm2.encrypt(self._key, plain)


class Sm4Gcm:
    """SM4 in GCM, in the shape of cryptography's own AEADs."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Seal and add the tag."""
        sealing = Cipher(algorithms.SM4(self._key), modes.GCM(nonce)).encryptor()
        sealing.authenticate_additional_data(associated_data or b"")
        return sealing.update(data) + sealing.finalize() + sealing.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Open and check the tag.

        Raises: InvalidTag; ValueError when it is too short to have one.
        """
        text, tag = data[:-TAG_BYTES], data[-TAG_BYTES:]
        if len(tag) != TAG_BYTES:
            raise ValueError("too short for a tag")
        opening = Cipher(algorithms.SM4(self._key), modes.GCM(nonce, tag)).decryptor()
        opening.authenticate_additional_data(associated_data or b"")
        return opening.update(text) + opening.finalize()


def aead(api_key: bytes) -> Sm4Gcm:
    """Return the opener of resources: the key is the first half of the SM3 of the APIv3 key."""
    return Sm4Gcm(sm3(api_key)[:SM4_KEY_BYTES])


def read_private(pem: bytes, allows_pure: bool) -> SmPrivateKey:  # noqa: FBT001 - the shape of a suite
    """Read a merchant's private key in PKCS#8.

    Raises: ValueError, also where only our own arithmetic is at hand and no setting allows it.
    """
    sm2 = back_end()
    if not sm2.is_constant_time and not allows_pure:
        raise ValueError("libcrypto has no SM2 here; allows_pure_sm2 would accept the slower one")
    number, algorithm, key = der.read_sequence(
        _from_pem(pem, b"PRIVATE KEY"), der.INTEGER, der.SEQUENCE, der.OCTET_STRING
    )
    _check_algorithm(algorithm)
    parts = der.read(der.read(key)[0][1]) if der.read_integer(number) == 0 else []
    is_sound = len(parts) > 1 and parts[1][0] == der.OCTET_STRING
    if not is_sound or len(parts[1][1]) != KEY_BYTES:
        raise ValueError("not an SM2 private key in PKCS#8")
    return SmPrivateKey(parts[1][1], sm2)


def read_public(pem: bytes) -> SmPublicKey:
    """Read a platform's public key.

    Raises: ValueError.
    """
    return _read_info(_from_pem(pem, b"PUBLIC KEY"))


def read_certificate(certificate: x509.Certificate) -> SmPublicKey:
    """Read the key of a platform certificate; cryptography reads the rest, but not this curve.

    Raises: ValueError.
    """
    whole = der.read(certificate.public_bytes(Encoding.DER))
    fields = der.read(der.read(whole[0][1])[0][1])
    # Version (may be absent), serial, algorithm, issuer, validity, subject; then the key.
    place = 6 if fields[0][0] == der.CONTEXT_0 else 5
    if len(fields) <= place:
        raise ValueError("a certificate without a key")
    return _read_info(der.write(der.SEQUENCE, fields[place][1]))


def _read_info(info: bytes) -> SmPublicKey:
    algorithm, bits = der.read_sequence(info, der.SEQUENCE, der.BIT_STRING)
    _check_algorithm(algorithm)
    if not bits.startswith(_UNCOMPRESSED) or len(bits) != len(_UNCOMPRESSED) + POINT_BYTES:
        raise ValueError("not an SM2 public key")
    return SmPublicKey(bits[len(_UNCOMPRESSED) :], back_end())


def _check_algorithm(content: bytes) -> None:
    if der.read(content) != [(der.OBJECT_ID, EC_PUBLIC_KEY), (der.OBJECT_ID, SM2_CURVE)]:
        raise ValueError("a key of another curve than SM2's")


def _from_pem(pem: bytes, label: bytes) -> bytes:
    found = _PEM.search(pem)
    if found is None or found[1] != label:
        raise ValueError(f"no {label.decode().lower()} in this file")
    return base64.b64decode(found[2])
