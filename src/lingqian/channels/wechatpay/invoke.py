"""Invocation: what a page or an app hands to WeChat to open the pay sheet (调起支付).

Law: signed a second time with the same merchant key, over four lines that differ by product.
Source: WeChat Pay APIv3, pages "invoke payment" of JSAPI, mini-program and APP, read 2026-09.
"""

import base64

from lingqian.channels.port import Product
from lingqian.channels.wechatpay.sign import Credential, Stamp

Parameters = dict[str, str]


def pay_parameters(
    credential: Credential, product: Product, appid: str, token: str, stamp: Stamp
) -> Parameters:
    """Return what opens the pay sheet of a prepaid attempt, under the names its product reads.

    JSAPI's go to `WeixinJSBridge.invoke("getBrandWCPayRequest", …)`, a mini-program's to
    `wx.requestPayment`, an APP's into a `PayReq`; H5 and Native have only an address.
    """
    if product is Product.H5:
        return {"h5_url": token}
    if product is Product.NATIVE:
        return {"code_url": token}
    if product is Product.APP:
        return _app(credential, appid, token, stamp)
    package = f"prepay_id={token}"
    signed = {
        "timeStamp": str(stamp.at_s),
        "nonceStr": stamp.nonce,
        "package": package,
        "signType": "SM2" if "SM2" in credential.scheme else "RSA",
        "paySign": _sign(credential, appid, stamp, package),
    }
    return {"appId": appid, **signed} if product is Product.JSAPI else signed


def choose_parameters(jsapi: Parameters) -> Parameters:
    """Rename a JSAPI sheet's parameters for `wx.chooseWXPay`, which wants `timestamp` in small."""
    renamed = {("timestamp" if name == "timeStamp" else name): jsapi[name] for name in jsapi}
    renamed.pop("appId")
    return renamed


def confirm_parameters(mchid: str, appid: str, package: str) -> Parameters:
    """Return what `requestMerchantTransfer` opens a person's confirmation with."""
    return {"mchId": mchid, "appId": appid, "package": package}


def _app(credential: Credential, appid: str, token: str, stamp: Stamp) -> Parameters:
    return {
        "appId": appid,
        "partnerId": credential.mchid,
        "prepayId": token,
        "packageValue": "Sign=WXPay",
        "nonceStr": stamp.nonce,
        "timeStamp": str(stamp.at_s),
        "sign": _sign(credential, appid, stamp, token),
    }


def _sign(credential: Credential, appid: str, stamp: Stamp, last: str) -> str:
    message = f"{appid}\n{stamp.at_s}\n{stamp.nonce}\n{last}\n".encode()
    return base64.b64encode(credential.key.sign(message)).decode()
