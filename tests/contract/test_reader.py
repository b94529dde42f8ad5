"""Readers and visitors of a server mend themselves; chores of many processes have one turn."""

import re
import threading
import time
from contextlib import closing

import pytest

import mariadb
from lingqian.identity.key import Scope
from lingqian.kernel.fault import Damaged, Unsent
from lingqian.storage import keyring, query
from lingqian.storage.mysql import reader as module
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.reader import Reader
from lingqian.storage.mysql.server import MysqlServer
from tidy.text import ROOT
from world import World

pytestmark = pytest.mark.needs("mariadb")
ALL = frozenset(Scope)
NUMBER = "SELECT CONNECTION_ID()"
PUT = (
    "INSERT INTO settings (name, value) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
FIND = "SELECT value FROM settings WHERE name = ?"


@pytest.fixture
def server():
    """A database with the newest schema."""
    with mariadb.database() as place:
        found = MysqlServer(place)
        found.store().close()
        yield found


@pytest.fixture
def reader(server):
    """A reader of it."""
    with closing(server.reader()) as made:
        yield made


def cut(connection):
    """End a connection at the server, while nobody uses it."""
    mariadb.server().do(f"KILL {connection.execute(NUMBER).fetchone()[0]}")


def test_reader_that_was_cut_reads_on(reader):
    """A night without anybody, or a server that began anew, is nobody's error page."""
    first = reader.execute(NUMBER).fetchone()
    cut(reader)
    assert reader.execute(NUMBER).fetchone() != first


def test_reader_that_was_cut_inside_a_snapshot_says_so_and_reads_on(server, reader):
    """Half of a balance is not put together with half of a later one."""
    store = server.store()
    world = World(1, store=store)
    world.batch(world.register("a"))
    world.batch(world.fund("a", 700))
    person = world.ids["a"]
    assert query.balance(reader, person).amount_fen == 700
    reader.execute("BEGIN")
    reader.execute(NUMBER)
    mariadb.server().do(f"KILL {reader.execute(NUMBER).fetchone()[0]}")
    with pytest.raises(Unsent, match="nothing was read"):
        reader.execute(FIND, ("x",))
    reader.execute("COMMIT")  # whoever reads a snapshot ends it, whatever happened
    assert query.balance(reader, person).amount_fen == 700
    store.close()


def test_reader_sees_what_is_committed_at_once(server, reader):
    """Between two reads there is no snapshot that anybody forgot to end."""
    store = server.store()
    for value in ("1", "2"):
        store.chore(lambda link, value=value: link.execute(PUT, ("x", value)))
        assert reader.execute(FIND, ("x",)).fetchone() == (value,)
    store.close()


def test_snapshot_is_of_one_moment(server, reader):
    """What is committed meanwhile belongs to the next one."""
    store = server.store()
    reader.execute("BEGIN")
    assert reader.execute(FIND, ("y",)).fetchone() is None
    store.chore(lambda link: link.execute(PUT, ("y", "1")))
    assert reader.execute(FIND, ("y",)).fetchone() is None
    reader.execute("COMMIT")
    assert reader.execute(FIND, ("y",)).fetchone() == ("1",)
    store.close()


def test_reader_does_not_write(reader):
    """All that is written is written by the writer's thread."""
    with pytest.raises(Unsent, match=r"1792|READ.ONLY"):
        reader.execute(PUT, ("z", "1"))


def test_reader_of_a_server_that_is_gone_says_so_at_once_and_comes_back(server, monkeypatch):
    """Whoever waits is told; not everybody who asks waits for the same silence again."""
    gone = server.address._replace(port=mariadb.free_port())
    tries = []

    def open_link():
        tries.append(gone if len(tries) < 1 else server.address)
        return connect(tries[-1], Options())[0]

    monkeypatch.setattr(module, "_REST_S", 0.2)
    reader = Reader(open_link)
    with pytest.raises(Unsent, match="nothing was read"):
        reader.execute(NUMBER)
    with pytest.raises(Unsent, match="a moment ago"):
        reader.execute(NUMBER)
    assert len(tries) == 1
    time.sleep(0.25)
    assert reader.execute(NUMBER).fetchone()
    reader.close()


def test_reader_of_rows_that_contradict_themselves_says_damaged(reader, monkeypatch):
    """Nobody is told to try again later when a person has to look."""

    def broken(*_):
        raise module.Error(1034, "an index is not of its table")

    reader.execute(NUMBER)
    monkeypatch.setattr(reader._link, "execute", broken)
    with pytest.raises(Damaged, match="index"):
        reader.execute(NUMBER)


def test_visitor_writes_once_or_says_that_it_may_have(server):
    """A write that was cut is not sent again: it may have been done."""
    with closing(server.visitor()) as visitor:
        assert keyring.add_key(visitor, "desk", ALL)
        cut(visitor)
        with pytest.raises(Unsent, match="may not have been written"):
            keyring.revoke_key(visitor, "desk")
        assert keyring.revoke_key(visitor, "desk")
        assert not keyring.revoke_key(visitor, "desk")


def test_name_of_a_good_key_is_taken_on_a_server_too(server):
    """The index that says so holds all keys there, with the moment of their end."""
    with closing(server.visitor()) as visitor:
        for _ in range(2):
            keyring.add_key(visitor, "desk", ALL)
            with pytest.raises(keyring.NameTakenError):
                keyring.add_key(visitor, "desk", ALL)
            assert keyring.revoke_key(visitor, "desk")
        row = visitor.execute("SELECT key_id FROM api_keys LIMIT 1").fetchone()
        with pytest.raises(Unsent, match="Duplicate"):
            visitor.execute("UPDATE api_keys SET revoked_at_us = 0")
        assert row


def test_chores_of_two_processes_come_one_after_the_other(server):
    """Each looks and then writes: the second one sees what the first has written."""
    first, second = server.store(), server.store()
    has_looked, seen = threading.Event(), []

    def look_and_write(link):
        seen.append(link.execute(FIND, ("once",)).fetchone())
        if len(seen) == 1:
            has_looked.set()
            time.sleep(0.3)
        if seen[-1] is None:
            link.execute("INSERT INTO settings (name, value) VALUES ('once', '1')")

    thread = threading.Thread(target=first.chore, args=(look_and_write,))
    thread.start()
    assert has_looked.wait(30)
    second.chore(look_and_write)
    thread.join(30)
    assert seen == [None, ("1",)]
    first.close()
    second.close()


def test_writes_without_a_turn_do_not_wait_for_one(server):
    """Who only compares and sets need not wait; this is the control for the test above."""
    first, second = server.store(), server.store()
    second.write(lambda link: first.chore(lambda other: (link, other)))
    first.close()
    second.close()


def test_rights_that_the_page_names_are_enough():
    """An operator gives no more than he is told to, and finds out on the first day."""
    page = (ROOT / "docs" / "operating" / "server.md").read_text("utf-8")
    rights = re.search(r"GRANT ([A-Z, ]+) ON lingqian", page)[1]
    with mariadb.database() as place:
        mariadb.server().do(
            f"DROP DATABASE {place.name}",
            f"CREATE DATABASE {place.name}",
            "CREATE OR REPLACE USER modest@'127.0.0.1' IDENTIFIED BY 'p@ss'",
            f"GRANT {rights} ON {place.name}.* TO modest@'127.0.0.1'",
        )
        server = MysqlServer(place._replace(user="modest", password="p@ss"))
        store = server.store()
        world = World(1, store=store)
        world.batch(world.register("a"))
        store.resolve([])
        with closing(server.visitor()) as visitor, closing(server.reader()) as reader:
            keyring.add_key(visitor, "desk", ALL)
            assert len(keyring.list_keys(reader)) == 1
        store.close()
