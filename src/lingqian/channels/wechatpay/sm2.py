"""SM2: the national elliptic curve, behind one shape with two back ends (国密 SM2).

Law: libcrypto is used when it passes the published vectors at start-up, else it is refused; our own
arithmetic takes its place for verifying, and for private keys only where a setting allows it,
because it does not run in constant time.
Source: GB/T 32918.1–5 (the vectors are Annex A and C of part 5), read 2026-09.
"""

from collections.abc import Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes

from lingqian.channels.wechatpay import der

KEY_BYTES: Final = 32
POINT_BYTES: Final = 64
USER_ID: Final = b"1234567812345678"
P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX: Final = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY: Final = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
EC_PUBLIC_KEY: Final = bytes.fromhex("2a8648ce3d0201")
SM2_CURVE: Final = bytes.fromhex("2a811ccf5501822d")


class Sm2(Protocol):
    """A back end. Keys are plain bytes: a private key 32, a public one x ‖ y."""

    name: str
    is_constant_time: bool

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Return the signature: DER of (r, s), with SM3 and the common user id."""
        ...

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether a signature is this key's."""
        ...

    def encrypt(self, public: bytes, plain: bytes) -> bytes:
        """Return DER of (x, y, C3 hash, C2 text)."""
        ...

    def decrypt(self, private: bytes, sealed: bytes) -> bytes:
        """Open what was sealed.

        Raises: ValueError.
        """
        ...


class Vector:
    """The published example that a back end has to reproduce."""

    PRIVATE: Final = bytes.fromhex(
        "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
    )
    PUBLIC: Final = bytes.fromhex(
        "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    CHANCE: Final = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    MESSAGE: Final = b"message digest"
    R: Final = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
    S: Final = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
    PLAIN: Final = b"encryption standard"
    SEALED: Final = bytes.fromhex(
        "307c022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
        "022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
        "042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
        "041321886ca989ca9c7d58087307ca93092d651efa"
    )


def sm3(data: bytes) -> bytes:
    """Return the SM3 digest."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def write_signature(r: int, s: int) -> bytes:
    """Write a signature."""
    return der.write(der.SEQUENCE, der.write_integer(r) + der.write_integer(s))


def passes(back_end: Sm2) -> bool:
    """Say whether a back end reproduces the published example and agrees with itself.

    It signs with chance of its own, so what it signs is checked by verifying.
    """
    message = Vector.MESSAGE
    signature = write_signature(Vector.R, Vector.S)
    wrong = write_signature(Vector.R, Vector.S ^ 1)
    own = back_end.sign(Vector.PRIVATE, message)
    sealed = back_end.encrypt(Vector.PUBLIC, Vector.PLAIN)
    return (
        back_end.verify(Vector.PUBLIC, message, signature)
        and not back_end.verify(Vector.PUBLIC, message, wrong)
        and back_end.verify(Vector.PUBLIC, message, own)
        and back_end.decrypt(Vector.PRIVATE, Vector.SEALED) == Vector.PLAIN
        and back_end.decrypt(Vector.PRIVATE, sealed) == Vector.PLAIN
    )


def choose(candidates: tuple[Callable[[], Sm2], ...]) -> Sm2:
    """Return the first back end that can be had and passes.

    Raises: ValueError when none does.
    """
    for make in candidates:
        try:
            found = make()
            if passes(found):
                return found
        except (OSError, ValueError, AttributeError):
            continue
    raise ValueError("no SM2 back end passes the published vectors")
