"""`lingqian serve` as three processes on one database: any of them takes any request."""

import shutil
import signal
import threading
import time

import pytest

import mariadb
from acceptance.server import Server
from law import all_laws
from lingqian.compose import KEYS
from lingqian.identity.key import Scope
from lingqian.storage.keyring import add_key
from lingqian.storage.mysql.address import parse
from lingqian.storage.mysql.server import MysqlServer
from lingqian.storage.mysql.store import MysqlStore

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(400)]
PATIENCE_S = 60
PEOPLE = 8
START_FEN = 100_000
SETTINGS = """database = "{url}"
lanes = 8
roles = {roles}

[peers]
lease_s = 3
beat_s = 1
"""


class House:
    """Three processes with the same keys: two that do everything, and an edge."""

    def __init__(self, folder, place):
        self.folder = folder
        self.url = mariadb.url(place)
        self.servers = {}
        visitor = MysqlServer(place).visitor()
        self.key = add_key(visitor, "tests", frozenset(Scope))
        visitor.close()

    def open(self, name, roles='["all"]'):
        """Start a process; all but the first have the first one's keys."""
        server = self.servers.get(name)
        if server is None:
            settings = SETTINGS.format(url=self.url, roles=roles)
            server = Server(self.folder / name, settings=settings)
            server.key = self.key
            if self.servers:
                first = next(iter(self.servers.values()))
                shutil.copytree(first.folder / KEYS, server.folder / KEYS)
            self.servers[name] = server
        return server.start()

    def end(self):
        """End all of them."""
        for server in self.servers.values():
            server.end()


@pytest.fixture
def house(tmp_path):
    """Nobody is there yet."""
    made = House(tmp_path, mariadb.server().fresh())
    yield made
    made.end()


class Payer(threading.Thread):
    """Somebody who pays through one process, and remembers every answer."""

    def __init__(self, server, source, target):
        super().__init__(daemon=True)
        self.server, self.source, self.target = server, source, target
        self.is_over = threading.Event()
        self.replies = []

    def run(self):
        """Pay until told that it is enough."""
        while not self.is_over.is_set():
            body = {"source_id": self.source, "target_id": self.target, "amount_fen": 1}
            self.replies.append(self.server.call("POST", "/v1/transfers", body))


def person(server, name):
    """Register a person with money."""
    made = server.good("POST", "/v1/users", {"external_id": name, "nickname": name})["id"]
    server.good("POST", "/v1/sandbox/funding", {"user_id": made, "amount_fen": START_FEN})
    return made


def until(is_so, what):
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def more(payers, count=5):
    """Wait until everybody has paid some times more."""
    before = [len(each.replies) for each in payers]
    until(
        lambda: all(len(p.replies) >= n + count for p, n in zip(payers, before, strict=True)),
        "everybody goes on",
    )


def test_processes_share_the_lanes_and_nobody_who_asks_can_tell(house):
    """One is stopped, one is killed, one comes back; every payment through the edge is answered."""
    first, second = house.open("first"), house.open("second")
    edge = house.open("edge", '["edge"]')
    people = [person(edge, f"p{number}") for number in range(PEOPLE)]
    again(first, second, people)
    payers = [Payer(edge, each, people[place - 1]) for place, each in enumerate(people)]
    for payer in payers:
        payer.start()
    more(payers)
    assert first.stop() == 0, first.words()
    more(payers)
    house.open("first")
    more(payers)
    second.kill()
    more(payers)
    for payer in payers:
        payer.is_over.set()
        payer.join(PATIENCE_S)
    check(edge, house, payers)


def again(first, second, people):
    """The same key through two processes is one payment, answered twice."""
    body = {"source_id": people[0], "target_id": people[1], "amount_fen": 5}
    told = [each.good("POST", "/v1/transfers", body, key="once") for each in (first, second)]
    assert told[0]["id"] == told[1]["id"]
    body = {"source_id": people[1], "target_id": people[0], "amount_fen": 5}
    assert second.good("POST", "/v1/transfers", body)


def available(server, user_id):
    """Return what a person can spend."""
    (row,) = server.good("GET", f"/v1/users/{user_id}/balances")["balances"]
    return row["available_fen"]


def check(edge, house, payers):
    """Nobody was told anything but yes, and what they were told is what there is."""
    # 200: it was asked again after a cut, and told what had been done the first time.
    assert {reply.status for each in payers for reply in each.replies} <= {200, 201}
    assert len({reply.body["id"] for each in payers for reply in each.replies}) == sum(
        len(each.replies) for each in payers
    )
    for place, payer in enumerate(payers):
        came = payers[(place + 1) % len(payers)]
        expected = START_FEN - len(payer.replies) + len(came.replies)
        until(lambda: available(edge, payer.source) == expected, "it has all arrived")  # noqa: B023 - read at once
    house.end()
    store = MysqlStore(parse(house.url))
    all_laws(store.connection)
    store.close()


def test_process_that_shares_needs_a_server(tmp_path):
    """On a file there is nobody to share with, and that is said at once."""
    server = Server(tmp_path / "data", settings='roles = ["edge"]\n')
    with pytest.raises(AssertionError, match="set `database`"):
        server.start()
    assert server.process.returncode == 2


def test_edge_alone_says_that_it_cannot_answer(house):
    """It owns nothing and knows nobody: the caller comes again with the same key."""
    alone = house.open("alone", '["edge"]')
    began = time.monotonic()
    told = alone.call("POST", "/v1/users", {"external_id": "x", "nickname": "x"})
    assert told.status == 503
    assert time.monotonic() - began < PATIENCE_S
    alone.process.send_signal(signal.SIGTERM)
    assert alone.process.wait(PATIENCE_S) == 0
