"""Passkeys of operators as rows: which devices may act under a key, by a signature (通行密钥).

Law: a challenge is answered once, and none older than the last one answered, by which the same
signature sent again, even after a restart, does nothing.
"""

from typing import Any, Final, NamedTuple

from lingqian.identity.passkey import PASSKEYS_PER_USER_MAX, Passkey, Point
from lingqian.storage.passkey import Kept
from lingqian.storage.port import Connection

SELECT_PASSKEYS: Final = (
    "SELECT credential_id, x, y, counter, name_sealed, created_at_us, used_at_us "
    "FROM operator_passkeys WHERE key_id = ? ORDER BY created_at_us, credential_id"
)
INSERT_PASSKEY: Final = (
    "INSERT INTO operator_passkeys (credential_id, key_id, x, y, counter, name_sealed, "
    "created_at_us, used_at_us, challenge_us) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)"
)
SELECT_KNOWN: Final = "SELECT 1 FROM operator_passkeys WHERE credential_id = ?"
USE_PASSKEY: Final = (
    "UPDATE operator_passkeys SET counter = ?, used_at_us = ?, challenge_us = ? "
    "WHERE credential_id = ? AND key_id = ? AND counter = ? AND challenge_us < ?"
)
DELETE_PASSKEY: Final = "DELETE FROM operator_passkeys WHERE credential_id = ? AND key_id = ?"


def passkeys_of(connection: Connection, key_id: str) -> list[Kept]:
    """Return the passkeys that act under a key, the oldest first."""
    rows: Any = connection.execute(SELECT_PASSKEYS, (key_id,))
    return [Kept(Passkey(row[0], Point(row[1], row[2]), row[3]), *row[4:]) for row in rows]


def add_passkey(
    connection: Connection, key_id: str, passkey: Passkey, name_sealed: bytes, at_us: int
) -> bool:
    """Keep a new passkey; False when there are enough, or some key has that one."""
    if len(passkeys_of(connection, key_id)) >= PASSKEYS_PER_USER_MAX:
        return False
    if connection.execute(SELECT_KNOWN, (passkey.credential_id,)).fetchone() is not None:
        return False
    point = passkey.key
    values = (passkey.credential_id, key_id, point.x, point.y, passkey.counter, name_sealed, at_us)
    connection.execute(INSERT_PASSKEY, values)
    return True


class Use(NamedTuple):
    """What a passkey has signed: its counter, and the challenge, known by when it ends.

    Units: µs of real time.
    """

    counter: int
    challenge_us: int
    at_us: int


def use_passkey(connection: Connection, key_id: str, passkey: Passkey, use: Use) -> bool:
    """Take a signature; False when it was taken before, or a newer challenge was answered."""
    known = (passkey.credential_id, key_id, passkey.counter, use.challenge_us)
    connection.execute(USE_PASSKEY, (use.counter, use.at_us, use.challenge_us, *known))
    return connection.changes() > 0


def delete_passkey(connection: Connection, key_id: str, credential_id: bytes) -> bool:
    """Forget a passkey; False when no such one acts under the key."""
    connection.execute(DELETE_PASSKEY, (credential_id, key_id))
    return connection.changes() > 0
