"""Real names as rows: sealed, found by digests, tries counted before anybody is asked (实名)."""

from typing import Any, Final, NamedTuple

from lingqian.identity.real_name import TRIES_A_DAY_MAX, RealName
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault

NAME: Final = b"\x01"
NUMBER: Final = b"\x02"
_COLUMNS: Final = (
    "name_sealed, number_sealed, name_mac, number_mac, checks, verified_at_us, day, tries"
)
SELECT_REAL_NAME: Final = f"SELECT {_COLUMNS} FROM real_names WHERE user_id = ?"  # noqa: S608 - our columns
SELECT_HOLDER: Final = "SELECT user_id FROM real_names WHERE number_mac = ?"
COUNT_TRY: Final = (
    f"INSERT INTO real_names (user_id, {_COLUMNS}) "  # noqa: S608 - as above
    "VALUES (?, x'', x'', x'', x'', 0, 0, ?, 1) ON CONFLICT (user_id) DO UPDATE SET "
    "tries = CASE WHEN day = excluded.day THEN tries + 1 ELSE 1 END, day = excluded.day"
)
PUT_VERIFIED: Final = (
    "UPDATE real_names SET name_sealed = ?, number_sealed = ?, name_mac = ?, number_mac = ?, "
    "checks = checks | ?, verified_at_us = ?, tries = 0 WHERE user_id = ?"
)


class Told(NamedTuple):
    """A name and a number as a person tells them."""

    name: str
    number: str


def find(connection: Connection, user_id: bytes) -> RealName | None:
    """Return what is kept of a person's verification."""
    row: Any = connection.execute(SELECT_REAL_NAME, (user_id,)).fetchone()
    return None if row is None else RealName(*row)


def macs(vault: Vault, told: Told) -> tuple[bytes, bytes]:
    """Return the digests by which a name and a number are known again."""
    return vault.mac("real name", told.name.encode()), vault.mac("id number", told.number.encode())


def is_taken(connection: Connection, user_id: bytes, number_mac: bytes) -> bool:
    """Say whether another person's account has this identity."""
    row: Any = connection.execute(SELECT_HOLDER, (number_mac,)).fetchone()
    return row is not None and row[0] != user_id


def count_try(connection: Connection, user_id: bytes, day: int) -> bool:
    """Count a try before anybody is asked; False when there have been enough today."""
    known = find(connection, user_id)
    if known is not None and known.day == day and known.tries >= TRIES_A_DAY_MAX:
        return False
    connection.execute(COUNT_TRY, (user_id, day))
    return True


def put_verified(  # noqa: PLR0913 - what a verification is, by name
    connection: Connection,
    vault: Vault,
    user_id: bytes,
    told: Told,
    *,
    checks: int,
    at_us: int,
) -> bool:
    """Keep what was verified; False when another account has the identity by now."""
    name_mac, number_mac = macs(vault, told)
    if is_taken(connection, user_id, number_mac):
        return False
    values = (
        vault.seal("identity", user_id + NAME, told.name.encode()),
        vault.seal("identity", user_id + NUMBER, told.number.encode()),
        name_mac,
        number_mac,
        checks,
        at_us,
        user_id,
    )
    connection.execute(PUT_VERIFIED, values)
    return True


def open_told(vault: Vault, user_id: bytes, row: RealName) -> Told:
    """Return a verified name and number.

    Raises: Damaged.
    """
    name = vault.open("identity", user_id + NAME, row.name_sealed)
    number = vault.open("identity", user_id + NUMBER, row.number_sealed)
    return Told(name.decode(), number.decode())
