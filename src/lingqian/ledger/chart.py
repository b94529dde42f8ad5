"""The chart of accounts as rows: three tiers, reconciled upward, and the house apart (会计科目表).

Law, per currency: what is owed to users (balances + escrow + transit) = what backs it (bank).
An account is eighteen bytes, `owner(16) | book(1) | currency(1)`, so it names its own lane.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.kernel.bound import BALANCE_FEN_MAX


class Currency(IntEnum):
    """Closed table of currencies; the scale of each is two decimal places (fen)."""

    CNY = 1


class Book(IntEnum):
    """What an account is for."""

    BALANCE = 1
    ESCROW = 2
    TRANSIT = 3
    BANK = 10


class Tier(IntEnum):
    """Which of the three tiers a book belongs to."""

    USER = 1
    RESERVE = 2


class BookRow(NamedTuple):
    """A book: its tier, its normal side and the bounds of its balance (None: unbounded)."""

    name: str
    zh: str
    tier: Tier
    is_debit_normal: bool
    floor_fen: int | None
    ceiling_fen: int | None


CHART: Final[dict[Book, BookRow]] = {
    Book.BALANCE: BookRow(
        "balance",
        "零钱",
        Tier.USER,
        is_debit_normal=False,
        floor_fen=0,
        ceiling_fen=BALANCE_FEN_MAX,
    ),
    Book.ESCROW: BookRow(
        "escrow",
        "红包在途",
        Tier.USER,
        is_debit_normal=False,
        floor_fen=0,
        ceiling_fen=BALANCE_FEN_MAX,
    ),
    # One lane's transit may be negative: it is owed money another lane has already let go.
    Book.TRANSIT: BookRow(
        "relay_transit",
        "通道间在途",
        Tier.USER,
        is_debit_normal=False,
        floor_fen=None,
        ceiling_fen=None,
    ),
    Book.BANK: BookRow(
        "bank", "银行备付金", Tier.RESERVE, is_debit_normal=True, floor_fen=None, ceiling_fen=None
    ),
}
assert set(CHART) == set(Book), "every book has its row"

ACCOUNT_BYTES: Final = 18
_CNY: Final = bytes((Currency.CNY,))
_BALANCE: Final = bytes((Book.BALANCE,)) + _CNY
_ESCROW: Final = bytes((Book.ESCROW,)) + _CNY
_TRANSIT: Final = bytes((Book.TRANSIT,)) + _CNY
_BANK: Final = bytes((Book.BANK,)) + _CNY
_HOUSE: Final = bytes(14)

DEBIT_NORMAL: Final = frozenset(book for book, row in CHART.items() if row.is_debit_normal)
FLOORED: Final = frozenset(book for book, row in CHART.items() if row.floor_fen is not None)
assert all(CHART[book].floor_fen == 0 for book in FLOORED), "the ledger knows one floor: zero"


def balance_account(user_id: bytes) -> bytes:
    """Return a person's spendable balance account (零钱)."""
    return user_id + _BALANCE


def escrow_account(packet_id: bytes) -> bytes:
    """Return the account that holds one packet's money."""
    return packet_id + _ESCROW


def transit_account(lane: int) -> bytes:
    """Return a lane's account for money on its way to or from other lanes (在途)."""
    return lane.to_bytes(2, "big") + _HOUSE + _TRANSIT


def bank_account(lane: int) -> bytes:
    """Return a lane's share of the reserve at the bank (备付金)."""
    return lane.to_bytes(2, "big") + _HOUSE + _BANK
