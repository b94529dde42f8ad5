"""Signing: the examples that WeChat Pay publishes, and what opens a pay sheet."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import Product
from lingqian.channels.wechatpay.invoke import (
    choose_parameters,
    confirm_parameters,
    pay_parameters,
)
from lingqian.channels.wechatpay.rsa import read_private, read_public
from lingqian.channels.wechatpay.sign import (
    Credential,
    Stamp,
    check_age,
    read_seal,
    request_message,
)
from lingqian.kernel.fault import BadSignature
from unit.channels.platform import (
    APPID,
    MCHID,
    MERCHANT_KEY,
    NOW_S,
    private_pem,
    public_pem,
    sign,
)

# The documentation's sample merchant (pay.weixin.qq.com/doc/v3/merchant/4012365336 and 4012365341,
# read 2026-09). Its private key is published there too; its public half is enough, because these
# signatures are deterministic.
SAMPLE_KEY = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAptpm+qvIDCh/9wjU26SQ
CK26ogYkBhDrYxnAaw2JbbBsp1oDbHKk+1r381NeBUG2HEFAuU+Fr72u5ot3yKdz
oF/FajAzQNKnm569/D3upKoi8mYBaST15Uig8j8qoUW1U217LL0jEHlSnHV3lcaD
TXqDpTRR4Bfz9IqOgJgFZ8/oTfEomSrjrLYef81Eyxr7ZIMQXEKKEK7V4UXKS0+/
fDsiG/cXidhzt8UbTL9vqXqxM2+IDImyO+FAc/tkBG55LmzxPto1Nq0WbnZzRM/w
Tzrd0I/8NlevxtFbphg4evlHjFNI7+GrqR87ViEwuAJJ9Je5QQjct5YJfFRWiZ5C
MQIDAQAB
-----END PUBLIC KEY-----
"""
SAMPLE_STAMP = Stamp(1_554_208_460, "593BEC0C930BF1AFEB40B4A08C8FB242")
SAMPLE_BODY = (
    '{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"Image形象店-深圳腾大-QQ公仔",'
    '"out_trade_no":"1217752501201407033233368018",'
    '"notify_url":"https://www.weixin.qq.com/wxpay/pay.php",'
    '"amount":{"total":100,"currency":"CNY"},'
    '"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}'
)
SAMPLE_SIGNATURE = (
    "jnks4dlrPw3ZX+ozVvSK39oa0t7OMBsg83BHAwd8BRdUFiVaQNTLTvci+wURgP1OQBbKYhFGvt7iqYpDSTQkp7Uq1sltaQ"
    "KyncCyrA1g88m5bsKERQfPyT0ahSwKTYJ1CAn9QiJuSJRq1QsQs07eehbU/k9BCS51jTyc1Jpsi2H77HF9f/BnjXAOP3/s"
    "PObg6V5Ee4EzwLox684hhuMuIwHo7D8KFk3LIHOKDcNI4It1aCXydFWNpNK+SG86VUDe5kwoDpw4Ulqfu9z8OFDGbDs9TC"
    "xEv8iqQzbpxOlEVoOe2kalSYM5kApQb3nZcxdUtoE0liJGW3RGUNE0t4v01A=="
)
SAMPLE_PAY_SIGN = (
    "mI35pfNEQV6777ke/1T+LJLQDNTm7yeoUJH+j/adPGhmCCi0PbgkvYQTRcXH0uibcLVtvFLdGLpmoYO9FV6lBBsTAjuhh5"
    "YOvQi0e2g3e0yytitiNET9FEuqM0pjnKfRW4K6LIZDdbWJv9KhZUx3DrJa5TL7OJ7VdADVivxVySIlPVKjGwuCXzuXSJes"
    "0UcILgWQUMyha5/3nYofuHtS7r+KYyMuxD+oJ9VM1Qdxk4UIG59CP5Y3wtYIFybyF3bdu1caHTRRX+DLyMXyYA/IrTmiW0"
    "1c4RPjpHBX5Dk1sZyY1zVsWNsvMHr2e1NTWtBxKJ+qk5N61J7caYoepHFaxw=="
)
SAMPLE_PREPAY_ID = "wx201410272009395522657a690389285100"
SCHEME = "WECHATPAY2-SHA256-RSA2048"
KEY = read_private(private_pem(MERCHANT_KEY), allows_pure=False)
PUBLIC = read_public(public_pem(MERCHANT_KEY))
STAMP = Stamp(NOW_S, "N" * 32)


class Recorder:
    """A key that keeps what it was asked to sign."""

    def __init__(self):
        self.message = b""

    def sign(self, message):
        """Keep the message."""
        self.message = message
        return b"signed"

    def open_field(self, sealed):
        """Open nothing."""
        return sealed


def test_the_published_request_has_the_published_signature():
    """Five lines over the body's own bytes, Chinese letters and all."""
    message = request_message(
        "POST", "/v3/pay/transactions/jsapi", SAMPLE_STAMP, SAMPLE_BODY.encode()
    )
    key = read_public(SAMPLE_KEY)
    assert key.verify(message, base64.b64decode(SAMPLE_SIGNATURE))
    assert not key.verify(message + b"\n", base64.b64decode(SAMPLE_SIGNATURE))


def test_the_published_get_ends_in_two_newlines():
    """The fifth line is empty, and still a line."""
    assert request_message("GET", "/v3/certificates", SAMPLE_STAMP, b"") == (
        b"GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
    )


def test_the_published_pay_sheet_has_the_published_signature():
    """Four lines, the last with `prepay_id=` in front."""
    recorder = Recorder()
    credential = Credential(MCHID, "A", SCHEME, recorder)
    pay_parameters(credential, Product.JSAPI, "wx2421b1c4370ec43b", SAMPLE_PREPAY_ID, SAMPLE_STAMP)
    signature = base64.b64decode(SAMPLE_PAY_SIGN)
    assert read_public(SAMPLE_KEY).verify(recorder.message, signature)


@pytest.mark.parametrize(
    ("product", "names"),
    [
        (Product.JSAPI, ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"]),
        (Product.MINI_PROGRAM, ["timeStamp", "nonceStr", "package", "signType", "paySign"]),
        (
            Product.APP,
            ["appId", "partnerId", "prepayId", "packageValue", "nonceStr", "timeStamp", "sign"],
        ),
        (Product.H5, ["h5_url"]),
        (Product.NATIVE, ["code_url"]),
    ],
)
def test_each_product_is_opened_by_the_names_it_reads(product, names):
    """A page that hands over another set is told only that verification failed."""
    credential = Credential(MCHID, "A", SCHEME, KEY)
    found = pay_parameters(credential, product, APPID, "wxprepay", STAMP)
    assert list(found) == names
    assert all(isinstance(value, str) for value in found.values())  # iOS refuses numbers
    if "paySign" in found:
        message = f"{APPID}\n{NOW_S}\n{'N' * 32}\nprepay_id=wxprepay\n".encode()
        assert found["package"] == "prepay_id=wxprepay"
        assert found["signType"] == "RSA"
        assert PUBLIC.verify(message, base64.b64decode(found["paySign"]))
    if "sign" in found:
        message = f"{APPID}\n{NOW_S}\n{'N' * 32}\nwxprepay\n".encode()
        assert PUBLIC.verify(message, base64.b64decode(found["sign"]))
        assert (found["partnerId"], found["packageValue"]) == (MCHID, "Sign=WXPay")


def test_choose_pay_and_confirmation_have_names_of_their_own():
    """`timestamp` in small letters here, and no appId; a transfer is opened with three fields."""
    credential = Credential(MCHID, "A", SCHEME, KEY)
    found = choose_parameters(pay_parameters(credential, Product.JSAPI, APPID, "w", STAMP))
    assert list(found) == ["timestamp", "nonceStr", "package", "signType", "paySign"]
    assert confirm_parameters(MCHID, APPID, "pack") == {
        "mchId": MCHID,
        "appId": APPID,
        "package": "pack",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"wechatpay-timestamp": "1e9"},
        {"wechatpay-timestamp": "-1"},
        {"wechatpay-timestamp": "\u0661"},
        {"wechatpay-timestamp": "9" * 5_000},
        {"wechatpay-timestamp": ""},
        {"wechatpay-signature": "WECHATPAY/SIGNTEST/xyz"},
        {"wechatpay-signature": "钱"},
        {"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"},
    ],
)
def test_headers_that_are_none_are_refused(change):
    """Before anything is computed with them."""
    headers = {**sign(b"{}").headers, **change}
    with pytest.raises(BadSignature):
        read_seal(headers, SCHEME)


def test_an_older_message_need_not_name_its_type():
    """The header came later."""
    headers = sign(b"{}").headers
    del headers["wechatpay-signature-type"]
    assert read_seal(headers, SCHEME).at_s == NOW_S


@given(st.integers(-(10**12), 10**12))
def test_five_minutes_either_way_are_allowed_and_no_more(offset_s):
    """The platform's own window."""
    if abs(offset_s) <= 300:
        check_age(NOW_S + offset_s, NOW_S)
        return
    with pytest.raises(BadSignature):
        check_age(NOW_S + offset_s, NOW_S)
