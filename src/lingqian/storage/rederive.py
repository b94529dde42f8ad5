"""A closed day derived again from its raw inputs, and compared with what was closed (日结复核)."""

from collections.abc import Iterator
from hashlib import sha256

from lingqian.channels.port import BillKind, BillRow, FundRow
from lingqian.clearing.day import Comparison, Day
from lingqian.clearing.difference import day_id
from lingqian.kernel.fault import Damaged, Rejected
from lingqian.storage.kept_bill import BILL_FIELDS, FIELD_SHEET, ReadBill, opened
from lingqian.storage.port import Connection
from lingqian.storage.sheet import derive, read_sheet, result_digest
from lingqian.storage.vault import Vault


def faults(connection: Connection, vault: Vault, row: Day, read_bill: ReadBill) -> Iterator[str]:
    """Yield, in words, everything in which a day no longer follows from its inputs."""
    identity = day_id(row.account, row.day)
    plains: dict[int, bytes] = {}
    for field, digest in (
        (BILL_FIELDS[BillKind.TRADE], row.trade_digest),
        (BILL_FIELDS[BillKind.FUND], row.fund_digest),
        (FIELD_SHEET, row.sheet_digest),
    ):
        try:
            plain = opened(connection, vault, identity, field)
        except Damaged as error:
            yield f"input {field} cannot be opened: {error}"
            return
        if plain is None or sha256(plain).digest() != digest:
            yield f"input {field} is not what the day was closed with"
            return
        plains[field] = plain
    try:
        again = _again(row, plains, read_bill)
    except Rejected as error:
        yield f"a bill can no longer be read: {error}"
        return
    yield from _differing(row, again)


def _again(row: Day, plains: dict[int, bytes], read_bill: ReadBill) -> Comparison:
    trade, fund = (read_bill(kind, row.day, plains[BILL_FIELDS[kind]]) for kind in BillKind)
    return derive(
        row.day,
        read_sheet(plains[FIELD_SHEET]),
        [each for each in trade.rows if isinstance(each, BillRow)],
        [each for each in fund.rows if isinstance(each, FundRow)],
    )


def _differing(row: Day, again: Comparison) -> Iterator[str]:
    """Compare the figures one by one, so that the words say which; the digest covers the rest."""
    figures = (
        ("items", row.items, len(again.items)),
        ("our sum", row.ours_fen, again.ours_fen),
        ("the bill's sum", row.theirs_fen, again.theirs_fen),
        ("the opening balance", row.opening_fen, again.chain.opening_fen),
        ("the closing balance", row.closing_fen, again.chain.closing_fen),
    )
    for name, closed, derived in figures:
        if closed != derived:
            yield f"{name} was closed as {closed}, the inputs make it {derived}"
    if result_digest(again) != row.result_digest:
        yield "the findings are not those the day was closed with"
