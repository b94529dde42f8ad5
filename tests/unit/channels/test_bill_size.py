"""Bounds of a bill: what is too large is refused by name before it fills the memory."""

import pytest

from lingqian.channels.port import BillKind
from lingqian.channels.wechatpay import bill
from lingqian.kernel.fault import Rejected

HEAD = "交易时间,微信订单号,商户订单号,交易状态,应结订单金额,手续费"
LINE = "`2026-11-25 10:00:00,`4200,`pa_1,`SUCCESS,`1.00,`0.01000"


def file(lines, foot="总交易单数"):
    """Return a bill of so many lines."""
    return "\r\n".join([HEAD, *[LINE] * lines, foot, f"`{lines}.0", ""]).encode()


def test_a_bill_of_too_many_lines_is_refused(monkeypatch):
    """The merchant must spread that over accounts; a process that dies closes no day at all."""
    monkeypatch.setattr(bill, "BILL_LINES_MAX", 3)
    assert len(bill.parse_bill(BillKind.TRADE, 1, file(3)).rows) == 3
    with pytest.raises(Rejected) as caught:
        bill.parse_bill(BillKind.TRADE, 1, file(4))
    assert caught.value.code == "bill_too_large"


@pytest.mark.parametrize(
    "raw",
    [
        file(1).replace("总交易单数".encode(), "\r\n总交易单数".encode()),
        file(1) + b"`1.0\r\n",
        file(1).removesuffix(b"`1.0\r\n"),
        file(0).replace("总交易单数\r\n".encode(), b""),
        file(1).replace("总交易单数\r\n".encode(), "总交易单数\r\n总交易单数\r\n".encode()),
    ],
    ids=["an empty line between", "two summaries", "no summary", "one header", "two headers"],
)
def test_a_file_of_another_build_is_refused(raw):
    """Read in one pass, it must still be seen whole."""
    with pytest.raises(Rejected) as caught:
        bill.parse_bill(BillKind.TRADE, 1, raw)
    assert caught.value.code == "bill_malformed"
