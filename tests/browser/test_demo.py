"""The minute the demo is for: send to fifty, see them open it, prove to all that it was fair."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

FIFTY_S = 60
PROGRAM = Path(sys.executable).with_name("lingqian")


def fen(text):
    """Read yuan as written on the page."""
    return int(re.sub(r"\D", "", text))


def be(page, name):
    """Take the phone of one of the three."""
    page.get_by_role("tab", name=name).click()
    return page.locator(".phone.chosen")


def send(phone, yuan, count):
    """Send a lucky packet; return its id once its card is among one's own: others send, too."""
    phone.get_by_role("button", name="发红包").click()
    phone.get_by_label("总金额").fill(yuan)
    phone.get_by_label("红包个数").fill(str(count))
    with phone.page.expect_response(is_sent) as answer:
        phone.get_by_role("button", name="塞钱进红包").click()
    packet = answer.value.json()["id"]
    expect(phone.locator(f'li.mine .card[data-packet="{packet}"]')).to_be_visible()
    return packet


def is_sent(answer):
    """Say whether this answers the sending of a packet."""
    return answer.request.method == "POST" and answer.url.endswith("/v1/packets")


def test_an_engineer_sends_to_fifty_and_proves_that_it_was_fair(page, demo, faults, tmp_path):
    """The first sentence of what the project promises, in a real browser."""
    page.goto(f"{demo.base}/demo")
    packet = send(be(page, "小明"), "88.88", 50)
    card = f'.card[data-packet="{packet}"]'

    phone = be(page, "阿婆")
    phone.locator(card).click()
    expect(phone.locator(".promise")).to_contain_text("承诺")
    phone.get_by_role("button", name="开", exact=True).click()
    expect(phone.locator(".amount")).to_be_visible()
    own = fen(phone.locator(".amount").inner_text())

    # Everybody else opens it meanwhile: the same list grows until the last share is taken.
    expect(phone.get_by_role("button", name="证明公平")).to_be_visible(timeout=FIFTY_S * 1000)
    expect(phone.locator(".names li")).to_have_count(50)
    amounts = [fen(text) for text in phone.locator(".names .v").all_inner_texts()]
    assert sum(amounts) == 8888
    assert min(amounts) >= 1
    assert own in amounts
    expect(phone.locator(".best")).to_have_count(1)

    with page.expect_response(re.compile("/proof$")) as asked:
        phone.get_by_role("button", name="证明公平").click()
    proof = asked.value.json()
    assert sorted(proof["shares"]) == sorted(amounts)
    expect(page.locator("#proof .good")).to_contain_text("相同")
    verdict = page.frame_locator("#proof iframe").locator(".verdict")
    expect(verdict).to_contain_text("全部通过")
    expect(verdict).not_to_have_class(re.compile("bad"))

    with page.expect_download() as download:
        page.get_by_role("link", name="下载证明文件").click()
    path = tmp_path / "proof.json"
    download.value.save_as(path)
    done = subprocess.run(
        [PROGRAM, "verify", path, "--commitment", proof["commitment"]], check=False, timeout=60
    )
    assert done.returncode == 0
    assert faults == []


def test_the_verifier_page_works_offline_and_finds_a_changed_amount(page, demo, faults, tmp_path):
    """Whoever doubts saves the page, pulls the plug, and checks."""
    packet = small(demo)
    proof = ask(demo, f"packets/{packet}/proof")
    page.context.set_offline(True)
    with as_file(files("lingqian.web") / "static" / "verify.html") as html:
        page.goto(html.as_uri())
    verdict = page.locator(".verdict")
    good = tmp_path / "good.json"
    good.write_text(json.dumps(proof), "utf-8")
    page.locator("#file").set_input_files(good)
    expect(verdict).to_contain_text("全部通过")

    proof["claims"][0]["amount_fen"] += 1
    proof["claims"][1]["amount_fen"] -= 1
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(proof), "utf-8")
    page.locator("#file").set_input_files(bad)
    expect(verdict).to_contain_text("不要相信这份证明")
    assert faults == []
    assert subprocess.run([PROGRAM, "verify", bad], check=False, timeout=60).returncode == 1


@pytest.mark.parametrize("language", ["中文", "English"])
def test_the_page_fits_the_narrowest_phone(page, demo, faults, language):
    """320 pixels, big letters, both languages: nothing is cut off sideways."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"{demo.base}/demo")
    if page.locator("#language").inner_text() == language:
        page.locator("#language").click()
    page.locator("#letters").click()
    phone = be(page, "Lina")
    phone.locator(".compose button").click()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    assert faults == []


def test_a_lost_connection_is_found_again(page, demo, faults):
    """A phone goes through a tunnel; what happened meanwhile is there afterwards."""
    page.goto(f"{demo.base}/demo")
    phone = be(page, "小明")
    packet = send(phone, "1.00", 2)
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    card = phone.locator(f'.card[data-packet="{packet}"]')
    expect(card).to_contain_text("已领完", timeout=FIFTY_S * 1000)
    assert [text for text in faults if "ERR_INTERNET_DISCONNECTED" not in text] == []


def test_a_foreign_name_is_told_nothing(demo):
    """A page elsewhere whose name points at this machine must not get the key."""
    for path in ("/demo", "/demo/world", "/demo/money", "/demo/verify"):
        request = urllib.request.Request(demo.base + path, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        with refused.value as answer:
            assert answer.code == 404


def ask(demo, path, fields=None, key=None):
    """Call the API as an integrator's server does."""
    headers = {"Authorization": f"Bearer {demo.key}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    body = None if fields is None else json.dumps(fields).encode()
    request = urllib.request.Request(f"{demo.base}/v1/{path}", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def small(demo):
    """Send a packet of two among three new people and let two open it; return its id."""
    people = [
        ask(demo, "users", {"external_id": f"browser-{each}", "nickname": each})["id"]
        for each in "abc"
    ]
    ask(demo, "sandbox/funding", {"user_id": people[0], "amount_fen": 5000}, "browser-fund")
    wish = {"sender_id": people[0], "kind": "lucky", "total_fen": 1000, "count": 2}
    packet = ask(demo, "packets", wish, "browser-packet")["id"]
    for person in people[1:]:
        ask(demo, f"packets/{packet}/claims", {"user_id": person})
    return packet
