"""Passkeys as rows (通行密钥)."""

from typing import Any, Final, NamedTuple

from lingqian.identity.passkey import PASSKEYS_PER_USER_MAX, Passkey, Point
from lingqian.storage.port import Connection

SELECT_PASSKEYS: Final = (
    "SELECT credential_id, x, y, counter, name_sealed, created_at_us, used_at_us FROM passkeys "
    "WHERE user_id = ? ORDER BY created_at_us, credential_id"
)
INSERT_PASSKEY: Final = (
    "INSERT INTO passkeys (credential_id, user_id, x, y, counter, name_sealed, "
    "created_at_us, used_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
)
# Two who use a copied passkey at once cannot both move the same counter on.
SELECT_KNOWN: Final = "SELECT 1 FROM passkeys WHERE credential_id = ?"
USE_PASSKEY: Final = (
    "UPDATE passkeys SET counter = ?, used_at_us = ? "
    "WHERE credential_id = ? AND user_id = ? AND counter = ?"
)
DELETE_PASSKEY: Final = "DELETE FROM passkeys WHERE credential_id = ? AND user_id = ?"


class Kept(NamedTuple):
    """A passkey with what its owner sees of it.   Units: µs; `used_at_us` is 0 before the first."""

    passkey: Passkey
    name_sealed: bytes
    created_at_us: int
    used_at_us: int


def passkeys_of(connection: Connection, user_id: bytes) -> list[Kept]:
    """Return a person's passkeys, the oldest first."""
    rows: Any = connection.execute(SELECT_PASSKEYS, (user_id,))
    return [Kept(Passkey(row[0], Point(row[1], row[2]), row[3]), *row[4:]) for row in rows]


def add_passkey(
    connection: Connection, user_id: bytes, passkey: Passkey, name_sealed: bytes, at_us: int
) -> bool:
    """Keep a new passkey; False when there are enough, or somebody has that one."""
    if len(passkeys_of(connection, user_id)) >= PASSKEYS_PER_USER_MAX:
        return False
    if connection.execute(SELECT_KNOWN, (passkey.credential_id,)).fetchone() is not None:
        return False
    key = passkey.key
    values = (passkey.credential_id, user_id, key.x, key.y, passkey.counter, name_sealed, at_us)
    connection.execute(INSERT_PASSKEY, values)
    return True


def use_passkey(
    connection: Connection, user_id: bytes, passkey: Passkey, counter: int, at_us: int
) -> bool:
    """Move a passkey's counter on; False when somebody was there first."""
    known = (passkey.credential_id, user_id, passkey.counter)
    connection.execute(USE_PASSKEY, (counter, at_us, *known))
    return connection.changes() > 0


def delete_passkey(connection: Connection, user_id: bytes, credential_id: bytes) -> bool:
    """Forget a passkey; False when the person has none of that id."""
    connection.execute(DELETE_PASSKEY, (credential_id, user_id))
    return connection.changes() > 0
