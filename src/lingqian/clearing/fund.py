"""The fund bill: its balances form one chain, and by kind it moves what the trade bill says.

Law: opening + in − out = closing, and where one line ends the next one starts. Lines come in no
particular order, so the chain is read as a trail: each line leads from the balance before it to
the balance after it, and a whole bill is one trail through all lines. Units: fen.
Source: top-up reference 1 F8 and 13 B1; wechatpay-v3 reference 12.2.
"""

from collections import Counter
from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from lingqian.channels.port import BillRow, BillSide, FundRow
from lingqian.clearing.item import fee_fen, moves


class Chain(NamedTuple):
    """A fund bill as a whole: where it starts and ends, and what is wrong with it, in words."""

    opening_fen: int
    closing_fen: int
    in_fen: int
    out_fen: int
    faults: tuple[str, ...] = ()


def chain(rows: Iterable[FundRow], opening_fen: int | None) -> Chain:
    """Check a fund bill against itself and against where the day before ended.

    `opening_fen` is None when no earlier day is known; the bill's own start is taken then.
    """
    lines = list(rows)
    came = sum(row.amount_fen for row in lines if row.amount_fen > 0)
    went = -sum(row.amount_fen for row in lines if row.amount_fen < 0)
    start, faults = _start(lines, opening_fen)
    if opening_fen is not None and lines and start != opening_fen:
        faults += (f"opens at {start} fen, the day before closed at {opening_fen}",)
    if opening_fen is None and start < 0:
        faults += (f"opens at {start} fen: a line before its first is missing",)
    return Chain(start, start + came - went, came, went, faults)


def _start(lines: list[FundRow], opening_fen: int | None) -> tuple[int, tuple[str, ...]]:
    """Return where the trail starts, and why it is none."""
    if not lines:
        return opening_fen or 0, ()
    degree: Counter[int] = Counter()
    for row in lines:
        degree[row.balance_fen - row.amount_fen] += 1
        degree[row.balance_fen] -= 1
    starts = [balance for balance, surplus in degree.items() if surplus > 0]
    if len(starts) > 1 or (starts and degree[starts[0]] > 1):
        return min(starts), (f"the balances break at {sorted(starts)} fen",)
    start = starts[0] if starts else _ring_start(lines, degree, opening_fen)
    return start, () if _reached(lines, start) == len(degree) else ("the balances fall apart",)


def _ring_start(lines: list[FundRow], degree: Counter[int], opening_fen: int | None) -> int:
    """Return the start of a day that ends where it began: yesterday's end, or the first line's."""
    if opening_fen is not None and opening_fen in degree:
        return opening_fen
    first = min(lines, key=lambda row: (row.at_us, row.flow_no))
    return first.balance_fen - first.amount_fen


def _reached(lines: list[FundRow], start: int) -> int:
    """Count the balances that lines lead to from the start."""
    onward: dict[int, list[int]] = {}
    for row in lines:
        onward.setdefault(row.balance_fen - row.amount_fen, []).append(row.balance_fen)
    seen, ahead = {start}, [start]
    while ahead:
        for balance in onward.get(ahead.pop(), ()):
            if balance not in seen:
                seen.add(balance)
                ahead.append(balance)
    return len(seen)


def set_apart(
    rows: Iterable[FundRow], earlier: Container[str], refunds: Container[str]
) -> tuple[FundRow, ...]:
    """Mark what a fund bill tells of failed refunds coming back: it has no trade line.

    Of refunds that earlier bills have shown, that is every line; of `refunds` that the day's own
    bill shows, the fee that is taken again.
    """
    return tuple(
        row._replace(side=_ASIDE[row.amount_fen > 0])
        if row.business_no in earlier or (row.side == BillSide.FEE and row.business_no in refunds)
        else row
        for row in rows
    )


_ASIDE: Final = {True: BillSide.OTHER_IN, False: BillSide.OTHER_OUT}


# Kinds that both bills show; all else (top-ups of the account, withdrawals, transfers to people)
# appears in the fund bill alone.
SHARED: Final = (BillSide.PAYMENT, BillSide.REFUND, BillSide.FEE, BillSide.FEE_RETURN)


class Sum(NamedTuple):
    """What both bills say of one kind of money, in fen, in positive and out negative."""

    side: BillSide
    trade_fen: int
    fund_fen: int


def sums(trade: Iterable[BillRow], fund: Iterable[FundRow]) -> tuple[Sum, ...]:
    """Add up both bills by kind."""
    traded: Counter[BillSide] = Counter()
    for line in trade:
        for side, fen in _parts(line):
            traded[side] += fen
    funded: Counter[BillSide] = Counter()
    for row in fund:
        funded[row.side] += row.amount_fen
    return tuple(Sum(side, traded[side], funded[side]) for side in SHARED)


def _parts(line: BillRow) -> tuple[tuple[BillSide, int], ...]:
    """Return what one trade line moves in the account, by kind."""
    if not moves(line):
        return ()
    if line.side == BillSide.REFUND:
        return (BillSide.REFUND, -line.settle_fen), (BillSide.FEE_RETURN, fee_fen(line))
    return (BillSide.PAYMENT, line.settle_fen), (BillSide.FEE, -fee_fen(line))
