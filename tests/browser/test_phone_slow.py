"""The wallet on slow 3G: two seconds for every answer, and a thumb that taps again."""

import re

import pytest
from playwright.sync_api import expect

from browser.phone import Integrator, card, pay, sheet
from lingqian.bench.chromium import SLOW

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

# Six answers one after another lie between a tap and the sheet, each of them two seconds late.
SLOW_MS = 90_000
# A person is told that something goes on long before its first answer can have come.
TOLD_MS = 1_500


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


@pytest.fixture
def slow(page):
    """Put the phone on slow 3G."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": SLOW.latency_ms,
            "downloadThroughput": SLOW.down_per_s,
            "uploadThroughput": SLOW.up_per_s,
        },
    )
    return page


def orders(app, place):
    """Return the top-ups of one of the three."""
    return app.ask("GET", f"/v1/users/{app.star(place)}/top-ups")["top_ups"]


def test_a_top_up_goes_through_and_is_told_on_the_way(slow, demo, app, faults):
    """Nobody knows on a train whether a tap was felt: it is said, and a second buys nothing."""
    before = app.ask("GET", f"/v1/users/{app.star(2)}/coins")["available"]
    slow.goto(f"{demo.base}/demo/phone?as=2#/top-up")
    plan = slow.locator("[data-plan=coins-6]")
    expect(plan).to_be_visible(timeout=SLOW_MS)
    plan.evaluate("(node) => { node.click(); node.click(); }")
    expect(slow.get_by_text("正在打开收银台…")).to_be_visible(timeout=TOLD_MS)
    expect(slow.locator(".order-state")).to_have_text("请在收银台完成支付", timeout=SLOW_MS)
    expect(sheet(slow).locator("#confirm")).to_be_visible(timeout=SLOW_MS)
    pay(slow)
    expect(slow.locator("[data-credited=true]")).to_be_visible(timeout=SLOW_MS)
    assert app.ask("GET", f"/v1/users/{app.star(2)}/coins")["available"] == before + 60
    assert [row["is_credited"] for row in orders(app, 2)].count(True) == 1
    assert len(orders(app, 2)) == 1
    assert faults == []


def test_an_envelope_turns_until_it_is_open_and_opens_once(slow, demo, app, faults):
    """The coin turns for as long as it takes; what is shown is what the server says is had."""
    slow.goto(f"{demo.base}/demo/phone?as=0")
    expect(slow.locator("ol.lines[aria-busy=false]")).to_be_visible(timeout=SLOW_MS)
    packet_id = app.send(greeting="慢慢来")
    card(slow, packet_id).tap(timeout=SLOW_MS)
    coin = slow.locator(".coin")
    coin.evaluate("(node) => { node.click(); node.click(); }")
    expect(slow.locator(".envelope.turning")).to_be_visible(timeout=TOLD_MS)
    expect(slow.get_by_role("status").filter(has_text="正在打开…")).to_have_count(1)
    expect(slow.locator(".won b")).to_have_text(re.compile(r"\d+\.\d\d"), timeout=SLOW_MS)
    claims = app.ask("GET", f"/v1/packets/{packet_id}/claims?limit=200")["claims"]
    mine = [row["amount_fen"] for row in claims if row["user_id"] == app.star(0)]
    assert [str(fen) for fen in mine] == [slow.locator(".won b").get_attribute("data-fen")]
    assert faults == []
