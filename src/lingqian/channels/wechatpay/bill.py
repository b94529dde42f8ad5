"""Bills: the platform's daily files, read by their headers (账单).

Law: columns are found by name, money goes from yuan text to integers without floats, and the sums
of the rows are the sums of the summary line, or the file is refused.
Refuses (Rejected): bill_encoding, bill_columns, bill_malformed, bill_sum, bill_too_large.
Source: WeChat Pay APIv3, pages "trade bill format" and "fund bill format", read 2026-09.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from lingqian.channels.port import Bill, BillKind, BillRow, BillSide, FundRow
from lingqian.kernel.bound import AMOUNT_FEN_MAX
from lingqian.kernel.clock import SECOND_US, SHANGHAI
from lingqian.kernel.fault import Rejected

_YUAN: Final = re.compile(r"[+-]?\d{1,16}(\.\d{1,5})?", re.ASCII)
_COUNT: Final = re.compile(r"(\d{1,12})(\.0+)?", re.ASCII)
_RATE: Final = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?%", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_UNIT: Final = re.compile(r"[(（]元[)）]$")
# Prices, fees and rates are few; what a file repeats is not read a second time.
_KEPT_MAX: Final = 4_096
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
BILL_LINES_MAX: Final = 1_000_000
_FUND_SIDE: Final = {
    "交易": BillSide.PAYMENT,
    "退款": BillSide.REFUND,
    "扣除交易手续费": BillSide.FEE,
    "退还交易手续费": BillSide.FEE_RETURN,
}
_IN: Final = "收入"
_OUT: Final = "支出"

Record = dict[str, str]
Row = TypeVar("Row")


class Form(NamedTuple, Generic[Row]):
    """A kind of file: the columns it must have, the sums of its summary, and how a row is read."""

    needed: tuple[str, ...]
    rules: "tuple[_Rule, ...]"
    read: Callable[[Record], Row]


def parse_bill(kind: BillKind, day: int, raw: bytes) -> Bill:
    """Read a bill's plain bytes; no bytes at all are a day without traffic.

    Raises: Rejected.
    """
    digest = hashlib.sha256(raw).digest()
    if not raw:
        return Bill(kind, day, raw, digest, ())
    if kind is BillKind.TRADE:
        return Bill(kind, day, raw, digest, tuple(read_rows(raw, _TRADE)))
    return Bill(kind, day, raw, digest, tuple(read_rows(raw, _FUND)))


def read_rows(raw: bytes, form: Form[Row]) -> list[Row]:
    """Read a file in one pass: a header, its rows, a second header, its one line.

    A line is let go once it is read, and no step takes long, so that others get their turn.
    Raises: Rejected.
    """
    lines = _lines(raw)
    names = _header(next(lines, ""), form.needed)
    sums = [0] * len(form.rules)
    rows: list[Row] = []
    foot = ""
    for line in lines:
        if not line.startswith("`"):
            foot = line
            break
        record = _record(names, line, len(rows) + 1)
        for place, rule in enumerate(form.rules):
            sums[place] += rule.part(record)
        rows.append(form.read(record))
        if len(rows) > BILL_LINES_MAX:
            raise Rejected("bill_too_large", f"a bill has at most {BILL_LINES_MAX} lines")
    last = next(lines, "")
    if not (foot and last.startswith("`")) or next(lines, ""):
        raise Rejected("bill_malformed", "a bill is a header, rows, a header and one summary line")
    _check_sums(_record(_header(foot, ()), last, len(rows) + 2), form.rules, sums)
    return rows


def _lines(raw: bytes) -> Iterator[str]:
    """Yield the lines of a file; only at its end may some be empty.

    Raises: Rejected.
    """
    empty = False
    try:
        for each in io.TextIOWrapper(io.BytesIO(raw), "utf-8-sig", newline="\n"):
            line = each.removesuffix("\n").removesuffix("\r")
            if line and empty:
                raise Rejected("bill_malformed", "an empty line stands among the others")
            empty = empty or not line
            if line:
                yield line
    except UnicodeDecodeError as error:
        raise Rejected("bill_encoding", "the bill is not UTF-8") from error


def _header(line: str, needed: tuple[str, ...]) -> list[str]:
    names = _names(line)
    missing = [name for name in needed if name not in names]
    if line.startswith("`") or (needed and len(missing) == len(needed)):
        raise Rejected("bill_malformed", "a bill begins with the names of its columns")
    if missing or len(set(names)) != len(names):
        raise Rejected("bill_columns", f"columns are missing or doubled: {' '.join(missing)}")
    return names


def _names(line: str) -> list[str]:
    """Name the columns; a unit in brackets of either width is not part of a name."""
    names = [_UNIT.sub("", name.strip()) for name in line.split(",")]
    return [_RENAMED.get(name, name) for name in names]


def _record(names: list[str], line: str, number: int) -> Record:
    cells = line[1:].split(",`")
    if len(cells) != len(names):
        raise Rejected("bill_malformed", f"line {number + 1} has {len(cells)} cells")
    return dict(zip(names, cells, strict=True))


@lru_cache(_KEPT_MAX)
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


@lru_cache(_KEPT_MAX)
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
        moment = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Rejected("bill_malformed", "a time that no calendar has") from error
    return int(moment.timestamp()) * SECOND_US


def _number(text: str) -> str:
    """Read a number; the platform writes `0` where there is none."""
    return "" if text == "0" else text


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


class _Rule(NamedTuple):
    """One cell of the summary line, how it is read, and what each row adds to it."""

    name: str
    read: Callable[[str], int]
    part: Callable[[Record], int]


def _e5(text: str) -> int:
    return parse_yuan(text, _E5)


def _of(column: str) -> Callable[[Record], int]:
    """Take a column, in hundred-thousandths of a yuan: the finest the files print."""

    def part(row: Record) -> int:
        text = row.get(column)
        return parse_yuan(text, _E5) if text else 0

    return part


def _of_way(way: str) -> Callable[[Record], int]:
    return lambda row: parse_yuan(row["收支金额"], _E5) if row["收支类型"] == way else 0


def _count_of_way(way: str) -> Callable[[Record], int]:
    return lambda row: row["收支类型"] == way


def _one(row: Record) -> int:
    del row
    return 1


_TRADE_SUMS: Final = (
    _Rule("总交易单数", _count, _one),
    _Rule("应结订单总金额", _e5, _of("应结订单金额")),
    _Rule("退款总金额", _e5, _of("退款金额")),
    _Rule("充值券退款总金额", _e5, _of("充值券退款金额")),
    _Rule("手续费总金额", _e5, _of("手续费")),
    _Rule("订单总金额", _e5, _of("订单金额")),
    _Rule("申请退款总金额", _e5, _of("申请退款金额")),
)
_FUND_SUMS: Final = (
    _Rule("资金流水总笔数", _count, _one),
    _Rule("收入笔数", _count, _count_of_way(_IN)),
    _Rule("收入金额", _e5, _of_way(_IN)),
    _Rule("支出笔数", _count, _count_of_way(_OUT)),
    _Rule("支出金额", _e5, _of_way(_OUT)),
)
_TRADE: Final = Form(_TRADE_NEEDED, _TRADE_SUMS, _trade_row)
_FUND: Final = Form(_FUND_NEEDED, _FUND_SUMS, _fund_row)


def _check_sums(summary: Record, rules: tuple[_Rule, ...], sums: list[int]) -> None:
    """Compare every cell of the summary that we know with the rows."""
    if rules[0].name not in summary:
        raise Rejected("bill_columns", f"the summary has no {rules[0].name}")
    for rule, total in zip(rules, sums, strict=True):
        if rule.name in summary and rule.read(summary[rule.name]) != total:
            raise Rejected("bill_sum", f"{rule.name} is not the sum of the rows")
