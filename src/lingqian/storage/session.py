"""Sessions as rows: links to sign in with, devices, and which token of a session is good (会话).

Like keys they are no money and no part of the journal; a running server sees what a command has
revoked within a second.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lingqian.identity.session import (
    Refresh,
    Session,
    Token,
    TokenKind,
    is_alive,
    is_current,
    judge_refresh,
    read_token,
    write_token,
)
from lingqian.kernel.bound import CACHE_ROWS_MAX, LINK_LIFE_S, REFRESH_LIFE_S, SESSIONS_PER_USER_MAX
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault

_SEEN_S: Final = 0.5
_KEPT_US: Final = REFRESH_LIFE_S * SECOND_US

FORGET_LINKS: Final = "DELETE FROM session_links WHERE expires_at_us <= ?"
INSERT_LINK: Final = (
    "INSERT INTO session_links (link_id, token_digest, user_id, path, made_by, created_at_us, "
    "expires_at_us, session_id) VALUES (?, ?, ?, ?, ?, ?, ?, x'')"
)
SELECT_LINK: Final = (
    "SELECT link_id, user_id, path, expires_at_us, session_id FROM session_links "
    "WHERE token_digest = ?"
)
USE_LINK: Final = "UPDATE session_links SET session_id = ? WHERE link_id = ?"
SELECT_DEVICE: Final = "SELECT device_id FROM devices WHERE user_id = ? AND thumbprint = ?"
INSERT_DEVICE: Final = (
    "INSERT INTO devices (device_id, user_id, thumbprint, name_sealed, created_at_us) "
    "VALUES (?, ?, ?, ?, ?)"
)
NAME_DEVICE: Final = "UPDATE devices SET name_sealed = ? WHERE device_id = ?"
_SESSION: Final = (
    "SELECT s.session_id, s.user_id, s.device_id, d.thumbprint, s.generation, s.is_confirmed, "
    "s.rotated_at_us, s.ends_at_us, s.created_at_us, s.seen_at_us, s.revoked_at_us "
)
SELECT_SESSION: Final = (
    f"{_SESSION} FROM sessions s JOIN devices d USING (device_id) WHERE s.session_id = ?"
)
SELECT_SESSIONS: Final = (
    f"{_SESSION}, d.name_sealed FROM sessions s JOIN devices d USING (device_id) "
    "WHERE s.user_id = ? AND s.revoked_at_us = 0 AND s.ends_at_us > ? "
    "ORDER BY s.created_at_us DESC, s.session_id"
)
INSERT_SESSION: Final = (
    "INSERT INTO sessions (session_id, user_id, device_id, generation, is_confirmed, "
    "rotated_at_us, ends_at_us, created_at_us, seen_at_us, revoked_at_us) "
    "VALUES (?, ?, ?, 1, 0, ?, ?, ?, ?, 0)"
)
ROTATE_SESSION: Final = (
    "UPDATE sessions SET generation = generation + 1, is_confirmed = 0, rotated_at_us = ?, "
    "ends_at_us = ?, seen_at_us = ? WHERE session_id = ?"
)
CONFIRM_SESSION: Final = (
    "UPDATE sessions SET is_confirmed = 1, seen_at_us = ? WHERE session_id = ? AND generation = ?"
)
REVOKE_SESSION: Final = (
    "UPDATE sessions SET revoked_at_us = ? "
    "WHERE session_id = ? AND user_id = ? AND revoked_at_us = 0 AND ends_at_us > ?"
)
REVOKE_SESSIONS: Final = (
    "UPDATE sessions SET revoked_at_us = ? "
    "WHERE user_id = ? AND revoked_at_us = 0 AND ends_at_us > ?"
)
END_SESSIONS: Final = (
    "UPDATE sessions SET revoked_at_us = MAX(?, created_at_us) WHERE revoked_at_us = 0"
)
SELECT_NEWEST: Final = (
    "SELECT session_id FROM sessions WHERE user_id = ? AND revoked_at_us = 0 "
    "ORDER BY created_at_us DESC, session_id"
)
MAKE_ROOM: Final = "UPDATE sessions SET revoked_at_us = ? WHERE session_id = ?"
FORGET_SESSIONS: Final = (
    "DELETE FROM sessions WHERE user_id = ? "
    "AND (ends_at_us < ? OR (revoked_at_us <> 0 AND revoked_at_us < ?))"
)


class NewLink(NamedTuple):
    """A link to be written: whose, where it leads, who asked for it."""

    link_id: bytes
    token_digest: bytes
    user_id: bytes
    path: str
    made_by: str
    at_us: int

    @property
    def expires_at_us(self) -> int:
        """Return when it opens nothing any more."""
        return self.at_us + LINK_LIFE_S * SECOND_US


class Arrival(NamedTuple):
    """A device that comes with a link; ids are those it gets if it is new here."""

    token_digest: bytes
    thumbprint: bytes
    session_id: bytes
    device_id: bytes
    name: str
    at_us: int


class SignedIn(NamedTuple):
    """A session that a link has made, and where the link leads."""

    session: Session
    path: str


class Listed(NamedTuple):
    """A session as its owner sees it."""

    session: Session
    device_name: str


def add_link(connection: Connection, link: NewLink) -> None:
    """Write a link; those that have run out are forgotten."""
    connection.execute(FORGET_LINKS, (link.at_us,))
    connection.execute(INSERT_LINK, (*link, link.expires_at_us))


def has_link(connection: Connection, token_digest: bytes, at_us: int) -> bool:
    """Say whether there is such a link, and it has not run out."""
    row: Any = connection.execute(SELECT_LINK, (token_digest,)).fetchone()
    return row is not None and row[3] > at_us


def sign_in(
    connection: Connection, arrival: Arrival, seal: Callable[[bytes, bytes], bytes]
) -> SignedIn | None:
    """Use a link up; None when there is none, or another device has used it.

    The device that used it gets the same session again: the first answer may have been lost.
    """
    row: Any = connection.execute(SELECT_LINK, (arrival.token_digest,)).fetchone()
    if row is None or row[3] <= arrival.at_us:
        return None
    link_id, user_id, path, _, session_id = row
    if session_id:
        session = _session(connection, session_id)
        is_same = session is not None and session.thumbprint == arrival.thumbprint
        if not is_same or session is None or session.generation > 1 or session.revoked_at_us:
            return None
        return SignedIn(session, path)
    device_id = _device(connection, user_id, arrival, seal)
    at_us = arrival.at_us
    begin = (arrival.session_id, user_id, device_id, at_us, at_us + _KEPT_US, at_us, at_us)
    connection.execute(FORGET_SESSIONS, (user_id, at_us - _KEPT_US, at_us - _KEPT_US))
    connection.execute(INSERT_SESSION, begin)
    # The newest stay; the one longest signed in makes room.
    newest = connection.execute(SELECT_NEWEST, (user_id,)).fetchall()
    crowded = [(at_us, old) for (old,) in newest[SESSIONS_PER_USER_MAX:]]
    connection.executemany(MAKE_ROOM, crowded)
    connection.execute(USE_LINK, (arrival.session_id, link_id))
    made = _session(connection, arrival.session_id)
    assert made is not None, "written a moment ago"
    return SignedIn(made, path)


def _device(
    connection: Connection,
    user_id: bytes,
    arrival: Arrival,
    seal: Callable[[bytes, bytes], bytes],
) -> bytes:
    """Return the device of a key, made when the key is new; a name it comes with is kept."""
    row: Any = connection.execute(SELECT_DEVICE, (user_id, arrival.thumbprint)).fetchone()
    name = arrival.name.encode()
    if row is None:
        sealed = seal(arrival.device_id, name)
        values = (arrival.device_id, user_id, arrival.thumbprint, sealed, arrival.at_us)
        connection.execute(INSERT_DEVICE, values)
        return arrival.device_id
    device_id = bytes(row[0])
    if name:
        connection.execute(NAME_DEVICE, (seal(device_id, name), device_id))
    return device_id


def _session(connection: Connection, session_id: bytes) -> Session | None:
    row: Any = connection.execute(SELECT_SESSION, (session_id,)).fetchone()
    return None if row is None else Session(*row)


def refresh(connection: Connection, token: Token, thumbprint: bytes, at_us: int) -> Session | None:
    """Move a session on, tell the last tokens again, or end it; None when it gives no tokens."""
    session = _session(connection, token.session_id)
    if session is None or session.thumbprint != thumbprint:
        return None
    step = judge_refresh(session, token.generation, at_us)
    if step == Refresh.ROTATE:
        values = (at_us, at_us + _KEPT_US, at_us, session.session_id)
        connection.execute(ROTATE_SESSION, values)
        return _session(connection, session.session_id)
    if step == Refresh.REVOKE:
        revoke(connection, session.session_id, session.user_id, at_us)
    return session if step == Refresh.REPEAT else None


def confirm(connection: Connection, session: Session, at_us: int) -> None:
    """Note that a token of the newest generation has reached its owner."""
    connection.execute(CONFIRM_SESSION, (at_us, session.session_id, session.generation))


def revoke(connection: Connection, session_id: bytes, user_id: bytes, at_us: int) -> bool:
    """End a person's session; False when the person has no such session."""
    connection.execute(REVOKE_SESSION, (at_us, session_id, user_id, at_us))
    return connection.changes() > 0


def revoke_all(connection: Connection, user_id: bytes, at_us: int) -> int:
    """End every session of a person; return how many there were."""
    connection.execute(REVOKE_SESSIONS, (at_us, user_id, at_us))
    return connection.changes()


def end_sessions(connection: Connection, at_us: int) -> None:
    """End everybody's sessions; links that were not used yet open nothing either."""
    connection.execute(END_SESSIONS, (at_us,))
    connection.execute("DELETE FROM session_links WHERE session_id = x''")


class Sessions:
    """Finds out which person calls; rows are read again after half a second."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._known: dict[bytes, tuple[Session | None, float]] = {}

    def _mac(self, kind: TokenKind, session_id: bytes, generation: int) -> bytes:
        return self._vault.mac(f"{kind} token", session_id, generation.to_bytes(4, "big"))

    def tokens(self, session: Session) -> tuple[str, str]:
        """Return the access and the refresh token of a session's newest generation."""
        found = [
            write_token(kind, Token(session.session_id, session.generation, mac))
            for kind in TokenKind
            for mac in [self._mac(kind, session.session_id, session.generation)]
        ]
        return found[0], found[1]

    def read(self, kind: TokenKind, text: str) -> Token | None:
        """Return a token that was ours once; None for any other text."""
        token = read_token(kind, text)
        if token is None:
            return None
        mac = self._mac(kind, token.session_id, token.generation)
        return token if hmac.compare_digest(mac, token.mac) else None

    def find(self, text: str, at_us: int) -> Session | Code:
        """Return the session of an access token.

        Refuses: unauthenticated, token_expired, session_ended.
        """
        token = self.read(TokenKind.ACCESS, text)
        if token is None:
            return Code.UNAUTHENTICATED
        session = self.of(token.session_id)
        if session is None or not is_alive(session, at_us):
            return Code.SESSION_ENDED
        if not is_current(session, token.generation, at_us):
            return Code.TOKEN_EXPIRED
        return session

    def of(self, session_id: bytes) -> Session | None:
        """Return a session by its id."""
        known = self._known.get(session_id)
        now_s = time.monotonic()
        if known is None or now_s - known[1] > _SEEN_S:
            known = (_session(self._connection, session_id), now_s)
            if len(self._known) >= CACHE_ROWS_MAX:
                self._known.clear()
            self._known[session_id] = known
        return known[0]

    def forget(self) -> None:
        """Read every session again: one was changed here."""
        self._known.clear()

    def list_of(self, user_id: bytes, at_us: int) -> list[Listed]:
        """Return a person's live sessions, the newest first."""
        rows: Any = self._connection.execute(SELECT_SESSIONS, (user_id, at_us))
        return [Listed(Session(*row[:-1]), self.name(row[2], row[-1])) for row in rows]

    def seal(self, device_id: bytes, name: bytes) -> bytes:
        """Seal what a person calls a device."""
        return self._vault.seal("identity", device_id, name)

    def name(self, device_id: bytes, sealed: bytes) -> str:
        """Return what a person calls a device; empty when that cannot be read any more."""
        try:
            return self._vault.open("identity", device_id, sealed).decode()
        except Damaged:
            return ""


def new_link_token() -> str:
    """Return 256 random bits for a link."""
    return secrets.token_urlsafe(32)
