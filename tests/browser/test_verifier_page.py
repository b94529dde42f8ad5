"""The verifier page in a real browser: from a file, with the network shut, in both languages."""

import base64
import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from need import needs

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "src" / "lingqian" / "web" / "static" / "verify.html"
VECTORS = ROOT / "docs" / "reference" / "proof-vectors.json"


def records():
    """Return the published records, by name."""
    rows = json.loads(VECTORS.read_text("utf-8"))["records"]
    return {row["name"]: row["record"] for row in rows}


@pytest.fixture
def page():
    """Open the page from disk on a phone's screen; fail on any request or script error."""
    path = needs("chromium")
    sandbox = [] if os.name == "nt" or os.geteuid() else ["--no-sandbox"]
    troubles, asked = [], []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=sandbox)
        shown = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
        shown.on("pageerror", lambda error: troubles.append(str(error)))
        shown.on("console", lambda message: troubles.append(message.text))
        shown.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        shown.goto(PAGE.as_uri())
        yield shown
        browser.close()
    assert not troubles
    assert set(asked) == {PAGE.as_uri()}, "P7: nothing but the page itself is ever loaded"


def verdict(page):
    """Return the verdict in words, and whether it is good."""
    page.wait_for_selector(".verdict")
    return page.inner_text(".verdict"), page.locator(".verdict.bad").count() == 0


def give(page, document, tmp_path):
    """Choose a file with the document."""
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    page.set_input_files("#file", str(file))


def test_page_accepts_a_file_and_compares_the_commitment(page, tmp_path):
    """A claimer drops the proof, types what the card showed, and sees that it is the same."""
    document = records()["lucky, level 2"]
    give(page, document, tmp_path)
    assert verdict(page) == ("全部通过：这个红包是按承诺拆分的。", True)
    page.fill("#shown", document["commitment"].upper())
    assert verdict(page)[1]
    page.fill("#shown", "00" * 32)
    assert not verdict(page)[1]


def test_page_refuses_a_tampered_paste_in_both_languages(page):
    """One fen more for the third claimer, and the page says where."""
    document = records()["lucky, level 2"]
    document["claims"][2]["amount_fen"] += 1
    page.click("summary")
    page.fill("#text", json.dumps(document))
    page.click("#check")
    assert not verdict(page)[1]
    page.click("#language")
    assert "do not trust" in verdict(page)[0]
    bad = "".join(page.locator("ul.checks li.bad").all_inner_texts())
    assert "claim 3 is not its share" in bad


def test_page_says_what_the_level_does_not_stop(page, tmp_path):
    """A level is never shown without its limits."""
    give(page, records()["draw by its chain, level 1"], tmp_path)
    assert verdict(page)[1]
    assert page.locator("ul.limits li").count() == 4
    assert "最后一张券" in page.inner_text("ul.limits")


def test_page_takes_a_proof_from_its_own_link(page):
    """A wallet can hand the proof over behind the #, which no server sees."""
    raw = json.dumps(records()["very large"]).encode()
    fragment = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    page.evaluate("text => { location.hash = text }", f"#proof={fragment}")
    page.evaluate("location.reload()")
    assert verdict(page)[1]
    assert "¥90071992547409.93" in page.inner_text("dl"), "2^53 + 1 fen, exact"


def test_page_refuses_what_is_no_proof(page):
    """Junk gets an answer, not a blank page."""
    page.click("summary")
    page.fill("#text", "{]")
    page.click("#check")
    assert verdict(page) == ("这不是一份可读的证明。", False)


def test_page_fits_a_phone(page, tmp_path):
    """Nothing runs off the side of a small screen."""
    give(page, records()["lucky, level 3"], tmp_path)
    verdict(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
