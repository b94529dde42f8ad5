"""RSA as WeChat Pay uses it: PKCS#1 v1.5 with SHA-256, OAEP with SHA-1, AES-256-GCM.

Source: RFC 8017 §7.1, §8.2; WeChat Pay APIv3, pages on signing and on sensitive fields.
"""

from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BITS_MIN: Final = 2_048
_SHA256: Final = hashes.SHA256()
_SIGNING: Final = PKCS1v15()
# The guide and every official client use SHA-1 here; OAEP does not rest on its collisions.
_OAEP: Final = OAEP(mgf=MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303 - theirs


class RsaPrivateKey:
    """A merchant's RSA key."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message; the same one each time."""
        return self._key.sign(message, _SIGNING, _SHA256)

    def open_field(self, sealed: bytes) -> bytes:
        """Open a sealed field.

        Raises: ValueError.
        """
        return self._key.decrypt(sealed, _OAEP)


class RsaPublicKey:
    """A platform's RSA key."""

    def __init__(self, key: RSAPublicKey) -> None:
        self._key = key

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether the signature is this key's."""
        try:
            self._key.verify(signature, message, _SIGNING, _SHA256)
        except InvalidSignature:
            return False
        return True

    def seal_field(self, plain: bytes) -> bytes:
        """Seal a field of at most 214 bytes for a key of 2048 bits.

        Raises: ValueError.
        """
        return self._key.encrypt(plain, _OAEP)


def read_private(pem: bytes, allows_pure: bool) -> RsaPrivateKey:  # noqa: FBT001, ARG001 - the shape of a suite
    """Read a merchant's private key.

    Raises: ValueError.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError("a key of another kind, or under a password") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError("not an RSA private key of 2048 bits or more")
    return RsaPrivateKey(key)


def read_public(pem: bytes) -> RsaPublicKey:
    """Read a platform's public key.

    Raises: ValueError.
    """
    return _checked(lambda: serialization.load_pem_public_key(pem))


def read_certificate(certificate: x509.Certificate) -> RsaPublicKey:
    """Read the key of a platform certificate.

    Raises: ValueError.
    """
    return _checked(certificate.public_key)


def _checked(read: Callable[[], object]) -> RsaPublicKey:
    try:
        key = read()
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of another kind") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError("not an RSA public key of 2048 bits or more")
    return RsaPublicKey(key)


def aead(api_key: bytes) -> AESGCM:
    """Return the opener of resources: the key is the text's own 32 bytes."""
    return AESGCM(api_key)
