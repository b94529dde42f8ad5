"""The elements on another app's page: its own server side, in fewer than a hundred lines."""

import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

import picture
from browser.phone import SOON_MS, Integrator
from tidy.text import ROOT

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

HOME = ROOT / "examples" / "party"
LINES_MAX = 100
PARTY = re.compile(r"party (http://127\.0\.0\.1:\d+)/")


@pytest.fixture
def party(demo):
    """Run the example as its page says; return where it is."""
    process = subprocess.Popen(
        [sys.executable, HOME / "server.py"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LINGQIAN_URL": demo.base, "LINGQIAN_KEY": demo.key, "PORT": "0"},
    )
    try:
        yield PARTY.match(process.stdout.readline())[1]
    finally:
        process.kill()
        process.communicate()


def test_the_example_is_short():
    """What takes longer to read is not an example but a product."""
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in HOME.iterdir())
    assert lines < LINES_MAX


def test_a_packet_on_another_apps_page_opens_in_the_wallet(page, party, demo, faults):
    """The app shows the card; the wallet, and nobody else, has the key that opens it."""
    page.goto(f"{party}/")
    page.locator("#send").tap()
    card = page.locator("lq-packet button")
    expect(card).to_contain_text("欢迎", timeout=SOON_MS)
    colour = card.evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert colour == "rgb(122, 42, 107)"
    card.tap()
    expect(page).to_have_url(re.compile(f"{demo.base}/wallet"), timeout=SOON_MS)
    page.locator(".coin").tap(timeout=SOON_MS)
    expect(page.locator(".won b")).to_have_text(re.compile(r"\d\.\d\d"), timeout=SOON_MS)
    page.goto(f"{party}/")
    expect(page.locator("lq-packet button")).to_contain_text("已领取", timeout=SOON_MS)
    assert faults == []


def test_a_cover_of_ones_own_comes_from_the_wallet(page, party, demo, faults):
    """The card's path is the wallet's, not the app's; a picture that is gone leaves the colours."""
    app = Integrator(demo)
    host = app.ask("POST", "/v1/users", {"external_id": "party-主人", "nickname": "主人"})["id"]
    cover = app.upload(host, picture.painted())
    page.goto(f"{party}/")
    page.locator("#send").tap()
    expect(page.locator("lq-packet button")).to_be_visible(timeout=SOON_MS)
    wear = """(image) => {
      const node = document.querySelector("lq-packet");
      node.card = JSON.stringify({ ...JSON.parse(node.card), cover: "cv", cover_image: image });
    }"""
    page.evaluate(wear, cover["image"])
    shown = page.locator("lq-packet img")
    expect(shown).to_have_attribute("src", demo.base + cover["image"], timeout=SOON_MS)
    page.wait_for_function(
        "() => document.querySelector('lq-packet').shadowRoot.querySelector('img').naturalWidth"
    )
    assert faults == []
    page.evaluate(wear, "/v1/covers/cv_3V9ZK2M6T8X1B4D7F0H3J5N8QR/image")
    expect(shown).to_have_count(0, timeout=SOON_MS)


def test_the_button_leads_a_person_into_the_wallet(page, party, demo, faults):
    """One tap from the app to the own balance, without a password of the app's."""
    page.goto(f"{party}/")
    page.locator("lq-wallet-button button").tap()
    expect(page.locator("[data-name=balance]")).to_contain_text("¥", timeout=SOON_MS)
    assert page.url.startswith(demo.base)
    assert faults == []


def test_an_app_that_is_lied_to_leads_nobody_elsewhere(page, party):
    """An answer that names another place is refused: no open redirect by way of the element."""
    page.goto(f"{party}/")
    page.route("**/link", lambda route: route.fulfill(json={"url": "http://127.0.0.2:9/wallet"}))
    fault = page.evaluate(
        """() => new Promise((done) => {
          const node = document.querySelector("lq-wallet-button");
          node.addEventListener("lq-fault", (event) => done(String(event.detail)));
          node.shadowRoot.querySelector("button").click();
        })"""
    )
    assert "is not the wallet" in fault
    assert page.url.startswith(party)
