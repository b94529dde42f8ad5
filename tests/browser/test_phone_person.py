"""Somebody who came by an app's link: the real name, gifts, and one browser with many pages."""

import re
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from api.caller import running
from api.phone import link_of
from api.register import Service, new_number, settings
from browser.phone import SOON_MS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(240)]

PASSWORD = "274913"
NAME = "李小明"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house that is connected to the register of people; who comes begins without a class."""
    service = Service()
    folder = tmp_path_factory.mktemp("person") / "house"
    row = settings(service, folder)
    try:
        with running(folder, real_name=row, default_account_class=0) as found:
            api = found.caller()
            yield SimpleNamespace(api=api, base=f"http://127.0.0.1:{api.port}")
    finally:
        service.close()


def enter(page, house, user_id, more="", place=""):
    """Come in by a link, and go to a place."""
    page.goto(f"{house.base}/wallet#link={link_of(house.api, user_id)}{more}")
    expect(page.locator(".head-me")).to_have_text(re.compile(r"..\S"), timeout=SOON_MS)
    page.evaluate("(place) => { window.location.hash = `#/${place}`; }", place)


def known(house, fund_fen=500_000):
    """Register somebody whose name an app has vouched for, with money; return the id."""
    user_id = house.api.user("阿花", account_class=2)
    house.api.fund(user_id, fund_fen)
    return user_id


def type_digits(page, digits=PASSWORD):
    """Press six keys of the page's own keypad."""
    for key in digits:
        page.locator(".digits-pad").get_by_role("button", name=key, exact=True).tap()


def set_password(page):
    """Set the payment password on the page for it."""
    page.evaluate("window.location.hash = '#/security'")
    page.get_by_role("button", name="设置支付密码").tap(timeout=SOON_MS)
    type_digits(page)
    type_digits(page)
    expect(page.locator(".told")).to_contain_text("支付密码已设置", timeout=SOON_MS)


def tell_name(page, name, number):
    """Fill in the form for the real name and hand it in."""
    page.get_by_label("姓名").fill(name, timeout=SOON_MS)
    page.get_by_label("身份证号").fill(number)
    page.get_by_role("button", name="提交认证").tap()


def test_a_packet_waits_until_the_name_is_verified(page, house):
    """Nothing is taken from who must wait: the envelope says why and leads there and back."""
    user_id, sender = house.api.user("新人"), known(house)
    packet_id = house.api.packet(sender, kind="targeted", total_fen=1_000, recipient_ids=[user_id])
    enter(page, house, user_id, place=f"open/{packet_id}")
    expect(page.locator(".envelope .why")).to_contain_text("实名", timeout=SOON_MS)
    expect(page.locator(".coin")).to_have_count(0)
    page.get_by_role("link", name="去实名认证").tap()

    number = new_number()
    tell_name(page, "王大锤", number[:-1] + ("1" if number[-1] != "1" else "2"))
    expect(page.locator(".told")).to_contain_text("身份证", timeout=SOON_MS)
    tell_name(page, "查无此人", new_number(999))
    expect(page.locator(".told")).to_contain_text("不一致", timeout=SOON_MS)
    expect(page.locator("[data-verified=false]")).to_be_visible()
    tell_name(page, NAME, number)
    verified = page.locator("[data-verified=true]")
    expect(verified).to_contain_text("**明", timeout=SOON_MS)
    expect(verified).not_to_contain_text(number[1:-1])
    page.reload()
    expect(verified).to_contain_text("**明", timeout=SOON_MS)

    page.evaluate("(id) => { window.location.hash = `#/open/${id}`; }", packet_id)
    page.locator(".coin").tap(timeout=SOON_MS)
    expect(page.locator(".won b")).to_have_text("10.00", timeout=SOON_MS)


def test_two_taps_hand_a_name_in_once(page, house):
    """There are five tries a day: a trembling finger must not spend two of them."""
    enter(page, house, house.api.user("手抖"), place="security")
    asked = []
    page.on("request", lambda each: asked.append(each.method) if "real-name" in each.url else None)
    page.get_by_label("姓名").fill(NAME, timeout=SOON_MS)
    page.get_by_label("身份证号").fill(new_number())
    button = page.get_by_role("button", name="提交认证")
    button.evaluate("(node) => { node.click(); node.click(); }")
    expect(page.locator("[data-verified=true]")).to_be_visible(timeout=SOON_MS)
    assert asked.count("POST") == 1


def test_a_large_gift_is_proven_and_given_once(page, house):
    """Six digits stand before the coins too; two taps give one."""
    user_id = known(house)
    for once in "abc":
        bought = {"user_id": user_id, "plan_id": "coins-100", "pay_with": "balance"}
        assert house.api.post("/v1/top-ups", bought, once=f"{user_id}{once}").status == 201
    star = house.api.user("青禾", account_class=2)
    enter(page, house, user_id, more=f"&streamer={star}&streamer_name=青禾")
    set_password(page)
    page.evaluate("window.location.hash = '#/live'")
    page.locator("[data-gift=rose]").tap(timeout=SOON_MS)
    button = page.get_by_role("button", name="送给 青禾")
    button.evaluate("(node) => { node.click(); node.click(); }")
    coins = page.locator("[data-name=coins]")
    expect(coins).to_contain_text("3200 金币", timeout=SOON_MS)
    page.locator("[data-gift=boat]").tap()
    button.tap()
    expect(page.locator(".factor")).to_be_visible(timeout=SOON_MS)
    page.go_back()
    expect(page.locator(".factor")).to_have_count(0)
    expect(coins).to_contain_text("3200 金币")
    button.tap()
    asked = page.locator("[data-name=asked]").inner_text(timeout=SOON_MS)
    with page.expect_response(lambda each: each.url.endswith("/v1/gifts")) as told:
        type_digits(page)
    value_fen = told.value.json()["value_fen"]
    assert asked == f"¥{value_fen // 100}.{value_fen % 100:02}"
    expect(coins).to_contain_text("1886 金币", timeout=SOON_MS)


def test_signing_out_closes_every_page_of_the_browser(page, house, faults):
    """What one page forgets no other goes on showing, and nothing of the person stays behind."""
    user_id = known(house)
    enter(page, house, user_id, place="wallet")
    expect(page.locator("[data-name=balance]")).to_have_text("¥5,000.00", timeout=SOON_MS)
    other = page.context.new_page()
    other.goto(f"{house.base}/wallet#/security")
    other.locator("li[data-this=true]").get_by_role("button", name="退出").tap(timeout=SOON_MS)
    expect(other.locator(".door")).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".door")).to_be_visible(timeout=SOON_MS)
    kept = other.evaluate("Object.keys(localStorage).sort()")
    assert kept == ["lingqian.left", "lingqian.taste"]
    page.reload()
    expect(page.locator(".door")).to_contain_text("请从应用里打开钱包", timeout=SOON_MS)
    assert faults == []


def test_nobody_goes_on_with_anothers_token(page, house):
    """Two people on one browser: the first page ends, instead of mixing the two."""
    first, second = known(house), known(house, 100)
    enter(page, house, first, place="wallet")
    expect(page.locator("[data-name=balance]")).to_have_text("¥5,000.00", timeout=SOON_MS)
    other = page.context.new_page()
    enter(other, house, second, place="wallet")
    expect(other.locator("[data-name=balance]")).to_have_text("¥1.00", timeout=SOON_MS)
    for row in house.api.get(f"/v1/users/{first}/sessions").body.get("sessions", ()):
        house.api.call("DELETE", f"/v1/sessions/{row['id']}")
    house.api.call("DELETE", f"/v1/users/{first}/sessions")
    page.bring_to_front()
    page.evaluate("window.location.hash = '#/history'")
    expect(page.locator(".door")).to_be_visible(timeout=SOON_MS)
    expect(other.locator("[data-name=balance]")).to_have_text("¥1.00")


SHEETS = {
    "keypad": ("send", ".pick-sum", ".pick .van-number-keyboard"),
    "pay": ("send", "footer.compose button", ".sheet"),
    "top-up keypad": ("withdraw", ".pick-sum", ".pick .van-number-keyboard"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_the_back_button_closes_a_sheet_first(page, house, faults, name):
    """Back means back by one, on every sheet; closed by hand, it leaves no step behind."""
    place, opener, sheet = SHEETS[name]
    enter(page, house, known(house), place="wallet")
    page.evaluate("(place) => { window.location.hash = `#/${place}`; }", place)
    for _ in range(2):
        page.locator(opener).first.tap(timeout=SOON_MS)
        expect(page.locator(sheet).last).to_be_visible(timeout=SOON_MS)
        page.go_back()
        expect(page.locator(sheet).last).not_to_be_visible()
        assert page.url.endswith(f"#/{place}")
    page.go_back()
    expect(page.locator("[data-name=balance]")).to_be_visible(timeout=SOON_MS)
    assert faults == []


PLACES = ["send", "top-up", "history", "withdraw", "security", "me", "live", "wallet"]


def test_the_back_button_returns_from_every_page(page, house, faults):
    """Each page is one step, and the page's own arrow does the same as the phone's."""
    enter(page, house, known(house))
    expect(page.locator(".talk")).to_be_visible()
    for place in PLACES:
        page.evaluate("(place) => { window.location.hash = `#/${place}`; }", place)
        expect(page.locator(".page")).to_be_visible(timeout=SOON_MS)
        arrow = page.locator(".head-back")
        if arrow.count():
            arrow.tap()
        else:
            page.go_back()
        expect(page.locator(".talk")).to_be_visible(timeout=SOON_MS)
    assert faults == []
