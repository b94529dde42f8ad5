"""Bills and sheets as they are kept: packed and sealed beside the journal (账单存档).

Law: their SHA-256 is in the journal, so that a closed day can be derived again from exactly what
was compared.
"""

import zlib
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from lingqian.channels.port import Bill, BillKind
from lingqian.kernel.fault import Damaged
from lingqian.storage.port import Connection, Personal
from lingqian.storage.vault import Vault

FIELD_TRADE_BILL: Final = 20
FIELD_FUND_BILL: Final = 21
FIELD_SHEET: Final = 22
FIELD_DIFFERENCE_NOTE: Final = 23
BILL_FIELDS: Final = {BillKind.TRADE: FIELD_TRADE_BILL, BillKind.FUND: FIELD_FUND_BILL}
SELECT_SEALED: Final = "SELECT cipher FROM personal WHERE owner_id = ? AND field = ?"
# What is kept packed begins so; neither a bill nor a sheet does.
_PACKED: Final = b"\x78\x01"
# Reads a channel's raw bytes as a bill, as they were read when they were fetched.
ReadBill = Callable[[BillKind, int, bytes], Bill]


def sealed(vault: Vault, owner_id: bytes, field: int, plain: bytes) -> Personal:
    """Seal a bill or a sheet, packed; its digest is a plain SHA-256 of it, for it hides nothing.

    A large day's bill has fifty million bytes, and three when it is packed.
    """
    packed = zlib.compress(plain, zlib.Z_BEST_SPEED)
    assert packed.startswith(_PACKED), "the fastest packing has its own mark"
    cipher = vault.seal("personal", owner_id + bytes((field,)), packed)
    return Personal(owner_id, field, cipher, sha256(plain).digest())


def sealed_note(vault: Vault, identity: bytes, note: str) -> tuple[bytes, tuple[Personal, ...]]:
    """Seal what somebody wrote about a difference: its keyed digest, and the row; or nothing."""
    if not note:
        return b"", ()
    plain = note.encode()
    mac = vault.mac("personal", plain)
    cipher = vault.seal("personal", identity + bytes((FIELD_DIFFERENCE_NOTE,)), plain)
    return mac, (Personal(identity, FIELD_DIFFERENCE_NOTE, cipher, mac),)


def opened(connection: Connection, vault: Vault, owner_id: bytes, field: int) -> bytes | None:
    """Open a bill or a sheet; None when none is kept.

    Raises: Damaged.
    """
    row: Any = connection.execute(SELECT_SEALED, (owner_id, field)).fetchone()
    if row is None:
        return None
    return unpacked(vault.open("personal", owner_id + bytes((field,)), row[0]))


def unpacked(kept: bytes) -> bytes:
    """Return a bill or a sheet as it was before it was packed; an older one never was.

    Raises: Damaged.
    """
    if not kept.startswith(_PACKED):
        return kept
    try:
        return zlib.decompress(kept)
    except zlib.error as error:
        raise Damaged("a kept bill or sheet cannot be unpacked") from error
