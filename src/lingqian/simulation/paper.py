"""Bills on paper: a channel's rows as its daily files, and what may be odd about them (账单).

Law: an even file says exactly what the rows say; an odd one differs in exactly one thing.
Source: top-up reference 1 (F7, F8) and 17; columns as the platform's pages list them.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from lingqian.channels.port import Bill, BillKind, BillRow, BillSide, FundRow
from lingqian.kernel.clock import SECOND_US, SHANGHAI

_REFUND_WORDS: Final = {"ABNORMAL": "CHANGE", "CLOSED": "FAIL"}


class Odd(StrEnum):
    """What may be odd about a file."""

    EVEN = "even"
    TRUNCATED = "truncated"
    OLD_COLUMNS = "old columns"
    MORE_COLUMNS = "more columns"
    LINE_LOST = "line lost"
    LINE_TWICE = "line twice"
    AMOUNT_OFF = "amount off"
    FEE_OFF = "fee off"


# What changes no figure: only the form is odd, and the bill is as good as any.
HARMLESS: Final = frozenset((Odd.EVEN, Odd.OLD_COLUMNS, Odd.MORE_COLUMNS))
# Older merchants' files: what they call a column; an empty name is not there.
_OLD: Final = {
    "特约商户号": "子商户号",
    "应结订单金额": "总金额",
    "代金券金额": "代金券或立减优惠金额",
    "充值券退款金额": "代金券或立减优惠退款金额",
    "订单金额": "",
    "申请退款金额": "",
    "费率备注": "",
    "应结订单总金额": "总交易额",
    "退款总金额": "总退款金额",
    "充值券退款总金额": "总代金券或立减优惠退款金额",
    "订单总金额": "",
    "申请退款总金额": "",
}
_TRADE_SUMS: Final = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}

Line = dict[str, str]


class Page(NamedTuple):
    """A file before it is bytes: its lines, and the one that adds them up."""

    lines: list[Line]
    summary: Line


def write(bill: Bill, odd: Odd = Odd.EVEN) -> bytes:
    """Write a bill as the channel's file; a day without traffic is a file without bytes."""
    if not bill.rows:
        return b""
    make = _trade_page if bill.kind is BillKind.TRADE else _fund_page
    page = make(_bent(bill.rows, odd))
    names: Callable[[str], str] = (lambda name: _OLD.get(name, name)) if _is_old(odd, bill) else str
    if odd is Odd.MORE_COLUMNS:
        for line in page.lines:
            line["门店编号"] = ""
    rows = [_heading(page.lines[0], names), *[_cells(line, names) for line in page.lines]]
    rows += [_heading(page.summary, names), _cells(page.summary, names), ""]
    raw = ("\ufeff" + "\r\n".join(rows)).encode()
    return raw[: len(raw) * 2 // 3] if odd is Odd.TRUNCATED else raw


def _is_old(odd: Odd, bill: Bill) -> bool:
    """Say whether a file can be an old one: those had no coupons that are settled apart."""
    rows = [row for row in bill.rows if isinstance(row, BillRow)]
    return odd is Odd.OLD_COLUMNS and all(row.amount_fen == row.settle_fen for row in rows)


def _bent(rows: Iterable[BillRow | FundRow], odd: Odd) -> list[BillRow | FundRow]:
    """Change what only our own books, or the other bill, can tell."""
    kept = list(rows)
    first = kept[0]
    if odd is Odd.LINE_LOST:
        # Not the first one: without an earlier day nobody could tell that a bill began before it.
        place = len(kept) // 2
        return kept[:place] + kept[place + 1 :] if place else kept
    if odd is Odd.LINE_TWICE:
        return [*kept, first]
    if odd is Odd.AMOUNT_OFF:
        return [_one_more(first), *kept[1:]]
    if odd is Odd.FEE_OFF and isinstance(first, BillRow):
        return [first._replace(fee_e5=first.fee_e5 + 3_000), *kept[1:]]
    return kept


def _one_more(row: BillRow | FundRow) -> BillRow | FundRow:
    if isinstance(row, FundRow):
        return row._replace(amount_fen=row.amount_fen + 1)
    return row._replace(amount_fen=row.amount_fen + 1, settle_fen=row.settle_fen + 1)


def _heading(line: Line, names: Callable[[str], str]) -> str:
    return ",".join([word for name in line if (word := names(name))])


def _cells(line: Line, names: Callable[[str], str]) -> str:
    return ",".join([f"`{cell}" for name, cell in line.items() if names(name)])


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _yuan_e5(parts: int) -> str:
    return f"{'-' if parts < 0 else ''}{abs(parts) // 100_000}.{abs(parts) % 100_000:05d}"


def _time(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us // SECOND_US, UTC).astimezone(SHANGHAI)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


# --- the trade bill -----------------------------------------------------------------------------


def _trade_page(rows: list[BillRow | FundRow]) -> Page:
    lines = [_trade_line(row) for row in rows if isinstance(row, BillRow)]
    summary = {"总交易单数": f"{len(lines)}.0"}
    for title, column in _TRADE_SUMS.items():
        total = sum([_e5(line[column]) for line in lines])
        summary[title] = _yuan_e5(total) if column == "手续费" else _yuan(total // 1_000)
    return Page(lines, summary)


def _e5(text: str) -> int:
    whole, _, part = text.lstrip("-").partition(".")
    value = int(whole + part.ljust(5, "0"))
    return -value if text.startswith("-") else value


def _trade_line(row: BillRow) -> Line:
    is_refund = row.side is BillSide.REFUND
    pay, back = (BILLED_NOT, row) if is_refund else (row, BILLED_NOT)
    return {
        "交易时间": _time(row.at_us),
        "公众账号ID": "wx0000000000000000",
        "商户号": "1900000000",
        "特约商户号": "0",
        "设备号": "",
        "微信订单号": row.transaction_id,
        "商户订单号": row.attempt_no,
        "用户标识": "",
        "交易类型": row.product,
        "交易状态": "REFUND" if is_refund else row.state,
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": _yuan(pay.settle_fen),
        "代金券金额": _yuan(pay.coupon_fen),
        "微信退款单号": row.refund_id or "0",
        "商户退款单号": row.refund_no or "0",
        "退款金额": _yuan(back.settle_fen),
        "充值券退款金额": _yuan(back.coupon_fen),
        "退款类型": "ORIGINAL" if is_refund else "",
        "退款状态": _REFUND_WORDS.get(row.state, row.state) if is_refund else "",
        "商品名称": "top-up",
        "商户数据包": "",
        "手续费": _yuan_e5(row.fee_e5),
        "费率": f"{row.rate_ppm // 10_000}.{row.rate_ppm % 10_000 // 100:02d}%",
        "订单金额": _yuan(pay.amount_fen),
        "申请退款金额": _yuan(back.amount_fen),
        "费率备注": "",
    }


# The half of a line that a payment, or a refund, leaves empty.
BILLED_NOT: Final = BillRow(BillSide.PAYMENT, 0, "", "", "", "", 0, 0, 0, 0, 0, "", "")


# --- the fund bill ------------------------------------------------------------------------------


def _fund_page(rows: list[BillRow | FundRow]) -> Page:
    flows = [row for row in rows if isinstance(row, FundRow)]
    came = [row.amount_fen for row in flows if row.amount_fen > 0]
    went = [-row.amount_fen for row in flows if row.amount_fen <= 0]
    summary = {
        "资金流水总笔数": f"{len(flows)}.0",
        "收入笔数": f"{len(came)}.0",
        "收入金额": _yuan(sum(came)),
        "支出笔数": f"{len(went)}.0",
        "支出金额": _yuan(sum(went)),
    }
    return Page([_fund_line(row) for row in flows], summary)


def _fund_line(row: FundRow) -> Line:
    return {
        "记账时间": _time(row.at_us),
        "微信支付业务单号": row.business_no,
        "资金流水单号": row.flow_no,
        "业务名称": row.kind,
        "业务类型": row.kind,
        "收支类型": "收入" if row.amount_fen > 0 else "支出",
        "收支金额(元)": _yuan(abs(row.amount_fen)),
        "账户结余(元)": _yuan(row.balance_fen),
        "资金变更提交申请人": "system",
        "备注": "",
        "业务凭证号": row.voucher_no or "0",
    }
