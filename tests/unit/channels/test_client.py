"""The client: exact bytes out, verified bytes in, and the right word for every way it fails."""

import asyncio
import base64
import json
import logging

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from lingqian.channels.port import (
    AbnormalRefund,
    BillKind,
    PayoutOrder,
    PayoutState,
    Product,
    Purchase,
    RefundOrder,
    RefundState,
    TradeState,
)
from lingqian.channels.wechatpay.rsa import read_private
from lingqian.kernel.fault import BadSignature, Rejected, Unknown, Unsent
from unit.channels.platform import (
    APPID,
    MCHID,
    MERCHANT_KEY,
    NOW_S,
    NOW_US,
    PLATFORM_KEY,
    PUBLIC_ID,
    STRANGER_KEY,
    channel,
    hosts,
    private_pem,
    sign,
    transaction,
    write_keys,
)

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
PURCHASE = Purchase(
    "pa_0000000000000000000000000A",
    Product.JSAPI,
    "充值 50 元",
    5_000,
    "CNY",
    NOW_US + 900_000_000,
    OPENID,
    "203.0.113.7",
    "",
)
REFUND = RefundOrder("rf_1", "pa_1", 700, 5_000, "CNY", "不想要了")
CARD = {"bank_type": "ICBC_DEBIT", "bank_account": "6222020000000000", "real_name": "张三"}
PAYOUT = PayoutOrder("po_0000000000000000000000000A", OPENID, 200_000, "提现", "张三")


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    """The settings of one account."""
    return write_keys(tmp_path_factory.mktemp("keys"))


def run(row, scene, count=2):
    """Play a scene with scripted hosts: `scene(account, hosts)`."""

    async def play():
        async with hosts(count) as (found, urls):
            account = channel(msgspec.structs.replace(row, hosts=urls))
            try:
                return await scene(account, found)
            finally:
                await account.close_session()

    return asyncio.run(asyncio.wait_for(play(), 30))


def said(value):
    """Write a value as an answer's body."""
    return json.dumps(value, ensure_ascii=False).encode()


def refusal(code, message="不行"):
    """Return an error's body."""
    return said({"code": code, "message": message, "detail": {"value": OPENID}})


def unsigned_parts(header):
    """Take an Authorization header apart, by name."""
    scheme, _, rest = header.partition(" ")
    pairs = dict(part.split("=", 1) for part in rest.split(","))
    return scheme, {name: value.strip('"') for name, value in pairs.items()}


def check_request(request):
    """Verify a request over the bytes that came."""
    scheme, pairs = unsigned_parts(request.headers["authorization"])
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    assert pairs["mchid"] == MCHID
    assert pairs["timestamp"] == str(NOW_S)
    assert len(pairs["nonce_str"]) == 32
    message = "\n".join(
        [request.method, request.target, pairs["timestamp"], pairs["nonce_str"], ""]
    )
    MERCHANT_KEY.public_key().verify(
        base64.b64decode(pairs["signature"]),
        message.encode() + request.body + b"\n",
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


def test_prepay_is_signed_over_the_bytes_that_are_sent(row):
    """One letter written otherwise after signing, and nothing works."""

    async def scene(account, found):
        found[0].say(200, said({"prepay_id": "wx201410272009395522657a690389285100"}))
        prepaid = await account.prepay(PURCHASE)
        return prepaid, found[0].requests

    prepaid, (request,) = run(row, scene)
    assert prepaid.token == "wx201410272009395522657a690389285100"
    assert prepaid.valid_until_us == PURCHASE.expires_at_us
    check_request(request)
    assert request.target == "/v3/pay/transactions/jsapi"
    assert request.headers["wechatpay-serial"] == PUBLIC_ID
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "appid": APPID,
        "mchid": MCHID,
        "description": "充值 50 元",
        "out_trade_no": PURCHASE.attempt_no,
        "time_expire": "2026-11-07T05:35:00+08:00",
        "notify_url": "https://wallet.example/v1/channels/main/notices",
        "amount": {"total": 5_000, "currency": "CNY"},
        "payer": {"openid": OPENID},
        "scene_info": {"payer_client_ip": "203.0.113.7"},
    }


@pytest.mark.parametrize("number", ["a|b*c", "a b", "a/b?c=d#e", "钱", "a%2Fb", "a%7cb"])
def test_numbers_in_paths_are_signed_as_they_are_sent(row, number):
    """Libraries like to write such letters otherwise on the wire than in the string signed."""

    async def scene(account, found):
        found[0].say(404, refusal("ORDER_NOT_EXIST"))
        reading = await account.query(number)
        assert reading.state is TradeState.ABSENT
        return found[0].requests

    (request,) = run(row, scene)
    check_request(request)
    assert request.target.endswith(f"?mchid={MCHID}")
    assert " " not in request.target


@pytest.mark.parametrize(
    ("product", "endpoint", "answer", "life_s"),
    [
        (Product.MINI_PROGRAM, "jsapi", {"prepay_id": "t"}, 7_200),
        (Product.APP, "app", {"prepay_id": "t"}, 7_200),
        (Product.H5, "h5", {"h5_url": "t"}, 300),
        (Product.NATIVE, "native", {"code_url": "t"}, 7_200),
    ],
)
def test_each_product_has_its_endpoint_its_token_and_its_life(
    row, product, endpoint, answer, life_s
):
    """An openid where none belongs is refused by the platform, and h5 needs its scene."""

    async def scene(account, found):
        found[0].say(200, said(answer))
        late = NOW_US + 10**12
        prepaid = await account.prepay(PURCHASE._replace(product=product, expires_at_us=late))
        return prepaid, found[0].requests

    prepaid, (request,) = run(row, scene)
    body = json.loads(request.body)
    assert request.target == f"/v3/pay/transactions/{endpoint}"
    assert prepaid.token == "t"
    assert prepaid.valid_until_us == NOW_US + life_s * 1_000_000
    assert ("payer" in body) == (product is Product.MINI_PROGRAM)
    assert ("h5_info" in body["scene_info"]) == (product is Product.H5)


def test_close_is_true_only_on_a_signed_204(row):
    """An empty body is signed as well."""

    async def scene(account, found):
        found[0].say(204)
        await account.close("pa_1")
        found[0].say(204, signed=False)
        with pytest.raises(Unknown):
            await account.close("pa_1")
        found[0].say(400, refusal("ORDERPAID"))
        with pytest.raises(Rejected) as caught:
            await account.close("pa_1")
        assert caught.value.code == "ORDERPAID"

    run(row, scene)


def test_unpaid_order_needs_none_of_the_fields_of_a_paid_one(row):
    """The very answer three merchants have published."""
    answer = {
        "amount": {"payer_currency": "CNY", "total": 100},
        "appid": APPID,
        "mchid": MCHID,
        "out_trade_no": "pa_1",
        "promotion_detail": [],
        "scene_info": {"device_id": ""},
        "trade_state": "NOTPAY",
        "trade_state_desc": "订单未支付",
    }

    async def scene(account, found):
        found[0].say(200, said(answer))
        return await account.query("pa_1")

    reading = run(row, scene)
    assert reading.state is TradeState.NOT_PAID
    assert reading.amount_fen == 0


def test_an_answer_about_another_number_is_no_answer(row):
    """Whatever mixed it up, money must not follow it."""

    async def scene(account, found):
        found[0].say(200, said(transaction(out_trade_no="pa_2")))
        with pytest.raises(Unknown):
            await account.query("pa_1")

    run(row, scene)


def test_a_write_with_an_answer_that_is_not_theirs_is_unknown(row):
    """It may have been done; §18 calls an unverifiable success an unknown outcome."""

    async def scene(account, found):
        body = said({"out_refund_no": "rf_1", "status": "SUCCESS"})
        found[0].say(200, body, sign(body, key=STRANGER_KEY).headers, signed=False)
        with pytest.raises(Unknown):
            await account.refund(REFUND)
        return found

    first, second = run(row, scene)
    assert (len(first.requests), len(second.requests)) == (1, 0)


def test_a_probed_read_is_asked_again_and_a_forged_one_is_refused(row):
    """A repeated request is not probed again; if it is still wrong, it is not the platform."""

    async def scene(account, found):
        body = said(transaction(out_trade_no="pa_1"))
        probe = {**sign(body).headers, "wechatpay-signature": "WECHATPAY/SIGNTEST/x"}
        found[0].say(200, body, probe, signed=False)
        found[0].say(200, body)
        assert (await account.query("pa_1")).state is TradeState.PAID
        found[0].say(200, body, probe, signed=False)
        found[0].say(200, body, signed=False)
        with pytest.raises(BadSignature):
            await account.query("pa_1")

    run(row, scene)


async def hang(_writer):
    """Take the request and never answer."""
    await asyncio.sleep(5)


async def cut(writer):
    """Take the request and cut the line in the middle of an answer."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
    await writer.drain()


@pytest.mark.parametrize("end", [hang, cut], ids=["hang", "cut"])
def test_a_write_that_may_have_arrived_is_unknown_and_not_sent_again(row, end):
    """A time-out is never a failure, and the other host would be a second refund's chance."""

    async def scene(account, found):
        found[0].script.append(end)
        with pytest.raises(Unknown):
            await account.refund(REFUND)
        return found

    first, second = run(msgspec.structs.replace(row, timeout_s=1), scene)
    assert (len(first.requests), len(second.requests)) == (1, 0)


@pytest.mark.parametrize("end", [hang, cut], ids=["hang", "cut"])
def test_a_read_goes_to_the_other_host(row, end):
    """Asking twice changes nothing."""

    async def scene(account, found):
        found[0].script.append(end)
        found[1].say(200, said(transaction(out_trade_no="pa_1")))
        return await account.query("pa_1")

    assert run(msgspec.structs.replace(row, timeout_s=1), scene).state is TradeState.PAID


def test_a_host_that_is_not_there_is_passed_over_and_none_at_all_is_unsent(row):
    """Nothing was sent, so every call may go elsewhere."""

    async def scene(account, found):
        dead = "http://127.0.0.1:9"
        way = account.client.way
        account.client.way = way._replace(hosts=(dead, way.hosts[1]))
        found[1].say(200, said({"out_refund_no": "rf_1", "status": "PROCESSING"}))
        assert (await account.refund(REFUND)).state is RefundState.PROCESSING
        account.client.way = way._replace(hosts=(dead, dead))
        with pytest.raises(Unsent):
            await account.refund(REFUND)

    run(row, scene)


@pytest.mark.parametrize("status", [502, 503])
def test_a_gateway_that_is_down_sends_repeatable_calls_to_the_other_host(row, status):
    """The identical request under the same number does the same thing once."""

    async def scene(account, found):
        found[0].say(status)
        found[1].say(200, said({"out_refund_no": "rf_1", "status": "PROCESSING"}))
        assert (await account.refund(REFUND)).state is RefundState.PROCESSING
        found[0].say(status)
        found[1].say(status)
        with pytest.raises(Unknown):
            await account.refund(REFUND)

    run(row, scene)


def test_redirects_are_not_followed(row):
    """A signature over one address must not be carried to another."""

    async def scene(account, found):
        found[0].say(302, headers={"Location": f"{account.setting.hosts[1]}/elsewhere"})
        with pytest.raises(Unknown):
            await account.query("pa_1")
        return found

    assert run(row, scene)[1].requests == []


def test_an_endless_answer_is_cut(row):
    """A body without a bound is a way to stop us."""

    async def scene(account, found):
        body = b'"' + b"x" * 2_000_000 + b'"'
        found[0].say(200, body)
        found[1].say(200, body)
        with pytest.raises(Unknown, match="longer than"):
            await account.query("pa_1")

    run(row, scene)


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (400, "PARAM_ERROR", Rejected),
        (401, "SIGN_ERROR", Rejected),
        (403, "NOT_ENOUGH", Unsent),
        (403, "NOTENOUGH", Unsent),
        (404, "", Unknown),
        (404, "RESOURCE_NOT_EXISTS", Rejected),
        (418, "NEVER_HEARD_OF", Unknown),
        (429, "FREQUENCY_LIMITED", Unknown),
        (429, "RATELIMIT_EXCEEDED", Unknown),
        (500, "SYSTEM_ERROR", Unknown),
    ],
)
def test_refund_errors_say_whether_it_may_have_happened(row, status, code, fault):
    """A refund called refused that was accepted is money paid twice."""

    async def scene(account, found):
        found[0].say(status, refusal(code) if code else b"")
        with pytest.raises(fault):
            await account.refund(REFUND)

    run(row, scene)


@pytest.mark.parametrize("body", [b"", said({"code": "MCH_NOT_EXISTS"}), b"<html>", b"\xff"])
def test_only_the_platforms_own_word_makes_an_order_absent(row, body):
    """A gateway's empty 404 would let a number be ordered that is being paid."""

    async def scene(account, found):
        found[0].say(404, body)
        with pytest.raises((Unknown, Rejected)):
            await account.query("pa_1")

    run(row, scene)


def test_transfers_seal_the_name_and_show_the_key_they_used(row):
    """The name of a person is readable to the platform only."""

    async def scene(account, found):
        answer = {
            "out_bill_no": "po0000000000000000000000000A",
            "transfer_bill_no": "133",
            "create_time": "2026-11-19T10:00:00.120+08:00",
            "state": "WAIT_USER_CONFIRM",
            "package_info": "affffddafdfafddffda==",
        }
        found[0].say(200, said(answer))
        return await account.pay_out(PAYOUT), found[0].requests

    reading, (request,) = run(row, scene)
    assert reading.payout_no == PAYOUT.payout_no
    assert reading.state is PayoutState.AWAITING_PERSON
    assert reading.package == "affffddafdfafddffda=="
    assert reading.amount_fen == 200_000
    body = json.loads(request.body)
    assert body["out_bill_no"] == "po0000000000000000000000000A"
    assert request.headers["wechatpay-serial"] == PUBLIC_ID
    assert "张三".encode() not in request.body
    check_request(request)


def test_an_abnormal_refund_seals_the_card_and_is_never_repeated(row):
    """It has no number of its own that would make a second sending harmless."""
    order = AbnormalRefund("rf_1", "50", to_merchant=False, **CARD)

    async def scene(account, found):
        found[0].say(
            200, said({"out_refund_no": "rf_1", "refund_id": "50", "status": "PROCESSING"})
        )
        assert (await account.refund_abnormal(order)).state is RefundState.PROCESSING
        found[0].say(503)
        with pytest.raises(Unknown):
            await account.refund_abnormal(order)
        return found

    first, second = run(row, scene)
    assert (len(first.requests), len(second.requests)) == (2, 0)
    request = first.requests[0]
    body = json.loads(request.body)
    assert request.target == "/v3/refund/domestic/refunds/50/apply-abnormal-refund"
    assert request.headers["wechatpay-serial"] == PUBLIC_ID
    key = read_private(private_pem(PLATFORM_KEY), allows_pure=False)
    assert key.open_field(base64.b64decode(body["bank_account"])) == b"6222020000000000"
    assert key.open_field(base64.b64decode(body["real_name"])) == "张三".encode()
    check_request(request)


def test_nothing_personal_is_logged_or_raised(row, caplog):
    """Messages of the platform repeat values of the request."""

    async def scene(account, found):
        message = f"无法将 {OPENID} 映射到“用户标识”"
        found[0].say(400, refusal("PARAM_ERROR", message), {"Request-ID": "08F78BB1-268435461"})
        with pytest.raises(Rejected) as caught:
            await account.prepay(PURCHASE)
        return str(caught.value)

    with caplog.at_level(logging.DEBUG, "lingqian"):
        told = run(row, scene)
    assert OPENID not in told + caplog.text
    assert "用户标识" in told
    assert "08F78BB1-268435461" in caplog.text


def test_a_day_without_traffic_is_an_empty_bill_and_an_unready_one_is_not(row):
    """The two must never be taken for each other: one closes the day, the other waits."""

    async def scene(account, found):
        found[0].say(400, refusal("NO_STATEMENT_EXIST"))
        bill = await account.fetch_bill(BillKind.TRADE, 20_776)
        assert bill.rows == ()
        assert bill.raw == b""
        found[0].say(400, refusal("STATEMENT_CREATING"))
        with pytest.raises(Rejected) as caught:
            await account.fetch_bill(BillKind.FUND, 20_776)
        assert caught.value.code == "bill_creating"
        return found[0].requests

    first, second = run(row, scene)
    assert "bill_date=2026-11-19&" in first.target
    assert second.target.startswith("/v3/bill/fundflowbill?")
