"""The phone in the browser tests: the app's server beside the page, and the ways about in it."""

import json
import urllib.request

from playwright.sync_api import expect

SOON_MS = 15_000


class Integrator:
    """The app's server beside the page: what is not done by a tap is done over the API."""

    def __init__(self, demo):
        self.base, self.key, self.count = demo.base, demo.key, 0
        self.world = self.ask("GET", "/demo/world")

    def ask(self, method, path, fields=None):
        """Ask as the app's server does; every post has a key of its own."""
        self.count += 1
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"phone-test-{id(self)}-{self.count}",
        }
        body = None if fields is None else json.dumps(fields).encode()
        asked = urllib.request.Request(self.base + path, body, headers, method=method)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.loads(answer.read())

    def upload(self, user_id, body):
        """Keep a JPEG as somebody's cover; return it."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "image/jpeg"}
        path = f"{self.base}/v1/users/{user_id}/covers"
        asked = urllib.request.Request(path, body, headers, method="POST")
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.loads(answer.read())

    def trouble(self, name):
        """Let the next payment meet a trouble of the platform's."""
        self.ask("POST", "/demo/platform", {"path": "faults", "wish": {"name": name}})

    def star(self, place):
        """Return the id of one of the people that the page may play."""
        return self.world["stars"][place]["id"]

    def send(self, **fields):
        """Send a packet into the group that everybody is in; return its id."""
        row = {"sender_id": self.star(1), "kind": "lucky", "total_fen": 2_000, "count": 60}
        row |= {"greeting": "给手机的红包", "conversation_id": "office", **fields}
        return self.ask("POST", "/v1/packets", row)["id"]


def arrive(page, demo, place=0):
    """Open the wallet as one of the three, and wait until its talk is read."""
    page.goto(f"{demo.base}/demo/phone?as={place}")
    expect(page.locator("ol.lines[aria-busy=false]")).to_be_visible(timeout=SOON_MS)


def card(page, packet_id):
    """Return the card of a packet in the talk."""
    return page.locator(f"[data-packet={packet_id}]")


def sheet(page):
    """Return the pay sheet that has opened above the page."""
    return page.frame_locator("iframe[data-simulator=sheet]")


def pay(page):
    """Confirm on the pay sheet and press the finger; wait until it is gone."""
    sheet(page).locator("#confirm").click()
    sheet(page).locator("#finger").click()
    sheets = page.locator("iframe[data-simulator=sheet]")
    expect(sheets).to_have_count(0, timeout=SOON_MS)
