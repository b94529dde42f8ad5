"""Bills: read by header, to the fen, and refused as soon as anything does not add up."""

import asyncio
import gzip
import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import BillKind, BillSide
from lingqian.channels.wechatpay.bill import parse_bill, parse_yuan
from lingqian.channels.wechatpay.channel import unpacked
from lingqian.kernel.clock import from_rfc3339
from lingqian.kernel.fault import Rejected
from unit.channels.platform import channel, hosts, write_keys

BOM = "\ufeff"
ALL = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,"
    "退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMMARY = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
OLD = (
    "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,总金额,代金券或立减优惠金额,微信退款单号,商户退款单号,退款金额,"
    "代金券或立减优惠退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率"
)
OLD_SUMMARY = "总交易单数,总交易额,总退款金额,总代金券或立减优惠退款金额,手续费总金额"
FUND = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额{0},账户结余{0},"
    "资金变更提交申请人,备注,业务凭证号"
)
FUND_SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


def row(*cells):
    """Write a line of cells."""
    return "`" + ",`".join(cells)


PAID = row(
    *("2026-03-09 05:01:46", "wx0", "1900000001", "0", "", "4200001", "pa_1", "oU", "JSAPI"),
    *("SUCCESS", "OTHERS", "CNY", "99.00", "1.00", "0", "0", "0.00", "0.00", "", ""),
    *("充值\\ 红包\\n一行", "a`b", "0.59400", "0.60%", "100.00", "0.00", ""),
)
BACK = row(
    *("2026-03-09 23:59:59", "wx0", "1900000001", "0", "", "4200000", "pa_0", "oU", "JSAPI"),
    *("REFUND", "OTHERS", "CNY", "0.00", "0.00", "5030", "rf_1", "20.05", "0.00", "ORIGINAL"),
    *("PROCESSING", "充值", "", "-0.12000", "0.60%", "0.00", "20.05", ""),
)
SUMS = row("2.0", "99.00", "20.05", "0.00", "0.47400", "100.00", "20.05")


def sheet(*lines, end="\r\n", mark=BOM):
    """Write a file."""
    return (mark + end.join([*lines, ""])).encode()


TRADE = sheet(ALL, PAID, BACK, SUMMARY, SUMS)


def trade(raw):
    """Parse a trade bill."""
    return parse_bill(BillKind.TRADE, 20_521, raw)


def refused(code, raw, kind=BillKind.TRADE):
    """Assert that a file is refused under a code."""
    with pytest.raises(Rejected) as caught:
        parse_bill(kind, 0, raw)
    assert caught.value.code == code


def test_a_payment_and_a_refund_are_read_to_the_last_digit():
    """What a day is closed on."""
    bill = trade(TRADE)
    paid, back = bill.rows
    assert bill.digest == hashlib.sha256(TRADE).digest()
    assert paid.side is BillSide.PAYMENT
    assert paid.at_us == from_rfc3339("2026-03-08T21:01:46Z")
    assert (paid.attempt_no, paid.transaction_id) == ("pa_1", "4200001")
    assert (paid.refund_no, paid.refund_id) == ("", "")
    assert (paid.amount_fen, paid.settle_fen, paid.coupon_fen) == (10_000, 9_900, 100)
    assert (paid.fee_e5, paid.rate_ppm) == (59_400, 6_000)
    assert (paid.state, paid.product) == ("SUCCESS", "JSAPI")
    assert back.side is BillSide.REFUND
    assert (back.attempt_no, back.refund_no, back.refund_id) == ("pa_0", "rf_1", "5030")
    assert (back.amount_fen, back.settle_fen, back.fee_e5) == (2_005, 2_005, -12_000)
    assert back.state == "PROCESSING"


@pytest.mark.parametrize(("end", "mark"), [("\n", BOM), ("\r\n", ""), ("\n", "")])
def test_older_files_lack_the_mark_or_the_carriage_return(end, mark):
    """Samples of both are still about."""
    lines = (ALL, PAID, BACK, SUMMARY, SUMS)
    assert trade(sheet(*lines, end=end, mark=mark)).rows == trade(TRADE).rows


def test_columns_are_found_by_name_wherever_they_stand():
    """The platform adds and moves columns."""
    names = ALL.split(",")
    cells = [line[1:].split(",`") for line in (PAID, BACK)]
    turned = [",".join(["新列", *reversed(names)])]
    turned += [row("x", *reversed(each)) for each in cells]
    assert trade(sheet(*turned, SUMMARY, SUMS)).rows == trade(TRADE).rows


def test_old_columns_are_read_as_what_they_are():
    """A few merchants still get the file of 2018."""
    paid = row(
        *("2018-03-09 05:01:46", "wx0", "19", "0", "", "42", "pa_1", "oU", "NATIVE", "SUCCESS"),
        *("CFT", "CNY", "0.10", "0.00", "0", "0", "0.00", "0.00", "", "", "x", "", "0.00000"),
        "0.60%",
    )
    (found,) = trade(
        sheet(OLD, paid, OLD_SUMMARY, row("1", "0.10", "0.00", "0.00", "0.00000"))
    ).rows
    assert (found.amount_fen, found.settle_fen) == (10, 10)


def fund_line(*cells):
    """Write a line of a fund bill: second, numbers, kind, way, amount, balance, voucher."""
    second, business, flow, kind, way, amount, balance, voucher = cells
    return row(
        *(f"2026-03-09 04:21:{second}", business, flow, kind, kind, way, amount, balance),
        *("system", "缺货", voucher),
    )


@pytest.mark.parametrize("unit", ["(元)", "（元）", ""])
def test_fund_bill_reads_brackets_of_either_width(unit):
    """Both have been seen in the documents."""
    lines = (
        fund_line("22", "5000", "19001", "交易", "收入", "1.00", "1.19", "42"),
        fund_line("23", "5000", "19002", "扣除交易手续费", "支出", "0.01", "1.18", "42"),
        fund_line("24", "5001", "19003", "退款", "支出", "0.02", "1.16", "0"),
        fund_line("25", "5002", "19004", "商家转账", "支出", "1", "0.16", "b"),
    )
    sums = row("4.0", "1.0", "1.00", "3.0", "1.03")
    raw = sheet(FUND.format(unit), *lines, FUND_SUMMARY, sums)
    rows = parse_bill(BillKind.FUND, 0, raw).rows
    assert [each.side for each in rows] == [
        BillSide.PAYMENT,
        BillSide.FEE,
        BillSide.REFUND,
        BillSide.OTHER_OUT,
    ]
    assert [each.amount_fen for each in rows] == [100, -1, -2, -100]
    assert [each.balance_fen for each in rows] == [119, 118, 116, 16]
    assert [each.voucher_no for each in rows] == ["42", "42", "", "b"]


def test_no_bytes_are_a_day_without_traffic():
    """And a header with a summary of nothing is one too."""
    assert trade(b"").rows == ()
    empty = row("0.0", *["0.00"] * 6)
    assert trade(sheet(ALL, SUMMARY, empty)).rows == ()


@pytest.mark.parametrize("place", range(7))
def test_each_cell_of_the_summary_is_held_against_the_rows(place):
    """One lost line must be seen, whichever sum it is missing from."""
    cells = SUMS[1:].split(",`")
    cells[place] = "3" if place == 0 else "77.70"
    refused("bill_sum", sheet(ALL, PAID, BACK, SUMMARY, row(*cells)))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (TRADE[:-30], "bill_malformed"),
        (sheet(ALL, PAID, SUMMARY, SUMS), "bill_sum"),
        (sheet(ALL, PAID, BACK), "bill_malformed"),
        (sheet(ALL, PAID, BACK, SUMMARY), "bill_malformed"),
        (sheet(ALL, PAID, "", BACK, SUMMARY, SUMS), "bill_malformed"),
        (sheet(ALL.replace("商户订单号", "单号"), PAID, BACK, SUMMARY, SUMS), "bill_columns"),
        (sheet(ALL.replace("设备号", "商户号"), PAID, BACK, SUMMARY, SUMS), "bill_columns"),
        (sheet(ALL, PAID + ",`x", BACK, SUMMARY, SUMS), "bill_malformed"),
        (TRADE.replace(b"05:01:46", b"25:01:46"), "bill_malformed"),
        (TRADE.replace(b"100.00", b"1e2"), "bill_malformed"),
        (TRADE.replace(b"0.60%", b"0.6"), "bill_malformed"),
        (b"\xff" + TRADE, "bill_encoding"),
        (b"<html>", "bill_malformed"),
        (gzip.compress(TRADE), "bill_encoding"),
    ],
)
def test_broken_files_are_refused_by_name(raw, code):
    """A bill that is nearly right closes a day wrongly."""
    refused(code, raw)


@pytest.mark.parametrize(
    ("text", "places", "value"),
    [
        ("0.01", 2, 1),
        ("12", 2, 1_200),
        ("-0.02000", 5, -2_000),
        ("0.10000", 2, 10),
        ("+1.5", 2, 150),
    ],
)
def test_yuan_become_integers(text, places, value):
    """By moving a point in a text."""
    assert parse_yuan(text, places) == value


@pytest.mark.parametrize(
    "text", ["", "1e2", "٣", "1.", ".5", "1.001", "1,000", " 1", "1\n", "9" * 16]
)
def test_what_is_no_amount_is_refused(text):
    """A third of a fen is not money, nor is a comma."""
    with pytest.raises(Rejected):
        parse_yuan(text, 2)


@given(st.integers(-(10**12), 10**12))
def test_every_fen_survives_its_text(fen):
    """There and back, where a float would lose some."""
    text = f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
    assert parse_yuan(text, 2) == fen


@given(st.binary(max_size=200), st.integers(0, len(TRADE)), st.integers(0, 40))
def test_hostile_bytes_are_refused_or_read(junk, place, cut):
    """Whatever is pasted over a file: a clean refusal, or rows that add up."""
    raw = TRADE[:place] + junk + TRADE[place + cut :]
    try:
        rows = trade(raw).rows
    except Rejected:
        return
    assert sum(each.amount_fen for each in rows if each.side is BillSide.PAYMENT) <= 10_000


def test_a_packed_bomb_is_cut():
    """A thousandfold file of zeros must not fill the memory."""
    with pytest.raises(Rejected, match="bill_too_large"):
        unpacked(gzip.compress(bytes(1_000_000)), 999_999)
    assert len(unpacked(gzip.compress(bytes(1_000_000)), 1_000_000)) == 1_000_000
    with pytest.raises(Rejected, match="bill_malformed"):
        unpacked(gzip.compress(TRADE)[:-9], 10_000)


@given(st.binary(max_size=100))
def test_packed_junk_is_refused(junk):
    """Bytes that only begin like a packed file."""
    with pytest.raises(Rejected):
        unpacked(b"\x1f\x8b" + junk, 1_000)


def fetched(tmp_path, *, raw=TRADE, sha1=None, host=None):
    """Fetch a bill over scripted hosts."""

    async def play():
        async with hosts() as (found, urls):
            account = channel(msgspec.structs.replace(write_keys(tmp_path), hosts=urls))
            place = {
                "hash_type": "SHA1",
                "hash_value": sha1 or hashlib.sha1(TRADE, usedforsecurity=False).hexdigest(),
                "download_url": f"{host or urls[1]}/v3/billdownload/file?token=a%2Bb&tartype=gzip",
            }
            found[0].say(200, json.dumps(place).encode())
            found[1].say(200, raw, signed=False)
            try:
                return await account.fetch_bill(BillKind.TRADE, 20_521), found
            finally:
                await account.close_session()

    return asyncio.run(asyncio.wait_for(play(), 30))


@pytest.mark.parametrize("raw", [TRADE, gzip.compress(TRADE)], ids=["plain", "packed"])
def test_a_file_is_fetched_where_it_lies_unsigned_and_checked_by_its_hash(tmp_path, raw):
    """The hash is over the plain bytes, whichever form they travel in."""
    bill, (first, second) = fetched(tmp_path, raw=raw)
    assert bill.raw == TRADE
    assert len(bill.rows) == 2
    assert first.requests[0].target == (
        "/v3/bill/tradebill?bill_date=2026-03-09&bill_type=ALL&tar_type=GZIP"
    )
    assert second.requests[0].target == "/v3/billdownload/file?token=a%2Bb&tartype=gzip"


def test_a_file_that_is_not_the_announced_one_is_refused(tmp_path):
    """The download carries no signature; the hash in the signed answer stands for it."""
    with pytest.raises(Rejected, match="bill_hash"):
        fetched(tmp_path, raw=TRADE.replace(b"pa_1", b"pa_2"))


def test_a_file_elsewhere_is_not_fetched(tmp_path):
    """Our signature goes to no host that is not the platform's."""
    with pytest.raises(Rejected, match="bill_address"):
        fetched(tmp_path, host="http://127.0.0.1:1")
