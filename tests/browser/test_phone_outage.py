"""An outage on the phone: what is still open is offered, taken up, and told until it is settled."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator, pay

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

LONG_MS = 60_000
# Breakers rest for half a minute before a tap may try the channel again.
REST_MS = 90_000
HISTORY_S = 31 * 86_400
LINE_FEN = 10_000_000
TAPS = 24


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def hosts(app, step):
    """Take both hosts of the payment platform down, or bring them up."""
    for number in (0, 1):
        app.ask("POST", "/demo/platform", {"path": f"hosts/{number}/{step}", "wish": {}})


@pytest.fixture
def outage(app):
    """No host of the channel answers."""
    hosts(app, "down")
    yield
    hosts(app, "up")


def coins(app, place):
    """Return the coins somebody has, as the server says."""
    return app.ask("GET", f"/v1/users/{app.star(place)}/coins")["available"]


def tap(app, user_id, plan="coins-6"):
    """Ask for a pay sheet as a page does."""
    row = {"user_id": user_id, "plan_id": plan, "product": "jsapi", "payer": {"openid": "oTap"}}
    return app.ask("POST", "/v1/top-ups", row)


def has_paid_before(app, place):
    """Give somebody the history that an advance asks for: three payments, a month ago."""
    control = app.world["platform"]
    for _ in range(3):
        order = tap(app, app.star(place), "coins-30")
        number = order["attempts"][0]["id"]
        asked = urllib.request.Request(
            f"{control}/control/orders/{number}/pay", b"{}", {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(asked, timeout=20).read()
        app.ask("POST", f"/v1/top-ups/{order['id']}/return")
    app.ask("POST", "/v1/sandbox/clock", {"advance_s": HISTORY_S})
    app.ask("POST", "/v1/advance-lines/funding", {"amount_fen": LINE_FEN})


def breakers_open(app):
    """Let people tap until no host is asked any more, and wait until the account says so."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tap(app, app.star(0)), range(TAPS)))


def account(app):
    """Return how the one account is served."""
    return app.ask("GET", "/v1/channels")["channels"][0]


def is_routable(app):
    """Say whether a tap would be tried at the account."""
    return account(app)["products"][0]["is_routable"]


def until(page, is_so, most_ms):
    """Wait, with the page alive, until something is so."""
    for _ in range(0, most_ms, 500):
        if is_so():
            return
        page.wait_for_timeout(500)
    pytest.fail("it did not become so")


@pytest.mark.usefixtures("outage")
def test_the_own_balance_pays_while_no_channel_does(page, demo, app, faults):
    """Who has the money buys all the same, once; the unpaid order says what became of it."""
    before = coins(app, 0)
    page.goto(f"{demo.base}/demo/phone?as=0#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    button = page.get_by_role("button", name="用零钱支付 ¥6.00")
    expect(button).to_be_visible(timeout=LONG_MS)
    expect(page.locator("[data-way=wallet]")).to_contain_text("支付渠道暂时不可用")
    unpaid = page.url
    button.evaluate("(node) => { node.click(); node.click(); }")
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(".order-state")).to_have_text("已到账")
    assert page.url != unpaid
    assert coins(app, 0) == before + 60
    page.goto(unpaid)
    expect(page.locator(".order-state")).to_have_text("这笔充值已结束。", timeout=LONG_MS)
    expect(page.get_by_role("button", name="继续支付")).to_have_count(0)
    page.get_by_role("link", name="已改用零钱支付").tap()
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=SOON_MS)
    assert faults == []


def test_an_advance_is_told_until_it_is_paid(page, demo, app, faults):
    """Coins now, the money later: here at once, owed in plain words, and settled on one sheet."""
    until(page, lambda: is_routable(app), REST_MS)
    has_paid_before(app, 2)
    before = coins(app, 2)
    hosts(app, "down")
    breakers_open(app)
    until(page, lambda: account(app)["mode"] == "degraded", LONG_MS)
    page.goto(f"{demo.base}/demo/phone?as=2#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    advance = page.locator("[data-way=advance]")
    expect(advance).to_contain_text("24 小时内付款", timeout=LONG_MS)
    expect(page.locator("[data-way=wallet]")).to_be_visible()
    button = advance.get_by_role("button", name="先用金币，稍后付 ¥6.00")
    button.evaluate("(node) => { node.click(); node.click(); }")
    expect(page.locator(".order-state")).to_have_text("已先行到账，待付款", timeout=LONG_MS)
    expect(page.locator(".offer")).to_have_count(0)
    assert coins(app, 2) == before + 60

    page.goto(f"{demo.base}/demo/phone?as=2&again#/wallet")
    owed = page.locator("[data-name=advanced]")
    expect(owed).to_contain_text("前付款", timeout=LONG_MS)
    hosts(app, "up")
    until(page, lambda: is_routable(app), REST_MS)
    owed.get_by_role("link").tap()
    page.get_by_role("button", name="继续支付").tap()
    pay(page)
    expect(page.locator(".order-state")).to_have_text("已到账", timeout=LONG_MS)
    page.go_back()
    expect(owed).to_have_count(0, timeout=LONG_MS)
    assert coins(app, 2) == before + 60
    assert faults == []


@pytest.mark.usefixtures("outage")
def test_the_demo_page_offers_the_same(page, demo, faults):
    """The operator's page sells top-ups too: what the phone offers stands beside the order."""
    page.goto(f"{demo.base}/demo/wallet")
    page.locator("#who").select_option(label="阿婆")
    expect(page.locator("#orders")).to_contain_text("还没有充值", timeout=SOON_MS)
    page.get_by_role("button", name="60 金币").click()
    order = page.locator("#orders li").first
    order.get_by_role("button", name="用零钱支付").click(timeout=LONG_MS)
    expect(page.locator("#orders .yes")).to_have_count(1, timeout=LONG_MS)
    expect(page.get_by_role("button", name="用零钱支付")).to_have_count(0)
    expect(page.get_by_role("button", name="继续支付")).to_have_count(0)
    assert faults == []
