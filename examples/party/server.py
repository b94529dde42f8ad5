"""A party app in miniature: its own server, and a page with red packets on it.

LINGQIAN_URL=http://127.0.0.1:8080 LINGQIAN_KEY=lq_… python3 examples/party/server.py
"""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

WALLET, KEY = os.environ["LINGQIAN_URL"], os.environ["LINGQIAN_KEY"]
PAGE = Path(__file__).with_name("page.html")
packets: list[str] = []  # what this app has in its talk; a real one keeps it in its database


def ask(method, path, fields=None):
    """Call the wallet's API as this app; the key never leaves the server."""
    head = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    head["Idempotency-Key"] = str(uuid4())
    body = json.dumps(fields).encode() if fields is not None else None
    asked = urllib.request.Request(f"{WALLET}/v1/{path}", body, head, method=method)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)


GUEST, HOST = (
    ask("POST", "users", {"external_id": f"party-{name}", "nickname": name})["id"]
    for name in ("客人", "主人")
)


def send():
    """Let the host send a packet to the party."""
    ask("POST", "sandbox/funding", {"user_id": HOST, "amount_fen": 1_000})
    fields = {"sender_id": HOST, "kind": "lucky", "total_fen": 888, "count": 2, "greeting": "欢迎"}
    packets.append(ask("POST", "packets", fields)["id"])
    return cards()


def cards():
    """Read every packet as the guest may see it: that is the card."""
    return [ask("GET", f"packets/{each}?viewer_id={GUEST}") for each in packets]


class Handler(BaseHTTPRequestHandler):
    """Answers the page; a real app knows from its own session who is asking."""

    def do_GET(self):
        """Give the page, or the cards."""
        if self.path == "/cards":
            self.give(json.dumps(cards()), "application/json")
        else:
            self.give(PAGE.read_text("utf-8").replace("WALLET", WALLET), "text/html")

    def do_POST(self):
        """Send a packet, or make the link that signs the guest in at a place of the wallet."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if self.path == "/send":
            self.give(json.dumps(send()), "application/json")
        else:
            made = ask("POST", "session-links", {"user_id": GUEST, "path": asked["path"]})
            self.give(json.dumps({"url": made["url"]}), "application/json")

    def give(self, text, media):
        """Send an answer."""
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{media}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
    print(f"party http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
