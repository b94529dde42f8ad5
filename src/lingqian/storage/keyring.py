"""The keyring: API keys as rows, added by a command while the server runs (密钥环).

Keys are no money and no part of the journal: they are written by a connection of their own, beside
the lane, and a running server sees a change within a second.
"""

import secrets
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw

from lingqian.identity.key import (
    KEY_ID_CHARS,
    SECRET_CHARS,
    Caller,
    Key,
    Scope,
    digest,
    is_good,
    read_key,
    read_scopes,
    write_key,
    write_scopes,
)
from lingqian.kernel.fault import Fenced, Unsent
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.port import Connection
from lingqian.storage.sqlite import connect, migrate

_SEEN_S: Final = 0.5
_KEYS_MAX: Final = 10_000
_COLUMNS: Final = "key_id, name, secret_digest, scopes, created_at_us, revoked_at_us"
SELECT_KEY: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE key_id = ?"  # noqa: S608 - our columns
SELECT_KEYS: Final = f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at_us"  # noqa: S608 - ours
SELECT_GOOD: Final = "SELECT 1 FROM api_keys WHERE name = ? AND revoked_at_us = 0"
INSERT_KEY: Final = (
    "INSERT INTO api_keys (key_id, name, secret_digest, scopes, created_at_us, revoked_at_us) "
    "VALUES (?, ?, ?, ?, ?, 0)"
)
REVOKE_KEY: Final = (
    "UPDATE api_keys SET revoked_at_us = ? WHERE revoked_at_us = 0 AND (key_id = ? OR name = ?)"
)


class NameTakenError(Exception):
    """A good key already has this name."""


def _key(row: Any) -> Key:  # noqa: ANN401 - a row of the engine
    key_id, name, secret_digest, scopes, created_at_us, revoked_at_us = row
    return Key(key_id, name, secret_digest, read_scopes(scopes), created_at_us, revoked_at_us)


def open_beside(path: Path) -> Connection:
    """Open a database for a small write, whether or not a server is running on it.

    Raises: Damaged when the database is newer than this program; Fenced when it must be made and
    another process is making it, or serves this folder from somewhere else.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(path.parent)
        try:
            with closing(connect(str(path))) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                migrate(connection)
        finally:
            lock.release()
    connection = connect(str(path))
    connection.execute("PRAGMA synchronous = FULL")
    # The server checkpoints; a visitor never does.
    connection.wal_autocheckpoint(0)
    return connection


def _lock(folder: Path) -> DirectoryLock:
    """Lock a folder that has no database in it, so that one can be made.

    Raises: Fenced.
    """
    try:
        return DirectoryLock(folder)
    except Fenced as fault:
        where = "if its ledger is on a server, give this command the same `database`"
        raise Fenced(f"{fault}; {where} (LINGQIAN_DATABASE)") from fault


def add_key(connection: Connection, name: str, scopes: frozenset[Scope]) -> str:
    """Make a key and return it as its owner will see it this once.

    Raises: NameTakenError; Unsent when the database cannot be written now.
    """
    key_id = secrets.token_hex(KEY_ID_CHARS // 2)
    secret = secrets.token_hex(SECRET_CHARS // 2)
    values = (key_id, name, digest(secret), write_scopes(scopes), time.time_ns() // 1_000)
    if connection.execute(SELECT_GOOD, (name,)).fetchone() is not None:
        raise NameTakenError(name)
    try:
        connection.execute(INSERT_KEY, values)
    except apsw.ConstraintError as error:
        raise NameTakenError(name) from error
    except apsw.Error as error:
        raise Unsent(f"the key was not written: {error}") from error
    return write_key(key_id, secret)


def revoke_key(connection: Connection, word: str) -> bool:
    """Revoke the good key with this id or name; False when there is none.

    Raises: Unsent.
    """
    try:
        connection.execute(REVOKE_KEY, (time.time_ns() // 1_000, word, word))
    except apsw.Error as error:
        raise Unsent(f"the key was not revoked: {error}") from error
    return connection.changes() > 0


def list_keys(connection: Connection) -> list[Key]:
    """Return every key, the oldest first."""
    return [_key(row) for row in connection.execute(SELECT_KEYS)]


class Keyring:
    """Finds out who is calling; rows are read again after half a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keys: dict[str, tuple[Key | None, float]] = {}

    def caller(self, text: str) -> Caller | None:
        """Return the caller a key belongs to; None for anything but a good key."""
        parts = read_key(text)
        if parts is None:
            return None
        key_id, secret = parts
        known = self._keys.get(key_id)
        now_s = time.monotonic()
        if known is None or now_s - known[1] > _SEEN_S:
            known = self._read(key_id, now_s)
        key = known[0]
        if key is None or not is_good(key, secret):
            return None
        return Caller(key.name, key.scopes, key_id=key.key_id)

    def _read(self, key_id: str, now_s: float) -> tuple[Key | None, float]:
        row = self._connection.execute(SELECT_KEY, (key_id,)).fetchone()
        known = (None if row is None else _key(row), now_s)
        if len(self._keys) >= _KEYS_MAX:
            self._keys.clear()
        self._keys[key_id] = known
        return known
