"""The minute for the operator: pay, lose the callback, see it credited and be told why."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

CREDIT_MS = 30_000
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def pay(page):
    """Press confirm and the finger on the pay sheet that has opened above the page."""
    sheet = page.frame_locator("iframe[data-simulator=sheet]")
    sheet.locator("#confirm").click()
    sheet.locator("#finger").click()
    expect(page.locator("iframe[data-simulator=sheet]")).to_have_count(0, timeout=CREDIT_MS)


def test_a_top_up_whose_callback_is_lost_is_credited_and_says_why(page, demo, faults):
    """The first words of support: I paid and got nothing; here it mends itself and tells how."""
    page.goto(f"{demo.base}/demo/wallet")
    page.get_by_role("button", name="丢掉回调").click()
    page.get_by_role("button", name=re.compile("500 金币")).click()
    pay(page)
    order = page.locator("#orders li").first
    expect(order.locator(".yes")).to_be_visible(timeout=CREDIT_MS)
    expect(page.locator("#coins")).to_contain_text("525")
    order.get_by_role("button", name="来龙去脉").click()
    expect(page.locator("#why")).to_have_class(re.compile("good"))
    expect(page.locator("#story li")).not_to_have_count(0)
    page.locator("#shut").click()

    page.get_by_role("button", name=re.compile("送玫瑰")).click()
    expect(page.locator("#coins")).to_contain_text("515")
    assert faults == []


def test_a_broken_line_of_the_bill_is_classified_and_the_day_then_closed(page, demo, faults):
    """The operator's morning in a minute: the clock, the bill, the difference, the closed day."""
    page.goto(f"{demo.base}/demo/wallet")
    page.get_by_role("button", name=re.compile("零钱 50 元")).click()
    pay(page)
    order = page.locator("#orders li").first
    expect(order.locator(".yes")).to_be_visible(timeout=CREDIT_MS)
    page.get_by_role("button", name="改坏一行账单").click()
    expect(page.locator("#said")).to_contain_text("改坏一行账单")
    page.locator("#day").click()
    expect(page.locator("#said")).to_contain_text("10:30")

    reconcile(page)
    expect(page.locator("#differences")).to_contain_text("L5 · 长款：渠道金额大于我方")
    expect(page.locator("#differences")).to_contain_text("差额 ¥0.01")
    expect(page.locator("#differences")).to_contain_text("B1 · 账单")
    page.locator("#sheet-shut").click()
    reconcile(page)
    expect(page.locator("#sheet-why")).to_contain_text("已关账")
    expect(page.locator("#sheet-why")).to_have_class(re.compile("good"))
    expect(page.locator("#differences")).to_contain_text("已自动修复")
    expect(page.locator("#differences")).not_to_contain_text("待人处理")
    page.locator("#sheet-shut").click()
    expect(page.locator("#days li").first).to_contain_text("已关账")

    order.get_by_role("button", name="来龙去脉").click()
    expect(page.locator("#story .bill_line").first).to_contain_text("账单有此行", timeout=CREDIT_MS)
    expect(page.locator("#story")).to_contain_text("当日已平账关闭")
    page.locator("#shut").click()
    page.locator("#language").click()
    page.locator("#days").get_by_role("button").first.click()
    expect(page.locator("#sheet-why")).to_contain_text("closed")
    expect(page.locator("#differences")).to_contain_text("the channel's amount is above ours")
    assert not CHINESE.search(page.locator("#sheet").inner_text())
    assert faults == []


def reconcile(page):
    """Reconcile yesterday and wait for what it came to."""
    page.locator("#reconcile").click()
    expect(page.locator("#sheet")).to_be_visible(timeout=CREDIT_MS)


def test_a_sheet_that_is_cancelled_leaves_the_order_open(page, demo, faults):
    """Nothing was paid, nothing is credited, and the same order can still be paid."""
    page.goto(f"{demo.base}/demo/wallet")
    page.locator("#who").select_option(label="阿婆")
    expect(page.locator("#orders")).to_contain_text("还没有充值")
    page.get_by_role("button", name=re.compile("零钱 50 元")).click()
    page.frame_locator("iframe[data-simulator=sheet]").locator("#cancel").click()
    order = page.locator("#orders li").first
    expect(order.locator(".no")).to_be_visible()
    before = page.locator("#balance").inner_text()
    order.get_by_role("button", name="继续支付").click()
    pay(page)
    expect(order.locator(".yes")).to_be_visible(timeout=CREDIT_MS)
    expect(page.locator("#balance")).not_to_have_text(before)
    assert faults == []


def test_a_packet_paid_by_wechat_opens_once_it_is_proven(page, demo, faults):
    """Claims wait for the evidence; then the packet lives like any other."""
    page.goto(f"{demo.base}/demo/wallet")
    page.locator("#who").select_option(label="Lina")
    page.locator("#packet").click()
    pay(page)
    expect(page.locator("#orders li").first.locator(".yes")).to_be_visible(timeout=CREDIT_MS)
    assert faults == []


def test_money_goes_out_once_the_person_confirms_it(page, demo, faults):
    """A withdrawal leaves the balance at once and is confirmed on the phone."""
    page.goto(f"{demo.base}/demo/wallet")
    page.locator("#who").select_option(label="Lina")
    expect(page.locator("#balance")).to_contain_text("¥")
    before = page.locator("#balance").inner_text()
    page.locator("#withdraw").click()
    sheet = page.frame_locator("iframe[data-simulator=sheet]")
    sheet.locator("#confirm").click(timeout=CREDIT_MS)
    expect(page.locator("iframe[data-simulator=sheet]")).to_have_count(0, timeout=CREDIT_MS)
    expect(page.locator("#balance")).not_to_have_text(before)
    assert faults == []


def test_the_verifier_runs_its_own_script_and_no_other(page, demo, faults):
    """Served, its policy names its script by digest: what a proof smuggles in does not run."""
    page.goto(f"{demo.base}/pages/verify")
    page.click("#language")
    page.click("summary")
    page.fill("#text", '{"kind": "<img src=x onerror=alert(1)>"}')
    page.click("#check")
    page.wait_for_selector(".verdict")
    assert faults == []
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'x = 1'}))"
    )
    assert page.evaluate("typeof x") == "undefined"
    assert any("Content Security Policy" in each for each in faults)
