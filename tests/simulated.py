"""A simulator that runs beside a test, in a thread with a loop of its own, and a shop to be told."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lingqian_simulator.server import Simulator, SimulatorConfig

WAIT_S = 10.0
CHINA = timezone(timedelta(hours=8))


class Shop:
    """Takes notices and keeps them raw; answers with the statuses it was told, then with 204."""

    def __init__(self):
        self.notices = []
        self.answers = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.notices.append((dict(self.headers), body))
                status = shop.answers.pop(0) if shop.answers else 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.do(self.simulator.start())

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
        self.do(self.simulator.stop())
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
    """Wait until something is so, at most ten seconds."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.01)
