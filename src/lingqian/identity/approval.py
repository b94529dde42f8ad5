"""Approvals: a challenge that names one payment, a token that says how it was proven (支付核身).

Law: a token is good for exactly the payment its challenge was for: this person, session, action,
amount, payee and idempotency key. Used again it repeats the first answer, as the key does.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.identity.possession import read64, write64

APPROVAL_LIFE_S: Final = 120
MAC_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_TIME_BYTES: Final = 8
_CHALLENGE: Final = "lc_"
_TOKEN: Final = "lp_"  # noqa: S105 - how a token begins


class Challenge(NamedTuple):
    """One payment that wants a factor.   Units: µs of real time."""

    digest: bytes
    until_us: int
    mac: bytes


class Approval(NamedTuple):
    """What a payment token says of a payment.   Units: µs of real time; `factors` are bits."""

    factors: int
    until_us: int
    mac: bytes


def digest_of(*parts: bytes) -> bytes:
    """Return the digest of what a payment is: parts, each behind its length."""
    joined = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    return sha256(b"lingqian payment\x01" + joined).digest()


def write_challenge(challenge: Challenge) -> str:
    """Return a challenge as a page hands it back."""
    until = challenge.until_us.to_bytes(_TIME_BYTES, "big")
    return _CHALLENGE + write64(challenge.digest + until + challenge.mac)


def read_challenge(text: str) -> Challenge | None:
    """Read a challenge; None for what has not its form."""
    raw = read64(text[len(_CHALLENGE) :]) if text.startswith(_CHALLENGE) else None
    if raw is None or len(raw) != _DIGEST_BYTES + _TIME_BYTES + MAC_BYTES:
        return None
    until_us = int.from_bytes(raw[_DIGEST_BYTES : _DIGEST_BYTES + _TIME_BYTES], "big")
    return Challenge(raw[:_DIGEST_BYTES], until_us, raw[-MAC_BYTES:])


def write_approval(approval: Approval) -> str:
    """Return a payment token."""
    until = approval.until_us.to_bytes(_TIME_BYTES, "big")
    return _TOKEN + write64(bytes((approval.factors,)) + until + approval.mac)


def read_approval(text: str) -> Approval | None:
    """Read a payment token; None for what has not its form."""
    raw = read64(text[len(_TOKEN) :]) if text.startswith(_TOKEN) else None
    if raw is None or len(raw) != 1 + _TIME_BYTES + MAC_BYTES:
        return None
    return Approval(raw[0], int.from_bytes(raw[1 : 1 + _TIME_BYTES], "big"), raw[-MAC_BYTES:])
