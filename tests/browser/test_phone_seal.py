"""The cashier's parameters on their way to the phone: sealed, opened once, refused if touched."""

import base64
import json
import re

import pytest
from playwright.sync_api import expect

from browser.phone import SOON_MS, Integrator, pay

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

CREDIT_MS = 30_000
ORDERS = re.compile(r"/v1/top-ups(/tu_\w+/attempts)?$")
UNSEALED = "没有按要求加密"
CLEAR = ("prepay_id=", "paySign", "nonceStr", "package")


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


@pytest.fixture
def heard(page):
    """Hear every answer of ours, as whoever sits on the line would."""
    found = []
    page.on("response", lambda answer: found.append(answer) if "/v1/" in answer.url else None)
    return found


def points(heard):
    """Return the keys that orders were asked for with, in order."""
    return [
        answer.request.headers.get("sealed-to", "")
        for answer in heard
        if ORDERS.search(answer.url) and answer.request.method == "POST"
    ]


def in_the_clear(heard):
    """Return the answers in which something of a pay sheet can be read; a stream has no end."""
    told = [each for each in heard if "json" in each.headers.get("content-type", "")]
    return [each.url for each in told if any(word in each.text() for word in CLEAR)]


@pytest.fixture
def change(page):
    """Let somebody between the page and the server edit the answers that carry an order."""

    def between(route, edit):
        if route.request.method != "POST":
            route.continue_()
            return
        answer = route.fetch()
        told = answer.json()
        edit(told)
        route.fulfill(response=answer, body=json.dumps(told))

    yield lambda edit: page.route(ORDERS, lambda route: between(route, edit))
    # What is still on its way when the test has seen enough is nobody's fault.
    page.unroute_all(behavior="ignoreErrors")


def tap_plan(page, demo, place):
    """Ask for the smallest plan."""
    page.goto(f"{demo.base}/demo/phone?as={place}#/top-up")
    page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)


def refused(page):
    """Wait until the page has said that it will not pay with this, and no sheet has opened."""
    expect(page.locator(".told")).to_contain_text(UNSEALED, timeout=SOON_MS)
    expect(page.locator("iframe[data-simulator=sheet]")).to_have_count(0)


def test_nothing_of_the_sheet_is_on_the_line(page, demo, faults, heard):
    """Every sending has a key of its own; the person pays all the same, and a packet too."""
    tap_plan(page, demo, 0)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    page.goto(f"{demo.base}/demo/phone?as=0#/send")
    page.get_by_label("祝福语").fill("封好的", timeout=SOON_MS)
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("radio", name="微信支付").check()
    with page.expect_response(re.compile("/v1/packets$")) as sent:
        page.get_by_role("button", name="确认支付").tap()
    pay(page)
    told = sent.value.json()["top_up"]
    assert ("invocation" in told, set(told["sealed_invocation"])) == (
        False,
        {"key", "nonce", "text"},
    )
    assert in_the_clear(heard) == []
    asked = [*points(heard), sent.value.request.headers["sealed-to"]]
    assert len(asked) == len(set(asked)) >= 2
    assert {len(point) for point in asked} == {87}
    assert faults == []


def test_nothing_of_what_takes_a_payout_is_on_the_line(page, demo, faults, heard):
    """Money on its way out: the sheet that takes it opens for this page alone."""
    page.goto(f"{demo.base}/demo/phone?as=0#/withdraw")
    page.get_by_role("button", name="10.00", exact=True).tap(timeout=SOON_MS)
    page.get_by_role("button", name="确认提现").tap()
    frame = page.frame_locator("iframe[data-simulator=sheet]")
    frame.locator("#confirm").click(timeout=CREDIT_MS)
    expect(page.locator("[data-stage=success]")).to_be_visible(timeout=CREDIT_MS)
    looks = [each for each in heard if "/v1/payouts" in each.url]
    assert any("sealed_confirmation" in each.text() for each in looks)
    assert in_the_clear(heard) == []
    assert faults == []


@pytest.mark.parametrize("name", ["key", "nonce", "text"])
def test_a_changed_answer_is_not_paid_with(page, demo, faults, change, name):
    """One bit, anywhere: the tag is over all of it, and over the order it belongs to."""

    def edit(told):
        raw = bytearray(base64.urlsafe_b64decode(told["sealed_invocation"][name] + "==="))
        raw[-1] ^= 1
        told["sealed_invocation"][name] = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    change(edit)
    tap_plan(page, demo, 1)
    refused(page)
    assert faults == []


def test_an_answer_of_another_time_is_not_paid_with(page, demo, faults, change):
    """A recorded answer, sealed to an earlier key of this very page, opens nothing."""
    kept = []

    def edit(told):
        kept.append(told["sealed_invocation"])
        told["sealed_invocation"] = kept[0]

    change(edit)
    tap_plan(page, demo, 2)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    tap_plan(page, demo, 2)
    refused(page)
    assert len(kept) >= 2
    assert faults == []


def test_an_answer_for_another_order_is_not_paid_with(page, demo, faults, change):
    """The right key, but the parameters of somebody else's order."""
    change(lambda told: told.update(id="tu_" + "0" * 26))
    tap_plan(page, demo, 1)
    refused(page)
    assert faults == []


def test_who_asks_for_a_seal_takes_nothing_in_the_clear(page, demo, faults):
    """Downgrade: the header is taken off on its way, and the sandbox answers without a seal."""

    def strip(route):
        kept = {name: value for name, value in route.request.headers.items() if name != "sealed-to"}
        route.continue_(headers=kept)

    page.route(ORDERS, strip)
    with page.expect_response(re.compile("/v1/top-ups$")) as opened:
        tap_plan(page, demo, 1)
    assert "invocation" in opened.value.json(), "the control: it did come in the clear"
    refused(page)
    assert faults == []


def test_a_browser_without_keys_is_served_where_that_is_allowed(page, demo, faults, heard):
    """An old WebView in the sandbox pays; it asks for no seal, and says so by asking for none."""
    page.add_init_script("delete window.BigInt")
    tap_plan(page, demo, 2)
    pay(page)
    expect(page.locator("[data-credited=true]")).to_be_visible(timeout=CREDIT_MS)
    assert set(points(heard)) == {""}
    assert in_the_clear(heard), "the control: what is not sealed is heard"
    assert faults == []
