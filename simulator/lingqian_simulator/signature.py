"""The texts that are signed, and the Authorization header (签名串).

Law: a message is made of raw bytes as they crossed the wire; nothing is parsed and written again.
"""

import re
from typing import Final, NamedTuple

_SHAPE: Final = re.compile(r"(\S+)\s+(.+)\Z", re.DOTALL)
_PAIR: Final = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*(?:,|\Z)')
_NAMES: Final = frozenset({"mchid", "nonce_str", "timestamp", "serial_no", "signature"})


class Authorization(NamedTuple):
    """The header taken apart; its parts may come in any order."""

    scheme: str
    mchid: str
    nonce_str: str
    timestamp: str
    serial_no: str
    signature: str


def parse_authorization(header: str) -> Authorization | None:
    """Take the header apart; None when it has not exactly the five parts."""
    shape = _SHAPE.match(header)
    if shape is None:
        return None
    parts: dict[str, str] = {}
    place = 0
    while place < len(shape[2]):
        pair = _PAIR.match(shape[2], place)
        if pair is None or pair[1] in parts:
            return None
        parts[pair[1]] = pair[2]
        place = pair.end()
    if parts.keys() != _NAMES or not all(parts.values()):
        return None
    return Authorization(scheme=shape[1], **parts)


def request_message(method: str, target: str, authorization: Authorization, body: bytes) -> bytes:
    """Return what a merchant signs: five lines, each ended, the body as sent."""
    lines = (method, target, authorization.timestamp, authorization.nonce_str, "")
    return "\n".join(lines).encode() + body + b"\n"


def answer_message(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return what the platform signs, in answers and in notices: three lines, each ended."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def pay_message(appid: str, timestamp: str, nonce: str, package: str) -> bytes:
    """Return what a merchant signs for the phone (调起支付): four lines, each ended."""
    return f"{appid}\n{timestamp}\n{nonce}\n{package}\n".encode()
