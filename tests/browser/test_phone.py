"""The wallet on the phone: a packet is opened in two taps, and everybody's luck is seen."""

import re

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator, arrive, card

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def test_a_packet_is_opened_in_two_taps_and_its_luck_is_seen(page, demo, app, faults):
    """The one thing everybody does: tap the card, tap the coin, see what it was."""
    arrive(page, demo)
    packet_id = app.send()
    card(page, packet_id).tap(timeout=SOON_MS)
    page.locator(".coin").tap()
    won = page.locator(".won b")
    expect(won).to_be_visible(timeout=SOON_MS)
    claim = app.ask("GET", f"/v1/packets/{packet_id}?viewer_id={app.star(0)}")["viewer"]
    expect(won).to_have_attribute("data-fen", str(claim["amount_fen"]))
    expect(page.locator(".said")).to_contain_text("已存入零钱")
    expect(page.locator(".claims li", has_text="小明")).to_be_visible(timeout=SOON_MS)
    page.go_back()
    expect(card(page, packet_id)).to_have_attribute("data-status", "claimed")
    assert faults == []


def test_the_balance_shows_what_is_durable_and_when(page, demo, app, faults):
    """A sum without its time would look like a promise."""
    arrive(page, demo)
    page.get_by_role("link", name="钱包").tap()
    money = app.ask("GET", f"/v1/users/{app.star(0)}/balances")["balances"]
    fen = next(row["amount_fen"] for row in money if row["book"] == "balance")
    shown = f"{fen // 100:,}.{fen % 100:02d}"
    expect(page.locator("[data-name=balance]")).to_have_text(f"¥{shown}", timeout=SOON_MS)
    expect(page.locator(".as-of")).to_have_text(re.compile(r"截至 (北京时间 )?\d\d:\d\d"))
    assert faults == []


def test_a_packet_for_somebody_else_says_for_whom(page, demo, app):
    """Who may not open it learns why before trying."""
    packet_id = app.send(kind="targeted", count=1, recipient_ids=[app.star(2)])
    page.goto(f"{demo.base}/demo/phone?as=0#/open/{packet_id}")
    expect(page.locator(".envelope")).to_contain_text("仅 Lina 可领取", timeout=SOON_MS)
    expect(page.locator(".coin")).to_have_count(0)


def test_a_passphrase_is_asked_for_and_a_wrong_one_takes_nothing(page, demo, app):
    """A slip of the tongue must not cost a share."""
    packet_id = app.send(kind="passphrase", passphrase="平安喜乐")
    page.goto(f"{demo.base}/demo/phone?as=0#/open/{packet_id}")
    page.locator(".phrase input").fill("恭喜发财")
    page.locator(".coin").tap()
    expect(page.locator(".told")).not_to_be_empty(timeout=SOON_MS)
    page.locator(".phrase input").fill("平安喜乐")
    page.locator(".coin").tap()
    expect(page.locator(".won b")).to_be_visible(timeout=SOON_MS)


def test_two_taps_on_the_coin_open_it_once(page, demo, app, faults):
    """People tap twice; money moves once."""
    packet_id = app.send()
    page.goto(f"{demo.base}/demo/phone?as=0#/open/{packet_id}")
    coin = page.locator(".coin")
    expect(coin).to_be_visible(timeout=SOON_MS)
    coin.evaluate("(node) => { node.click(); node.click(); }")
    expect(page.locator(".won b")).to_be_visible(timeout=SOON_MS)
    claims = app.ask("GET", f"/v1/packets/{packet_id}/claims?limit=200")["claims"]
    assert [row["user_id"] for row in claims].count(app.star(0)) == 1
    assert faults == []


def test_a_name_is_text_and_never_code(page, demo, app, faults):
    """A greeting comes from a stranger and is shown to a group."""
    packet_id = app.send(greeting="<img src=x onerror=alert(1)>")
    arrive(page, demo)
    expect(card(page, packet_id)).to_contain_text("<img src=x", timeout=SOON_MS)
    assert page.locator(".lines img").count() == 0
    assert faults == []
