"""The wallet within another app's page: where the house allows it, and nowhere else."""

import re
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from api.caller import running
from browser.party import free_port, party_at
from browser.phone import SOON_MS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house that lets one app show the wallet within its page."""
    port = free_port()
    sites = (f"http://127.0.0.1:{port}",)
    folder = tmp_path_factory.mktemp("frame") / "house"
    with running(folder, frame_ancestors=sites) as found:
        api = found.caller()
        yield SimpleNamespace(api=api, base=f"http://127.0.0.1:{api.port}", port=port)


def frame_of(page, origin, key=""):
    """Send a packet at the party, tap its card, and return the frame that opens above the page."""
    page.goto(f"{origin}/")
    page.locator("#send").tap()
    card = page.locator("lq-packet")
    expect(card).to_have_count(1, timeout=SOON_MS)
    card.evaluate(
        """(node) => {
          node.setAttribute("opens", "frame");
          node.addEventListener("lq-close", ({ detail }) => { window.closed_with = detail; });
        }"""
    )
    button = card.locator("button")
    if key:
        button.press(key)
    else:
        button.tap()
    veil = page.locator("[data-lingqian=wallet]")
    expect(veil).to_be_visible(timeout=SOON_MS)
    return veil


def test_a_packet_opens_above_the_apps_own_page(page, house, faults):
    """The person never leaves the talk; closed, the page is where it was and knows which packet."""
    with party_at(house.base, house.api.key, house.port) as origin:
        veil = frame_of(page, origin)
        inside = veil.frame_locator("iframe")
        inside.locator(".coin").tap(timeout=SOON_MS)
        expect(inside.locator(".won b")).to_have_text(re.compile(r"\d\.\d\d"), timeout=SOON_MS)
        veil.get_by_role("button", name="关闭").tap()
        expect(veil).to_have_count(0)
        assert page.url == f"{origin}/"
        assert re.match("rp_", page.evaluate("String(window.closed_with)"))
    assert faults == []


def test_keys_open_and_close_the_frame(page, house):
    """Whoever has no finger on the screen gets in and out, and is where she was."""
    with party_at(house.base, house.api.key, house.port) as origin:
        veil = frame_of(page, origin, "Enter")
        page.keyboard.press("Escape")
        expect(veil).to_have_count(0)
        assert page.evaluate("document.activeElement.tagName") == "LQ-PACKET"


def test_no_other_page_may_put_the_wallet_under_its_own_buttons(page, house, faults):
    """Clickjacking: the browser itself refuses to show it there, link or no link."""
    with party_at(house.base, house.api.key) as origin:
        veil = frame_of(page, origin)
        inside = veil.frame_locator("iframe")
        page.wait_for_timeout(1_500)
        assert inside.locator(".coin, .door, main").count() == 0
    assert [said for said in faults if "frame-ancestors" in said]
