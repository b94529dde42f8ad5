"""Suites: the two sets of algorithms that WeChat Pay speaks, behind one shape (算法套件).

Law: a tag is always checked; bytes that do not open give one clean fault and say nothing of keys.
Source: WeChat Pay APIv3, pages on signing and on encryption; the SM column of wechatpay-java.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidTag

from lingqian.channels.wechatpay import rsa, sm
from lingqian.kernel.fault import Rejected

API_KEY_BYTES: Final = 32
_NONCE_BYTES_MIN: Final = 8


class PrivateKey(Protocol):
    """The merchant's key: signs what we send, opens what is sealed for us."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        ...

    def open_field(self, sealed: bytes) -> bytes:
        """Open a sealed field.

        Raises: ValueError.
        """
        ...


class PublicKey(Protocol):
    """A key of the platform: checks what it signed, seals what only it may read."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether the signature is this key's."""
        ...

    def seal_field(self, plain: bytes) -> bytes:
        """Seal a field.

        Raises: ValueError when it is too long.
        """
        ...


class Aead(Protocol):
    """What opens a sealed resource; cryptography's own shape."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Open and check the tag."""
        ...


class Suite(NamedTuple):
    """One set of algorithms.

    `read_private(pem, allows_pure)` reads a merchant's key; `aead(api_key)` makes the opener of
    resources from the 32 bytes of the APIv3 key.
    """

    name: str
    scheme: str
    resource_algorithm: str
    read_private: Callable[[bytes, bool], PrivateKey]
    read_public: Callable[[bytes], PublicKey]
    read_certificate: Callable[[x509.Certificate], PublicKey]
    aead: Callable[[bytes], Any]


RSA: Final = Suite(
    "RSA",
    "WECHATPAY2-SHA256-RSA2048",
    "AEAD_AES_256_GCM",
    rsa.read_private,
    rsa.read_public,
    rsa.read_certificate,
    rsa.aead,
)
SM2: Final = Suite(
    "SM2",
    "WECHATPAY2-SM2-WITH-SM3",
    "AEAD_SM4_GCM",
    sm.read_private,
    sm.read_public,
    sm.read_certificate,
    sm.aead,
)
SUITES: Final = {suite.name: suite for suite in (RSA, SM2)}


def open_resource(aead: Aead, nonce: str, associated: str, sealed: bytes) -> bytes:
    """Open a sealed resource.

    Raises: Rejected `resource_unopened`: another key, or bytes that were changed on their way.
    """
    raw = nonce.encode()
    if len(raw) < _NONCE_BYTES_MIN:
        raise Rejected("resource_unopened", "the nonce is too short")
    try:
        return aead.decrypt(raw, sealed, associated.encode())
    except (InvalidTag, ValueError, OverflowError) as error:
        raise Rejected("resource_unopened", "the tag does not fit the APIv3 key") from error
