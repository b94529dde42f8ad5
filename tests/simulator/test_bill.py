"""Bills: their sums, their form, and what may be wrong with them."""

import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian_simulator.bill import COLUMNS, FUND_COLUMNS, fen, yuan
from lingqian_simulator.money import fee_fen
from lingqian_simulator.noun import Payment, Refund
from lingqian_simulator.refund import shares
from simulated import Client

AMOUNT = st.integers(1, 10_000_000)


@given(AMOUNT)
def test_a_fee_is_six_per_mille_rounded_half_up(settled):
    """Compared with the definition, in whole numbers: |1000 fee - 6 settled| <= 500, half up."""
    rest = 6 * settled - 1000 * fee_fen(settled)
    assert -500 <= rest < 500


@pytest.mark.parametrize(
    ("settled", "fee"), [(1, 0), (83, 0), (84, 1), (250, 2), (5000, 30), (10_000, 60)]
)
def test_fees_by_hand(settled, fee):
    """0.6 % of 0.83 is 0.00498, of 0.84 0.00504; of 2.50 exactly 0.015, which is rounded up."""
    assert fee_fen(settled) == fee


@st.composite
def histories(draw):
    """Draw a payment with coupons, and refunds that end at its total."""
    total = draw(AMOUNT)
    cash = draw(st.integers(0, total))
    nocash = draw(st.integers(0, total - cash))
    cuts = sorted(draw(st.sets(st.integers(1, total), max_size=8)) | {total})
    refunds = [b - a for a, b in zip([0, *cuts], cuts, strict=False)]
    closed = draw(st.lists(st.booleans(), min_size=len(refunds), max_size=len(refunds)))
    return total, cash, nocash, refunds, closed


@given(histories())
def test_refunds_bring_back_every_part_to_the_fen(history):
    """Whatever the pieces, and though some were closed in between, the last brings all to zero."""
    total, cash, nocash, pieces, closed = history
    payment = Payment(
        "4200",
        total,
        total - cash - nocash,
        cash,
        nocash,
        fee_fen(total - nocash),
        "OTHERS",
        "o",
        0,
    )
    alive = []
    for piece, is_closed in zip(pieces, closed, strict=True):
        found = shares(payment, alive, piece)
        assert min(found) >= 0
        if not is_closed:
            alive.append(refund(piece, found))
    left = total - sum(r.refund_fen for r in alive)
    if left:
        alive.append(refund(left, shares(payment, alive, left)))
    assert sum(r.payer_refund_fen for r in alive) == payment.payer_fen
    assert sum(r.settled_refund_fen for r in alive) == payment.settled_fen
    assert sum(r.cash_coupon_refund_fen for r in alive) == payment.cash_coupon_fen
    assert sum(r.fee_fen for r in alive) == payment.fee_fen


def refund(amount, found):
    """Make a refund of these shares."""
    return Refund(
        mchid="1", out_refund_no="r", refund_id="5", out_trade_no="o", transaction_id="4200",
        request={}, refund_fen=amount, payer_refund_fen=found.payer,
        settled_refund_fen=found.settled, cash_coupon_refund_fen=found.cash_coupon,
        fee_fen=found.fee, notify_url="", created_us=0,
    )  # fmt: skip


@given(st.integers(-(10**9), 10**9))
def test_yuan_are_read_as_they_are_written(amount):
    """The way back from text to fen, without a float in between."""
    assert fen(yuan(amount)) == amount
    assert fen(f"{yuan(amount)}000") == amount


@pytest.fixture
def client(simulator):
    """A merchant with a day behind it: three payments, one with coupons, two refunds."""
    client = Client(simulator)
    for number, total in [("TU_000001", 5000), ("TU_000002", 333), ("TU_000003", 10_000)]:
        client.prepay(number, total=total, attach="a,b", description="零钱, 充值\n二")
    client.prepay("TU_000004")
    client.pay("TU_000001")
    client.pay("TU_000002")
    client.pay("TU_000003", cash_coupon_fen=1000, nocash_coupon_fen=2500)
    client.refund("R1", 1667)
    client.refund("R2", 10_000, total=10_000, order="TU_000003")
    client.date = simulator.to_tomorrow()
    return client


def ask(client, path="tradebill", **query):
    """Ask for a bill; return the answer."""
    words = "&".join(
        f"{name}={value}" for name, value in {"bill_date": client.date, **query}.items()
    )
    return client.call("GET", f"/v3/bill/{path}?{words}")


def fetch(client, path="tradebill", **query):
    """Fetch a bill; return its bytes, and whether the hash fits."""
    answer = ask(client, path, **query)
    assert answer.status == 200, answer.body
    assert client.is_genuine(answer.headers, answer.body)
    url = answer.json["download_url"]
    assert url.startswith(client.running.base_url)
    file = client.call("GET", url.removeprefix(client.running.base_url))
    assert file.status == 200
    assert "Wechatpay-Signature" not in file.headers
    body = gzip.decompress(file.body) if query.get("tar_type") else file.body
    return body, hashlib.sha1(body).hexdigest() == answer.json["hash_value"]


def read(content):
    """Read a bill by its header, as a merchant must."""
    lines = content.decode("utf-8-sig").split("\r\n")
    assert lines.pop() == ""
    heads = [line.split(",") for line in lines if not line.startswith("`")]
    cells = [line.removeprefix("`").split(",`") for line in lines if line.startswith("`")]
    rows = [dict(zip(heads[0], row, strict=True)) for row in cells[:-1]]
    return rows, dict(zip(heads[1], cells[-1], strict=True)), heads[0]


def total(rows, column):
    """Sum a column in fen."""
    return sum(fen(row[column]) for row in rows)


@pytest.mark.parametrize(("kind", "count"), [("ALL", 5), ("SUCCESS", 3), ("REFUND", 2)])
def test_the_rows_sum_to_the_summary(client, kind, count):
    """And the unpaid order does not appear."""
    content, is_whole = fetch(client, bill_type=kind)
    rows, summary, columns = read(content)
    assert is_whole
    assert content.startswith(b"\xef\xbb\xbf")
    assert tuple(columns) == COLUMNS[kind]
    assert len(COLUMNS[kind]) == {"ALL": 27, "SUCCESS": 20, "REFUND": 29}[kind]
    assert len(rows) == count
    assert summary["总交易单数"] == f"{count}.0"
    for name, column in [("应结订单总金额", "应结订单金额"), ("手续费总金额", "手续费")]:
        assert fen(summary[name]) == total(rows, column)
    assert "TU_000004" not in content.decode()


def test_trade_and_fund_bill_tell_the_same_story(client):
    """Settled, refunded and fees agree by type; each balance follows from the one before."""
    trade, _, _ = read(fetch(client, tar_type="GZIP")[0])
    fund, summary, columns = read(fetch(client, "fundflowbill", tar_type="GZIP")[0])
    assert tuple(columns) == FUND_COLUMNS

    def moved(name):
        rows = [row for row in fund if row["业务类型"] == name]
        return total(rows, "收支金额(元)")

    assert total(trade, "应结订单金额") == moved("交易") == 5000 + 333 + 7500
    assert total(trade, "退款金额") == moved("退款") == 1667 + 7500
    fees = moved("扣除交易手续费") - moved("退还交易手续费")
    assert total(trade, "手续费") == fees
    balance = 0
    for row in fund:
        sign = 1 if row["收支类型"] == "收入" else -1
        balance += sign * fen(row["收支金额(元)"])
        assert fen(row["账户结余(元)"]) == balance
    assert balance == fen(summary["收入金额"]) - fen(summary["支出金额"])
    (merchant,) = client.running.control("/control/merchants")
    assert merchant["balance_fen"] == balance


def test_coupons_and_words_in_the_rows(client):
    """What is owed, what was paid, and a merchant's own commas and line ends."""
    rows, _, _ = read(fetch(client)[0])
    row = next(row for row in rows if row["商户订单号"] == "TU_000003")
    assert (row["订单金额"], row["应结订单金额"], row["代金券金额"]) == ("100.00", "75.00", "10.00")
    assert row["手续费"] == "0.45000"
    assert row["商品名称"] == r"零钱\  充值\n二"
    assert row["商户数据包"] == r"a\ b"
    paid = client.query("TU_000003").json
    assert paid["amount"]["payer_total"] == 6500
    assert [coupon["type"] for coupon in paid["promotion_detail"]] == ["CASH", "NOCASH"]


def test_a_bill_is_there_from_nine_on_the_next_day(simulator):
    """Not for today, not before nine, not for a day without traffic, not for ever."""
    client = Client(simulator)
    client.prepay()
    client.pay()
    client.date = simulator.to_tomorrow(hour=8)
    assert ask(client).json["code"] == "STATEMENT_CREATING"
    simulator.control("/control/clock", {"advance_s": 3601})
    assert ask(client).status == 200
    tomorrow = simulator.control("/control/clock")["now"][:10]
    assert ask(client, bill_date=tomorrow).json["code"] == "INVALID_REQUEST"
    assert ask(client, bill_date="2026-13-01").json["code"] == "PARAM_ERROR"
    assert ask(client, bill_type="SOME").json["code"] == "PARAM_ERROR"
    assert ask(client, bill_type="REFUND").json["code"] == "NO_STATEMENT_EXIST"
    assert ask(client, "fundflowbill", account_type="FEES").json["code"] == "NO_STATEMENT_EXIST"
    simulator.control("/control/clock", {"advance_s": 100 * 86_400})
    assert ask(client).json["code"] == "INVALID_REQUEST"


def test_a_download_ends_after_five_minutes_and_is_ones_own(client):
    """The link is a secret of one merchant, for a while."""
    url = ask(client).json["download_url"].removeprefix(client.running.base_url)
    wish = {"mchid": "1900000002", "appids": ["wx0000000000000002"], "mode": "certificate"}
    made = client.running.control("/control/merchants", wish)
    other = Client(client.running, type(client.merchant)(**made))
    assert other.call("GET", url).json["code"] == "NO_AUTH"
    assert client.call("GET", url).status == 200
    client.running.control("/control/clock", {"advance_s": 301})
    assert client.call("GET", url).json["code"] == "INVALID_REQUEST"


def bent(client, name):
    """Fetch a bill with a fault; return the bytes and whether the hash fits."""
    client.running.control("/control/faults", {"name": name})
    return fetch(client)


def test_bills_that_are_wrong_by_themselves(client):
    """A merchant sees these without its own books."""
    whole, _ = fetch(client)
    content, fits = bent(client, "bill_truncated")
    assert whole.startswith(content)
    assert not fits
    content, fits = bent(client, "bill_wrong_hash")
    assert (content, fits) == (whole, False)
    content, fits = bent(client, "bill_cut")
    assert fits
    rows, summary, _ = read(content)
    assert (len(rows), summary["总交易单数"]) == (4, "5.0")
    client.running.control("/control/faults", {"name": "bill_late"})
    assert ask(client).json["code"] == "STATEMENT_CREATING"


def test_bills_that_only_ones_own_books_can_tell(client):
    """Sums and hash agree; a line is missing, too much, or one fen off."""
    rows, summary, _ = read(fetch(client)[0])
    for name, count, difference in [
        ("bill_dropped_line", 4, 0),
        ("bill_extra_line", 6, 5000),
        ("bill_broken_line", 5, 1),
    ]:
        content, fits = bent(client, name)
        found, changed, _ = read(content)
        assert fits
        assert len(found) == count
        assert fen(changed["订单总金额"]) == total(found, "订单金额")
        assert total(found, "订单金额") - total(rows, "订单金额") == difference
    assert fen(summary["订单总金额"]) == 15_333


def test_old_and_plain_forms(client):
    """Read by name, and without counting on a mark or on CRLF."""
    rows, summary, columns = read(bent(client, "bill_old_columns")[0])
    assert len(columns) == 24
    assert total(rows, "总金额") == fen(summary["总交易额"])
    content, fits = bent(client, "bill_plain")
    assert fits
    assert content.startswith("交易时间".encode())
    assert b"\r" not in content
