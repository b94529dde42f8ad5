"""The Python client `wechatpayv3`, unmodified but for its base address, against the simulator."""

import asyncio
import gzip
import hashlib
import json

import pytest
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.async_ import AsyncWeChatPay
from wechatpayv3.async_.core import AsyncCore
from wechatpayv3.async_.type import WeChatPayType as AsyncType
from wechatpayv3.core import Core

MODES = ("certificate", "public_key")
# The library reads a certificate's end by a name that cryptography will drop.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def credentials(merchant, mode, shop):
    """Return the arguments of a client in one of its two modes."""
    found = {
        "wechatpay_type": WeChatPayType.JSAPI,
        "mchid": merchant.mchid,
        "private_key": merchant.private_key_pem,
        "cert_serial_no": merchant.serial_no,
        "appid": merchant.appid,
        "apiv3_key": merchant.api_v3_key,
        "notify_url": shop.url,
    }
    if mode == "public_key":
        found["public_key"] = merchant.platform_public_key_pem
        found["public_key_id"] = merchant.platform_public_key_id
    return found


@pytest.fixture
def aim(monkeypatch):
    """Aim every client at a base address; the library has no setting for it."""

    def aimed(url):
        place = property(lambda _core: url, lambda _core, _value: None)
        for core in (Core, AsyncCore):
            monkeypatch.setattr(core, "_gate_way", place, raising=False)

    return aimed


def order(number):
    """Return the arguments of an order."""
    return {
        "description": "充值, 50 元",
        "out_trade_no": number,
        "amount": {"total": 5000},
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "attach": "a=b",
    }


@pytest.mark.parametrize("mode", MODES)
def test_pay_notify_query_refund_and_bill(start, shop, aim, mode):
    """The whole life of an order; the client verifies each answer and each notice itself."""
    running = start(mode=mode)
    aim(running.base_url)
    if mode == "certificate":
        assert running.merchant.platform_public_key_id == ""
    client = WeChatPay(**credentials(running.merchant, mode, shop))

    status, text = client.pay(**order("TU_000001"))
    assert (status, json.loads(text)["prepay_id"][:2]) == (200, "wx")
    assert running.control("/control/orders/TU_000001/pay", {})["state"] == "SUCCESS"
    told = client.callback(*shop.wait()[0])
    assert told["event_type"] == "TRANSACTION.SUCCESS"
    assert told["resource"]["amount"]["total"] == 5000
    assert refused(client, shop.notices[0])
    status, text = client.query(out_trade_no="TU_000001")
    found = json.loads(text)
    assert (status, found["trade_state"]) == (200, "SUCCESS")
    assert {k: v for k, v in found.items() if k != "trade_state"} == {
        k: v for k, v in told["resource"].items() if k != "trade_state"
    }
    status, text = client.query(transaction_id=found["transaction_id"])
    assert json.loads(text) == found
    status, text = client.close("TU_000001")
    assert (status, json.loads(text)["code"]) == (400, "ORDERPAID")
    assert client.pay(**order("TU_000004"))[0] == 200
    assert client.close("TU_000004")[0] == 204
    status, text = client.query(out_trade_no="TU_000004")
    assert json.loads(text)["trade_state"] == "CLOSED"

    amount = {"refund": 1000, "total": 5000, "currency": "CNY"}
    wish = {"out_refund_no": "RF_1", "amount": amount, "out_trade_no": "TU_000001"}
    status, text = client.refund(**wish, notify_url=shop.url, reason="买错了")
    assert (status, json.loads(text)["status"]) == (200, "PROCESSING")
    told = client.callback(*shop.wait(2)[1])
    assert told["resource"]["refund_status"] == "SUCCESS"
    status, text = client.query_refund("RF_1")
    assert (status, json.loads(text)["status"]) == (200, "SUCCESS")

    date = running.to_tomorrow()
    for ask in (client.trade_bill, client.fundflow_bill):
        status, text = ask(date, tar_type="GZIP")
        assert status == 200
        check_bill(text, client.download_bill(json.loads(text)["download_url"]), "TU_000001")


def check_bill(offer, answer, number):
    """Hold a downloaded bill to what was announced, and to the order it must show."""
    status, content = answer
    assert status == 200
    plain = gzip.decompress(content)
    assert hashlib.sha1(plain).hexdigest() == json.loads(offer)["hash_value"]
    assert plain.startswith(b"\xef\xbb\xbf")
    if "商户订单号".encode() in plain:
        assert plain.count(b"`" + number.encode()) == 2  # the payment, and its refund
    else:
        assert "交易手续费".encode() in plain


def refused(client, sent, *, is_text=False):
    """Say whether a client's receiver turns away a notice with one letter changed."""
    headers, body = sent
    wrong = body.replace(b"SUCCESS", b"SUCCESs", 1)
    return client.callback(headers, wrong.decode() if is_text else wrong) is None


@pytest.mark.parametrize("mode", MODES)
def test_async_client_lives_the_same_life(start, shop, aim, mode):
    """The other half of the library signs, verifies and fetches bills with code of its own."""
    running = start(mode=mode)
    aim(running.base_url)

    async def life():
        wish = credentials(running.merchant, mode, shop) | {"wechatpay_type": AsyncType.JSAPI}
        async with AsyncWeChatPay(**wish) as client:
            assert (await client.pay(**order("TU_000002")))[0] == 200
            running.control("/control/orders/TU_000002/pay", {})
            headers, body = (await asyncio.to_thread(shop.wait))[0]
            told = client.callback(headers, body.decode())
            assert told["resource"]["out_trade_no"] == "TU_000002"
            assert refused(client, (headers, body), is_text=True)
            status, text = await client.query(out_trade_no="TU_000002")
            assert (status, json.loads(text)["trade_state"]) == (200, "SUCCESS")
            assert (await client.pay(**order("TU_000003")))[0] == 200
            assert (await client.close("TU_000003"))[0] == 204
            status, text = await client.query(out_trade_no="TU_000003")
            assert (status, json.loads(text)["trade_state"]) == (200, "CLOSED")
            await give_back(client)
            date = await asyncio.to_thread(running.to_tomorrow)
            for ask in (client.trade_bill, client.fundflow_bill):
                status, text = await ask(date, tar_type="GZIP")
                assert status == 200
                url = json.loads(text)["download_url"]
                check_bill(text, await client.download_bill(url), "TU_000002")

    async def give_back(client):
        amount = {"refund": 5000, "total": 5000, "currency": "CNY"}
        wish = {"out_refund_no": "RF_2", "amount": amount, "out_trade_no": "TU_000002"}
        status, _ = await client.refund(**wish, notify_url=shop.url)
        assert status == 200
        headers, body = (await asyncio.to_thread(shop.wait, 2))[1]
        told = client.callback(headers, body.decode())
        assert told["resource"]["refund_status"] == "SUCCESS"
        assert (await client.query_refund("RF_2"))[0] == 200

    running.control("/control/merchants/1900000001/fund", {"amount_fen": 100_000})
    asyncio.run(life())


@pytest.mark.parametrize("mode", MODES)
def test_transfer_with_an_encrypted_name(start, shop, aim, mode):
    """The name travels encrypted both ways: OAEP under their key, then under ours."""
    running = start(mode=mode)
    aim(running.base_url)
    running.control(f"/control/merchants/{running.merchant.mchid}/fund", {"amount_fen": 300_000})
    client = WeChatPay(**credentials(running.merchant, mode, shop))
    report = [
        {"info_type": "活动名称", "info_content": "零钱提现"},
        {"info_type": "奖励说明", "info_content": "提现"},
    ]
    status, text = client.mch_transfer_bills(
        out_bill_no="WD1", transfer_scene_id="1000", openid="o1", transfer_amount=250_000,
        transfer_remark="提现", user_name="张三", transfer_scene_report_infos=report,
        notify_url=shop.url,
    )  # fmt: skip
    assert status == 200, text
    assert json.loads(text)["state"] == "WAIT_USER_CONFIRM"
    assert running.control("/control/transfers/WD1/confirm", {})["user_name"] == "张三"
    told = client.callback(*shop.wait()[0])
    assert (told["resource"]["state"], told["resource"]["transfer_amount"]) == ("SUCCESS", 250_000)
    status, text = client.mch_transfer_bills_query(out_bill_no="WD1")
    assert client._core.decrypt(json.loads(text)["user_name"]) == "张三"


def test_gradual_merchant_is_served_under_both_names(start, shop, aim):
    """Between certificate and public key notices come signed by either; both must verify."""
    running = start(mode="gradual", gradual_percent=50)
    aim(running.base_url)
    client = WeChatPay(**credentials(running.merchant, "public_key", shop))
    for number in range(12):
        assert client.pay(**order(f"TU_1000{number}"))[0] == 200
        running.control(f"/control/orders/TU_1000{number}/pay", {})
    serials = {headers["Wechatpay-Serial"][:6] for headers, _ in shop.wait(12)}
    assert len(serials) == 2
    assert "PUB_KE" in serials
    assert all(client.callback(*notice) for notice in shop.notices)


def test_certificate_rotation_in_the_middle(start, shop, aim):
    """An answer signed by a certificate nobody has seen makes the client fetch it."""
    running = start(mode="certificate")
    aim(running.base_url)
    client = WeChatPay(**credentials(running.merchant, "certificate", shop))
    running.control("/control/faults", {"name": "rotate_key", "operation": "prepay_jsapi"})
    assert client.pay(**order("TU_000005"))[0] == 200
    assert len([c for c in running.control("/control/certificates") if c["suite"] == "RSA"]) == 2
    assert len(client._core._certificates) == 2
