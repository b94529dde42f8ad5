"""Bills of a day: what was traded, and how the account moved, as files (对账单、资金账单).

Law: the sums of the rows are the summary line; each balance of the fund bill follows from the one
before; the trade bill's settled amounts, refunds and fees sum to those of the fund bill.
Units: yuan as text; fees with five decimals though they are whole fen.
Source: WeChat Pay APIv3, 申请交易账单, 申请资金账单, 下载账单; columns of the formats as of 2026.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from lingqian_simulator.call import Call, Reply, reply
from lingqian_simulator.clock import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    bill_date,
    bill_time,
    day_start_us,
)
from lingqian_simulator.fault import Target
from lingqian_simulator.field import refuse_query
from lingqian_simulator.money import RATE_TEXT, Line
from lingqian_simulator.noun import Order, Payment, Refund
from lingqian_simulator.order import TRADE_TYPES
from lingqian_simulator.refusal import (
    INVALID_REQUEST,
    NO_AUTH,
    NO_STATEMENT,
    STATEMENT_CREATING,
    Refused,
)
from lingqian_simulator.world import Download, World

READY_US: Final = 9 * HOUR_US  # on the day after
KEPT_US: Final = 92 * DAY_US
DOWNLOAD_LIFE_US: Final = 5 * MINUTE_US
_BOM: Final = "\ufeff"

_HEAD: Final = (
    "交易时间",
    "公众账号ID",
    "商户号",
    "特约商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "应结订单金额",
    "代金券金额",
)
_REFUNDED: Final = (
    "微信退款单号",
    "商户退款单号",
    "退款金额",
    "充值券退款金额",
    "退款类型",
    "退款状态",
)
_TIMES: Final = ("退款申请时间", "退款成功时间")
_GOODS: Final = ("商品名称", "商户数据包", "手续费", "费率", "订单金额")
COLUMNS: Final = {
    "ALL": (*_HEAD, *_REFUNDED, *_GOODS, "申请退款金额", "费率备注"),
    "SUCCESS": (*_HEAD, *_GOODS, "费率备注"),
    "REFUND": (*_HEAD, *_TIMES, *_REFUNDED, *_GOODS, "申请退款金额", "费率备注"),
}
SUMMARY: Final = {
    "总交易单数": "",
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
FUND_COLUMNS: Final = (
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "资金变更提交申请人",
    "备注",
    "业务凭证号",
)
# As the columns were called before 2019; an empty name was not there.
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
_REFUND_STATES: Final = {
    "SUCCESS": "SUCCESS",
    "PROCESSING": "PROCESSING",
    "CLOSED": "FAIL",
    "ABNORMAL": "CHANGE",
}
_SPECIAL: Final = {"ALL_SPECIAL": "ALL", "SUC_SPECIAL": "SUCCESS", "REF_SPECIAL": "REFUND"}

Row = dict[str, str]


class Sheet(NamedTuple):
    """A bill before it is a file: columns, rows, and how its summary line is drawn up."""

    columns: tuple[str, ...]
    rows: list[Row]
    summary: Callable[[list[Row]], Row]


def yuan(fen: int) -> str:
    """Write fen as yuan with two decimals."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def fen(text: str) -> int:
    """Read yuan with two or five decimals as fen."""
    whole, _, part = text.lstrip("-").partition(".")
    value = int(whole) * 100 + int(part[:2])
    return -value if text.startswith("-") else value


# --- the operations ---


def trade_bill(call: Call) -> Reply:
    """Make the trade bill of a day and say where to fetch it."""
    start, fault = _gate(call, "trade_bill")
    kind = call.query.get("bill_type") or "ALL"
    if kind == "RECHARGE_REFUND":
        raise Refused(NO_STATEMENT)
    if _SPECIAL.get(kind, kind) not in COLUMNS:
        refuse_query("bill_type", kind, "映射到字段“账单类型”枚举值不合法")
    return _offer(call, trade_sheet(call.world, call.merchant.mchid, kind, start), fault)


def fund_bill(call: Call) -> Reply:
    """Make the fund bill of a day and say where to fetch it."""
    start, fault = _gate(call, "fund_bill")
    account = call.query.get("account_type") or "BASIC"
    if account not in ("BASIC", "OPERATION", "FEES"):
        refuse_query("account_type", account, "映射到字段“资金账户类型”枚举值不合法")
    sheet = fund_sheet(call.world, call.merchant.mchid, start)
    return _offer(call, sheet if account == "BASIC" else sheet._replace(rows=[]), fault)


def _gate(call: Call, operation: str) -> tuple[int, str]:
    """Return the day's first instant and the fault that strikes this bill."""
    date = call.query.get("bill_date") or ""
    start = day_start_us(date)
    if start is None:
        refuse_query("bill_date", date, "映射到字段“账单日期”格式错误，应为yyyy-MM-dd")
    if call.query.get("tar_type") not in (None, "", "GZIP"):
        refuse_query("tar_type", call.query["tar_type"], "映射到字段“压缩类型”枚举值不合法")
    now = call.world.clock.now_us()
    if start >= (day_start_us(bill_date(now)) or 0) or now - start > KEPT_US:
        raise Refused(INVALID_REQUEST, "账单日期不在可下载的范围内")
    fault = call.world.faults.strike(Target("bill", call.merchant.mchid, operation=operation))
    name = fault.name if fault else ""
    if now < start + DAY_US + READY_US or name == "bill_late":
        raise Refused(STATEMENT_CREATING)
    return start, name


def _offer(call: Call, sheet: Sheet, fault: str) -> Reply:
    if not sheet.rows:
        raise Refused(NO_STATEMENT)
    content = render(bend(sheet, fault), fault)
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if fault == "bill_wrong_hash":
        digest = hashlib.sha1(b"another" + content, usedforsecurity=False).hexdigest()
    content = mangle(content, fault)
    is_gzip = call.query.get("tar_type") == "GZIP"
    token = call.world.chance.alphanumerics(64)
    until = call.world.clock.now_us() + DOWNLOAD_LIFE_US
    downloads = call.world.downloads
    for old in [name for name, kept in downloads.items() if kept.until_us < until - HOUR_US]:
        del downloads[old]
    body = gzip.compress(content, mtime=0) if is_gzip else content
    downloads[token] = Download(call.merchant.mchid, until, body)
    query = urlencode({"token": token} | ({"tartype": "gzip"} if is_gzip else {}))
    url = f"{call.base_url}/v3/billdownload/file?{query}"
    return reply({"hash_type": "SHA1", "hash_value": digest, "download_url": url})


def download(call: Call) -> Reply:
    """Hand out a file, unsigned, to the merchant it was made for, for five minutes."""
    found = call.world.downloads.get(call.query.get("token", ""))
    if found is None or call.world.clock.now_us() > found.until_us:
        raise Refused(INVALID_REQUEST, "下载链接已失效，请重新申请账单")
    if found.mchid != call.merchant.mchid:
        raise Refused(NO_AUTH)
    is_gzip = call.query.get("tartype") == "gzip"
    kind = "application/x-gzip" if is_gzip else "text/plain; charset=utf-8"
    return Reply(200, found.body, is_signed=False, content_type=kind)


# --- what stands in them ---


def trade_sheet(world: World, mchid: str, kind: str, start_us: int) -> Sheet:
    """Draw up the trade bill of the day that begins at an instant."""
    form = _SPECIAL.get(kind, kind)
    end = start_us + DAY_US
    rows: list[Row] = []
    for order in world.orders.values():
        if order.mchid != mchid:
            continue
        if form != "REFUND":
            paid = (p for p in order.payments if start_us <= p.at_us < end)
            rows += [_payment_row(order, payment) for payment in paid]
        if form != "SUCCESS":
            own = (r for r in world.refunds_of.get(order.key, []) if start_us <= r.created_us < end)
            rows += [_refund_row(order, refund, end) for refund in own]
    return Sheet(COLUMNS[form], rows, _sum_trade)


def _order_row(order: Order, payment: Payment) -> Row:
    return {
        "公众账号ID": order.appid,
        "商户号": order.mchid,
        "特约商户号": "0",
        "设备号": _text((order.request.get("scene_info") or {}).get("device_id")),
        "微信订单号": payment.transaction_id,
        "商户订单号": order.out_trade_no,
        "用户标识": payment.openid,
        "交易类型": TRADE_TYPES[order.product],
        "付款银行": payment.bank_type,
        "货币种类": "CNY",
        "商品名称": _text(order.request["description"]),
        "商户数据包": _text(order.request.get("attach")),
        "费率": RATE_TEXT,
        "费率备注": "",
        "退款类型": "",
        "退款状态": "",
        "退款申请时间": "",
        "退款成功时间": "",
    }


def _payment_row(order: Order, payment: Payment) -> Row:
    return _order_row(order, payment) | {
        "交易时间": bill_time(payment.at_us),
        "交易状态": "SUCCESS",
        "应结订单金额": yuan(payment.settled_fen),
        "代金券金额": yuan(payment.cash_coupon_fen),
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "手续费": f"{yuan(payment.fee_fen)}000",
        "订单金额": yuan(payment.total_fen),
        "申请退款金额": "0.00",
    }


def _refund_row(order: Order, refund: Refund, end_us: int) -> Row:
    payment = next(p for p in order.payments if p.transaction_id == refund.transaction_id)
    is_done = bool(refund.done_us) and refund.done_us < end_us
    state = _REFUND_STATES[refund.state] if is_done else "PROCESSING"
    return _order_row(order, payment) | {
        "交易时间": bill_time(refund.created_us),
        "交易状态": "REFUND",
        "应结订单金额": "0.00",
        "代金券金额": "0.00",
        "退款申请时间": bill_time(refund.created_us),
        "退款成功时间": bill_time(refund.done_us) if state == "SUCCESS" else "",
        "微信退款单号": refund.refund_id,
        "商户退款单号": refund.out_refund_no,
        "退款金额": yuan(refund.settled_refund_fen),
        "充值券退款金额": yuan(refund.cash_coupon_refund_fen),
        "退款类型": refund.channel,
        "退款状态": state,
        "手续费": f"{yuan(-refund.fee_fen)}000",
        "订单金额": "0.00",
        "申请退款金额": yuan(refund.refund_fen),
    }


def _sum_trade(rows: list[Row]) -> Row:
    found = {"总交易单数": f"{len(rows)}.0"}
    for title, column in SUMMARY.items():
        if column:
            found[title] = yuan(sum(fen(row[column]) for row in rows))
    found["手续费总金额"] += "000"
    return found


def fund_sheet(world: World, mchid: str, start_us: int) -> Sheet:
    """Draw up the fund bill of the day that begins at an instant."""
    own = (line for line in world.lines if line.mchid == mchid)
    rows = [_fund_row(line) for line in own if start_us <= line.at_us < start_us + DAY_US]
    return Sheet(FUND_COLUMNS, rows, _sum_fund)


def _fund_row(line: Line) -> Row:
    values = (
        bill_time(line.at_us), line.business_no, line.flow_no, line.name, line.kind, line.direction,
        yuan(line.amount_fen), yuan(line.balance_fen), line.applicant, _text(line.note),
        line.voucher,
    )  # fmt: skip
    return dict(zip(FUND_COLUMNS, values, strict=True))


def _sum_fund(rows: list[Row]) -> Row:
    def total(direction: str) -> tuple[int, int]:
        found = [fen(row["收支金额(元)"]) for row in rows if row["收支类型"] == direction]
        return len(found), sum(found)

    (count_in, sum_in), (count_out, sum_out) = total("收入"), total("支出")
    return {
        "资金流水总笔数": f"{len(rows)}.0",
        "收入笔数": f"{count_in}.0",
        "收入金额": yuan(sum_in),
        "支出笔数": f"{count_out}.0",
        "支出金额": yuan(sum_out),
    }


def _text(value: object) -> str:
    """Keep a merchant's own words from breaking the lines."""
    return str(value or "").replace(",", r"\ ").replace("\n", r"\n").replace("\r", "")


# --- what may be wrong with them, and the file ---


def bend(sheet: Sheet, fault: str) -> Sheet:
    """Change a bill so that its summary agrees and only the merchant's own books can tell."""
    rows = [dict(row) for row in sheet.rows]
    amounts = ("应结订单金额", "订单金额", "收支金额(元)")
    match fault:
        case "bill_dropped_line":
            rows.pop()
        case "bill_broken_line":
            for name in amounts:
                if name in rows[0] and rows[0][name] != "0.00":
                    rows[0][name] = yuan(fen(rows[0][name]) + 1)
        case "bill_extra_line":
            extra = dict(rows[0])
            for name in ("微信订单号", "商户订单号", "微信支付业务单号", "资金流水单号"):
                if name in extra:
                    extra[name] = f"{extra[name][:-6]}999999"
            rows.append(extra)
        case _:
            pass
    return sheet._replace(rows=rows)


def render(sheet: Sheet, fault: str = "") -> bytes:
    """Write a bill as a file."""
    names = _OLD if fault == "bill_old_columns" else {}
    lines = [_header(sheet.columns, names)]
    lines += [_cells(row, sheet.columns, names) for row in sheet.rows]
    summary = sheet.summary(sheet.rows)
    if fault == "bill_cut":
        lines.pop()
    lines += [_header(tuple(summary), names), _cells(summary, tuple(summary), names)]
    end, start = ("\n", "") if fault == "bill_plain" else ("\r\n", _BOM)
    return (start + end.join([*lines, ""])).encode()


def _header(columns: tuple[str, ...], names: Mapping[str, str]) -> str:
    return ",".join(filter(None, (names.get(name, name) for name in columns)))


def _cells(row: Row, columns: tuple[str, ...], names: Mapping[str, str]) -> str:
    return ",".join(f"`{row[name]}" for name in columns if names.get(name, name))


def mangle(content: bytes, fault: str) -> bytes:
    """Lose the end of a file on its way."""
    return content[: len(content) * 2 // 3] if fault == "bill_truncated" else content
