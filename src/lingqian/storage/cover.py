"""Covers of people's own as rows: sealed pictures, found by a keyed digest (自定义封面).

Law: a cover has its owner and its bytes for ever, its id is a digest of both. Withdrawing destroys
the bytes and keeps the digest, so that the same picture comes back for nobody.   Units: µs; days.
"""

from enum import Enum, auto
from typing import Any, Final, NamedTuple

from lingqian.kernel.bound import COVER_TRIES_A_DAY_MAX, COVERS_PER_USER_MAX
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault

SELECT_COVER: Final = "SELECT user_id, image_sealed, withdrawn_at_us FROM covers WHERE cover_id = ?"
SELECT_COVERS: Final = (
    "SELECT cover_id, user_id, created_at_us, withdrawn_at_us FROM covers "
    "WHERE user_id = ? AND withdrawn_at_us = 0 ORDER BY created_at_us DESC, cover_id"
)
SELECT_NEWEST: Final = (
    "SELECT cover_id, user_id, created_at_us, withdrawn_at_us FROM covers "
    "WHERE (created_at_us, cover_id) < (?, ?) ORDER BY created_at_us DESC, cover_id DESC LIMIT ?"
)
SELECT_WITHDRAWN: Final = "SELECT 1 FROM covers WHERE content_mac = ? AND withdrawn_at_us <> 0"
INSERT_COVER: Final = (
    "INSERT INTO covers (cover_id, user_id, content_mac, image_sealed, created_at_us, "
    "withdrawn_at_us) VALUES (?, ?, ?, ?, ?, 0)"
)
DELETE_COVER: Final = (
    "DELETE FROM covers WHERE cover_id = ? AND user_id = ? AND withdrawn_at_us = 0"
)
WITHDRAW_COVER: Final = (
    "UPDATE covers SET image_sealed = x'', withdrawn_at_us = MAX(?, created_at_us) "
    "WHERE cover_id = ? AND withdrawn_at_us = 0"
)
SELECT_TRIES: Final = "SELECT tries FROM cover_days WHERE user_id = ? AND day = ?"
COUNT_TRY: Final = (
    "INSERT INTO cover_days (user_id, day, tries) VALUES (?, ?, 1) "
    "ON CONFLICT (user_id) DO UPDATE SET "
    "tries = CASE WHEN day = excluded.day THEN tries + 1 ELSE 1 END, day = excluded.day"
)


class Added(Enum):
    """What became of a picture that somebody wants to keep."""

    NEW = auto()
    KNOWN = auto()
    FULL = auto()
    WITHDRAWN = auto()


class Kept(NamedTuple):
    """A cover without its picture; `withdrawn_at_us` is 0 while it may be shown."""

    cover_id: bytes
    user_id: bytes
    created_at_us: int
    withdrawn_at_us: int


def macs(vault: Vault, user_id: bytes, image: bytes) -> tuple[bytes, bytes]:
    """Return a picture's id as a cover of somebody's, and the digest it has for everybody."""
    return vault.mac("cover", user_id, image), vault.mac("cover content", image)


def count_try(connection: Connection, user_id: bytes, day: int) -> bool:
    """Count a try before its bytes are looked at; False when there have been enough today."""
    row: Any = connection.execute(SELECT_TRIES, (user_id, day)).fetchone()
    if row is not None and row[0] >= COVER_TRIES_A_DAY_MAX:
        return False
    connection.execute(COUNT_TRY, (user_id, day))
    return True


def add(connection: Connection, vault: Vault, user_id: bytes, image: bytes, at_us: int) -> Added:
    """Keep a picture as somebody's cover, once, if there is room and nobody has withdrawn it."""
    cover_id, content_mac = macs(vault, user_id, image)
    if connection.execute(SELECT_WITHDRAWN, (content_mac,)).fetchone() is not None:
        return Added.WITHDRAWN
    if connection.execute(SELECT_COVER, (cover_id,)).fetchone() is not None:
        return Added.KNOWN
    if len(covers_of(connection, user_id)) >= COVERS_PER_USER_MAX:
        return Added.FULL
    sealed = vault.seal("identity", cover_id, image)
    connection.execute(INSERT_COVER, (cover_id, user_id, content_mac, sealed, at_us))
    return Added.NEW


def covers_of(connection: Connection, user_id: bytes) -> list[Kept]:
    """Return a person's covers that may be shown, the newest first."""
    rows: Any = connection.execute(SELECT_COVERS, (user_id,))
    return [Kept(*row) for row in rows]


def newest(connection: Connection, before: tuple[int, bytes], rows_max: int) -> list[Kept]:
    """Return a page of everybody's covers, withdrawn ones too, the newest first."""
    rows: Any = connection.execute(SELECT_NEWEST, (*before, rows_max))
    return [Kept(*row) for row in rows]


def owner_of(connection: Connection, cover_id: bytes) -> bytes:
    """Return whose cover it is; empty when there is none that may be shown."""
    row: Any = connection.execute(SELECT_COVER, (cover_id,)).fetchone()
    return b"" if row is None or row[2] else bytes(row[0])


def image_of(connection: Connection, vault: Vault, cover_id: bytes) -> bytes | None:
    """Return a cover's picture; None when there is none that may be shown.

    Raises: Damaged.
    """
    row: Any = connection.execute(SELECT_COVER, (cover_id,)).fetchone()
    return None if row is None or row[2] else vault.open("identity", cover_id, row[1])


def remove(connection: Connection, user_id: bytes, cover_id: bytes) -> bool:
    """Forget a person's cover; False when the person has none of that id."""
    connection.execute(DELETE_COVER, (cover_id, user_id))
    return connection.changes() > 0


def withdraw(connection: Connection, cover_id: bytes, at_us: int) -> bool:
    """Destroy a cover's picture for everybody; False when there is none that is shown."""
    connection.execute(WITHDRAW_COVER, (at_us, cover_id))
    return connection.changes() > 0
