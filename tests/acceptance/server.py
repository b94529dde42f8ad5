"""A real server for tests: `lingqian serve` as a process of its own, with a folder, a port, a key.

It is ended by its own process id and nothing else; what it wrote to its streams is kept for words.
"""

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from lingqian.compose import DATABASE, SETTINGS
from lingqian.storage.sqlite import connect

LINGQIAN = (str(Path(sys.executable).parent / "lingqian"),)
# Long, because a machine may be busy; a server that has ended is told at once.
START_S = 120
STOP_S = 40
FULL = os.environ.get("LINGQIAN_ACCEPTANCE") == "full"


def sized(quick, full):
    """Return a size: seconds in the ordinary test command, or the size of the acceptance text."""
    return full if FULL else quick


class Reply(NamedTuple):
    """An answer: its status, what it says, its headers."""

    status: int
    body: dict
    headers: dict


def surroundings(**adds):
    """Return an environment in which no setting of the person who runs the tests is left."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINGQIAN_")}
    return {**kept, **adds}


def run(*words, timeout_s=60, **options):
    """Run a command of the product to its end."""
    options.setdefault("env", surroundings())
    return subprocess.run(
        [*LINGQIAN, *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        **options,
    )


class Server:
    """One server on one data directory; it keeps its port and its key over restarts."""

    def __init__(self, folder, *, settings="", program=LINGQIAN, **options):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if settings:
            (self.folder / SETTINGS).write_text(settings, "utf-8")
        self.program = program
        self.options = {"env": surroundings(), **options}
        self.log = self.folder.parent / f"{self.folder.name}.log"
        self.port = 0
        self.key = ""
        self.process = None

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def words(self):
        """Return everything it has said."""
        return self.log.read_text("utf-8")

    def start(self):
        """Start it and wait until it takes commands; make its key the first time."""
        with self.log.open("ab") as log:
            said = log.tell()
            self.process = subprocess.Popen(
                [*self.program, "serve", "--data", self.folder, "--port", str(self.port)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                **self.options,
            )
        self.wait(lambda: "listens on" in self.log.read_bytes()[said:].decode())
        where = self.log.read_bytes()[said:].decode().split("listens on", 1)[1]
        self.port = urlsplit(where.split()[0]).port
        self.wait(lambda: self.call("GET", "/readyz").status == 200)
        if not self.key:
            made = run("key", "new", "acceptance", "--data", str(self.folder))
            assert made.returncode == 0, made.stderr
            self.key = made.stdout.strip()
        return self

    def wait(self, is_so):
        """Wait until something is so, as long as the process lives."""
        end = time.monotonic() + START_S
        while not is_so():
            assert self.process.poll() is None, f"it has ended: {self.words()}"
            assert time.monotonic() < end, f"not so in {START_S} s: {self.words()}"
            time.sleep(0.02)

    def stop(self):
        """Ask it to end as an operator would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    def kill(self):
        """Take it away without a word."""
        self.process.kill()
        self.process.wait(STOP_S)

    def end(self):
        """Make sure that it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def call(self, method, path, body=None, *, key=None, headers=None):
        """Ask one question and wait for the answer."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        if method == "POST":
            sent["Idempotency-Key"] = key or secrets.token_hex(16)
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            link.request(method, path, None if body is None else json.dumps(body), sent)
            answer = link.getresponse()
            text = answer.read()
        except (ConnectionError, http.client.HTTPException) as error:
            return Reply(0, {"error": repr(error)}, {})
        finally:
            link.close()
        is_json = "json" in answer.headers.get("content-type", "")
        said = json.loads(text) if is_json else {"text": text.decode()}
        return Reply(answer.status, said, dict(answer.headers))

    def good(self, method, path, body=None, **more):
        """Ask and return what it says; anything but a 2xx is a failure of the test."""
        reply = self.call(method, path, body, **more)
        assert 200 <= reply.status < 300, (method, path, body, reply)
        return reply.body

    @contextmanager
    def reader(self):
        """Open a connection of our own on the live file, for reads only."""
        connection = connect(str(self.folder / DATABASE), readonly=True)
        try:
            yield connection
        finally:
            connection.close()

    def audit(self):
        """Hold the stopped file to every law with the product's own command."""
        audited = run("audit", "--data", str(self.folder))
        assert audited.returncode == 0, audited.stdout + audited.stderr


@contextmanager
def serving(folder, **options):
    """Run a server for the length of a block."""
    server = Server(folder, **options)
    try:
        yield server.start()
    finally:
        server.end()
