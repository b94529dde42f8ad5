"""The database server goes away under a running process, and comes back: what outsiders see."""

import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress

import pymysql
import pytest

import mariadb
from api.caller import running, wait_for
from lingqian.compose import PeersRow
from lingqian.web import door

pytestmark = pytest.mark.needs("mariadb")
AWAY_S = 3.0


@pytest.fixture(scope="module")
def server():
    """A server that nobody else uses: it is killed."""
    own = mariadb.Server()
    yield own
    own.stop()


@pytest.fixture
def house(server, tmp_path):
    """A process with its rows there."""
    with running(tmp_path, database=mariadb.url(server.fresh())) as found:
        yield found


@contextmanager
def away(server):
    """Kill the server; it is there again afterwards."""
    server.kill()
    try:
        yield
    finally:
        server.start()


def test_who_balances_is_told_while_the_database_is_away(server, house):
    """People are sent elsewhere and nobody restarts us: the process itself has nothing."""
    api = house.caller()
    path = f"/v1/users/{api.user()}/statement.csv"
    assert (api.get("/readyz").status, api.get(path).status) == (200, 200)
    with away(server):
        assert api.get(path).status == 503
        wait_for(lambda: api.get("/readyz").status == 503)
        told = api.get("/readyz")
        assert (told.code, told.body["retry"]) == ("unavailable", "same_key")
        assert told.body["detail"] == "the database does not answer"
        seen = set()
        until = time.monotonic() + AWAY_S
        while time.monotonic() < until:
            began = time.monotonic()
            assert api.get("/livez").status == 200
            seen.add(api.get("/readyz").status)
            assert time.monotonic() - began < 1.0, "looking keeps others waiting"
        assert seen == {503}, "it comes and goes"
    wait_for(lambda: api.get("/readyz").status == 200)
    assert api.user()


@pytest.mark.parametrize("roles", [(), ("all",)], ids=["alone", "one of several"])
def test_an_outage_is_a_few_lines_of_the_log(server, tmp_path, monkeypatch, caplog, roles):
    """A night without the database must not bury what began it under a traceback a second."""
    # Longer than work takes to end when all others are busy: calm is not yet that it goes on.
    monkeypatch.setattr(door, "CALM_S", 4.0)
    peers = PeersRow(lease_s=3, beat_s=1)
    place = mariadb.url(server.fresh())
    with running(tmp_path, database=place, roles=roles, peers=peers) as house:
        api = house.caller()
        wait_for(lambda: api.get("/readyz").status == 200)
        assert api.post("/v1/webhook-endpoints", {"url": "https://example.com/"}).status == 201
        api.user()
        caplog.clear()
        with away(server):
            wait_for(lambda: api.get("/readyz").status == 503)
            house.on_loop(house.door.dispatcher.refresh)
            time.sleep(2 * AWAY_S)
        wait_for(lambda: api.get("/readyz").status == 200)
        wait_for(lambda: told(caplog)[1] >= told(caplog)[0], 30)
        begun, ended = told(caplog)
    assert {"sweep", "webhooks", "deliveries"} <= begun
    assert not roles or {"leases", "following the journal"} <= begun
    assert begun == ended


def told(caplog):
    """Return what was told to have begun and to be over; each once, in a line of its own."""
    found = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert not [each for each in found if each.exc_info], "a traceback"
    words = [each.getMessage().split(": ") for each in found if each.module == "setback"]
    assert len(found) - len(words) <= 1, "of all leases that were put down"
    lines = Counter((what, kind.partition(" after ")[0]) for what, kind, *_ in words)
    assert not [line for line, count in lines.items() if count > 1], lines
    begun = {what for what, kind in lines if kind != "goes on"}
    return begun, {what for what, kind in lines if kind == "goes on"}


def test_one_cut_read_withdraws_nothing(server, house):
    """A connection that was ended, as by a proxy that is restarted, is no outage."""
    api = house.caller()
    seen, is_over = set(), threading.Event()

    def look():
        while not is_over.is_set():
            seen.add(api.get("/readyz").status)

    looking = threading.Thread(target=look)
    looking.start()
    own = "SELECT id FROM information_schema.processlist WHERE db IS NOT NULL"
    for _ in range(5):
        for (number,) in server.do(own):
            with suppress(pymysql.err.Error):  # it went by itself
                server.do(f"KILL {number}")
        time.sleep(0.3)
    is_over.set()
    looking.join()
    assert seen == {200}
    reach = house.door.wallet.database.reach
    assert house.on_loop(lambda: (reach.failed(), house.door.unready)) == (None, "")
