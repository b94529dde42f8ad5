"""A real server in a thread of its own, and a caller who speaks plain HTTP to it."""

import asyncio
import http.client
import itertools
import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import mariadb
from lingqian.compose import SETTINGS, Config, Wallet
from lingqian.identity.key import Scope
from lingqian.storage.keyring import add_key
from lingqian.web.app import create_app
from lingqian.web.server import listen, make, open_tls

_names = itertools.count()
# `mariadb`: houses of tests keep their rows on a MariaDB of the tests' own, not in a file.
DATABASE_VARIABLE = "LINGQIAN_TEST_DATABASE"
_places: dict[Path, str] = {}
# What a test says where a house asks why it should run on this machine's disk.
UNENCRYPTED = {"unencrypted_volume_because": "a test on made-up people"}


class Told(NamedTuple):
    """An answer: its status, its JSON (or bytes) and its headers."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return self.body["code"]


class Caller:
    """Calls the API with one key; each call is a connection of its own, so threads may share it."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key

    def call(self, method, path, body=None, *, once=None, headers=None, raw=None) -> Told:
        """Send one request; `once` is its idempotency key, `raw` bytes instead of a body."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        if once is not None:
            sent["Idempotency-Key"] = once
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            content = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
        if "json" in found.get("content-type", ""):
            content = json.loads(content)
        return Told(answer.status, content, found)

    def get(self, path, **more) -> Told:
        """Read."""
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more) -> Told:
        """Ask for something."""
        return self.call("POST", path, body, **more)

    # What most tests begin with.

    def user(self, nickname="", **more) -> str:
        """Register somebody new."""
        body = {"external_id": f"u{next(_names)}", "nickname": nickname, **more}
        told = self.post("/v1/users", body)
        assert told.status == 201, told
        return told.body["id"]

    def fund(self, user_id, amount_fen=100_000) -> None:
        """Give play money."""
        body = {"user_id": user_id, "amount_fen": amount_fen}
        assert self.post("/v1/sandbox/funding", body, once=f"f{next(_names)}").status == 201

    def rich(self, amount_fen=100_000, nickname="") -> str:
        """Register somebody new with money."""
        user_id = self.user(nickname)
        self.fund(user_id, amount_fen)
        return user_id

    def packet(self, sender_id, **more) -> str:
        """Send a packet: lucky, 10 yuan, two shares, unless said otherwise."""
        body = {"sender_id": sender_id, "kind": "lucky", **more}
        if not {"total_fen", "each_fen"} & set(body):
            body["total_fen"] = 1_000
        if body["kind"] != "targeted":
            body.setdefault("count", 2)
        told = self.post("/v1/packets", body, once=f"p{next(_names)}")
        assert told.status == 201, told
        return told.body["id"]

    def claim(self, packet_id, user_id, **more) -> Told:
        """Open a packet."""
        return self.post(f"/v1/packets/{packet_id}/claims", {"user_id": user_id, **more})

    def balance(self, user_id) -> dict[str, Any]:
        """Return the one balance somebody has."""
        told = self.get(f"/v1/users/{user_id}/balances")
        assert told.status == 200, told
        return told.body["balances"][0]

    def advance(self, seconds) -> None:
        """Move the business clock."""
        assert self.post("/v1/sandbox/clock", {"advance_s": seconds}).status == 200


def moment(api, in_s):
    """Return a moment so many seconds from the server's now, as a caller writes it."""
    now = api.post("/v1/sandbox/clock", {"advance_s": 0}).body["now"]
    return (datetime.fromisoformat(now) + timedelta(seconds=in_s)).isoformat()


def wait_for(is_true, timeout_s=10.0):
    """Wait until something holds."""
    pause = threading.Event()
    for _ in range(int(timeout_s / 0.05)):
        if is_true():
            return
        pause.wait(0.05)
    assert is_true()


class House:
    """A server that is running: its folder, its app, its port, and keys for callers."""

    def __init__(self, folder: Path, config: Config, port: int = 0) -> None:
        self.folder = folder
        self.config = config if config.database else placed(config, folder)
        self.port = port
        self.app: Any = None
        self._keys = itertools.count()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> None:
        """Start and wait until it answers."""
        self._thread.start()
        assert self._ready.wait(30), "the server does not start"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        wallet = Wallet(self.folder, self.config)
        try:
            self.app = create_app(wallet)
            tls = open_tls(self.folder, self.config.tls_certificate, self.config.tls_key)
            self.server = make(self.app, tls)
            with listen("127.0.0.1", self.port) as listening:
                self.port = listening.getsockname()[1]
                task = asyncio.create_task(self.server.serve(sockets=[listening]))
                self._ready.set()  # callers wait in the socket's queue until it has started
                await task
        finally:
            wallet.close()

    @property
    def door(self) -> Any:
        """What the handlers stand on."""
        return self.app.state.door

    def on_loop(self, function) -> Any:
        """Run a function on the server's own thread."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def caller(self, *scopes: Scope) -> Caller:
        """Make a key with these scopes (none: all) and return who calls with it."""
        name = f"k{next(self._keys)}-{id(self)}"
        with closing(self.door.wallet.database.visitor()) as connection:
            return Caller(self.port, add_key(connection, name, frozenset(scopes or Scope)))

    def stop(self) -> None:
        """Drain and wait until it has ended."""
        if not self._thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self._end)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server does not stop"
        if self._failure is not None:
            raise self._failure

    def _end(self) -> None:
        self.door.stop()
        self.server.should_exit = True


def placed(config: Config, folder: Path) -> Config:
    """Return the settings with where the rows of a folder are; the same for each restart."""
    if os.environ.get(DATABASE_VARIABLE, "") != "mariadb":
        return config
    if folder not in _places:
        # One of its own: a lent one may be emptied by whoever had it before.
        _places[folder] = mariadb.url(mariadb.server().fresh())
        # Commands that a test runs on the folder find the rows where the house has them.
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / SETTINGS).open("a") as settings:
            settings.write(f'database = "{_places[folder]}"\n')
    return msgspec.structs.replace(config, database=_places[folder])


@contextmanager
def running(folder: Path, **settings) -> Iterator[House]:
    """Run a server for a while."""
    house = House(folder, Config(**settings))
    house.start()
    try:
        yield house
    finally:
        house.stop()
