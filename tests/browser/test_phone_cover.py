"""Covers of people's own on the page, a packet's link, and the talk a person was led to."""

import re
import urllib.parse

import pytest
from playwright.sync_api import expect

import picture
from browser.barrier import too_wide, violations
from browser.phone import SOON_MS, Integrator, arrive, card

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

XSS = "<img src=x onerror=window.hit=1>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.hit=1"></svg>'


@pytest.fixture(scope="module")
def app(demo):
    """The app's server."""
    return Integrator(demo)


def begin(page, demo, place=0):
    """Open the send page and wait until the own covers are read."""
    with page.expect_response(lambda answer: answer.url.endswith("/covers")):
        page.goto(f"{demo.base}/demo/phone?as={place}#/send")
    expect(page.locator(".covers")).to_be_visible(timeout=SOON_MS)


def choose(page, name, media, body):
    """Choose a file, as a person does from her photographs."""
    file = {"name": name, "mimeType": media, "buffer": body}
    page.locator("[data-name=cover-file]").set_input_files([file])


def drawn(page, selector):
    """Return how wide a picture on the page really is, once it has come."""
    shown = page.locator(selector)
    expect(shown).to_be_visible(timeout=SOON_MS)
    page.wait_for_function("(at) => document.querySelector(at)?.naturalWidth > 0", arg=selector)
    return shown.evaluate("(node) => node.naturalWidth")


def middle(page):
    """Return the colour in the middle of the window, as it would be sent."""
    return page.locator(".cut-window").evaluate(
        "(node) => Array.from(node.getContext('2d').getImageData(300, 400, 1, 1).data).slice(0, 3)"
    )


def halves():
    """Return a wide photograph: red on the left, blue on the right."""
    image = picture.Image.new("RGB", (1600, 800), (200, 30, 30))
    image.paste((30, 30, 200), (800, 0, 1600, 800))
    return picture.written(image)


def test_a_picture_is_chosen_cut_sent_and_seen(page, demo, app, axe, faults):
    """From the photographs to the card, the envelope and the result: it is that part of it."""
    begin(page, demo)
    choose(page, "party.jpg", picture.JPEG, halves())
    window = page.locator(".cut-window")
    expect(window).to_be_visible(timeout=SOON_MS)
    assert (violations(page, axe), too_wide(page)) == ([], [])
    window.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    assert middle(page)[0] > 150, "moved to the right, the left half is seen"
    box = window.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] - 3 * box["width"], box["y"] + 50, steps=8)
    page.mouse.up()
    assert middle(page)[2] > 150, "dragged to the left, the right half is seen"
    page.get_by_role("slider", name="放大").fill("2")
    page.get_by_role("button", name="用作封面").tap()
    expect(window).to_have_count(0, timeout=SOON_MS)
    own = page.locator(".cover-mine input")
    expect(own).to_be_checked()
    assert drawn(page, ".cover-preview .cover-picture") == 600
    page.get_by_label("祝福语").fill("自己的封面")
    page.get_by_role("button", name="塞钱进红包").tap()
    page.get_by_role("button", name="确认支付").tap()
    mine = page.locator(".line.mine [data-packet]").last
    expect(mine).to_contain_text("自己的封面", timeout=SOON_MS)
    packet = mine.get_attribute("data-packet")
    assert drawn(page, f"[data-packet={packet}] .cover-picture") == 600
    shown = app.ask("GET", f"/v1/packets/{packet}")
    assert shown["cover"].startswith("cv_")
    arrive(page, demo, 1)
    card(page, packet).tap()
    assert drawn(page, ".envelope .cover-picture") == 600
    page.locator(".coin").tap()
    assert drawn(page, ".result-top .cover-picture") == 600
    assert faults == []


def test_a_cover_is_removed_and_the_ordinary_one_is_worn(page, demo, app, faults):
    """Sent packets stay; their picture is gone, and no broken image stands in its place."""
    begin(page, demo, 2)
    choose(page, "one.png", picture.PNG, picture.painted(form="PNG"))
    page.get_by_role("button", name="用作封面").tap(timeout=SOON_MS)
    expect(page.locator(".cover-mine input")).to_be_checked(timeout=SOON_MS)
    cover = page.locator(".cover-mine").get_attribute("data-cover")
    packet = app.send(sender_id=app.star(2), cover=cover)
    page.get_by_role("button", name="删除这个封面").tap()
    expect(page.locator(".cover-mine")).to_have_count(0, timeout=SOON_MS)
    expect(page.get_by_role("radio", name="经典红")).to_be_checked()
    arrive(page, demo, 1)
    expect(card(page, packet)).to_have_class(re.compile("cover-classic"), timeout=SOON_MS)
    expect(card(page, packet).locator("img")).to_have_count(0)
    assert faults == []


@pytest.mark.parametrize("name", ["card.svg", "html.png", "svg.png", "page.html", "empty.jpg"])
def test_what_is_no_picture_is_told_and_never_opened(page, demo, faults, name):
    """A hostile file does nothing on the phone of whoever was sent it to use."""
    html = b"<!doctype html>" + picture.SCRIPT
    media, body = {
        "card.svg": ("image/svg+xml", SVG),
        "html.png": (picture.PNG, html),
        "svg.png": (picture.PNG, SVG),
        "page.html": ("text/html", html),
        "empty.jpg": (picture.JPEG, b""),
    }[name]
    begin(page, demo)
    choose(page, name, media, body)
    expect(page.locator(".told")).to_contain_text("不是能用的图片", timeout=SOON_MS)
    expect(page.locator(".cut-window")).to_have_count(0)
    assert page.evaluate("window.hit") is None
    assert faults == []


def test_words_of_strangers_run_nowhere(page, demo, app, faults):
    """A greeting, a name and a cover with code in them are shown as what they are."""
    stranger = app.ask("POST", "/v1/users", {"external_id": "xss", "nickname": XSS[:32]})["id"]
    app.ask("POST", "/v1/sandbox/funding", {"user_id": stranger, "amount_fen": 1_000})
    packet = app.send(
        sender_id=stranger, greeting=XSS, cover='x" onclick="hit=1', total_fen=10, count=1,
        conversation_id="",
    )  # fmt: skip
    for place in ("open", "packet"):
        page.goto(f"{demo.base}/demo/phone?as=0#/{place}/{packet}")
        expect(page.get_by_text(XSS).first).to_be_visible(timeout=SOON_MS)
    assert page.evaluate("window.hit") is None
    assert page.locator("[onclick], [onerror]").count() == 0
    assert faults == []


def test_a_packets_link_is_copied_and_says_nothing(page, demo, app, faults):
    """The sheet has the picture, the link and the file; the page behind it has a way in."""
    packet = app.send(greeting="不外传的祝福")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo.base)
    page.goto(f"{demo.base}/demo/phone?as=0#/packet/{packet}")
    page.get_by_role("button", name="分享").tap(timeout=SOON_MS)
    assert drawn(page, ".share-picture") == 1_200
    page.get_by_role("button", name="复制链接").tap()
    expect(page.locator(".told")).to_contain_text("链接已复制")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{demo.base}/packets/{packet}"
    with page.expect_download() as saved:
        page.get_by_role("link", name="保存图片").tap()
    assert saved.value.suggested_filename == f"lingqian-{packet}.png"
    page.goto(link)
    expect(page.get_by_role("heading")).to_contain_text("有一个红包等你打开")
    assert "不外传的祝福" not in page.content()
    expect(page.get_by_role("img", name="二维码")).to_be_visible()
    assert page.get_by_role("link", name="打开").get_attribute("href") == f"/wallet#/open/{packet}"
    assert faults == []


def test_the_phones_own_way_to_share_is_used_where_there_is_one(page, demo, app):
    """The link goes to the sheet that people know; calling it off is no fault."""
    packet = app.send()
    page.add_init_script(
        """navigator.share = (what) => {
          window.shared = [...(window.shared ?? []), what.url];
          return window.shared.length > 1 ? Promise.resolve()
            : Promise.reject(new DOMException("no", "AbortError"));
        }"""
    )
    page.goto(f"{demo.base}/demo/phone?as=0#/packet/{packet}")
    page.get_by_role("button", name="分享").tap(timeout=SOON_MS)
    button = page.locator(".share").get_by_role("button", name="分享")
    button.tap()
    button.tap()
    expect(page.locator(".share")).to_have_count(0)
    assert page.evaluate("window.shared") == [f"{demo.base}/packets/{packet}"] * 2


def test_a_person_sees_the_talk_she_was_led_to(page, app, faults):
    """She neither sent nor opened any of it: it was posted before she ever came."""
    people = [
        app.ask("POST", "/v1/users", {"external_id": f"talk-{name}", "nickname": name})["id"]
        for name in ("群主", "新来的")
    ]
    talk = "邻居们 1号楼"
    name = urllib.parse.quote(talk)
    app.ask("PUT", f"/v1/conversations/{name}/members", {"member_ids": people})
    app.ask("POST", "/v1/sandbox/funding", {"user_id": people[0], "amount_fen": 1_000})
    sent = {"sender_id": people[0], "count": 2, "total_fen": 100, "conversation_id": talk}
    packet = app.send(greeting="欢迎新邻居", **sent)
    asked = {"user_id": people[1], "conversation_id": talk}
    made = app.ask("POST", "/v1/session-links", asked)
    page.goto(f"{made['url']}&title={name}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(talk, timeout=SOON_MS)
    expect(card(page, packet)).to_contain_text("欢迎新邻居", timeout=SOON_MS)
    card(page, packet).tap()
    page.locator(".coin").tap(timeout=SOON_MS)
    expect(page.locator(".won b")).to_be_visible(timeout=SOON_MS)
    assert faults == []
