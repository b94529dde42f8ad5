"""A business day of one channel account: fetched, matched, closed, and then never changed (日结).

Law: a day closes when every difference is repaired, agreed, carried or owned, and the sums hold:
our money − the bill's = what differences explain, and the books' channel balance less what is in
transit = the fund bill's closing balance. Units: fen; Shanghai days.
Source: top-up reference 13.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from lingqian.channels.port import BillRow, BillSide, FundRow
from lingqian.clearing.classify import CARRY_DAYS_MAX, Class, classify
from lingqian.clearing.difference import DifferenceState
from lingqian.clearing.fund import Chain, Sum, chain, sums
from lingqian.clearing.item import Booked, Item, Standing, Way, moves
from lingqian.clearing.match import match
from lingqian.kernel.machine import machine


class DayState(IntEnum):
    """How far a day has come."""

    OPEN = 0
    FETCHED = 1
    MATCHED = 2
    CLOSED = 3


MACHINE: Final = machine(
    DayState.OPEN,
    [
        (DayState.OPEN, "fetch", DayState.FETCHED),
        (DayState.FETCHED, "fetch", DayState.FETCHED),
        (DayState.FETCHED, "match", DayState.MATCHED),
        # A bill may be fetched, and matched, as often as one likes until the day is closed.
        (DayState.MATCHED, "fetch", DayState.FETCHED),
        (DayState.MATCHED, "match", DayState.MATCHED),
        (DayState.MATCHED, "close", DayState.CLOSED),
    ],
)


class Blocker(StrEnum):
    """Why a day cannot be closed yet."""

    DAY_BEFORE_OPEN = "day_before_open"
    BILL_MISSING = "bill_missing"
    CHAIN_BROKEN = "chain_broken"
    BILLS_DISAGREE = "bills_disagree"
    LINE_DOUBLED = "line_doubled"
    NOT_OWNED = "not_owned"
    CARRIED_TOO_LONG = "carried_too_long"
    NOT_EXPLAINED = "not_explained"
    BALANCE_DIFFERS = "balance_differs"


BLOCKER_WORDS: Final[dict[Blocker, tuple[str, str]]] = {
    Blocker.DAY_BEFORE_OPEN: ("前一日尚未日结", "the day before is not closed"),
    Blocker.BILL_MISSING: ("账单尚未取得", "a bill has not been fetched"),
    Blocker.CHAIN_BROKEN: ("资金账单余额不连续", "the fund bill's balances do not chain"),
    Blocker.BILLS_DISAGREE: ("交易账单与资金账单合计不符", "the two bills do not add up alike"),
    Blocker.LINE_DOUBLED: ("账单中同一笔出现两次", "a line of the bill appears twice"),
    Blocker.NOT_OWNED: ("有差错无人负责", "a difference has neither end nor owner"),
    Blocker.CARRIED_TOO_LONG: ("有差错结转超过三日", "something is carried for over three days"),
    Blocker.NOT_EXPLAINED: ("有金额差异未归类", "a gap that no difference explains"),
    Blocker.BALANCE_DIFFERS: ("账面余额与渠道余额不符", "the books and the fund bill end apart"),
}
assert set(BLOCKER_WORDS) == set(Blocker), "every blocker has its words"


class Finding(NamedTuple):
    """One class found in one item; `gap_fen` is what the day's bill moves more than our books."""

    item: Item
    found: Class
    gap_fen: int


class Comparison(NamedTuple):
    """A day's items with all that was found, and both bills checked; from raw inputs alone."""

    day: int
    items: tuple[Item, ...]
    findings: tuple[Finding, ...]
    chain: Chain
    sums: tuple[Sum, ...]
    ours_fen: int
    theirs_fen: int


def compare(
    day: int,
    booked: Iterable[Booked],
    trade: Iterable[BillRow],
    fund: Iterable[FundRow],
    *,
    opening_fen: int | None = None,
) -> Comparison:
    """Match and classify a day, and check both of its bills."""
    lines, flows, rows = tuple(trade), tuple(fund), tuple(booked)
    items = match(rows, lines)
    findings = tuple(
        Finding(item, found, gap(item, day)) for item in items for found in classify(item, day)
    )
    return Comparison(
        day,
        items,
        findings,
        chain(flows, opening_fen),
        sums(lines, flows),
        sum(_booked_fen(row, day) for row in rows),
        sum(_billed_fen(line) for line in lines),
    )


def gap(item: Item, day: int) -> int:
    """Return what the channel's bill of this day moves more than our books do on it."""
    ours = item.ours_fen if item.booked is not None and item.booked.day == day else 0
    return item.theirs_fen - ours


def _booked_fen(row: Booked, day: int) -> int:
    if row.standing != Standing.DONE or row.day != day:
        return 0
    return row.amount_fen if row.way == Way.PAY else -row.amount_fen


def _billed_fen(line: BillRow) -> int:
    if not moves(line):
        return 0
    return -line.amount_fen if line.side == BillSide.REFUND else line.amount_fen


class Stand(NamedTuple):
    """How one recorded difference stands when a day is to be closed."""

    found: Class
    state: DifferenceState
    day: int


class Books(NamedTuple):
    """What the ledger says of the account: its balance, and what of it is not this day's.

    `later_fen` is booked already but dated after the day; `transit_fen` is what open differences
    and carried items explain, the channel's side less ours.
    """

    channel_fen: int
    later_fen: int
    transit_fen: int


def blockers(
    comparison: Comparison,
    stands: Iterable[Stand],
    books: Books,
    *,
    has_bills: bool = True,
    is_first_or_follows: bool = True,
) -> tuple[Blocker, ...]:
    """Say all that keeps a day from being closed; empty when it may be."""
    held = tuple(stands)
    facts = {
        Blocker.DAY_BEFORE_OPEN: not is_first_or_follows,
        Blocker.BILL_MISSING: not has_bills,
        Blocker.CHAIN_BROKEN: bool(comparison.chain.faults),
        Blocker.BILLS_DISAGREE: any(row.trade_fen != row.fund_fen for row in comparison.sums),
        Blocker.LINE_DOUBLED: any(item.copies for item in comparison.items),
        Blocker.NOT_OWNED: any(stand.state == DifferenceState.NEW for stand in held),
        Blocker.CARRIED_TOO_LONG: any(_is_stale(stand, comparison.day) for stand in held),
        Blocker.NOT_EXPLAINED: not is_explained(comparison),
        Blocker.BALANCE_DIFFERS: balance_gap(comparison, books) != 0,
    }
    return tuple(blocker for blocker in Blocker if facts[blocker])


def _is_stale(stand: Stand, day: int) -> bool:
    return stand.state == DifferenceState.CARRIED and day - stand.day >= CARRY_DAYS_MAX


def balance_gap(comparison: Comparison, books: Books) -> int:
    """Return by how much the fund bill ends above the books, transit considered; 0 when it ties."""
    ours = books.channel_fen - books.later_fen + books.transit_fen
    return comparison.chain.closing_fen - ours


def is_explained(comparison: Comparison) -> bool:
    """Say whether the gap between both sums is what findings and earlier bills account for."""
    return comparison.theirs_fen - comparison.ours_fen == explained_fen(comparison)


def explained_fen(comparison: Comparison) -> int:
    """Add up the gaps that have a name: of items with a class, and of lines shown before."""
    named = {(each.item.way, each.item.number): each.gap_fen for each in comparison.findings}
    earlier = sum(
        gap(item, comparison.day)
        for item in comparison.items
        if item.booked is not None and item.booked.seen_day not in (0, comparison.day)
        if (item.way, item.number) not in named
    )
    return sum(named.values()) + earlier


@dataclass(slots=True)
class Day:
    """One account's day as it is stored.

    Digests are SHA-256: of both raw bills, of the sheet of our own rows that was compared, and of
    the result; empty until there is one. Counts are those of the last comparison.
    """

    account: str
    carried: int
    closed_at_us: int
    closed_by: str
    closing_fen: int
    day: int
    fund_digest: bytes
    items: int
    opening_fen: int
    ours_fen: int
    owned: int
    result_digest: bytes
    sheet_digest: bytes
    state: int
    theirs_fen: int
    trade_digest: bytes
