"""Signing: the exact bytes that are signed, going out and coming in (签名).

Law: what is signed is what is sent: the request target as it stands on the request line, the body
as it is written; nothing is serialised twice.
Source: WeChat Pay APIv3, "how to sign a request", "how to check a signature", read 2026-09.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final, NamedTuple

from lingqian.channels.wechatpay.suite import PrivateKey
from lingqian.kernel.fault import BadSignature

CLOCK_S_MAX: Final = 300
TIMESTAMP: Final = "wechatpay-timestamp"
NONCE: Final = "wechatpay-nonce"
SIGNATURE: Final = "wechatpay-signature"
SERIAL: Final = "wechatpay-serial"
SIGNATURE_TYPE: Final = "wechatpay-signature-type"
_DIGITS_MAX: Final = 12


class Credential(NamedTuple):
    """Who signs: the merchant, the key, and the serial of the certificate that goes with it."""

    mchid: str
    serial: str
    scheme: str
    key: PrivateKey


class Stamp(NamedTuple):
    """When a request is signed, and the text that makes it one of a kind. Units: unix seconds."""

    at_s: int
    nonce: str


class Seal(NamedTuple):
    """The four headers of a signed message, taken apart."""

    at_s: int
    nonce: str
    serial: str
    signature: bytes


def request_message(method: str, target: str, stamp: Stamp, body: bytes) -> bytes:
    """Return the five lines that a request's signature covers, each with its newline."""
    return f"{method}\n{target}\n{stamp.at_s}\n{stamp.nonce}\n".encode() + body + b"\n"


def authorization(
    credential: Credential, method: str, target: str, stamp: Stamp, body: bytes
) -> str:
    """Return the Authorization header of a request."""
    signature = credential.key.sign(request_message(method, target, stamp, body))
    pairs = {
        "mchid": credential.mchid,
        "nonce_str": stamp.nonce,
        "timestamp": str(stamp.at_s),
        "serial_no": credential.serial,
        "signature": base64.b64encode(signature).decode(),
    }
    return credential.scheme + " " + ",".join(f'{name}="{each}"' for name, each in pairs.items())


def answer_message(at_s: int, nonce: str, body: bytes) -> bytes:
    """Return the three lines that an answer's or a notice's signature covers."""
    return f"{at_s}\n{nonce}\n".encode() + body + b"\n"


def read_seal(headers: Mapping[str, str], scheme: str) -> Seal:
    """Take the signature headers apart; names are lower case.

    A probe (`WECHATPAY/SIGNTEST/…`) needs no case of its own: it is a signature that is not right.

    Raises: BadSignature.
    """
    try:
        at, nonce, serial = headers[TIMESTAMP], headers[NONCE], headers[SERIAL]
        signature = base64.b64decode(headers[SIGNATURE].encode("ascii"), validate=True)
    except KeyError as error:
        raise BadSignature(f"the header {error.args[0]} is missing") from error
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadSignature("the signature is not base64") from error
    if headers.get(SIGNATURE_TYPE, scheme) != scheme:
        raise BadSignature("the signature is of another type than this account's")
    if not at.isascii() or not at.isdigit() or len(at) > _DIGITS_MAX:
        raise BadSignature("the timestamp is not a number of seconds")
    return Seal(int(at), nonce, serial, signature)


def check_age(at_s: int, now_s: int) -> None:
    """Refuse what was signed too long ago, or too far ahead.

    Raises: BadSignature.
    """
    if abs(now_s - at_s) > CLOCK_S_MAX:
        raise BadSignature(f"signed {now_s - at_s} s ago; at most {CLOCK_S_MAX} s are allowed")
