"""Every state that somebody may meet a packet in: its own words and picture, in both languages."""

import json
import time
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from api.caller import moment, running
from api.phone import link_of
from browser.phone import SOON_MS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

DRAW_S = 120
# What stands on the envelope and on the packet's page, and what is drawn there.
STATES = {
    "openable": ("开", "Open", None),
    "claimed": ("已存入零钱", "in your balance", None),
    "entered": ("等待开奖", "wait for the draw", "entered"),
    "not_won": ("这次没有中", "Not drawn this time", "not_won"),
    "finished": ("手慢了", "Too late", "finished"),
    "expired": ("该红包已过期", "has expired", "expired"),
    "invalidated": ("红包已失效", "no longer valid", "invalidated"),
    "not_open": ("红包尚未开启", "not open yet", "not_open"),
    "not_for_you": ("仅 阿婆 可领取", "Only for 阿婆", "not_for_you"),
    "own": ("不能领取自己发的", "you sent to others", "own"),
    "real_name": ("请先完成实名认证", "Verify your real name", "real_name_required"),
    "frozen": ("账户已被冻结", "account is frozen", "account_frozen"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house of one's own: its clock is moved past draws and deadlines."""
    with running(tmp_path_factory.mktemp("state") / "house") as found:
        api = found.caller()
        yield SimpleNamespace(api=api, base=f"http://127.0.0.1:{api.port}")


@pytest.fixture(scope="module")
def met(house):
    """For each state, somebody and the packet that she meets in it."""
    api = house.api
    sender, friend = api.rich(nickname="小明"), api.user("阿婆")
    user, other = api.user("阿花"), api.user("大鹏")
    found = {"expired": (user, api.packet(sender, expires_in_s=30))}
    drawn = api.packet(sender, kind="draw", count=1, draw_at=moment(api, DRAW_S))
    for each in (user, other):
        assert api.claim(drawn, each).status == 202
    api.advance(DRAW_S + 60)
    found["not_won"] = (without_luck(api, drawn, (user, other)), drawn)

    entered = api.packet(sender, kind="draw", count=1, draw_at=moment(api, 3_600))
    assert api.claim(entered, user).status == 202
    claimed, finished = api.packet(sender), api.packet(sender, count=1)
    assert api.claim(claimed, user).status in (200, 201)
    assert api.claim(finished, other).status in (200, 201)
    invalidated = api.packet(sender)
    assert api.post(f"/v1/packets/{invalidated}/invalidation", {"by": "x"}).status == 200
    meant = api.packet(sender, kind="targeted", recipient_ids=[friend])
    unnamed, frozen = api.user("新人", account_class=0), api.user("老周")
    api.call("PATCH", f"/v1/users/{frozen}", {"state": "frozen"})
    free = api.packet(sender)
    return found | {
        "openable": (user, free),
        "claimed": (user, claimed),
        "entered": (user, entered),
        "finished": (user, finished),
        "invalidated": (user, invalidated),
        "not_open": (user, api.packet(sender, await_entropy=True)),
        "not_for_you": (user, meant),
        "own": (sender, meant),
        "real_name": (unnamed, free),
        "frozen": (frozen, free),
    }


def without_luck(api, packet_id, people):
    """Return who was not drawn, once it is drawn."""
    for _ in range(200):
        for each in people:
            viewer = api.get(f"/v1/packets/{packet_id}?viewer_id={each}").body["viewer"]
            if viewer["status"] == "not_won":
                return each
        time.sleep(0.1)
    return pytest.fail("it was not drawn")


@pytest.mark.parametrize("case", [f"{state} {each}" for state in STATES for each in ("zh", "en")])
def test_a_state_has_its_own_words_and_picture(page, house, met, faults, case):
    """People were told 'failed' for eleven different things; here each says what it is."""
    state, language = case.split()
    zh, en, picture = STATES[state]
    words = zh if language == "zh" else en
    user_id, packet_id = met[state]
    look = json.dumps(json.dumps({"language": language}))
    page.add_init_script(f"localStorage['lingqian.taste'] = {look}")
    page.goto(f"{house.base}/wallet#link={link_of(house.api, user_id)}")
    expect(page.locator("ol.lines[aria-busy=false]")).to_be_attached(timeout=SOON_MS)
    for place, frame in (("open", ".envelope"), ("packet", ".result")):
        page.evaluate("(at) => { window.location.hash = `#/${at}`; }", f"{place}/{packet_id}")
        shown = page.locator(frame)
        expect(shown).to_be_visible(timeout=SOON_MS)
        if place == "open" or state not in ("openable", "not_for_you"):
            expect(shown).to_contain_text(words)
        expect(page.locator("[data-picture]")).to_have_count(1 if picture else 0)
        if picture:
            expect(page.locator(f"[data-picture={picture}]")).to_be_visible()
        leads = page.locator("a[href='#/security']")
        expect(leads).to_have_count(1 if (place, state) == ("open", "real_name") else 0)
    assert faults == []
