"""Three phones side by side: the tour of a minute goes by itself, because people really tap."""

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, pay

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(240)]

TOUR_MS = 60_000
WIDE = {"width": 1400, "height": 1000}


@pytest.fixture
def desk(chromium):
    """Open a page on a desk, where three phones lie beside each other."""
    browser, _ = chromium
    context = browser.new_context(viewport=WIDE, locale="zh-CN")
    page = context.new_page()
    heard = []
    page.on("console", lambda said: heard.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield page, heard
    context.close()


def test_the_tour_follows_what_is_tapped(desk, demo):
    """Send on the left, open in the middle, too late on the right; then a top-up that is lost."""
    page, heard = desk
    page.goto(f"{demo.base}/demo/phones")
    step = page.locator("#step")
    expect(step).to_contain_text("1/6", timeout=SOON_MS)
    left, middle, right = (page.frame_locator("iframe").nth(place) for place in range(3))

    left.get_by_role("link", name="发红包").click(timeout=SOON_MS)
    left.get_by_role("button", name="18.88").click()
    left.get_by_role("button", name="塞钱进红包").click()
    left.get_by_role("button", name="确认支付").click()
    expect(step).to_contain_text("2/6", timeout=SOON_MS)

    card = middle.locator("[data-packet]").last
    card.click(timeout=SOON_MS)
    coin = middle.locator(".coin")
    if coin.count():
        coin.click()
    expect(step).to_contain_text("3/6", timeout=TOUR_MS)
    expect(step).to_contain_text("4/6", timeout=TOUR_MS)
    late = right.locator("[data-packet]").last
    expect(late).to_have_attribute("data-status", "finished", timeout=SOON_MS)
    late.click()
    expect(right.locator(".said")).to_contain_text("手慢了", timeout=SOON_MS)

    page.locator("#next").click()
    page.get_by_role("button", name="丢掉回调").click()
    left.get_by_role("link", name="钱包").click()
    left.get_by_role("link", name="充值").click()
    left.locator("[data-plan=coins-6]").click(timeout=SOON_MS)
    pay(left)
    expect(step).to_contain_text("6/6", timeout=TOUR_MS)
    assert heard == []


def test_the_page_speaks_english_too(desk, demo):
    """A visitor who reads no Chinese is led all the same."""
    page, _ = desk
    page.goto(f"{demo.base}/demo/phones")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#step")).to_contain_text("Left phone")
    expect(page.locator("figcaption").nth(2)).to_contain_text("The latecomer")
