"""The rest of the wallet: what has been, proof in the page, gifts, and money out."""

import re

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator, arrive, pay, sheet

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

CREDIT_MS = 30_000


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def opened(page, demo, app, place=0, **fields):
    """Send a packet of one share, open it as one of the three, and return its id."""
    row = {"kind": "targeted", "count": 1, "recipient_ids": [app.star(place)]}
    packet_id = app.send(**{**row, **fields})
    page.goto(f"{demo.base}/demo/phone?as={place}#/open/{packet_id}")
    page.locator(".coin").tap(timeout=SOON_MS)
    expect(page.locator(".won b")).to_be_visible(timeout=SOON_MS)
    return packet_id


def test_a_proof_is_checked_in_the_page_without_a_network(page, demo, app, faults):
    """Nobody has to believe us: the phone computes it, also with the line cut."""
    opened(page, demo, app)
    page.get_by_role("link", name="验证这个红包是公平的").tap(timeout=SOON_MS)
    expect(page.locator("[data-fair=true]")).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".proof")).to_contain_text("与证明一致")
    expect(page.locator(".rows .best", has_text="我")).to_be_visible()
    page.context.set_offline(offline=True)
    page.get_by_role("button", name="再验证一次").tap()
    expect(page.locator("[data-fair=true]")).to_be_visible(timeout=SOON_MS)
    page.context.set_offline(offline=False)
    assert [fault for fault in faults if "ERR_INTERNET_DISCONNECTED" not in fault] == []


def test_another_commitment_than_the_one_shown_is_not_fair(page, demo, app):
    """The control: a split that was exchanged after it was promised must not pass."""
    packet_id = opened(page, demo, app)
    page.evaluate(
        """(id) => {
          const place = `lingqian.promise.${id}`;
          const kept = JSON.parse(localStorage.getItem(place));
          localStorage.setItem(place, JSON.stringify({ ...kept, commitment: "00".repeat(32) }));
        }""",
        packet_id,
    )
    page.goto(f"{demo.base}/demo/phone?as=0#/proof/{packet_id}")
    page.reload()
    expect(page.locator("[data-fair=false]")).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".proof")).to_contain_text("与证明不一致")


def test_history_tells_every_movement_and_gives_a_file(page, demo, app, faults):
    """Somebody else's receipt must not look like mine, and an accountant wants a file."""
    opened(page, demo, app)
    page.goto(f"{demo.base}/demo/phone?as=0#/history")
    rows = page.locator(".history .rows li")
    expect(rows.first).to_contain_text("领取红包", timeout=SOON_MS)
    expect(rows.first).to_contain_text("+20.00")
    page.get_by_role("radio", name="支出").check()
    expect(page.locator(".history .rows li", has_text="+")).to_have_count(0)
    page.get_by_role("radio", name="收到的").check()
    expect(rows.first).to_contain_text("阿婆", timeout=SOON_MS)
    page.get_by_role("radio", name="收支明细").check()
    with page.expect_download() as saved:
        page.get_by_role("button", name="导出账单（CSV）").tap()
    assert saved.value.suggested_filename == "lingqian-statement.csv"
    assert "packet_claimed" in saved.value.path().read_text("utf-8-sig")
    assert faults == []


def test_a_gift_takes_coins_and_too_few_lead_to_a_top_up(page, demo, app, faults):
    """A gift is given by what one has, and nothing is promised beyond it."""
    page.goto(f"{demo.base}/demo/phone?as=2#/live")
    page.locator("[data-gift=galaxy]").tap(timeout=SOON_MS)
    page.get_by_role("link", name=re.compile("金币不够，还差 18888")).tap()
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    page.goto(f"{demo.base}/demo/phone?as=2#/live")
    page.locator("[data-gift=rose]").tap(timeout=SOON_MS)
    page.get_by_role("button", name=re.compile("送给")).tap()
    expect(page.locator("[data-name=coins]")).to_contain_text("50", timeout=SOON_MS)
    expect(page.locator(".gift-lines")).to_contain_text("你 送给", timeout=SOON_MS)
    assert app.ask("GET", f"/v1/users/{app.star(2)}/coins")["available"] == 50
    assert faults == []


def test_money_goes_out_once_it_is_taken(page, demo, app, faults):
    """It leaves the balance at once, and arrives when the person says yes on WeChat's sheet."""
    page.goto(f"{demo.base}/demo/phone?as=1#/withdraw")
    page.get_by_role("button", name="50.00").tap(timeout=SOON_MS)
    button = page.get_by_role("button", name="确认提现")
    button.evaluate("(node) => { node.click(); node.click(); }")
    sheet(page).locator("#confirm").click(timeout=CREDIT_MS)
    expect(page.locator("[data-stage=success]")).to_be_visible(timeout=CREDIT_MS)
    expect(page.locator(".order-state")).to_have_text("已到账")
    lines = app.ask("GET", f"/v1/users/{app.star(1)}/statement")["lines"]
    moved = [(line["what"], line["amount_fen"]) for line in lines]
    assert moved.count(("payout", -5_000)) == 1
    assert faults == []


def test_a_cold_open_shows_what_was_last_known_with_its_time(page, demo):
    """On a slow line the sum stands there at once, and says that it is of earlier."""
    page.goto(f"{demo.base}/demo/phone?as=1#/wallet")
    expect(page.locator(".purse[data-fresh=true]")).to_be_visible(timeout=SOON_MS)
    known = page.locator("[data-name=balance]").inner_text()
    page.context.route("**/v1/users/**", lambda route: route.abort())
    page.reload()
    expect(page.locator("[data-name=balance]")).to_have_text(known, timeout=SOON_MS)
    expect(page.locator(".purse[data-fresh=false]")).to_be_visible()
    expect(page.locator(".as-of")).to_contain_text("上次更新")
    page.context.unroute_all(behavior="ignoreErrors")


def test_a_line_that_breaks_is_told_and_mended(page, demo, app):
    """Offline nothing is pretended; back again the page catches up by itself."""
    arrive(page, demo)
    page.context.set_offline(offline=True)
    expect(page.locator(".banner")).to_contain_text("没有网络", timeout=SOON_MS)
    packet_id = app.send(greeting="断网时发的")
    page.context.set_offline(offline=False)
    expect(page.locator(".banner")).to_have_count(0)
    expect(page.locator(f"[data-packet={packet_id}]")).to_be_visible(timeout=CREDIT_MS)


def test_a_lost_answer_is_asked_for_again_under_the_same_key(page, demo, app):
    """The packet was sent and the answer lost: the second tap must not send a second one."""
    page.goto(f"{demo.base}/demo/phone?as=0#/send")
    page.get_by_label("祝福语").fill("答复丢了", timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    lost = []

    def lose(route):
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/packets", lose)
    page.get_by_role("button", name="确认支付").tap()
    expect(page.locator(".line.mine", has_text="答复丢了")).to_be_visible(timeout=SOON_MS)
    sent = app.ask("GET", f"/v1/users/{app.star(0)}/packets?role=sent")["packets"]
    assert lost == [201]
    assert [row["greeting"] for row in sent].count("答复丢了") == 1


def test_the_back_button_closes_the_envelope_first(page, demo, app):
    """Back means back by one, as everywhere on the phone."""
    arrive(page, demo)
    packet_id = app.send()
    page.locator(f"[data-packet={packet_id}]").tap(timeout=SOON_MS)
    expect(page.locator(".envelope")).to_be_visible()
    page.go_back()
    expect(page.locator(".envelope")).to_have_count(0)
    expect(page.locator(f"[data-packet={packet_id}]")).to_be_visible()
