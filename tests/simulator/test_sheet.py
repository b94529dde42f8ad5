"""The person's side: a page that calls WeixinJSBridge, and the sheet that opens, in Chromium."""

import base64
import json
import os
import re

import pytest
from playwright.sync_api import expect, sync_playwright

from lingqian_simulator.rsa import private_key
from need import needs
from simulated import Client, fetch, wait_for

PAGE = """<!doctype html><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<p id="said">waiting</p>
<script src="{bridge}"></script>
<script>
document.addEventListener("WeixinJSBridgeReady", () => {{
  WeixinJSBridge.invoke("{call}", {parameters}, (answer) => {{
    document.getElementById("said").textContent = JSON.stringify(answer);
  }});
}});
</script>"""


@pytest.fixture(scope="module")
def chromium():
    """Start the machine's own Chromium; as root it refuses its sandbox."""
    program = needs("chromium")
    sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=sandbox)
        yield browser, driver.devices["Pixel 7"]
        browser.close()


@pytest.fixture
def phone(chromium):
    """Open a page on a phone; whatever it complains about fails the test."""
    browser, device = chromium
    context = browser.new_context(**device, locale="zh-CN")
    page = context.new_page()
    heard = []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("console", lambda said: heard.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert heard == []


@pytest.fixture
def client(simulator):
    """An ordinary merchant."""
    return Client(simulator)


def invocation(client, prepay_id, **changes):
    """Return what a shop's server hands to its page, signed with its own key."""
    parts = {
        "appId": client.merchant.appid,
        "timeStamp": "1554208460",
        "nonceStr": "abc",
        "package": f"prepay_id={prepay_id}",
    }
    message = "".join(f"{value}\n" for value in parts.values()).encode()
    signature = private_key(client.merchant.private_key_pem).sign(message)
    signed = {"signType": "RSA", "paySign": base64.b64encode(signature).decode()}
    return parts | signed | changes


def show(client, shop, parameters, call="getBrandWCPayRequest"):
    """Let the shop show a page that makes this call."""
    bridge = f"{client.running.simulator.control_url}/bridge.js"
    shop.page = PAGE.format(bridge=bridge, call=call, parameters=json.dumps(parameters))


def said(page):
    """Return what the page was answered."""
    expect(page.locator("#said")).not_to_have_text("waiting")
    return json.loads(page.locator("#said").text_content())


@pytest.mark.needs("chromium")
def test_a_page_pays_as_inside_wechat(client, shop, phone):
    """Confirm, finger, ok; and the shop is told by its notice, not by the page."""
    prepay_id = client.prepay(notify_url=shop.url).json["prepay_id"]
    show(client, shop, invocation(client, prepay_id))
    phone.goto(shop.url)
    sheet = phone.frame_locator("iframe[data-simulator=sheet]")
    expect(sheet.locator("#amount")).to_have_text("¥50.00")
    expect(sheet.locator("#merchant")).to_have_text("零钱测试商户")
    expect(sheet.locator("#finger")).to_be_hidden()
    sheet.locator("#confirm").click()
    assert client.query().json["trade_state"] == "NOTPAY"
    sheet.locator("#finger").click()
    assert said(phone) == {"err_msg": "get_brand_wcpay_request:ok"}
    assert client.opened(shop.wait()[0][1])["out_trade_no"] == "TU_000001"


@pytest.mark.needs("chromium")
def test_a_page_is_told_of_a_change_of_mind(client, shop, phone):
    """Cancelled is no failure: the order stays open."""
    show(client, shop, invocation(client, client.prepay().json["prepay_id"]))
    phone.goto(shop.url)
    phone.frame_locator("iframe[data-simulator=sheet]").locator("#cancel").click()
    assert said(phone) == {"err_msg": "get_brand_wcpay_request:cancel"}
    assert client.query().json["trade_state"] == "NOTPAY"


@pytest.mark.needs("chromium")
def test_a_transfer_is_received_on_the_sheet(client, shop, phone):
    """The withdrawal's last step is the person's own."""
    path = f"/control/merchants/{client.merchant.mchid}/fund"
    client.running.control(path, {"amount_fen": 5000})
    report = [("活动名称", "提现"), ("奖励说明", "提现")]
    wish = {
        "appid": client.merchant.appid, "out_bill_no": "WD1", "openid": "o1",
        "transfer_amount": 1234, "transfer_remark": "提现", "transfer_scene_id": "1000",
        "transfer_scene_report_infos": [
            {"info_type": kind, "info_content": words} for kind, words in report
        ],
    }  # fmt: skip
    bill = client.call("POST", "/v3/fund-app/mch-transfer/transfer-bills", wish).json
    parameters = {
        "mchId": client.merchant.mchid,
        "appId": client.merchant.appid,
        "package": bill["package_info"],
    }
    show(client, shop, parameters, "requestMerchantTransfer")
    phone.goto(shop.url)
    sheet = phone.frame_locator("iframe[data-simulator=sheet]")
    expect(sheet.locator("#amount")).to_have_text("¥12.34")
    sheet.locator("#confirm").click()
    assert said(phone) == {"err_msg": "requestMerchantTransfer:ok"}
    wait_for(lambda: client.running.control("/control/transfers")[0]["state"] == "SUCCESS")


@pytest.mark.needs("chromium")
def test_code_url_and_h5_url_lead_to_the_sheet(client, phone):
    """A scanned code and a mobile browser end on the same page; an old code does not."""
    wish = client.order("TU_000002")
    del wish["payer"]
    first = client.call("POST", "/v3/pay/transactions/native", wish).json["code_url"]
    second = client.call("POST", "/v3/pay/transactions/native", wish).json["code_url"]
    home = client.running.simulator.control_url
    phone.goto(home)
    phone.locator("input[name=code_url]").fill(second)
    phone.locator("form[action='/scan'] button").click()
    expect(phone.locator("#amount")).to_have_text("¥50.00")
    answer = phone.request.get(f"{home}/scan", params={"code_url": first})
    assert answer.status == 404
    scene = {"payer_client_ip": "1.2.3.4", "h5_info": {"type": "Wap"}}
    wish |= {"out_trade_no": "TU_000003", "scene_info": scene}
    url = client.call("POST", "/v3/pay/transactions/h5", wish).json["h5_url"]
    phone.goto(f"{url}&redirect_url=https%3A%2F%2Fshop.example%2Fdone")
    phone.locator("#confirm").click()
    phone.locator("#finger").click()
    expect(phone.locator("#back")).to_have_attribute("href", "https://shop.example/done")
    assert client.query("TU_000003").json["trade_state"] == "SUCCESS"


@pytest.mark.needs("chromium")
def test_the_operators_page_shows_and_does(client, phone):
    """Empty lists say so; a button pays; a fault is armed and taken away."""
    phone.set_viewport_size({"width": 1280, "height": 900})
    phone.goto(client.running.simulator.control_url)
    orders = phone.locator("[data-list=orders]")
    expect(orders).to_contain_text("还没有 Nothing yet")
    client.prepay()
    phone.reload()
    orders.get_by_role("button", name="支付 Pay", exact=True).click()
    expect(orders).to_contain_text("SUCCESS")
    phone.locator("#arm select").select_option("slow")
    phone.locator("#arm button").click()
    expect(phone.locator("[data-list=armed]")).to_contain_text("slow")
    phone.get_by_role("button", name=re.compile("Disarm")).click()
    expect(phone.locator("[data-list=armed]")).to_contain_text("Nothing yet")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"timeStamp": 1554208460}, "timeStamp"),
        ({"package": "wx123"}, "package"),
        ({"package": "prepay_id=wx123"}, "package"),
        ({"appId": "wx0000000000000000"}, "appId"),
        ({"signType": "MD5"}, "signType"),
        ({"paySign": "AAAA"}, "支付验证签名失败"),
        ({"paySign": "支付"}, "支付验证签名失败"),
        ({"nonceStr": "abcd"}, "支付验证签名失败"),
    ],
)
def test_wrong_parameters_open_no_sheet(client, changes, words):
    """The usual mistakes of a shop's server, found here instead of on a phone."""
    parameters = invocation(client, client.prepay().json["prepay_id"], **changes)
    found = fetch(f"{client.running.simulator.control_url}/bridge/pay", parameters)
    assert found["err_msg"] == "get_brand_wcpay_request:fail"
    assert words in found["err_desc"]
