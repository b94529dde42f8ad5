"""API keys: what they look like, what they may do, and how they are compared (接口密钥).

Law: only the digest of a secret is kept; a secret is 256 random bits, so one hash is enough.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

PREFIX: Final = "lq"
KEY_ID_CHARS: Final = 12
SECRET_CHARS: Final = 64
_HEX: Final = frozenset("0123456789abcdef")


class Scope(StrEnum):
    """One thing a key may do; nothing is implied by anything else."""

    READ_PACKETS = "read:packets"
    WRITE_PACKETS = "write:packets"
    READ_USERS = "read:users"
    WRITE_USERS = "write:users"
    ACT_USERS = "act:users"
    FUND_SANDBOX = "fund:sandbox"
    REVIEW_CASES = "review:cases"
    ADMIN = "admin"
    READ_TOP_UPS = "read:top-ups"
    WRITE_TOP_UPS = "write:top-ups"
    WRITE_REFUNDS = "write:refunds"
    WRITE_GIFTS = "write:gifts"
    WRITE_PAYOUTS = "write:payouts"
    READ_NOTICES = "read:notices"
    RECONCILE = "reconcile"
    OPERATE_CHANNELS = "operate:channels"
    WRITE_BEHAVIOUR = "write:behaviour"
    READ_FUNNEL = "read:funnel"
    EVENTS_READ = "events:read"
    WEBHOOKS_WRITE = "webhooks:write"


# Who uses one of these acts for the house; each such act is written down.
OPERATOR: Final = frozenset(
    (
        Scope.ADMIN,
        Scope.REVIEW_CASES,
        Scope.RECONCILE,
        Scope.READ_NOTICES,
        Scope.OPERATE_CHANNELS,
        Scope.WEBHOOKS_WRITE,
    )
)


# What people in these roles need, and nothing else.
ROLES: Final[dict[str, frozenset[Scope]]] = {
    "reviewer": frozenset(
        (Scope.REVIEW_CASES, Scope.READ_USERS, Scope.READ_PACKETS, Scope.READ_TOP_UPS)
    ),
    "reconciler": frozenset((Scope.RECONCILE, Scope.READ_TOP_UPS, Scope.READ_NOTICES)),
    "dispatcher": frozenset((Scope.OPERATE_CHANNELS, Scope.READ_TOP_UPS)),
    "administrator": frozenset((Scope.ADMIN, Scope.READ_USERS, Scope.WRITE_USERS)),
    "engineer": frozenset((Scope.WEBHOOKS_WRITE, Scope.EVENTS_READ, Scope.READ_TOP_UPS)),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored; `revoked_at_us` is 0 while it is good."""

    key_id: str
    name: str
    digest: bytes
    scopes: frozenset[Scope]
    created_at_us: int
    revoked_at_us: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: a key by its name and what it may do, or a person in a session.

    A person has no scopes: what people may do stands with each operation.
    """

    name: str
    scopes: frozenset[Scope]
    person: bytes = b""
    session_id: bytes = b""
    key_id: str = ""


def write_key(key_id: str, secret: str) -> str:
    """Return a key as its owner sees it, once."""
    return f"{PREFIX}_{key_id}_{secret}"


def read_key(text: str) -> tuple[str, str] | None:
    """Return a key's id and secret; None when the text is not exactly such a key."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != PREFIX:
        return None
    _, key_id, secret = parts
    if len(key_id) != KEY_ID_CHARS or len(secret) != SECRET_CHARS:
        return None
    return (key_id, secret) if _HEX.issuperset(key_id + secret) else None


def digest(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return sha256(b"lingqian api key\x01" + secret.encode()).digest()


def is_good(key: Key, secret: str) -> bool:
    """Say whether a secret opens a key that has not been revoked, in constant time."""
    return hmac.compare_digest(key.digest, digest(secret)) and not key.revoked_at_us


def write_scopes(scopes: Iterable[Scope]) -> str:
    """Return scopes as they are stored: words in order, separated by spaces."""
    return " ".join(sorted(scopes))


def read_scopes(text: str) -> frozenset[Scope]:
    """Read stored scopes; a word this program does not know grants nothing."""
    known = {scope.value: scope for scope in Scope}
    return frozenset([known[word] for word in text.split() if word in known])
