"""What the service answers before a handler sees a request, in the order of its checks."""

import base64
import time

import pytest

from simulated import Client, Running

CERTIFICATES = "/v3/certificates"
JSAPI = "/v3/pay/transactions/jsapi"


@pytest.fixture(scope="module")
def client():
    """One simulator for all: nothing here changes its state."""
    running = Running()
    yield Client(running)
    running.close()


def said(answer):
    """Return status, code and message."""
    return answer.status, answer.json["code"], answer.json["message"]


def test_unknown_paths_and_methods_come_before_authentication(client):
    """The gateway of the live service answers these with an empty body."""
    for method, target, status in [("GET", "/v3/x", 404), ("GET", JSAPI, 405), ("PUT", JSAPI, 405)]:
        answer = client.call(method, target, headers={"Authorization": None})
        assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("header", ["User-Agent", "Accept"])
def test_an_agent_is_wanted_before_authentication(client, header):
    """`/v3/certificates` looks for it; orders do not."""
    answer = client.call("GET", CERTIFICATES, headers={header: None, "Authorization": None})
    assert said(answer) == (400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")
    assert client.call("POST", JSAPI, {}, headers={header: None}).status == 400


REFUSALS = [
    ({"scheme": "WECHATPAY2-MD5"}, "Http头Authorization认证类型不正确"),
    ({"timestamp": "1554208460"}, "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"),
    ({"mchid": "1999999999"}, "签名错误"),
    ({"serial_no": "5157F09EFDC0"}, "商户证书序列号有误。请使用签名私钥匹配的证书序列号"),
    ({"signature": "AAAA"}, "错误的签名，验签失败"),
    ({"signature": "not base64!"}, "错误的签名，验签失败"),
    (
        {"nonce_str": "n" * 33},
        "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
    ),
    (
        {"timestamp": "soon"},
        "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
    ),
    ({"extra": "x"}, "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSALS)
def test_a_wrong_authorization_is_refused_with_its_own_words(client, changes, message):
    """Always 401 SIGN_ERROR, unsigned; clients tell the cases apart by the message alone."""
    answer = client.call("GET", CERTIFICATES, **changes)
    assert said(answer) == (401, "SIGN_ERROR", message)
    assert not [name for name in answer.headers if name.startswith("Wechatpay")]
    assert "Request-ID" in answer.headers


def test_orders_say_less_about_a_missing_header(client):
    """As published probes of the live service show, even its Request-ID is missing there."""
    for header in (None, "Bearer x"):
        answer = client.call("POST", JSAPI, {}, headers={"Authorization": header})
        assert said(answer) == (401, "SIGN_ERROR", "签名信息错误，验签失败")
        assert "Request-ID" not in answer.headers


def test_a_mismatch_shows_the_message_that_was_checked(client):
    """It is how people find their own mistake."""
    answer = client.call("GET", f"{CERTIFICATES}?algorithm_type=RSA", signature="AAAA")
    shown = answer.json["detail"]["sign_information"]
    assert shown["url"] == f"{CERTIFICATES}?algorithm_type=RSA"
    message = shown["truncated_sign_message"]
    assert message.startswith(f"GET\n{CERTIFICATES}?algorithm_type=RSA\n")
    assert message.endswith("\nn0nce\n\n")
    assert shown["sign_message_length"] == len(message)


def test_the_window_is_five_minutes_to_either_side(client):
    """A clock a little off is forgiven."""
    now = int(time.time())
    for offset, status in [(-280, 200), (280, 200), (-320, 401), (320, 401)]:
        assert client.call("GET", CERTIFICATES, timestamp=str(now + offset)).status == status


@pytest.mark.parametrize(
    "body",
    [b'{"mchid": "1900000001" }', b' {"mchid":"1900000001"}\n', b'{"mchid":"\\u0031900000001"}'],
)
def test_the_bytes_that_came_are_what_is_verified(client, body):
    """Spaces, escapes and a last line feed belong to the message."""
    target = "/v3/pay/transactions/out-trade-no/none00/close"
    answer = client.call("POST", target, body)
    assert said(answer)[:2] == (404, "ORDER_NOT_EXIST")


def test_the_target_is_verified_as_it_was_sent(client):
    """`%7C` and the bar are two messages, but one order number."""
    for number in ("a%7Cbcdef", "a|bcdef"):
        target = f"/v3/pay/transactions/out-trade-no/{number}?mchid={client.merchant.mchid}"
        assert said(client.call("GET", target))[:2] == (404, "ORDER_NOT_EXIST")


def test_a_bodyless_post_signs_an_empty_fifth_line(client):
    """One library leaves the line out; the service does not forgive that."""
    target = "/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/none/cancel"
    assert client.call("POST", target).status == 404
    key = client._suite.private_key(client.merchant.private_key_pem)
    now = str(int(time.time()))
    message = f"POST\n{target}\n{now}\nn\n".encode()
    signature = base64.b64encode(key.sign(message)).decode()
    answer = client.call("POST", target, timestamp=now, nonce_str="n", signature=signature)
    assert said(answer)[:2] == (401, "SIGN_ERROR")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"amount": {"total": 0}}, "/amount/total", "值低于最小值 1"),
        ({"amount": {"total": "1"}}, "/amount/total", "此字段需要一个 number 类型的 Json 值"),
        ({"amount": {"total": True}}, "/amount/total", "此字段需要一个 number 类型的 Json 值"),
        ({"amount": {}}, "/amount/total", "此字段为必填项"),
        ({"payer": {"openid": 7}}, "/payer/openid", "此字段需要一个 string 类型的 Json 值"),
        ({"description": "充" * 43}, "/description", "字节数 129，大于最大值 127"),
        ({"attach": "a" * 203}, "/attach", "字节数 203，大于最大值 128"),
        ({"out_trade_no": "a b c d"}, "/out_trade_no", "字符串格式不符合要求"),
        ({"out_trade_no": "short"}, "/out_trade_no", "字节数 5，小于最小值 6"),
        ({"notify_url": "https://a.cn/n?x=1"}, "/notify_url", "字符串格式不符合要求"),
        ({"time_expire": "tomorrow"}, "/time_expire", "格式错误"),
        ({"payer": None}, "/payer", "此字段为必填项"),
        ({"colour": "red"}, "/colour", "参数中含有非法的额外参数"),
    ],
)
def test_a_wrong_field_is_named_by_its_pointer(client, change, field, words):
    """The merchant's log must say which field, and why."""
    answer = client.prepay(**change)
    assert said(answer)[:2] == (400, "PARAM_ERROR")
    assert words in answer.json["message"]
    assert answer.json["detail"]["field"] == field


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", '{"mchid":"🧧"}'.encode()])
def test_a_body_that_is_no_object_is_refused(client, body):
    """Emoji too: only letters of up to three bytes are taken."""
    assert said(client.call("POST", JSAPI, body))[:2] == (400, "PARAM_ERROR")


def test_another_merchant_in_the_body_is_refused(client):
    """A signature speaks for one merchant only."""
    answer = client.prepay(mchid="1999999999")
    assert answer.json["message"] == "http header中的mchid与post payload中的mchid不匹配"
    answer = client.call("GET", "/v3/pay/transactions/out-trade-no/abcdef?mchid=1999999999")
    assert answer.status == 400
    assert client.call("GET", "/v3/pay/transactions/out-trade-no/abcdef").status == 400
    assert said(client.prepay(appid="wx0000000000000000"))[:2] == (400, "APPID_MCHID_NOT_MATCH")


def test_both_hosts_are_one_service_and_sign_what_they_answer(client):
    """A client that fails over must find what it left on the other host."""
    for host in (0, 1):
        answer = client.call("GET", CERTIFICATES, host=host)
        assert answer.status == 200
        assert client.is_genuine(answer.headers, answer.body)
        assert not client.is_genuine(answer.headers, answer.body + b" ")
