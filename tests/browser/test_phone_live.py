"""What a page shows keeps up with what happens, in whatever order the answers come.

The server is right and the answers are slow, cut off, or overtaken: the last thing shown must be
the last thing that is true.
"""

import re

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator, arrive, card

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

FUND_FEN = 1_234
# As many as a page keeps of a talk (room.ts).
ROOM_PACKETS = 40


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


class Held:
    """Holds back the first answer that matches, as it was when the server gave it."""

    def __init__(self, page, pattern):
        self.page, self.answers = page, []
        page.route(re.compile(pattern), self._hold)

    def _hold(self, route):
        if self.answers:
            route.continue_()
        else:
            self.answers.append((route, route.fetch()))

    def wait(self):
        """Wait until there is one."""
        while not self.answers:
            self.page.wait_for_timeout(20)

    def let_go(self):
        """Let it arrive at last."""
        ((route, answer),) = self.answers
        route.fulfill(response=answer)


def registered(app, name, fen=50_000):
    """Register somebody with a little money; return the id."""
    row = {"external_id": f"live-{name}-{app.count}", "nickname": name}
    user_id = app.ask("POST", "/v1/users", row)["id"]
    app.ask("POST", "/v1/sandbox/funding", {"user_id": user_id, "amount_fen": fen})
    return user_id


def enter(page, demo, app, user_id):
    """Come in by a link, as in an app."""
    made = app.ask("POST", "/v1/session-links", {"user_id": user_id})
    page.goto(f"{demo.base}/wallet#{made['url'].partition('#')[2]}")
    expect(page.locator(".head-me")).to_have_text(re.compile(r"..\S"), timeout=SOON_MS)


def test_a_balance_that_was_overtaken_is_read_again(page, demo, app, faults):
    """An answer from before the money came must not be the last word about it."""
    user_id = registered(app, "慢线")
    enter(page, demo, app, user_id)
    page.evaluate("location.hash = '#/wallet'")
    shown = page.locator("[data-name=balance]")
    expect(shown).to_contain_text("500.00", timeout=SOON_MS)
    held = Held(page, f"/v1/users/{user_id}/balances$")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    held.wait()
    app.ask("POST", "/v1/sandbox/funding", {"user_id": user_id, "amount_fen": FUND_FEN})
    page.wait_for_timeout(1_500)
    held.let_go()
    expect(shown).to_contain_text("512.34", timeout=SOON_MS)
    assert faults == []


def test_half_an_answer_is_no_answer(page, demo, app, faults):
    """A line that is cut in the middle of a packet must not show a packet without a sender."""
    arrive(page, demo, place=2)
    packet_id = app.send(count=3, total_fen=300, greeting="只到一半", conversation_id="elsewhere")
    halves = []

    def cut(route):
        if halves:
            route.continue_()
        else:
            halves.append(route.fetch().text())
            half = halves[0][: len(halves[0]) // 2]
            route.fulfill(status=200, content_type="application/json", body=half)

    page.route(re.compile(rf"/v1/packets/{packet_id}\?"), cut)
    page.evaluate("(id) => { location.hash = `#/open/${id}`; }", packet_id)
    expect(page.locator(".envelope")).to_contain_text("只到一半", timeout=SOON_MS)
    expect(page.locator("ol.lines")).not_to_contain_text("Invalid")
    assert faults == []


def test_what_is_looked_at_is_not_pushed_out_by_what_comes(page, demo, app, faults):
    """A group at festival speed posts forty packets in ten seconds; a person looks for longer."""
    arrive(page, demo, place=2)
    packet_id = app.send(count=3, total_fen=300)
    expect(card(page, packet_id)).to_have_attribute("data-status", "openable", timeout=SOON_MS)
    page.evaluate("(id) => { location.hash = `#/open/${id}`; }", packet_id)
    expect(page.locator(".envelope")).to_be_visible(timeout=SOON_MS)
    last = [app.send(count=1, total_fen=100) for _ in range(ROOM_PACKETS + 2)][-1]
    expect(card(page, last)).to_be_attached(timeout=SOON_MS)
    page.locator(".envelope .coin").tap(timeout=SOON_MS)
    expect(page.locator("main.result .won")).to_be_visible(timeout=SOON_MS)
    last = [app.send(count=1, total_fen=100) for _ in range(ROOM_PACKETS + 2)][-1]
    page.wait_for_timeout(1_500)
    expect(page.locator("main.result .won")).to_be_visible()
    assert faults == []


def test_a_packet_that_could_not_be_read_is_read_when_the_line_is_whole(page, demo, app):
    """Whoever taps in a tunnel sees it behind the tunnel, without tapping again."""
    arrive(page, demo, place=2)
    packet_id = app.send(count=3, total_fen=300, greeting="隧道后面", conversation_id="elsewhere")
    pattern = re.compile(rf"/v1/packets/{packet_id}\?")
    page.route(pattern, lambda route: route.abort())
    page.evaluate("(id) => { location.hash = `#/open/${id}`; }", packet_id)
    expect(page.locator(".told")).not_to_be_empty(timeout=SOON_MS)
    page.unroute(pattern)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator(".envelope")).to_contain_text("隧道后面", timeout=SOON_MS)


def test_a_card_that_was_overtaken_stays_as_it_is_now(page, demo, app, faults):
    """The first of two readings comes last: it must not open again what is finished."""
    arrive(page, demo, place=2)
    packet_id = app.send(count=1, total_fen=100)
    expect(card(page, packet_id)).to_have_attribute("data-status", "openable", timeout=SOON_MS)
    held = Held(page, rf"/v1/packets/{packet_id}\?")
    claim = {"user_id": app.star(0)}
    page.evaluate("(id) => { location.hash = `#/packet/${id}`; }", packet_id)
    held.wait()
    app.ask("POST", f"/v1/packets/{packet_id}/claims", claim)
    page.wait_for_timeout(1_500)
    held.let_go()
    page.wait_for_timeout(300)
    page.evaluate("location.hash = '#/chat'")
    expect(card(page, packet_id)).to_have_attribute("data-status", "finished", timeout=SOON_MS)
    assert faults == []


def test_leaving_a_packet_cuts_no_other_stream(page, demo, app, faults):
    """The person's own stream has nothing to do with a packet that is no longer looked at."""
    user_id = registered(app, "看一眼")
    enter(page, demo, app, user_id)
    row = {"sender_id": user_id, "kind": "lucky", "total_fen": 100, "count": 2}
    packet_id = app.ask("POST", "/v1/packets", row)["id"]
    asked = []
    page.on("request", lambda each: asked.append(each.url) if "/v1/events?" in each.url else None)
    with page.expect_request(re.compile(f"/v1/events.*packet_id={packet_id}")):
        page.evaluate("(id) => { location.hash = `#/packet/${id}`; }", packet_id)
    page.evaluate("location.hash = '#/chat'")
    page.wait_for_timeout(2_500)
    assert [url for url in asked if "packet_id" not in url] == []
    assert faults == []


def test_an_old_token_and_no_line_are_no_mistake_of_the_page(page, demo, app, faults):
    """Underground, with a token that has run out: the page says offline, and breaks nothing."""
    user_id = registered(app, "地铁里")
    enter(page, demo, app, user_id)
    page.evaluate("location.hash = '#/wallet'")
    expect(page.locator("[data-fresh=true]")).to_be_visible(timeout=SOON_MS)
    page.route("**/v1/**", lambda route: route.abort("internetdisconnected"))
    page.evaluate("{ const now = Date.now; Date.now = () => now() + 700_000; }")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-fresh=false]")).to_be_visible(timeout=SOON_MS)
    page.unroute("**/v1/**")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-fresh=true]")).to_be_visible(timeout=SOON_MS)
    # The browser's own words for no line, and for a proof by the clock that was put forward.
    known = re.compile(r"ERR_INTERNET_DISCONNECTED|status of 401")
    assert [words for words in faults if not known.search(words)] == []
