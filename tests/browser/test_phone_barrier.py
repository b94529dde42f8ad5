"""Nobody is shut out of any sheet or state: in both languages and lights, by big letters at 320."""

import json
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from api.caller import running
from api.phone import link_of
from browser.barrier import too_wide, violations
from browser.phone import SOON_MS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

PASSWORD = "274913"
NOBODY = "00000000000000000000000000"
LOOKS = [
    {"language": "zh", "light": "dark", "isBig": True, "skin": "plain"},
    {"language": "en", "light": "dark", "isBig": True, "skin": "festival"},
    {"language": "zh", "light": "light", "isBig": False, "skin": "shop"},
    {"language": "en", "light": "light", "isBig": True, "skin": "live"},
]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house without a channel: what it sells only the own balance can pay."""
    with running(tmp_path_factory.mktemp("barrier") / "house") as found:
        api = found.caller()
        yield SimpleNamespace(api=api, base=f"http://127.0.0.1:{api.port}")


@pytest.fixture(scope="module")
def scene(house):
    """Somebody with money, coins, a payment password to come, and packets in every state."""
    api = house.api
    user, friend = api.rich(3_000_000, "阿花"), api.rich(50_000, "阿婆")
    unnamed, frozen = api.user("新人", account_class=0), api.user("老周")
    api.call("PATCH", f"/v1/users/{frozen}", {"state": "frozen"})
    over, free = api.packet(friend, count=1), api.packet(friend)
    assert api.claim(over, user).status in (200, 201)
    stopped = api.packet(friend)
    api.post(f"/v1/packets/{stopped}/invalidation", {"by": "x"})
    meant = api.packet(friend, kind="targeted", recipient_ids=[unnamed])
    return SimpleNamespace(
        user=user, friend=friend, unnamed=unnamed, frozen=frozen, over=over,
        free=free, stopped=stopped, meant=meant,
        phrase=api.packet(friend, kind="passphrase", passphrase="平安"),
        draw=api.packet(user, await_entropy=True),
    )  # fmt: skip


def bought(api, user_id):
    """Buy coins from somebody's balance; return the order's id."""
    row = {"user_id": user_id, "plan_id": "coins-6", "pay_with": "balance"}
    return api.post("/v1/top-ups", row, once=f"b{user_id}").body["id"]


class Walk:
    """One visit in one look: goes to places and notes what stands in the way there."""

    def __init__(self, page, house, axe):
        self.page, self.house, self.axe, self.found = page, house, axe, []

    def enter(self, user_id, more=""):
        """Come in by a link."""
        link = link_of(self.house.api, user_id)
        self.page.goto(f"{self.house.base}/wallet?n={user_id}#link={link}{more}")
        expect(self.page.locator("ol.lines[aria-busy=false]")).to_be_attached(timeout=SOON_MS)

    def go(self, place, shown="main"):
        """Go to a place of the wallet, and look at it."""
        self.page.evaluate("(place) => { window.location.hash = `#/${place}`; }", place)
        self.look(place, shown)

    def look(self, name, shown):
        """Note what stands in the way here, once it is shown."""
        expect(self.page.locator(shown).last).to_be_visible(timeout=SOON_MS)
        self.page.wait_for_timeout(250)
        self.found += [(name, row) for row in violations(self.page, self.axe)]
        self.found += [(name, row) for row in too_wide(self.page)]

    def tap(self, what):
        """Tap the first of what is meant."""
        self.page.locator(what).first.tap(timeout=SOON_MS)

    def type(self):
        """Type the six digits."""
        for key in PASSWORD:
            pad = self.page.locator(".digits-pad")
            pad.get_by_role("button", name=key, exact=True).tap()


def packets(walk, scene):
    """Look at envelopes and packets in the states that a stranger, a claimer and others meet."""
    for packet_id in (scene.free, scene.phrase, scene.stopped, scene.over, scene.meant):
        walk.go(f"open/{packet_id}", ".envelope")
    for packet_id in (scene.free, scene.over, scene.stopped, scene.draw):
        walk.go(f"packet/{packet_id}", ".result")
    walk.tap(".head .text")
    walk.look("share", ".share")
    walk.page.go_back()
    expect(walk.page.locator(".share")).to_have_count(0)
    walk.go(f"proof/{scene.over}", "[data-fair=true]")


def absences(walk):
    """Look at what cannot be had."""
    for kind, prefix in (("packet", "rp"), ("order", "tu"), ("proof", "rp")):
        walk.go(f"{kind}/{prefix}_{NOBODY}", "[data-absent=true]")


def money(walk, order):
    """Look at every sheet on the way of money, and at orders."""
    walk.go("send", ".compose")
    walk.tap(".pick-sum")
    walk.look("keypad", ".pick .van-number-keyboard")
    walk.page.go_back()
    for place in range(1, 5):
        walk.page.locator(".send > .choice label").nth(place).tap()
        walk.look(f"send {place}", ".send")
    walk.page.locator(".send > .choice label").first.tap()
    walk.page.locator(".chip").nth(3).tap()
    walk.tap("footer.compose button")
    walk.look("pay sheet", ".sheet .packet-button")
    walk.tap(".sheet .packet-button")
    walk.look("factor sheet", ".factor")
    walk.page.go_back()
    walk.page.go_back()
    walk.go("top-up", "[data-plan=coins-30]")
    walk.tap(".plan >> nth=-1")
    walk.look("own amount", ".pick")
    walk.go(f"order/{order}", "[data-credited=true]")
    walk.go("withdraw", ".pick")
    walk.go("live", "[data-gift=rose]")
    walk.go("history", ".history .rows")
    for number in range(4):
        walk.page.locator(".history .choice").first.locator("label").nth(number).tap()
        walk.look(f"history {number}", ".history .panel")


def security(walk):
    """Look at the page for devices, password, passkeys and the real name, and set the password."""
    walk.go("security", "[data-verified]")
    walk.tap(".security button.main")
    walk.look("six digits", ".digits-pad")
    walk.type()
    walk.look("once more", ".digits-pad")
    walk.type()
    expect(walk.page.locator(".digits-pad")).to_have_count(0, timeout=SOON_MS)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look.values())))
def test_nothing_stands_in_anybodys_way(chromium, house, scene, axe, look):
    """Every sheet and state, by axe and by the screen's edge; the visit ends where it began."""
    browser, phone = chromium
    size = {"width": 320, "height": 640} if look["isBig"] else phone["viewport"]
    context = browser.new_context(**{**phone, "viewport": size}, reduced_motion="reduce")
    page = context.new_page()
    taste = json.dumps(json.dumps(look))
    page.add_init_script(f"localStorage['lingqian.taste'] = {taste}")
    walk = Walk(page, house, axe)
    page.goto(f"{house.base}/wallet")
    walk.look("outside", ".door")
    user = house.api.rich(50_000, "新来的")
    order = bought(house.api, user)
    walk.enter(user, f"&payer=oBarrier&streamer={scene.friend}&streamer_name=阿婆")
    security(walk)
    money(walk, order)
    for who, place in ((scene.unnamed, "open"), (scene.frozen, "open"), (scene.frozen, "packet")):
        walk.enter(who)
        walk.go(f"{place}/{scene.free}", ".envelope" if place == "open" else ".result")
    walk.enter(scene.user)
    packets(walk, scene)
    absences(walk)
    context.close()
    assert walk.found == []
