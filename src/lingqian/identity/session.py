"""Sessions: a person on one device, by short tokens bound to the device's key (会话).

Law: nothing of a token is stored. It is its session, its generation and a digest keyed outside the
database; a refresh moves the generation on, and a token of an older one is refused.
Source: RFC 9449 (tokens bound to a key); RFC 9700 §2.2.2 (refresh tokens rotate).
"""

from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.identity.possession import read64, write64
from lingqian.kernel.bound import ACCESS_LIFE_S, REFRESH_GRACE_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.id import ID_BYTES

MAC_BYTES: Final = 16
_GENERATION_BYTES: Final = 4
_TOKEN_BYTES: Final = ID_BYTES + _GENERATION_BYTES + MAC_BYTES
GENERATION_MAX: Final = 1 << 31


class TokenKind(StrEnum):
    """What a token is for; its value begins the token."""

    ACCESS = "la"
    REFRESH = "lr"


class Token(NamedTuple):
    """A token as it was read; nothing is proven before its digest was compared."""

    session_id: bytes
    generation: int
    mac: bytes


class Session(NamedTuple):
    """A person on a device.   Units: µs of real time; `revoked_at_us` is 0 while it lives.

    `is_confirmed`: a token of this generation was used, so its answer had arrived.
    """

    session_id: bytes
    user_id: bytes
    device_id: bytes
    thumbprint: bytes
    generation: int
    is_confirmed: int
    rotated_at_us: int
    ends_at_us: int
    created_at_us: int
    seen_at_us: int
    revoked_at_us: int


class Refresh(StrEnum):
    """What a refresh token does to its session."""

    ROTATE = "rotate"
    # The last answer was lost on its way: the same tokens are told again.
    REPEAT = "repeat"
    # Somebody uses a token that its owner has already changed for another.
    REVOKE = "revoke"
    REFUSE = "refuse"


def write_token(kind: TokenKind, token: Token) -> str:
    """Return a token as a device keeps it."""
    number = token.generation.to_bytes(_GENERATION_BYTES, "big")
    return f"{kind}_{write64(token.session_id + number + token.mac)}"


def read_token(kind: TokenKind, text: str) -> Token | None:
    """Read a token; None for what has not its form."""
    prefix, _, rest = text.partition("_")
    raw = read64(rest) if prefix == kind else None
    if raw is None or len(raw) != _TOKEN_BYTES:
        return None
    number = int.from_bytes(raw[ID_BYTES : ID_BYTES + _GENERATION_BYTES], "big")
    return Token(raw[:ID_BYTES], number, raw[ID_BYTES + _GENERATION_BYTES :])


def is_alive(session: Session, at_us: int) -> bool:
    """Say whether a session has neither been revoked nor run out."""
    return not session.revoked_at_us and at_us < session.ends_at_us


def is_current(session: Session, generation: int, at_us: int) -> bool:
    """Say whether an access token of a generation is still good.

    The one before the newest is for a moment more: requests cross a refresh on their way.
    """
    age_us = at_us - session.rotated_at_us
    if generation == session.generation:
        return age_us < ACCESS_LIFE_S * SECOND_US
    return generation == session.generation - 1 and age_us < REFRESH_GRACE_S * SECOND_US


def judge_refresh(session: Session, generation: int, at_us: int) -> Refresh:
    """Say what a refresh token of a generation does.   Source: house rule, RFC 9700 §4.14.2."""
    if not is_alive(session, at_us) or session.generation >= GENERATION_MAX:
        return Refresh.REFUSE
    if generation == session.generation:
        return Refresh.ROTATE
    if generation != session.generation - 1:
        return Refresh.REVOKE if generation < session.generation else Refresh.REFUSE
    is_fresh = at_us - session.rotated_at_us < REFRESH_GRACE_S * SECOND_US
    return Refresh.REPEAT if is_fresh or not session.is_confirmed else Refresh.REVOKE


def link_digest(token: str) -> bytes:
    """Return what is stored of a sign-in link's token, which is 256 random bits."""
    return sha256(b"lingqian session link\x01" + token.encode()).digest()
