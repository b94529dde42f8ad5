"""Money on the phone: sending in four taps, topping up, and what goes wrong in between."""

import re
from datetime import datetime

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator, arrive, pay, sheet

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

CREDIT_MS = 30_000
TAPS_MAX = 4


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def coins(app, place):
    """Return the coins somebody has, as the server says."""
    return app.ask("GET", f"/v1/users/{app.star(place)}/coins")["available"]


def test_a_packet_is_sent_in_four_taps(page, demo, app, faults):
    """A sender with a child on the arm has one thumb and a few seconds."""
    arrive(page, demo)
    taps = [
        page.get_by_role("link", name="发红包"),
        page.get_by_role("button", name="18.88"),
        page.get_by_role("button", name="塞钱进红包"),
        page.get_by_role("button", name="确认支付 ¥18.88"),
    ]
    for tap in taps:
        tap.tap()
    assert len(taps) <= TAPS_MAX
    mine = page.locator(".line.mine [data-packet]").last
    expect(mine).to_be_visible(timeout=SOON_MS)
    packet = app.ask("GET", f"/v1/packets/{mine.get_attribute('data-packet')}")
    assert (packet["total_fen"], packet["count"], packet["kind"]) == (1_888, 5, "lucky")
    assert packet["sender_id"] == app.star(0)
    assert faults == []


def test_an_amount_is_slid_typed_or_tapped(page, demo, faults):
    """Three ways to the same number, each without a keyboard of letters."""
    page.goto(f"{demo.base}/demo/phone?as=0#/send")
    amount = page.locator("[data-name=amount]")
    expect(amount).to_have_text("8.88", timeout=SOON_MS)
    slide = page.get_by_role("slider", name="左右滑动选择金额")
    slide.press("ArrowRight")
    expect(amount).to_have_text("10.00")
    slide.press("End")
    expect(amount).to_have_text("200.00")
    page.locator(".pick-sum").tap()
    for _ in range(3):
        page.get_by_role("button", name="删除").tap()
    for key in "12.345":
        page.get_by_role("button", name=key, exact=True).tap()
    expect(amount).to_have_text("12.34")
    page.get_by_role("button", name="完成").tap()
    page.get_by_role("button", name="66.66").tap()
    expect(amount).to_have_text("66.66")
    assert faults == []


@pytest.mark.parametrize("kind", ["普通", "专属", "口令", "抽奖"])
def test_every_kind_is_sent_with_what_it_needs(page, demo, app, faults, kind):
    """A kind that asks for too little would be refused after the person has paid attention."""
    page.goto(f"{demo.base}/demo/phone?as=1#/send")
    page.get_by_role("radio", name=kind, exact=True).check(timeout=SOON_MS)
    if kind == "专属":
        expect(page.get_by_role("button", name="塞钱进红包")).to_be_disabled()
        page.get_by_label("给谁").select_option(label="Lina")
    if kind == "口令":
        page.get_by_label("口令", exact=True).last.fill("年年有余")
    page.get_by_role("radio", name="海浪").check()
    page.get_by_label("祝福语").fill("给大家")
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("button", name="确认支付").tap()
    mine = page.locator(".line.mine [data-packet]").last
    expect(mine).to_contain_text("给大家", timeout=SOON_MS)
    packet = app.ask("GET", f"/v1/packets/{mine.get_attribute('data-packet')}")
    kinds = {"普通": "equal", "专属": "targeted", "口令": "passphrase", "抽奖": "draw"}
    assert (packet["kind"], packet["cover"]) == (kinds[kind], "wave")
    assert faults == []


def test_a_draw_is_held_by_the_servers_clock(page, demo, app, faults):
    """A phone that is two hours fast sends a draw of five minutes, and counts down five minutes."""
    page.add_init_script("{ const real = Date.now; Date.now = () => real() + 7_200_000; }")
    page.goto(f"{demo.base}/demo/phone?as=1#/wallet")
    expect(page.locator(".purse[data-fresh=true]")).to_be_visible(timeout=SOON_MS)
    page.evaluate("window.location.hash = '#/send'")
    page.get_by_role("radio", name="抽奖").check(timeout=SOON_MS)
    page.get_by_label("祝福语").fill("五分钟后")
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("button", name="确认支付").tap()
    mine = page.locator(".line.mine [data-packet]", has_text="五分钟后")
    expect(mine).to_be_visible(timeout=SOON_MS)
    packet_id = mine.get_attribute("data-packet")
    draws_at = app.ask("GET", f"/v1/packets/{packet_id}")["draw_at"]
    as_of = app.ask("GET", f"/v1/users/{app.star(1)}/balances")["as_of"]
    left_s = (datetime.fromisoformat(draws_at) - datetime.fromisoformat(as_of)).total_seconds()
    assert 200 < left_s <= 300
    page.evaluate("(id) => { window.location.hash = `#/packet/${id}`; }", packet_id)
    left = page.locator("[data-name=draw-left]")
    expect(left).to_contain_text(re.compile(r"还有 [34]:\d\d"), timeout=SOON_MS)
    first = left.inner_text()
    expect(left).not_to_have_text(first, timeout=SOON_MS)
    assert faults == []


def test_two_taps_on_pay_send_one_packet(page, demo, app, faults):
    """People tap twice, and on a bad line the same wish arrives twice."""
    page.goto(f"{demo.base}/demo/phone?as=2#/send")
    page.get_by_label("祝福语").fill("只发一次", timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    button = page.get_by_role("button", name="确认支付")
    expect(button).to_be_enabled()
    button.evaluate("(node) => { node.click(); node.click(); }")
    expect(page.locator(".line.mine", has_text="只发一次")).to_be_visible(timeout=SOON_MS)
    sent = app.ask("GET", f"/v1/users/{app.star(2)}/packets?role=sent")["packets"]
    assert [row["greeting"] for row in sent].count("只发一次") == 1
    assert faults == []


def test_a_packet_paid_by_wechat_opens_once_it_is_proven(page, demo, faults):
    """Until the payment is proven the card says so; then it opens."""
    page.goto(f"{demo.base}/demo/phone?as=0#/send")
    page.get_by_label("祝福语").fill("微信付的", timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("radio", name="微信支付").check()
    page.get_by_role("button", name="确认支付").tap()
    pay(page)
    mine = page.locator(".line.mine [data-packet]", has_text="微信付的")
    expect(mine).to_have_attribute(
        "data-status", re.compile("openable|finished|claimed"), timeout=CREDIT_MS
    )
    assert faults == []


def test_a_top_up_whose_callback_is_lost_is_credited(page, demo, app, faults):
    """The platform may lose its word; the person never notices."""
    before = coins(app, 0)
    app.trouble("notice_lost")
    page.goto(f"{demo.base}/demo/phone?as=0#/top-up")
    page.locator("[data-plan=coins-50]").tap(timeout=SOON_MS)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    expect(page.locator(".order-state")).to_have_text("已到账")
    assert coins(app, 0) == before + 525
    assert faults == []


def test_the_way_to_a_top_up_is_told_beside_the_money(page, demo, faults):
    """One passage, in order, kept by the server; a step that is lost must cost nobody a payment."""
    told, statuses = [], []

    def hear(answer):
        if answer.url.endswith("/v1/behaviour-events"):
            told.extend(answer.request.post_data_json["events"])
            statuses.append(answer.status)

    page.on("response", hear)
    page.goto(f"{demo.base}/demo/phone?as=2#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    page.wait_for_timeout(500)
    steps = [row["step"] for row in told]
    assert steps == [
        "plan_view", "amount_select", "quote", "invoke", "sheet_shown", "confirmed",
    ]  # fmt: skip
    assert len({row["trace_id"] for row in told}) == 1
    assert set(statuses) == {202}
    assert faults == []


def test_an_order_opened_ahead_is_used_or_given_up(page, demo, app, faults):
    """Foretold, the sheet stands ready at the tap; foretold wrongly, nothing is left behind."""
    page.route(
        "**/v1/behaviour-events",
        lambda route: route.fulfill(
            status=202,
            json={"recorded": 1, "known": 0, "prepare": ["sheet"], "probability_ppm": 600_000},
        ),
    )
    page.goto(f"{demo.base}/demo/phone?as=1#/me")
    page.evaluate("localStorage.setItem('lingqian.plan', 'coins-6')")
    with page.expect_response(re.compile("/v1/top-ups$")) as opened:
        page.evaluate("location.hash = '#/top-up'")
    ahead = opened.value.json()["id"]
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    assert ahead in page.url
    with page.expect_response(re.compile("/v1/top-ups$")) as opened:
        page.evaluate("location.hash = '#/top-up'")
    unused = opened.value.json()["id"]
    with page.expect_response(re.compile(f"/v1/top-ups/{unused}/cancellation$")):
        page.evaluate("location.hash = '#/wallet'")
    assert not app.ask("GET", f"/v1/top-ups/{unused}")["is_credited"]
    assert faults == []


def test_a_reload_in_the_middle_of_paying_loses_nothing(page, demo, app, faults):
    """The page is gone while the sheet is open: the order waits, and is paid once."""
    before = coins(app, 1)
    page.goto(f"{demo.base}/demo/phone?as=1#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    expect(sheet(page).locator("#confirm")).to_be_visible(timeout=SOON_MS)
    page.reload()
    expect(page.locator(".order-state")).to_have_text("待付款", timeout=SOON_MS)
    page.get_by_role("button", name="继续支付").tap()
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    assert coins(app, 1) == before + 60
    assert faults == []


def test_a_cancelled_sheet_leaves_an_order_that_can_be_given_up(page, demo, faults):
    """Nothing was paid, nothing is had, and the person may walk away."""
    page.goto(f"{demo.base}/demo/phone?as=2#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    sheet(page).locator("#cancel").click()
    expect(page.locator(".told")).to_contain_text("已取消支付", timeout=SOON_MS)
    page.get_by_role("button", name="放弃").tap()
    expect(page.locator("[data-pay=closed]")).to_be_visible(timeout=CREDIT_MS)
    assert faults == []


def test_one_order_in_two_tabs_is_paid_once(page, demo, app):
    """The sheet stands open in both: one of them pays, and the other finds it done."""
    before = coins(app, 2)
    page.goto(f"{demo.base}/demo/phone?as=2#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    expect(sheet(page).locator("#confirm")).to_be_visible(timeout=SOON_MS)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="继续支付").tap(timeout=SOON_MS)
    pay(other)
    expect(other.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    page.bring_to_front()
    sheet(page).locator("#confirm").click(timeout=SOON_MS)
    expect(page.locator(".order-state")).to_have_text("已到账", timeout=CREDIT_MS)
    page.wait_for_timeout(1_000)
    assert coins(app, 2) == before + 60
    order = app.ask("GET", f"/v1/top-ups/{page.url.rpartition('/')[2]}")
    assert (order["pay_state"], len(order["attempts"])) == ("paid", 1)


def test_two_tabs_show_the_same_purse(page, demo, app):
    """What one tab buys the other shows, without being touched."""
    page.goto(f"{demo.base}/demo/phone?as=1#/wallet")
    other = page.context.new_page()
    other.goto(f"{demo.base}/demo/phone?as=1#/top-up")
    other.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    pay(other)
    expect(other.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    page.bring_to_front()
    expect(page.locator("[data-name=coins]")).to_have_text(str(coins(app, 1)), timeout=SOON_MS)
