"""A simulator that runs beside a test, in a thread of its own, and a shop that takes notices."""

import asyncio
import base64
import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from lingqian_simulator.merchant import SUITES
from lingqian_simulator.server import Simulator, SimulatorConfig

WAIT_S = 30
CHINA = timezone(timedelta(hours=8))


class Shop:
    """Takes notices and keeps them raw; answers with the statuses it was told, then with 204."""

    def __init__(self):
        self.notices = []
        self.answers = []
        self.page = ""  # what a browser sees here
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.notices.append((dict(self.headers), body))
                status = shop.answers.pop(0) if shop.answers else 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                body = shop.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/notice"

    def wait(self, count=1):
        """Wait until so many notices have come, and return them."""
        wait_for(lambda: len(self.notices) >= count)
        return self.notices

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Running:
    """A simulator in its own thread."""

    def __init__(self, **config):
        self.simulator = Simulator(SimulatorConfig(**config))
        self._is_stopped = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.do(self.simulator.start())

    def stop(self):
        """Stop the simulator; its thread goes on until the end of the test."""
        self._is_stopped = True
        self.do(self.simulator.stop())

    def do(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(WAIT_S)

    @property
    def merchant(self):
        return self.simulator.merchant

    @property
    def base_url(self):
        return self.simulator.base_urls[0]

    def control(self, path, wish=None, method=None):
        """Make a control call and return what it answers, or its status when it refuses."""
        return fetch(f"{self.simulator.control_url}{path}", wish, method)

    def to_tomorrow(self, hour=10):
        """Move the business clock to an hour of the next day in China; return today's date."""
        now = datetime.fromisoformat(self.control("/control/clock")["now"])
        morning = now.replace(hour=hour, minute=0, second=0) + timedelta(days=1)
        step = (morning - now).total_seconds()
        self.control("/control/clock", {"advance_s": step})
        return now.strftime("%Y-%m-%d")

    def close(self):
        if not self._is_stopped:
            self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def fetch(url, wish=None, method=None):
    """Send JSON, read JSON; a refusal comes back as (status, body)."""
    body = None if wish is None else json.dumps(wish).encode()
    headers = {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as fault:
        with fault:
            return fault.code, json.loads(fault.read())


def wait_for(is_so):
    """Wait until something is so, within bounds."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.01)


class Answer(NamedTuple):
    """What the API answered, raw."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """A merchant written for these tests: it signs what it is told to, rightly or wrongly."""

    def __init__(self, running, merchant=None):
        self.running = running
        self.merchant = merchant or running.merchant
        self._suite = SUITES[self.merchant.suite]
        self._key = self._suite.private_key(self.merchant.private_key_pem)

    def authorization(self, method, target, body, **changes):
        """Return the header; a change replaces one of its parts after signing."""
        parts = {"nonce_str": "n0nce", "timestamp": str(int(time.time()))} | {
            name: changes[name] for name in ("nonce_str", "timestamp") if name in changes
        }
        lines = [method, target, parts["timestamp"], parts["nonce_str"], ""]
        message = "\n".join(lines).encode() + body + b"\n"
        parts["mchid"] = self.merchant.mchid
        parts["serial_no"] = self.merchant.serial_no
        parts["signature"] = base64.b64encode(self._key.sign(message)).decode()
        scheme = changes.pop("scheme", self._suite.scheme)
        pairs = ",".join(f'{name}="{value}"' for name, value in (parts | changes).items())
        return f"{scheme} {pairs}"

    def call(self, method, target, wish=None, headers=None, host=0, **changes):
        """Make a call; `wish` is JSON or raw bytes."""
        body = wish if isinstance(wish, bytes) else b""
        if wish is not None and body is not wish:
            body = json.dumps(wish, ensure_ascii=False).encode()
        own = {"Accept": "application/json", "User-Agent": "test"}
        own["Authorization"] = self.authorization(method, target, body, **changes)
        own |= headers or {}
        place = urllib.parse.urlsplit(self.running.simulator.base_urls[host])
        link = http.client.HTTPConnection(place.hostname, place.port, timeout=WAIT_S)
        try:
            link.putrequest(method, target, skip_accept_encoding=True)
            for name, value in own.items():
                if value is not None:
                    link.putheader(name, value)
            link.putheader("Content-Length", str(len(body)))
            link.endheaders(body)
            got = link.getresponse()
            return Answer(got.status, dict(got.headers), got.read())
        finally:
            link.close()

    def order(self, number="TU_000001", total=5000, **changes):
        """Return the body of an ordinary order."""
        return {
            "appid": self.merchant.appid,
            "mchid": self.merchant.mchid,
            "description": "充值",
            "out_trade_no": number,
            "notify_url": "http://127.0.0.1:9/notice",
            "amount": {"total": total, "currency": "CNY"},
            "payer": {"openid": "o1"},
        } | changes

    def prepay(self, number="TU_000001", product="jsapi", **changes):
        """Order; return the answer."""
        return self.call("POST", f"/v3/pay/transactions/{product}", self.order(number, **changes))

    def query(self, number="TU_000001"):
        """Return what a query says."""
        target = f"/v3/pay/transactions/out-trade-no/{number}?mchid={self.merchant.mchid}"
        return self.call("GET", target)

    def close_order(self, number="TU_000001"):
        """Close; return the answer."""
        target = f"/v3/pay/transactions/out-trade-no/{number}/close"
        return self.call("POST", target, {"mchid": self.merchant.mchid})

    def pay(self, number="TU_000001", **wish):
        """Let the person pay; return the order, or (status, error)."""
        return self.running.control(f"/control/orders/{number}/pay", wish)

    def refund(self, number, refund, total=5000, order="TU_000001", **changes):
        """Refund; return the answer."""
        wish = {
            "out_trade_no": order,
            "out_refund_no": number,
            "amount": {"refund": refund, "total": total, "currency": "CNY"},
        }
        return self.call("POST", "/v3/refund/domestic/refunds", wish | changes)

    def is_genuine(self, headers, body):
        """Say whether the platform signed this, by whichever of its keys it names."""
        message = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode()
        serial = headers["Wechatpay-Serial"]
        pem = self.merchant.platform_certificates.get(serial)
        if serial == self.merchant.platform_public_key_id:
            pem = self.merchant.platform_public_key_pem
        assert headers["Wechatpay-Signature-Type"] == self._suite.scheme
        if pem is None:
            return False
        signature = base64.b64decode(headers["Wechatpay-Signature"] + "==")
        return self._suite.public_key(pem).verifies(signature, message + body + b"\n")

    def opened(self, body):
        """Return what a notice encloses."""
        resource = json.loads(body)["resource"]
        parts = (resource["nonce"].encode(), resource["associated_data"].encode())
        sealed = base64.b64decode(resource["ciphertext"])
        return json.loads(self._suite.unseal(self.merchant.api_v3_key, *parts, sealed))
