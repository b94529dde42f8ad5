"""Personal data checked: it opens under its owner, and the journal keeps its digest (个人信息核对).

Erased rows are no contradiction: the ledger stays whole without them, that is why they lie apart.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from lingqian.kernel.fault import Damaged
from lingqian.storage.cashier import FIELD_CARD, FIELD_PAYEE, FIELD_PURCHASE, FIELD_REASON
from lingqian.storage.desk import (
    FIELD_EXTERNAL,
    FIELD_GREETING,
    FIELD_NICKNAME,
    FIELD_NOTE,
    FIELD_NOTICE,
)
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.kept_bill import (
    FIELD_DIFFERENCE_NOTE,
    FIELD_FUND_BILL,
    FIELD_SHEET,
    FIELD_TRADE_BILL,
    unpacked,
)
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault
from lingqian.storage.walk import LARGE_PAGE_ROWS, Way, walk

# Where the journal's digest of each field is folded to.
_HOMES: Final = {
    FIELD_NICKNAME: ("users", "user_id", "nickname_mac"),
    FIELD_GREETING: ("packets", "packet_id", "greeting_mac"),
    FIELD_NOTE: ("transfers", "transfer_id", "note_mac"),
    FIELD_EXTERNAL: ("users", "user_id", "external_mac"),
    FIELD_NOTICE: ("notices", "notice_key", "digest"),
    FIELD_PURCHASE: ("attempts", "attempt_id", "payer_mac"),
    FIELD_REASON: ("refunds", "refund_id", "reason_mac"),
    FIELD_PAYEE: ("payouts", "payout_id", "payee_mac"),
    FIELD_CARD: ("refunds", "refund_id", "card_mac"),
    FIELD_TRADE_BILL: ("days", "day_id", "trade_digest"),
    FIELD_FUND_BILL: ("days", "day_id", "fund_digest"),
    FIELD_SHEET: ("days", "day_id", "sheet_digest"),
    FIELD_DIFFERENCE_NOTE: ("differences", "difference_id", "note_mac"),
}
# What hides nothing: whoever has the raw bytes can make their digest.
_PACKED: Final = (FIELD_TRADE_BILL, FIELD_FUND_BILL, FIELD_SHEET)
_PLAIN: Final = (FIELD_NOTICE, *_PACKED)
_PURPOSES: Final = {FIELD_EXTERNAL: "external"}
_ALL: Final = Way("personal", ("owner_id", "field"), ("cipher", "mac"), LARGE_PAGE_ROWS)


def _select_strangers(field: int) -> str:
    table, key, mac = _HOMES[field]
    return (
        f"SELECT p.owner_id FROM personal p LEFT JOIN {table} t ON t.{key} = p.owner_id "  # noqa: S608 - names from the table above
        f"WHERE p.field = {field:d} AND (t.{key} IS NULL OR t.{mac} <> p.mac)"
    )


def personal_faults(connection: Connection, vault: Vault | None) -> Iterator[Finding]:
    """Yield what is wrong with personal rows; without a vault only their digests are compared."""
    for field in _HOMES:
        for (owner_id,) in connection.execute(_select_strangers(field)):
            words = f"field {field}: its digest is not the one the journal keeps"
            yield _finding(FindingKind.PERSONAL_MAC, owner_id, field, words)
    for owner_id, field, cipher, mac in walk(connection, _ALL):
        if field not in _HOMES:
            yield _finding(FindingKind.PERSONAL_MAC, owner_id, field, f"field {field} is unknown")
        elif vault is not None:
            yield from _open(vault, (owner_id, field), cipher, mac)


def _open(vault: Vault, key: tuple[bytes, int], cipher: bytes, mac: bytes) -> Iterator[Finding]:
    owner_id, field = key
    try:
        plain = vault.open("personal", owner_id + bytes((field,)), cipher)
        if field in _PACKED:
            plain = unpacked(plain)
    except Damaged as error:
        yield _finding(FindingKind.PERSONAL_OWNER, owner_id, field, f"field {field}: {error}")
        return
    digest = sha256(plain).digest() if field in _PLAIN else _mac(vault, field, plain)
    if digest != mac:
        words = f"field {field}: its digest is not that of its text"
        yield _finding(FindingKind.PERSONAL_MAC, owner_id, field, words)


def _mac(vault: Vault, field: int, plain: bytes) -> bytes:
    return vault.mac(_PURPOSES.get(field, "personal"), plain)


def _finding(kind: FindingKind, owner_id: bytes, field: int, words: str) -> Finding:
    lane = int.from_bytes(owner_id[:2], "big")
    return Finding(kind, "personal", lane, 0, f"{owner_id.hex()}/{field}", words)
