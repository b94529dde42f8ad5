"""Bills: the platform's daily files, read by their headers (账单).

Law: columns are found by name, money goes from yuan text to integers without floats, and the sums
of the rows are the sums of the summary line, or the file is refused.
Refuses (Rejected): bill_encoding, bill_columns, bill_malformed, bill_sum.
Source: WeChat Pay APIv3, pages "trade bill format" and "fund bill format", read 2026-09.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from lingqian.channels.port import Bill, BillKind, BillRow, BillSide, FundRow
from lingqian.kernel.bound import AMOUNT_FEN_MAX
from lingqian.kernel.clock import SECOND_US, SHANGHAI
from lingqian.kernel.fault import Rejected

_YUAN: Final = re.compile(r"[+-]?\d{1,16}(\.\d{1,5})?", re.ASCII)
_COUNT: Final = re.compile(r"(\d{1,12})(\.0+)?", re.ASCII)
_RATE: Final = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?%", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_UNIT: Final = re.compile(r"[(（]元[)）]$")
_LINE_END: Final = re.compile(r"\r?\n")
_E5: Final = 5
_FEN: Final = 2
# What an older or a newer file calls a column, and what we call it.
_RENAMED: Final = {
    "子商户号": "特约商户号",
    "总金额": "应结订单金额",
    "代金券或立减优惠金额": "代金券金额",
    "代金券或立减优惠退款金额": "充值券退款金额",
    "总交易额": "应结订单总金额",
    "总退款金额": "退款总金额",
    "总代金券或立减优惠退款金额": "充值券退款总金额",
}
_TRADE_NEEDED: Final = (
    "交易时间",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "应结订单金额",
    "手续费",
)
_FUND_NEEDED: Final = (
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务类型",
    "收支类型",
    "收支金额",
    "账户结余",
)
_REFUNDED: Final = ("REFUND", "REVOKED")
_FUND_SIDE: Final = {
    "交易": BillSide.PAYMENT,
    "退款": BillSide.REFUND,
    "扣除交易手续费": BillSide.FEE,
    "退还交易手续费": BillSide.FEE_RETURN,
}
_IN: Final = "收入"
_OUT: Final = "支出"

Record = dict[str, str]


class Sheet(NamedTuple):
    """A file taken apart: its rows and its summary, cells by the name of their column."""

    rows: list[Record]
    summary: Record


def parse_bill(kind: BillKind, day: int, raw: bytes) -> Bill:
    """Read a bill's plain bytes; no bytes at all are a day without traffic.

    Raises: Rejected.
    """
    digest = hashlib.sha256(raw).digest()
    if not raw:
        return Bill(kind, day, raw, digest, ())
    if kind is BillKind.TRADE:
        return Bill(kind, day, raw, digest, _trade_rows(read_sheet(raw, _TRADE_NEEDED)))
    return Bill(kind, day, raw, digest, _fund_rows(read_sheet(raw, _FUND_NEEDED)))


def read_sheet(raw: bytes, needed: tuple[str, ...]) -> Sheet:
    """Take a file apart: a header, its rows, a second header, its one line.

    Raises: Rejected.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected("bill_encoding", "the bill is not UTF-8") from error
    lines = _LINE_END.split(text)
    while lines and not lines[-1]:
        lines.pop()
    heads = [number for number, line in enumerate(lines) if not line.startswith("`")]
    if len(heads) != 2 or heads[0] != 0 or heads[1] != len(lines) - 2:
        raise Rejected("bill_malformed", "a bill is a header, rows, a header and one summary line")
    head, foot = _names(lines[0]), _names(lines[heads[1]])
    missing = [name for name in needed if name not in head]
    if missing or len(set(head)) != len(head) or len(set(foot)) != len(foot):
        raise Rejected("bill_columns", f"columns are missing or doubled: {' '.join(missing)}")
    rows = [_record(head, lines[number], number) for number in range(1, heads[1])]
    return Sheet(rows, _record(foot, lines[-1], len(lines) - 1))


def _names(line: str) -> list[str]:
    """Name the columns; a unit in brackets of either width is not part of a name."""
    names = [_UNIT.sub("", name.strip()) for name in line.split(",")]
    return [_RENAMED.get(name, name) for name in names]


def _record(names: list[str], line: str, number: int) -> Record:
    cells = line[1:].split(",`")
    if len(cells) != len(names):
        raise Rejected("bill_malformed", f"line {number + 1} has {len(cells)} cells")
    return dict(zip(names, cells, strict=True))


def parse_yuan(text: str, places: int) -> int:
    """Read yuan as an integer of so many decimal places: 2 for fen, 5 for a fee.

    Raises: Rejected `bill_malformed`, also for more places than there may be.
    """
    if not _YUAN.fullmatch(text):
        raise Rejected("bill_malformed", "an amount is not yuan with decimals")
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("+-").partition(".")
    kept, cut = part[:places].ljust(places, "0"), part[places:]
    value = int(whole + kept)
    if cut.strip("0") or value > AMOUNT_FEN_MAX:
        raise Rejected("bill_malformed", "an amount is finer or larger than money is")
    return sign * value


def _fen(record: Record, name: str) -> int:
    """Read an amount in fen; a column that older files lack, and an empty cell, are nothing."""
    text = record.get(name, "")
    return parse_yuan(text, _FEN) if text else 0


def _rate(text: str) -> int:
    if not text:
        return 0
    found = _RATE.fullmatch(text)
    if found is None:
        raise Rejected("bill_malformed", "a rate is not a percentage")
    return int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0"))


def _count(text: str) -> int:
    found = _COUNT.fullmatch(text)
    if found is None:
        raise Rejected("bill_malformed", "a count is not a number")
    return int(found[1])


def _time(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise Rejected("bill_malformed", "a time is not YYYY-MM-DD hh:mm:ss")
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Rejected("bill_malformed", "a time that no calendar has") from error
    return int(moment.timestamp()) * SECOND_US


def _number(text: str) -> str:
    """Read a number; the platform writes `0` where there is none."""
    return "" if text == "0" else text


def _trade_rows(sheet: Sheet) -> tuple[BillRow, ...]:
    _check_sums(sheet, _TRADE_SUMS)
    return tuple(map(_trade_row, sheet.rows))


def _trade_row(record: Record) -> BillRow:
    is_refund = record["交易状态"] in _REFUNDED
    amount, settled, coupon = _refund_money(record) if is_refund else _payment_money(record)
    return BillRow(
        BillSide.REFUND if is_refund else BillSide.PAYMENT,
        _time(record["交易时间"]),
        record["商户订单号"],
        record["微信订单号"],
        _number(record.get("商户退款单号", "")),
        _number(record.get("微信退款单号", "")),
        amount,
        settled,
        coupon,
        parse_yuan(record["手续费"], _E5),
        _rate(record.get("费率", "")),
        record.get("退款状态", "") if is_refund else record["交易状态"],
        record.get("交易类型", ""),
    )


def _payment_money(record: Record) -> tuple[int, int, int]:
    settled = _fen(record, "应结订单金额")
    amount = _fen(record, "订单金额") if "订单金额" in record else settled
    return amount, settled, _fen(record, "代金券金额")


def _refund_money(record: Record) -> tuple[int, int, int]:
    settled = _fen(record, "退款金额")
    amount = _fen(record, "申请退款金额") if "申请退款金额" in record else settled
    return amount, settled, _fen(record, "充值券退款金额")


def _fund_rows(sheet: Sheet) -> tuple[FundRow, ...]:
    _check_sums(sheet, _FUND_SUMS)
    return tuple(map(_fund_row, sheet.rows))


def _fund_row(record: Record) -> FundRow:
    kind, way = record["业务类型"], record["收支类型"]
    if way not in (_IN, _OUT):
        raise Rejected("bill_malformed", "money neither comes in nor goes out")
    other = BillSide.OTHER_IN if way == _IN else BillSide.OTHER_OUT
    amount = _fen(record, "收支金额")
    return FundRow(
        _FUND_SIDE.get(kind, other),
        _time(record["记账时间"]),
        record["微信支付业务单号"],
        record["资金流水单号"],
        kind,
        amount if way == _IN else -amount,
        _fen(record, "账户结余"),
        _number(record.get("业务凭证号", "")),
    )


Sum = Callable[[list[Record]], int]


class _Rule(NamedTuple):
    """One cell of the summary line, how it is read, and what the rows must add up to."""

    name: str
    read: Callable[[str], int]
    sum: Sum


def _e5(text: str) -> int:
    return parse_yuan(text, _E5)


def _of(column: str) -> Sum:
    """Sum a column, in hundred-thousandths of a yuan: the finest the files print."""
    return lambda rows: sum(parse_yuan(row[column], _E5) for row in rows if row.get(column))


def _of_way(way: str) -> Sum:
    return lambda rows: sum(
        parse_yuan(row["收支金额"], _E5) for row in rows if row["收支类型"] == way
    )


def _count_of_way(way: str) -> Sum:
    return lambda rows: sum(row["收支类型"] == way for row in rows)


_TRADE_SUMS: Final = (
    _Rule("总交易单数", _count, len),
    _Rule("应结订单总金额", _e5, _of("应结订单金额")),
    _Rule("退款总金额", _e5, _of("退款金额")),
    _Rule("充值券退款总金额", _e5, _of("充值券退款金额")),
    _Rule("手续费总金额", _e5, _of("手续费")),
    _Rule("订单总金额", _e5, _of("订单金额")),
    _Rule("申请退款总金额", _e5, _of("申请退款金额")),
)
_FUND_SUMS: Final = (
    _Rule("资金流水总笔数", _count, len),
    _Rule("收入笔数", _count, _count_of_way(_IN)),
    _Rule("收入金额", _e5, _of_way(_IN)),
    _Rule("支出笔数", _count, _count_of_way(_OUT)),
    _Rule("支出金额", _e5, _of_way(_OUT)),
)


def _check_sums(sheet: Sheet, rules: tuple[_Rule, ...]) -> None:
    """Compare every cell of the summary that we know with the rows."""
    if rules[0].name not in sheet.summary:
        raise Rejected("bill_columns", f"the summary has no {rules[0].name}")
    for rule in rules:
        if rule.name not in sheet.summary:
            continue
        if rule.read(sheet.summary[rule.name]) != rule.sum(sheet.rows):
            raise Rejected("bill_sum", f"{rule.name} is not the sum of the rows")
