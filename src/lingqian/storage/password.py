"""Payment passwords as rows, and the slow hash that guards them (支付密码).

Peppered HMAC-SHA256 under a key outside the database, then Argon2id with 19 MiB and two passes: a
stolen database alone cannot be tried against. Source: risk-compliance reference 8; RFC 9106.
"""

import secrets
from typing import Any, Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from lingqian.identity.password import Password, is_locked, is_over, passed, tried
from lingqian.kernel.clock import SECOND_US
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault

_VERSION: Final = b"\x01"
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MEMORY_KIB: Final = 19 * 1_024
_PASSES: Final = 2

_COLUMNS: Final = "hashed, set_at_us, tries, locks, locked_until_us, reset_at_us"
SELECT_PASSWORD: Final = f"SELECT {_COLUMNS} FROM payment_passwords WHERE user_id = ?"  # noqa: S608 - our columns
PUT_PASSWORD: Final = (
    f"INSERT INTO payment_passwords (user_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - as above
    "ON CONFLICT (user_id) DO UPDATE SET hashed = excluded.hashed, set_at_us = excluded.set_at_us, "
    "tries = excluded.tries, locks = excluded.locks, locked_until_us = excluded.locked_until_us, "
    "reset_at_us = excluded.reset_at_us"
)
SELECT_PAYEE: Final = "SELECT 1 FROM payees WHERE user_id = ? AND payee_mac = ?"
PUT_PAYEE: Final = (
    "INSERT INTO payees (user_id, payee_mac, at_us) VALUES (?, ?, ?) "
    "ON CONFLICT (user_id, payee_mac) DO NOTHING"
)


def hash_password(vault: Vault, user_id: bytes, text: str) -> bytes:
    """Return what is kept of a password; slow, so run it beside the event loop."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return _VERSION + salt + _slow(salt).derive(vault.pepper(user_id, text.encode()))


def is_password(vault: Vault, user_id: bytes, text: str, hashed: bytes) -> bool:
    """Say whether a text is the password; slow, so run it beside the event loop."""
    salt, expected = hashed[1 : 1 + _SALT_BYTES], hashed[1 + _SALT_BYTES :]
    try:
        _slow(salt).verify(vault.pepper(user_id, text.encode()), expected)
    except InvalidKey:
        return False
    return True


def _slow(salt: bytes) -> Argon2id:
    return Argon2id(
        salt=salt, length=_HASH_BYTES, iterations=_PASSES, lanes=1, memory_cost=_MEMORY_KIB
    )


def find(connection: Connection, user_id: bytes, at_us: int) -> Password | None:
    """Return a person's password as it stands; None when none was set, or its reset is over."""
    row: Any = connection.execute(SELECT_PASSWORD, (user_id,)).fetchone()
    password = None if row is None else Password(*row)
    return None if password is None or is_over(password, at_us) else password


def count_try(connection: Connection, user_id: bytes, at_us: int) -> Password | None:
    """Count a try that is about to be looked at, and return the password as it stood before.

    None when there is none; a locked one is returned without counting.
    """
    password = find(connection, user_id, at_us)
    if password is not None and not is_locked(password, at_us):
        _put(connection, user_id, tried(password, at_us))
    return password


def forgive(connection: Connection, user_id: bytes, hashed: bytes) -> None:
    """Forget the tries of a password that was told right, unless it is another one by now."""
    row: Any = connection.execute(SELECT_PASSWORD, (user_id,)).fetchone()
    if row is not None and row[0] == hashed:
        _put(connection, user_id, passed(Password(*row)))


def put(
    connection: Connection, user_id: bytes, hashed: bytes, at_us: int, *, instead: bytes
) -> bool:
    """Set a password; False when the one it is to replace is no longer the one that stands."""
    known = find(connection, user_id, at_us)
    if (b"" if known is None else known.hashed) != instead:
        return False
    _put(connection, user_id, Password(hashed, at_us, 0, 0, 0, 0))
    return True


def reset(connection: Connection, user_id: bytes, at_us: int, wait_s: int) -> Password | None:
    """Let a password end after a wait; one that is ending already ends no later. None for none."""
    password = find(connection, user_id, at_us)
    if password is None:
        return None
    if not password.reset_at_us:
        password = password._replace(reset_at_us=at_us + wait_s * SECOND_US)
        _put(connection, user_id, password)
    return password


def keep(connection: Connection, user_id: bytes, at_us: int) -> Password | None:
    """Call a reset off; None when there is no password any more."""
    password = find(connection, user_id, at_us)
    if password is not None and password.reset_at_us:
        password = password._replace(reset_at_us=0)
        _put(connection, user_id, password)
    return password


def _put(connection: Connection, user_id: bytes, password: Password) -> None:
    connection.execute(PUT_PASSWORD, (user_id, *password))


def is_payee(connection: Connection, user_id: bytes, payee_mac: bytes) -> bool:
    """Say whether a person has paid somebody before."""
    return connection.execute(SELECT_PAYEE, (user_id, payee_mac)).fetchone() is not None


def add_payee(connection: Connection, user_id: bytes, payee_mac: bytes, at_us: int) -> None:
    """Note whom a person has paid."""
    connection.execute(PUT_PAYEE, (user_id, payee_mac, at_us))
