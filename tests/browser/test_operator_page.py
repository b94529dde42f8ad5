"""The operators' page: a key's passkeys, added and removed by who proves it is he."""

import pytest
from playwright.sync_api import expect

from api.caller import running
from api.test_operator import Operator
from browser.barrier import too_wide, violations
from browser.phone import SOON_MS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasUserVerification": True,
    "isUserVerified": True, "hasResidentKey": True, "automaticPresenceSimulation": True,
}  # fmt: skip
# What a browser writes down by itself when an act has to be proven, or a key is none.
EXPECTED = ("403 (Forbidden)", "401 (Unauthorized)")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house of one's own."""
    with running(tmp_path_factory.mktemp("desk") / "house") as found:
        yield found


@pytest.fixture
def desk(page, house):
    """Return the page, opened by a name: a passkey belongs to one."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto(f"http://localhost:{house.port}/pages/operator")
    return page


def enter(desk, operator):
    """Sign in with a key."""
    desk.get_by_label("接口密钥").fill(operator.key)
    desk.get_by_role("button", name="进入").click()
    expect(desk.locator("#name")).to_have_text("zhang.wei", timeout=SOON_MS)


def own(faults):
    """Return what went wrong of the page's own doing."""
    return [each for each in faults if not any(word in each for word in EXPECTED)]


def test_a_finger_is_added_by_a_code_and_removed_by_itself(desk, house, axe, faults):
    """The first takes the authenticator's code; from then on the finger proves an act."""
    operator = Operator(house, "zhang.wei", "--role", "reviewer")
    enter(desk, operator)
    expect(desk.locator("#proofs")).to_have_text("操作需要：验证码")
    assert (violations(desk, axe), too_wide(desk)) == ([], [])
    desk.get_by_label("给这台设备起个名字").fill("左手食指")
    desk.get_by_role("button", name="在这台设备上添加").click()
    code = desk.get_by_label("验证器上的六位数字")
    expect(code).to_be_visible(timeout=SOON_MS)
    assert (violations(desk, axe), too_wide(desk)) == ([], [])
    code.fill("000000")
    desk.get_by_role("button", name="用验证码").click()
    expect(desk.locator("#told")).not_to_be_empty(timeout=SOON_MS)
    expect(desk.locator("#passkeys li")).to_have_count(0)

    desk.get_by_role("button", name="在这台设备上添加").click()
    code.fill(operator.code(), timeout=SOON_MS)
    desk.get_by_role("button", name="用验证码").click()
    row = desk.locator("#passkeys li")
    expect(row).to_contain_text("左手食指", timeout=SOON_MS)
    expect(row).to_contain_text("从未使用")
    expect(desk.locator("#proofs")).to_have_text("操作需要：通行密钥或验证码")
    assert (violations(desk, axe), too_wide(desk)) == ([], [])

    row.get_by_role("button", name="删除").click()
    desk.get_by_role("button", name="取消").click(timeout=SOON_MS)
    expect(desk.locator("#told")).to_have_text("没有完成。")
    expect(row).to_have_count(1)
    row.get_by_role("button", name="删除").click()
    desk.get_by_role("button", name="用通行密钥").click(timeout=SOON_MS)
    expect(row).to_have_count(0, timeout=SOON_MS)
    assert [each["status"] for each in house.caller().get("/v1/acts?limit=4").body["acts"]] == [
        204, 0, 201, 0,
    ]  # fmt: skip
    assert own(faults) == []


def test_what_is_no_key_stays_outside_and_nothing_is_kept(desk, faults):
    """The refusal is told in the page's language; a reload asks again."""
    desk.get_by_role("button", name="English").click()
    desk.get_by_label("API key").fill("lq_nothing")
    desk.get_by_role("button", name="Sign in").click()
    expect(desk.locator("#told")).not_to_be_empty(timeout=SOON_MS)
    expect(desk.locator("#inside")).to_be_hidden()
    kept = desk.evaluate("[localStorage.length, sessionStorage.length, document.cookie.length]")
    assert kept == [0, 0, 0]
    assert own(faults) == []
