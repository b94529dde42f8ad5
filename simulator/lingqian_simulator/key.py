"""Keys: what every pair of keys can do, whichever algorithms stand behind it (密钥)."""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class PublicKey(Protocol):
    """Verifies, and encrypts what only the other half can read."""

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the other half signed these very bytes."""
        ...

    def encrypt(self, plaintext: bytes) -> bytes:
        """Close a sensitive field (敏感信息加密)."""
        ...

    def pem(self) -> str:
        """Write the key as SubjectPublicKeyInfo."""
        ...


class PrivateKey(Protocol):
    """Signs, and opens what was encrypted for it."""

    def sign(self, message: bytes) -> bytes:
        """Sign raw bytes."""
        ...

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Open a sensitive field.

        Raises: ValueError when it was not made for this key.
        """
        ...

    def public_key(self) -> PublicKey:
        """Return the half that may be shown."""
        ...

    def pem(self) -> str:
        """Write the key as PKCS#8, unencrypted."""
        ...


class Validity(NamedTuple):
    """What a certificate says: its number, whose it is, from when to when (real time)."""

    serial_no: str
    common_name: str
    organisation: str
    not_before_us: int
    not_after_us: int


class Suite(NamedTuple):
    """One family of algorithms: RSA with AES, or 国密."""

    name: str  # as the control calls name it: RSA or SM
    scheme: str  # of Authorization and Wechatpay-Signature-Type
    certificate_type: str  # algorithm_type of /v3/certificates
    aead: str  # algorithm of encrypted resources
    make_key: Callable[[], PrivateKey]
    private_key: Callable[[str], PrivateKey]  # from PEM
    public_key: Callable[[str], PublicKey]  # from PEM, of a key or of a certificate
    certify: Callable[[PrivateKey, Validity], str]  # self-signed, PEM
    seal: Callable[[str, bytes, bytes, bytes], bytes]  # APIv3 key, nonce, associated, plaintext
    unseal: Callable[[str, bytes, bytes, bytes], bytes]
