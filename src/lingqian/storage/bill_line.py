"""Bill lines: what a kept bill says of some numbers, read again from its raw bytes (账单行).

Law: a line is shown only of a bill whose bytes are those the journal keeps the digest of.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.channels.port import BillKind, BillRow, BillSide, FundRow
from lingqian.clearing.difference import day_id
from lingqian.clearing.report import show_day, yuan
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.fault import Damaged, Rejected
from lingqian.storage.kept_bill import BILL_FIELDS, ReadBill, opened
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault

Facts = dict[str, str | int]

SIDE_WORDS: Final[dict[BillSide, tuple[str, str]]] = {
    BillSide.PAYMENT: ("收款", "payment"),
    BillSide.REFUND: ("退款", "refund"),
    BillSide.FEE: ("扣手续费", "fee"),
    BillSide.FEE_RETURN: ("退手续费", "returned fee"),
    BillSide.OTHER_IN: ("其他收入", "other income"),
    BillSide.OTHER_OUT: ("其他支出", "other expense"),
}
assert set(SIDE_WORDS) == set(BillSide), "every line has its word"


class Shelf(NamedTuple):
    """What it takes to read a kept bill: the keys, and how each account's channel reads its own."""

    vault: Vault
    reader_of: Callable[[str], ReadBill]


class Line(NamedTuple):
    """One line of a bill: of which bill, what it says in both languages, and cell by cell."""

    kind: BillKind
    zh: str
    en: str
    facts: Facts


def lines_of(
    connection: Connection, shelf: Shelf, day: tuple[str, int], numbers: frozenset[str]
) -> Iterator[Line]:
    """Yield the lines of a day's bills that name one of some numbers; none of a bill unkept."""
    account, number = day
    for kind in BillKind:
        try:
            raw = opened(connection, shelf.vault, day_id(account, number), BILL_FIELDS[kind])
            if raw is None:
                continue
            rows = shelf.reader_of(account)(kind, number, raw).rows
        except (Damaged, Rejected):
            # `lingqian reconcile --rederive` says what is wrong with it; a story goes on without.
            continue
        name, digest = f"{account} {show_day(number)}", sha256(raw).hexdigest()
        for row in rows:
            if not numbers.isdisjoint(_names(row)):
                yield _told(row, name, digest)


def _names(row: BillRow | FundRow) -> tuple[str, ...]:
    if isinstance(row, FundRow):
        return row.business_no, row.voucher_no
    return row.attempt_no, row.transaction_id, row.refund_no, row.refund_id


def _told(row: BillRow | FundRow, name: str, digest: str) -> Line:
    return _fund(row, name, digest) if isinstance(row, FundRow) else _trade(row, name, digest)


def _trade(row: BillRow, name: str, digest: str) -> Line:
    zh, en = SIDE_WORDS[row.side]
    amount, settled, fee = yuan(row.amount_fen), yuan(row.settle_fen), fee_yuan(row.fee_e5)
    facts: Facts = {
        "attempt_no": row.attempt_no,
        "transaction_id": row.transaction_id,
        "refund_no": row.refund_no,
        "refund_id": row.refund_id,
        "amount_fen": row.amount_fen,
        "settle_fen": row.settle_fen,
        "coupon_fen": row.coupon_fen,
        "rate_ppm": row.rate_ppm,
        "state": row.state,
        "channel_time": rfc3339(row.at_us),
        "digest": digest,
    }
    return Line(
        BillKind.TRADE,
        f"{name} 交易账单有此行：{zh} {amount} 元，结算 {settled} 元，手续费 {fee} 元，{row.state}",
        f"line of the trade bill {name}: {en} of {amount} yuan, {settled} settled, fee {fee}, "
        f"{row.state}",
        {key: each for key, each in facts.items() if each not in ("", 0)},
    )


def _fund(row: FundRow, name: str, digest: str) -> Line:
    _, en = SIDE_WORDS[row.side]
    amount, balance = yuan(row.amount_fen), yuan(row.balance_fen)
    facts: Facts = {
        "business_no": row.business_no,
        "flow_no": row.flow_no,
        "voucher_no": row.voucher_no,
        "amount_fen": row.amount_fen,
        "balance_fen": row.balance_fen,
        "channel_time": rfc3339(row.at_us),
        "digest": digest,
    }
    return Line(
        BillKind.FUND,
        f"{name} 资金账单有此行：{row.kind} {amount} 元，账户结余 {balance} 元",
        f"line of the fund bill {name}: {en} of {amount} yuan, balance {balance} after it",
        {key: each for key, each in facts.items() if each not in ("", 0)},
    )


def fee_yuan(fee_e5: int) -> str:
    """Write a fee as the trade bill prints it, with five decimals."""
    sign = "-" if fee_e5 < 0 else ""
    return f"{sign}{abs(fee_e5) // 100_000}.{abs(fee_e5) % 100_000:05d}"
