"""How the wallet looks: readable by everybody, in both languages and lights, from 320 wide."""

import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from browser.barrier import too_wide, violations
from browser.phone import SOON_MS, Integrator

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

FRAMES_MIN = 20
LOOKS = [
    {"language": "zh", "light": "light", "isBig": False, "skin": "plain"},
    {"language": "en", "light": "dark", "isBig": False, "skin": "plain"},
    {"language": "zh", "light": "light", "isBig": True, "skin": "festival"},
    {"language": "en", "light": "dark", "isBig": True, "skin": "live"},
    {"language": "zh", "light": "light", "isBig": False, "skin": "shop"},
]


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def places(app):
    """Return every page there is, with something on it."""
    one = app.send(count=1, total_fen=100)
    other = app.send(kind="targeted", count=1, recipient_ids=[app.star(2)])
    plain = ["chat", "send", "wallet", "top-up", "history", "live", "withdraw", "me"]
    return [*plain, f"open/{app.send()}", f"open/{other}", f"packet/{one}"]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look.values())))
def test_nobody_is_shut_out_of_any_page(chromium, demo, app, axe, look):
    """Contrast, names, roles: on each page, narrow where letters are big; and nothing overflows."""
    browser, phone = chromium
    size = {"width": 320, "height": 640} if look["isBig"] else phone["viewport"]
    context = browser.new_context(**{**phone, "viewport": size}, reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script(f"localStorage['lingqian.taste'] = {json.dumps(json.dumps(look))}")
    found = []
    for place in places(app):
        page.goto(f"{demo.base}/demo/phone?as=0#/{place}")
        expect(page.locator("main")).to_be_visible(timeout=SOON_MS)
        page.wait_for_timeout(400)
        found += [(place, row) for row in violations(page, axe)]
        found += [(place, row) for row in too_wide(page)]
    context.close()
    assert found == []


@pytest.mark.parametrize(
    ("zone", "words"),
    [("Asia/Shanghai", "{}"), ("America/New_York", "北京时间 {}"), ("Asia/Urumqi", "北京时间 {}")],
)
def test_times_are_those_of_the_house(chromium, demo, app, zone, words):
    """A packet was sent when it was sent, wherever it is read; and whose clock that is, is said."""
    browser, phone = chromium
    packet = app.ask("GET", f"/v1/packets/{app.send()}")
    at = datetime.fromisoformat(packet["created_at"]).astimezone(timezone(timedelta(hours=8)))
    context = browser.new_context(**phone, locale="zh-CN", timezone_id=zone)
    page = context.new_page()
    page.goto(f"{demo.base}/demo/phone?as=0")
    line = page.locator(".line", has=page.locator(f"[data-packet={packet['id']}]"))
    told = f"阿婆 · {words.format(at.strftime('%H:%M'))}"
    expect(line.locator("small").first).to_have_text(told, timeout=SOON_MS)
    context.close()


def test_the_choice_of_looks_is_kept(page, demo):
    """Grandmother sets big letters once."""
    page.goto(f"{demo.base}/demo/phone?as=1#/me")
    page.get_by_role("switch", name="大字").check(timeout=SOON_MS)
    page.get_by_role("radio", name="深色").check()
    page.get_by_role("radio", name="English").check()
    page.reload()
    root = page.locator("html")
    expect(root).to_have_attribute("data-letters", "big")
    expect(root).to_have_attribute("data-light", "dark")
    expect(root).to_have_attribute("lang", "en")
    expect(page.get_by_role("link", name="Wallet")).to_be_visible(timeout=SOON_MS)


def test_a_skin_changes_no_price_and_no_state(page, demo):
    """A scene may be red or violet; it may not be dearer."""
    told = []
    for skin in ("plain", "live", "shop", "festival"):
        look = json.dumps({**LOOKS[0], "skin": skin})
        page.goto(f"{demo.base}/demo/phone?as=1#/me")
        page.evaluate("(look) => localStorage.setItem('lingqian.taste', look)", look)
        page.goto(f"{demo.base}/demo/phone?as=1&n={skin}#/top-up")
        expect(page.locator("html")).to_have_attribute("data-skin", skin, timeout=SOON_MS)
        expect(page.locator(".plan").nth(4)).to_be_visible(timeout=SOON_MS)
        told.append(page.locator(".plan").all_inner_texts())
    assert all(row == told[0] for row in told)


def test_the_envelope_opens_smoothly(page, demo, app):
    """Two thirds of a second of turning coin: counted in frames, on this machine's own browser."""
    packet_id = app.send()
    page.goto(f"{demo.base}/demo/phone?as=0#/open/{packet_id}")
    expect(page.locator(".coin")).to_be_visible(timeout=SOON_MS)
    page.evaluate(
        """() => { window.frames_seen = 0;
             const count = () => { window.frames_seen += 1; requestAnimationFrame(count); };
             requestAnimationFrame(count); }"""
    )
    page.locator(".coin").tap()
    expect(page.locator(".won b")).to_be_visible(timeout=SOON_MS)
    assert page.evaluate("window.frames_seen") >= FRAMES_MIN
    expect(page.locator(".won b")).to_have_text(re.compile(r"\d+\.\d\d"))
