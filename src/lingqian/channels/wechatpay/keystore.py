"""The platform's keys: one map from serial to key, of both kinds (平台密钥).

Law: a key is looked up by the exact serial that a message names, never by the mode we are in; a
certificate goes when it has expired, not when the next one comes.
Source: WeChat Pay APIv3, pages on platform certificates, on the public key and on switching.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from cryptography import x509

from lingqian.channels.wechatpay.sign import answer_message, check_age, read_seal
from lingqian.channels.wechatpay.suite import Aead, PublicKey, Suite, open_resource
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Rejected, Unsent

PUBLIC_KEY_PREFIX: Final = "PUB_KEY_ID_"
REFRESH_S: Final = 12 * 3_600
# An unknown serial may be a forger's; it makes us ask, but not as often as he writes.
UNKNOWN_REFRESH_S: Final = 60
CERTIFICATES_MAX: Final = 64


class PlatformKey(NamedTuple):
    """One key of the platform; `until_us` is 0 when it does not expire. Units: µs."""

    serial: str
    key: PublicKey
    from_us: int
    until_us: int


class _Sealed(msgspec.Struct):
    nonce: str
    ciphertext: str
    algorithm: str = ""
    associated_data: str = ""


class _Row(msgspec.Struct):
    serial_no: str
    encrypt_certificate: _Sealed


class _Certificates(msgspec.Struct):
    data: list[_Row]


class Keystore:
    """The keys an account knows, and when it last asked for more."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._keys: dict[str, PlatformKey] = {}
        self._asked_at_us = 0

    def add(self, key: PlatformKey) -> None:
        """Know a key, beside all the others.

        Raises: Rejected `too_many_certificates` when the platform never stops sending new ones.
        """
        if len(self._keys) >= CERTIFICATES_MAX and key.serial not in self._keys:
            raise Rejected("too_many_certificates")
        self._keys[key.serial] = key

    def serials(self) -> tuple[str, ...]:
        """Return every serial known."""
        return tuple(self._keys)

    def is_due(self, now_us: int) -> bool:
        """Say whether the certificates should be asked for again by the calendar."""
        return now_us - self._asked_at_us >= REFRESH_S * SECOND_US

    def may_ask(self, now_us: int) -> bool:
        """Say whether an unknown serial may make us ask again so soon."""
        return now_us - self._asked_at_us >= UNKNOWN_REFRESH_S * SECOND_US

    def note_asked(self, now_us: int) -> None:
        """Remember that the certificates were asked for, whatever came of it."""
        self._asked_at_us = now_us

    def knows(self, serial: str) -> bool:
        """Say whether a message with this serial could be checked."""
        return serial in self._keys

    def for_sealing(self, public_key_id: str, now_us: int) -> PlatformKey:
        """Return the key that fields are sealed with: the named public key, else the newest.

        Raises: Unsent when there is none.
        """
        if public_key_id in self._keys:
            return self._keys[public_key_id]
        good = [
            each
            for each in self._keys.values()
            if each.until_us and each.from_us <= now_us < each.until_us
        ]
        if not good:
            raise Unsent("no platform key is known to seal a field with")
        return max(good, key=lambda each: each.from_us)

    def verify(self, headers: Mapping[str, str], body: bytes, now_us: int) -> int:
        """Check a message over its raw bytes: age, key by serial, signature; return when signed.

        Units: µs.
        Raises: BadSignature.
        """
        seal = read_seal(headers, self._suite.scheme)
        check_age(seal.at_s, now_us // SECOND_US)
        known = self._keys.get(seal.serial)
        if known is None:
            raise BadSignature("no platform key has the serial this message names")
        if known.until_us and now_us >= known.until_us:
            raise BadSignature("the platform certificate this message names has expired")
        if not known.key.verify(answer_message(seal.at_s, seal.nonce, body), seal.signature):
            raise BadSignature("the signature does not fit the bytes")
        return seal.at_s * SECOND_US


def read_certificate(suite: Suite, pem: bytes) -> PlatformKey:
    """Read a platform certificate; its serial is its number in upper-case hex.

    Raises: ValueError.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    return PlatformKey(
        serial_of(certificate),
        suite.read_certificate(certificate),
        int(certificate.not_valid_before_utc.timestamp()) * SECOND_US,
        int(certificate.not_valid_after_utc.timestamp()) * SECOND_US,
    )


def serial_of(certificate: x509.Certificate) -> str:
    """Return a certificate's serial as every header names it."""
    return f"{certificate.serial_number:X}"


def read_public_key(suite: Suite, serial: str, pem: bytes) -> PlatformKey:
    """Read a platform public key, known by the id that the merchant platform shows.

    Raises: ValueError.
    """
    if not serial.startswith(PUBLIC_KEY_PREFIX):
        raise ValueError(f"a public key's id begins with {PUBLIC_KEY_PREFIX}")
    return PlatformKey(serial, suite.read_public(pem), 0, 0)


def open_certificates(suite: Suite, aead: Aead, body: bytes) -> list[PlatformKey]:
    """Open the answer of `/v3/certificates`.

    Raises: Rejected `certificates_malformed`, `resource_unopened`.
    """
    try:
        rows = msgspec.json.decode(body, type=_Certificates).data
        return [_opened(suite, aead, row) for row in rows]
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise Rejected("certificates_malformed", "the answer cannot be read") from error


def _opened(suite: Suite, aead: Aead, row: _Row) -> PlatformKey:
    sealed = row.encrypt_certificate
    raw = base64.b64decode(sealed.ciphertext.encode("ascii"), validate=True)
    key = read_certificate(suite, open_resource(aead, sealed.nonce, sealed.associated_data, raw))
    if key.serial != row.serial_no.upper().lstrip("0"):
        raise ValueError("a certificate came under another serial than its own")
    return key
