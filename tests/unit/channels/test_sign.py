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
from published import (
    SAMPLE_APPID,
    SAMPLE_AT_S,
    SAMPLE_NONCE,
    SAMPLE_PACKAGE,
    SAMPLE_PAY_SIGN,
    SAMPLE_PUBLIC_PEM,
    SAMPLE_REQUESTS,
)
from unit.channels.platform import (
    APPID,
    MCHID,
    MERCHANT_KEY,
    NOW_S,
    private_pem,
    public_pem,
    sign,
)

SAMPLE_STAMP = Stamp(SAMPLE_AT_S, SAMPLE_NONCE)
SAMPLE_PREPAY_ID = SAMPLE_PACKAGE.removeprefix("prepay_id=")
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


@pytest.mark.parametrize(("method", "target", "body", "signature"), SAMPLE_REQUESTS)
def test_the_published_request_has_the_published_signature(method, target, body, signature):
    """Five lines over the body's own bytes, Chinese letters and all."""
    message = request_message(method, target, SAMPLE_STAMP, body)
    key = read_public(SAMPLE_PUBLIC_PEM.encode())
    assert key.verify(message, signature)
    assert not key.verify(message + b"\n", signature)


def test_the_published_get_ends_in_two_newlines():
    """The fifth line is empty, and still a line."""
    assert request_message("GET", "/v3/certificates", SAMPLE_STAMP, b"") == (
        b"GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
    )


def test_the_published_pay_sheet_has_the_published_signature():
    """Four lines, the last with `prepay_id=` in front."""
    recorder = Recorder()
    credential = Credential(MCHID, "A", SCHEME, recorder)
    pay_parameters(credential, Product.JSAPI, SAMPLE_APPID, SAMPLE_PREPAY_ID, SAMPLE_STAMP)
    key = read_public(SAMPLE_PUBLIC_PEM.encode())
    assert key.verify(recorder.message, SAMPLE_PAY_SIGN)


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
