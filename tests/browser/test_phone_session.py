"""Who may use the wallet: a link signs one device in, and its key is what counts."""

import re

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(240)]

PASSWORD = "274913"
RISING = "739158"


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def newcomer(app, name="新来的", fund_fen=50_000):
    """Register somebody with a little money; return the id."""
    row = {"external_id": f"phone-{name}-{app.count}", "nickname": name, "account_class": 2}
    user_id = app.ask("POST", "/v1/users", row)["id"]
    app.ask("POST", "/v1/sandbox/funding", {"user_id": user_id, "amount_fen": fund_fen})
    return user_id


def link(demo, app, user_id, **more):
    """Return the address that signs somebody in, as the app's server gets it."""
    made = app.ask("POST", "/v1/session-links", {"user_id": user_id, **more})
    return demo.base + "/wallet#" + made["url"].partition("#")[2]


def enter(page, demo, app, user_id, **more):
    """Come in by a link."""
    page.goto(link(demo, app, user_id, **more))
    expect(page.locator(".head-me")).to_have_text(re.compile(r"..\S"), timeout=SOON_MS)


def type_digits(page, digits):
    """Press six keys of the page's own keypad."""
    for key in digits:
        page.locator(".digits-pad").get_by_role("button", name=key, exact=True).tap()


def set_password(page, demo, digits=PASSWORD):
    """Set the payment password on the page for it."""
    page.goto(f"{demo.base}/wallet#/security")
    page.get_by_role("button", name="设置支付密码").tap(timeout=SOON_MS)
    type_digits(page, digits)
    type_digits(page, digits)
    expect(page.locator(".told")).to_contain_text("支付密码已设置", timeout=SOON_MS)


def test_a_link_signs_in_once_and_stays_on_this_device(page, demo, app, faults):
    """The link is spent, the key stays: a reload goes on, another browser does not."""
    user_id = newcomer(app)
    address = link(demo, app, user_id)
    page.goto(address)
    expect(page.locator(".head-me")).to_contain_text("新来的", timeout=SOON_MS)
    assert "link=" not in page.url
    page.reload()
    expect(page.locator(".head-me")).to_contain_text("新来的", timeout=SOON_MS)
    other = page.context.browser.new_context(locale="zh-CN")
    stranger = other.new_page()
    stranger.goto(address)
    expect(stranger.locator(".door")).to_contain_text("请从应用里打开钱包", timeout=SOON_MS)
    other.close()
    assert faults == []


def test_a_stolen_token_is_worth_nothing_without_the_key(page, demo, app):
    """What leaks from a log or a proxy must not spend money."""
    user_id = newcomer(app)
    heard = []
    page.on("request", lambda asked: heard.append(asked.headers))
    enter(page, demo, app, user_id)
    tokens = [row["authorization"] for row in heard if "authorization" in row]
    assert tokens
    assert all(text.startswith("DPoP ") for text in tokens)
    status = page.evaluate(
        """async ([path, token]) =>
             (await fetch(path, { headers: { Authorization: token } })).status""",
        [f"/v1/users/{user_id}/balances", tokens[-1]],
    )
    assert status == 401
    is_hidden = page.evaluate(
        """async () => {
          const base = await new Promise((done) => {
            const asked = indexedDB.open("lingqian");
            asked.onsuccess = () => done(asked.result);
          });
          const kept = await new Promise((done) => {
            const asked = base.transaction("kept").objectStore("kept").get("device");
            asked.onsuccess = () => done(asked.result);
          });
          const key = kept.pair.privateKey;
          return !key.extractable &&
            await crypto.subtle.exportKey("jwk", key).then(() => false, () => true);
        }"""
    )
    assert is_hidden


def test_a_person_sees_nobody_elses_money(page, demo, app):
    """The token is for one person, whatever the address says."""
    user_id, other_id = newcomer(app), newcomer(app, "别人")
    enter(page, demo, app, user_id)
    seen = []
    page.on("response", lambda answer: seen.append((answer.url, answer.status)))
    page.evaluate("(id) => { window.location.hash = `#/packet/${id}`; }", other_id)
    page.wait_for_timeout(500)
    assert [row for row in seen if other_id in row[0] and row[1] == 200] == []


def test_a_payment_asks_for_the_password_and_counts_wrong_ones(page, demo, app):
    """Six digits stand between a found phone and the money in it."""
    user_id = newcomer(app)
    enter(page, demo, app, user_id)
    set_password(page, demo)
    page.goto(f"{demo.base}/wallet#/send")
    page.get_by_role("button", name="88.88").tap(timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("button", name="确认支付").tap()
    expect(page.locator(".factor")).to_be_visible(timeout=SOON_MS)
    type_digits(page, "000000")
    expect(page.locator(".factor [role=alert]")).to_contain_text("次", timeout=SOON_MS)
    type_digits(page, PASSWORD)
    expect(page.locator(".line.mine [data-packet]")).to_be_visible(timeout=SOON_MS)
    sent = app.ask("GET", f"/v1/users/{user_id}/packets?role=sent")["packets"]
    assert [row["total_fen"] for row in sent] == [8_888]


def test_five_wrong_passwords_lock_and_say_until_when(page, demo, app):
    """Guessing ends soon; the person is told, and nothing was paid."""
    user_id = newcomer(app)
    enter(page, demo, app, user_id)
    set_password(page, demo)
    page.goto(f"{demo.base}/wallet#/send")
    page.get_by_role("button", name="88.88").tap(timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("button", name="确认支付").tap()
    expect(page.locator(".factor")).to_be_visible(timeout=SOON_MS)
    for words in ("试 4 次", "试 3 次", "试 2 次", "试 1 次", "后再试"):
        type_digits(page, "000000")
        expect(page.locator(".factor [role=alert]")).to_contain_text(words, timeout=SOON_MS)
    page.get_by_role("button", name="取消").last.tap()
    assert app.ask("GET", f"/v1/users/{user_id}/packets?role=sent")["packets"] == []


def test_another_device_is_listed_and_can_be_signed_out(page, demo, app):
    """A lost phone is signed out from the one at hand, at once."""
    user_id = newcomer(app)
    enter(page, demo, app, user_id)
    other = page.context.browser.new_context(locale="zh-CN")
    lost = other.new_page()
    enter(lost, demo, app, user_id)
    page.goto(f"{demo.base}/wallet#/security")
    rows = page.locator(".security li")
    expect(rows).to_have_count(2, timeout=SOON_MS)
    page.locator("li[data-this=false]").get_by_role("button", name="退出").tap()
    expect(rows).to_have_count(1, timeout=SOON_MS)
    lost.goto(f"{demo.base}/wallet#/wallet")
    lost.reload()
    expect(lost.locator(".door")).to_be_visible(timeout=SOON_MS)
    other.close()


def test_a_link_leads_to_its_packet(page, demo, app, faults):
    """A message says: a packet for you. One tap is the page, the next opens it."""
    user_id = newcomer(app)
    packet_id = app.send(kind="targeted", count=1, recipient_ids=[user_id], conversation_id="")
    page.goto(link(demo, app, user_id, path=f"/packets/{packet_id}"))
    page.locator(".coin").tap(timeout=SOON_MS)
    expect(page.locator(".won b")).to_have_text("20.00", timeout=SOON_MS)
    assert faults == []


def test_a_finger_pays_instead_of_six_digits(chromium, demo, app):
    """A passkey signs this one payment, on this phone, for this site."""
    browser, phone = chromium
    context = browser.new_context(**phone, locale="zh-CN")
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    authenticator = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True}
    authenticator |= {"isUserVerified": True, "hasResidentKey": True}
    authenticator |= {"automaticPresenceSimulation": True}
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})

    # A passkey belongs to a name, and an address of numbers is none.
    base = demo.base.replace("127.0.0.1", "localhost")
    user_id = newcomer(app)
    page.goto(link(demo, app, user_id).replace(demo.base, base))
    expect(page.locator(".head-me")).to_contain_text("新来的", timeout=SOON_MS)
    page.goto(f"{base}/wallet#/security")
    page.get_by_role("button", name="在这台设备上添加").tap(timeout=SOON_MS)
    expect(page.locator("[data-name=passkeys] li")).to_have_count(1, timeout=SOON_MS)

    page.goto(f"{base}/wallet#/send")
    page.get_by_role("button", name="88.88").tap(timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("button", name="确认支付").tap()
    page.get_by_role("button", name="用指纹或面容").tap(timeout=SOON_MS)
    expect(page.locator(".line.mine [data-packet]")).to_be_visible(timeout=SOON_MS)
    sent = app.ask("GET", f"/v1/users/{user_id}/packets?role=sent")["packets"]
    assert [row["total_fen"] for row in sent] == [8_888]
    context.close()
