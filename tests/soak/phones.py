"""Three phones of a soak: real pages in real Chromium, tapped as people tap them (三部手机).

A phone comes in by a link of the app's, over the line that breaks. WeChat, in which the wallet
runs, is played here: it checks what the page asks with the platform and presses the buttons of its
sheet. Units: bytes.
"""

import os
import re
import secrets
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect, sync_playwright

from need import needs
from soak.stage import GROUP
from soak.truth import heard

SOON_MS = 60_000
PULLS_MAX = 5
# The coin turns at least so long.
TURN_MS = 1_000
STILL = ".envelope.closed .coin, .envelope.closed .gold"
PROBE = Path(__file__).with_name("probe.js")
CHECKS = {"getBrandWCPayRequest": "/bridge/pay", "requestMerchantTransfer": "/bridge/transfer"}
# What a browser says of a line that was cut, and of a packet that somebody else finished.
CUT = re.compile(r"net::ERR_")
DOUBTED = re.compile(r"status of 401")
TOO_LATE = re.compile(r"status of 409")


class Phone:
    """One phone: its page, what its page read of its streams, and what it complained of."""

    def __init__(self, context, stage, base, user_id):
        self.stage, self.base, self.user_id = stage, base, user_id
        self.context = context
        self.pieces = defaultdict(dict)
        self.complaints = []
        self.cuts = 0
        self.bridged = []
        self.doubted = Counter()
        context.add_init_script(path=PROBE)
        context.expose_function("lqHeard", self._hear)
        context.expose_function("lqWechat", self._wechat)
        context.expose_function("lqDoubted", self._doubt)
        self.page = context.new_page()
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.meter = context.new_cdp_session(self.page)
        self.meter.send("Performance.enable")

    def _hear(self, life, number, path, text):
        connections = self.pieces[life, path]
        connections[number] = connections.get(number, "") + text

    def _doubt(self, code, detail):
        self.doubted[f"{code}: {detail}"] += 1

    def _complain(self, said):
        if said.type != "error":
            return
        if CUT.search(said.text):
            self.cuts += 1
        elif DOUBTED.search(said.text):
            return  # why is noted apart
        elif not (TOO_LATE.search(said.text) and said.location["url"].endswith("/claims")):
            self.complaints.append(f"{said.text} {said.location['url']}")

    def _wechat(self, call, parameters):
        """Open WeChat's sheet as its bridge does, and press its buttons."""
        control = self.stage.control
        opened = control.post(CHECKS[call], parameters)
        if "sheet" not in opened:
            return opened
        name, _, value = opened["sheet"].partition("?")[2].partition("&")[0].partition("=")
        for button in ("confirm", "fingerprint"):
            control.post("/sheet/press", {name: value, "button": button})
        self.bridged.append(value)
        return {"err_msg": f"{call}:ok"}

    def trying(self, work, *subject):
        """Do something; where it does not come to its end, note that and go on with the evening."""
        try:
            return work(*subject)
        except (AssertionError, PlaywrightError) as fault:
            told = " ".join(self.page.locator(".told").all_inner_texts())
            words = str(fault).strip().split("\n")[0]
            self.complaints.append(f"{work.__name__} did not end: {words} ({told})")
            return None

    def arrive(self):
        """Come in by a fresh link, as from the app's chat."""
        made = self.stage.server.good("POST", "/v1/session-links", {"user_id": self.user_id})
        more = f"conversation={GROUP}&payer=oSoak{self.user_id[-8:]}"
        self.page.goto(f"{self.base}/wallet#{made['url'].partition('#')[2]}&{more}")
        self.is_in()

    def is_in(self):
        """Wait until the page has let the person in, asking again where the line was cut."""
        door, room = self.page.locator(".door button"), self.page.locator("main:not(.door)").first
        expect(door.or_(room).first).to_be_visible(timeout=SOON_MS)
        if door.count():
            door.tap()
            expect(room).to_be_visible(timeout=SOON_MS)

    def go(self, place):
        """Go to a place in the wallet, as a card in the app's chat leads there."""
        self.page.evaluate("(place) => { location.hash = `#/${place}`; }", place)

    def send(self):
        """Send a packet of 0.88 to five; return its id."""
        page = self.page
        before = {row["id"] for row in self.sent()}
        self.go("chat")
        page.get_by_role("link", name="发红包").tap(timeout=SOON_MS)
        slide = page.get_by_role("slider", name="左右滑动选择金额")
        for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
            slide.press(key, timeout=SOON_MS)
        page.get_by_label("祝福语").fill(f"第 {secrets.token_hex(4)} 个")
        page.get_by_role("button", name="塞钱进红包").tap()
        page.get_by_role("button", name="确认支付").tap()
        expect(page.locator("ol.lines")).to_be_visible(timeout=SOON_MS)
        (made,) = [row["id"] for row in self.sent() if row["id"] not in before]
        expect(page.locator(f"[data-packet={made}]")).to_be_visible(timeout=SOON_MS)
        return made

    def sent(self):
        """Return the newest packets that the person has sent, as the server says."""
        path = f"/v1/users/{self.user_id}/packets?role=sent&limit=5"
        return self.stage.server.good("GET", path)["packets"]

    def open(self, packet_id):
        """Open a packet, or be too late; look at everybody's luck either way."""
        self.go(f"open/{packet_id}")
        page = self.page
        ways = page.locator(".envelope .coin, .envelope .gold").first
        expect(ways).to_be_visible(timeout=SOON_MS)
        result = page.locator("main.result")
        for _ in range(PULLS_MAX):
            ways.tap()
            # The coin turns until there is an answer; where the line was cut it stands still again,
            # and a person taps once more.
            page.wait_for_timeout(TURN_MS)
            expect(result.or_(page.locator(STILL)).first).to_be_visible(timeout=SOON_MS)
            if result.count():
                break
        expect(result).to_be_visible(timeout=SOON_MS)

    def top_up(self):
        """Buy coins over WeChat, and wait until they are there."""
        self.go("top-up")
        self.page.locator("[data-plan=coins-6]").tap(timeout=SOON_MS)
        credited = self.page.locator("main[data-credited=true]")
        expect(credited).to_be_visible(timeout=SOON_MS)

    def reload(self):
        """Open the page anew, as after a phone has thrown it out of memory.

        Where the line is cut before the page is there, a person pulls once more.
        """
        for _ in range(PULLS_MAX):
            try:
                self.page.reload()
            except PlaywrightError as fault:
                if not CUT.search(str(fault)):
                    raise
                self.cuts += 1
            else:
                break
        self.is_in()

    def shown(self):
        """Return what the wallet's page says the person has: fen and coins."""
        texts = [
            self.page.locator(f"[data-name={name}]").inner_text() for name in ("balance", "coins")
        ]
        return [int(re.sub(r"\D", "", text) or -1) for text in texts]

    def heap(self):
        """Return what the page's code holds once its rubbish is collected."""
        self.meter.send("HeapProfiler.collectGarbage")
        rows = self.meter.send("Performance.getMetrics")["metrics"]
        return int({row["name"]: row["value"] for row in rows}["JSHeapUsedSize"])

    def streams(self):
        """Return what was heard, by the page's life and the stream's address."""
        return {key: heard(texts.values()) for key, texts in self.pieces.items()}


@contextmanager
def three_phones(stage, base):
    """Have three phones for the length of a block."""
    sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=needs("chromium"), args=sandbox)
        profile = driver.devices["Pixel 7"]
        yield [
            Phone(browser.new_context(**profile, locale="zh-CN"), stage, base, user_id)
            for user_id in stage.phones
        ]
        browser.close()
