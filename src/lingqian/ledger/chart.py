"""The chart of accounts as rows: three tiers, reconciled upward; house and coins apart (会计科目).

Law, per currency: what is owed to users (balances, escrow, transit, held, payable, coins' value,
income, unallocated) = what backs it (bank, channel receivables, clearing). The house's books are
apart: a fee or an advance moves the same amount between the reserve and the house in one command.
An account is eighteen bytes, `owner(16) | book(1) | currency(1)`, so it names its own lane.
"""

from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.kernel.bound import BALANCE_FEN_MAX


class Currency(IntEnum):
    """Closed table of currencies: yuan in fen, and the platform's own coin in whole coins."""

    CNY = 1
    COIN = 2


class Book(IntEnum):
    """What an account is for."""

    BALANCE = 1
    ESCROW = 2
    TRANSIT = 3
    HELD = 4
    PAYABLE = 5
    COIN_VALUE = 6
    INCOME = 7
    UNALLOCATED = 8
    BANK = 10
    CHANNEL = 11
    BANK_TRANSIT = 12
    CASH = 30
    FEE_EXPENSE = 31
    SERVICE_FEE = 32
    PROVIDER = 33
    FEE_REBATE = 34
    COIN_REVENUE = 35
    ADVANCE = 36
    USER_DEBT = 37
    CREDIT_LOSS = 38
    LINE = 39
    SHORTAGE = 40
    COUPON_COST = 41
    SUBSIDY = 42
    COIN = 50
    COIN_ISSUED = 51


class Tier(IntEnum):
    """Which tier a book belongs to: the three that are reconciled upward, and two apart."""

    USER = 1
    RESERVE = 2
    CLEARING = 3
    HOUSE = 4
    COIN = 5


class BookRow(NamedTuple):
    """A book: its tier, its normal side and the bounds of its balance (None: unbounded)."""

    name: str
    zh: str
    tier: Tier
    is_debit_normal: bool
    floor_fen: int | None
    ceiling_fen: int | None


def _owed(name: str, zh: str) -> BookRow:
    """Return a book of what is owed to users: never below zero."""
    return BookRow(
        name, zh, Tier.USER, is_debit_normal=False, floor_fen=0, ceiling_fen=BALANCE_FEN_MAX
    )


def _asset(name: str, zh: str, tier: Tier, floor_fen: int | None = None) -> BookRow:
    """Return a debit-normal book: a receivable, money somewhere, or a cost."""
    return BookRow(name, zh, tier, is_debit_normal=True, floor_fen=floor_fen, ceiling_fen=None)


def _house_credit(name: str, zh: str) -> BookRow:
    """Return a credit-normal book of the house: a debt of its own, or revenue."""
    return BookRow(name, zh, Tier.HOUSE, is_debit_normal=False, floor_fen=None, ceiling_fen=None)


CHART: Final[dict[Book, BookRow]] = {
    Book.BALANCE: _owed("balance", "零钱"),
    Book.ESCROW: _owed("escrow", "红包在途"),
    # One lane's transit may be negative: it is owed money another lane has already let go.
    Book.TRANSIT: BookRow(
        "relay_transit",
        "通道间在途",
        Tier.USER,
        is_debit_normal=False,
        floor_fen=None,
        ceiling_fen=None,
    ),
    Book.HELD: _owed("held", "收款待入账"),
    Book.PAYABLE: _owed("payable", "待付"),
    Book.COIN_VALUE: _owed("coin_value", "虚拟币负债"),
    Book.INCOME: _owed("income", "主播待结算"),
    Book.UNALLOCATED: _owed("unallocated", "挂账"),
    Book.BANK: _asset("bank", "银行备付金", Tier.RESERVE),
    Book.CHANNEL: _asset("channel", "渠道应收", Tier.RESERVE),
    Book.BANK_TRANSIT: _asset("bank_transit", "出款在途", Tier.RESERVE),
    Book.CASH: _asset("cash", "自有资金", Tier.HOUSE),
    Book.FEE_EXPENSE: _asset("fee_expense", "渠道手续费", Tier.HOUSE),
    Book.SERVICE_FEE: _asset("service_fee", "渠道服务费", Tier.HOUSE),
    Book.PROVIDER: _house_credit("provider", "应付服务商"),
    Book.FEE_REBATE: _house_credit("fee_rebate", "服务费补贴"),
    Book.COIN_REVENUE: _house_credit("coin_revenue", "虚拟币收入"),
    Book.ADVANCE: _asset("advance", "垫款应收", Tier.HOUSE, floor_fen=0),
    Book.USER_DEBT: _asset("user_debt", "用户欠款", Tier.HOUSE, floor_fen=0),
    Book.CREDIT_LOSS: _asset("credit_loss", "垫款损失", Tier.HOUSE),
    Book.LINE: _asset("line", "垫款额度资金", Tier.HOUSE),
    Book.SHORTAGE: _asset("shortage", "短款", Tier.HOUSE),
    # What a coupon of ours takes off what the channel settles.
    Book.COUPON_COST: _asset("coupon_cost", "优惠成本", Tier.HOUSE),
    # What refunds at full price bring back above what their coins were worth.
    Book.SUBSIDY: _asset("subsidy", "补贴", Tier.HOUSE),
    Book.COIN: BookRow(
        "coin", "虚拟币", Tier.COIN, is_debit_normal=False, floor_fen=0, ceiling_fen=BALANCE_FEN_MAX
    ),
    Book.COIN_ISSUED: _asset("coin_issued", "已发行虚拟币", Tier.COIN),
}
assert set(CHART) == set(Book), "every book has its row"

ACCOUNT_BYTES: Final = 18
_CNY: Final = bytes((Currency.CNY,))
_BALANCE: Final = bytes((Book.BALANCE,)) + _CNY
_ESCROW: Final = bytes((Book.ESCROW,)) + _CNY
_HELD: Final = bytes((Book.HELD,)) + _CNY
_PAYABLE: Final = bytes((Book.PAYABLE,)) + _CNY
_INCOME: Final = bytes((Book.INCOME,)) + _CNY
_CHANNEL: Final = bytes((Book.CHANNEL,)) + _CNY
_USER_DEBT: Final = bytes((Book.USER_DEBT,)) + _CNY
_COIN: Final = bytes((Book.COIN, Currency.COIN))
# Accounts of one packet, order, refund or payout each: once its story has ended nobody asks again.
STORY_BOOKS: Final = frozenset((Book.ESCROW, Book.HELD, Book.PAYABLE))
# A command for a top-up names a score of these; an installation has a few hundred.
_ACCOUNTS_MAX: Final = 4_096
_HOUSE: Final = bytes(14)

DEBIT_NORMAL: Final = frozenset(book for book, row in CHART.items() if row.is_debit_normal)
# Floored books by the side on which money leaves them: a debit empties the first, a credit the
# second.
FLOORED: Final = frozenset(
    book for book, row in CHART.items() if row.floor_fen is not None and not row.is_debit_normal
)
FLOORED_DEBIT: Final = frozenset(
    book for book, row in CHART.items() if row.floor_fen is not None and row.is_debit_normal
)
assert all(CHART[book].floor_fen == 0 for book in FLOORED | FLOORED_DEBIT), "one floor: zero"


def balance_account(user_id: bytes) -> bytes:
    """Return a person's spendable balance account (零钱)."""
    return user_id + _BALANCE


def escrow_account(packet_id: bytes) -> bytes:
    """Return the account that holds one packet's money."""
    return packet_id + _ESCROW


def held_account(order_id: bytes) -> bytes:
    """Return the account of money proven for an order and not yet credited (收款待入账)."""
    return order_id + _HELD


def payable_account(object_id: bytes) -> bytes:
    """Return the account of money on its way out: of a refund or of a payout (待付)."""
    return object_id + _PAYABLE


def income_account(user_id: bytes) -> bytes:
    """Return a streamer's income before settlement (主播待结算)."""
    return user_id + _INCOME


def debt_account(user_id: bytes) -> bytes:
    """Return what a person owes the house after a claw-back (用户欠款)."""
    return user_id + _USER_DEBT


def coin_account(user_id: bytes) -> bytes:
    """Return a person's coins (虚拟币)."""
    return user_id + _COIN


@lru_cache(maxsize=_ACCOUNTS_MAX)
def channel_account(lane: int, account: str) -> bytes:
    """Return a lane's account of what one channel account owes us (渠道应收)."""
    return lane.to_bytes(2, "big") + sha256(account.encode()).digest()[:14] + _CHANNEL


@lru_cache(maxsize=_ACCOUNTS_MAX)
def house_account(lane: int, book: Book, currency: Currency = Currency.CNY) -> bytes:
    """Return a lane's own account of a book: fees, cash, unallocated money, coins issued."""
    return lane.to_bytes(2, "big") + _HOUSE + bytes((book, currency))


def transit_account(lane: int) -> bytes:
    """Return a lane's account for money on its way to or from other lanes (在途)."""
    return house_account(lane, Book.TRANSIT)


def bank_account(lane: int) -> bytes:
    """Return a lane's share of the reserve at the bank (备付金)."""
    return house_account(lane, Book.BANK)


def cash_account(lane: int) -> bytes:
    """Return a lane's share of the operator's own money at the bank (自有资金)."""
    return house_account(lane, Book.CASH)


def unallocated_account(lane: int) -> bytes:
    """Return a lane's account of verified money whose owner is not known yet (挂账)."""
    return house_account(lane, Book.UNALLOCATED)


def coin_value_account(lane: int) -> bytes:
    """Return the consideration of a lane's coins that are not consumed yet (虚拟币负债)."""
    return house_account(lane, Book.COIN_VALUE)


def coin_issued_account(lane: int) -> bytes:
    """Return the coins a lane has issued and not yet taken back (已发行虚拟币)."""
    return house_account(lane, Book.COIN_ISSUED, Currency.COIN)
