"""Bills on paper: an even file says what the rows say, an odd one is told from it by somebody."""

import pytest

from lingqian.channels.faulty.truth import fund_rows, trade_rows
from lingqian.channels.port import Bill, BillKind, Product, Profile, RefundOrder
from lingqian.channels.wechatpay.bill import parse_bill
from lingqian.clearing.fund import sums
from lingqian.kernel.clock import SECOND_US, business_day
from lingqian.kernel.fault import Rejected
from lingqian.kernel.id import PREFIX_ATTEMPT, show
from lingqian.simulation.clerk import finish, purchase_of
from lingqian.simulation.paper import HARMLESS, Odd, write
from lingqian.simulation.street import Street

NOW_US = 1_800_000_000 * SECOND_US
DAY = business_day(NOW_US)
PROFILE = Profile(
    "wx", "faulty", "模拟渠道", "Simulated channel", "CNY", frozenset((Product.JSAPI,)), 1, 10**8,
    can_refund_in_part=True, can_pay_out=True, refund_days_max=365, bill_hour=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def bills():
    """Both bills of a day with payments, a coupon and a refund of a part."""
    street = Street(PROFILE, bytes(32), lambda: NOW_US)
    for name, coupon in ((1, 0), (2, 1_000)):
        purchase = purchase_of(name.to_bytes(16, "big"), 500, NOW_US + 10**9, "")
        finish(street.prepay(purchase))
        street.rates = street.rates._replace(coupon=coupon)
        assert street.pay(purchase.attempt_no)
    number = show(PREFIX_ATTEMPT, (2).to_bytes(16, "big"))
    finish(street.refund(RefundOrder("rf_1", number, 333, 500, "CNY", "")))
    rows = {
        BillKind.TRADE: tuple(trade_rows(street.truth, DAY)),
        BillKind.FUND: tuple(fund_rows(street.truth, DAY)),
    }
    return {kind: Bill(kind, DAY, b"", b"", found) for kind, found in rows.items()}


@pytest.mark.parametrize("odd", sorted(HARMLESS))
@pytest.mark.parametrize("kind", list(BillKind))
def test_a_harmless_file_says_what_the_rows_say(bills, kind, odd):
    """Whatever its columns are called and in whatever company they come."""
    assert parse_bill(kind, DAY, write(bills[kind], odd)).rows == bills[kind].rows


def test_old_columns_are_for_days_without_coupons(bills):
    """Old files had no word for what is settled apart, so none is written with them."""
    plain = bills[BillKind.TRADE]._replace(rows=bills[BillKind.TRADE].rows[:1])
    assert "总交易额" in write(plain, Odd.OLD_COLUMNS).decode()
    assert parse_bill(BillKind.TRADE, DAY, write(plain, Odd.OLD_COLUMNS)).rows == plain.rows
    assert "总交易额" not in write(bills[BillKind.TRADE], Odd.OLD_COLUMNS).decode()


@pytest.mark.parametrize("kind", list(BillKind))
def test_a_truncated_file_is_no_bill(bills, kind):
    """Its end is its sum."""
    with pytest.raises(Rejected):
        parse_bill(kind, DAY, write(bills[kind], Odd.TRUNCATED))


@pytest.mark.parametrize("odd", [Odd.LINE_LOST, Odd.LINE_TWICE, Odd.AMOUNT_OFF, Odd.FEE_OFF])
def test_a_file_that_adds_up_may_still_lie(bills, odd):
    """It can be read, and only the other bill tells that it lies."""
    trade, fund = bills[BillKind.TRADE], bills[BillKind.FUND]
    even = sums(trade.rows, fund.rows)
    assert all(each.trade_fen == each.fund_fen for each in even)
    read = parse_bill(BillKind.TRADE, DAY, write(trade, odd))
    lied = sums(read.rows, fund.rows)
    assert any(each.trade_fen != each.fund_fen for each in lied)


def test_a_day_without_traffic_is_an_empty_file():
    """And that can be read as well."""
    empty = Bill(BillKind.TRADE, DAY, b"", b"", ())
    assert write(empty) == b""
    assert parse_bill(BillKind.TRADE, DAY, b"").rows == ()
