"""Two owners of one lane, as real processes: one is stopped, replaced, and goes on too late."""

import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymysql.err import Error

import mariadb
from crash import owner
from crash.size import BOUND_S, sized
from law import all_laws
from lingqian.ledger.chart import balance_account
from lingqian.storage.mysql.store import MysqlStore

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]
STOPS = sized(2, 20)
ANSWERS = 20
TAKEOVER_S = 45


@contextmanager
def owning(name, address):
    """Start an owner; whatever the test does with it, it ends here."""
    line = [sys.executable, str(Path(owner.__file__)), name, str(address.port), address.name]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "owns\n"
            yield process
        finally:
            process.kill()


def said(process, count):
    """Return the next lines that an owner says."""
    return [process.stdout.readline().strip() for _ in range(count)]


@pytest.fixture
def address():
    """An empty database on the tests' own server."""
    with mariadb.database() as place:
        yield place


@pytest.mark.parametrize("seed", range(STOPS))
def test_owner_that_was_stopped_commits_nothing_more(address, seed):
    """It wakes up believing that the lane is its own; the database knows better."""
    chance = random.Random(seed)
    MysqlStore(address).close()
    with owning("a", address) as late:
        before = said(late, ANSWERS)
        time.sleep(chance.uniform(0, 0.02))
        late.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with owning("b", address) as new:
            assert time.monotonic() - began < TAKEOVER_S
            during = said(new, ANSWERS)
            late.send_signal(signal.SIGCONT)
            rest = late.stdout.read().split()
            during += said(new, ANSWERS)
            new.kill()
            during += new.stdout.read().split()
    assert rest[-1:] == ["fenced"], "it went on until it was told, and then it went"
    check(address, [*before, *rest[:-1]], during)


def check(address, late, new):
    """All that was answered is there once; nothing of the late owner comes after the new one."""
    store = MysqlStore(address)
    read = store.connection
    epochs = [row[0] for row in read.execute("SELECT epoch FROM seals ORDER BY last_seq")]
    assert epochs == sorted(epochs), "the late owner wrote after its successor"
    assert len(set(epochs)) == 2
    keys = [row[0] for row in read.execute('SELECT "key" FROM "keys"')]
    for name, numbers in (("a", late), ("b", new)):
        for number in numbers:
            assert owner.key(name, int(number)) in keys, f"{name} {number} was answered and is lost"
    posted = read.execute(
        "SELECT credits_posted FROM accounts WHERE account = ?", (balance_account(owner.USER),)
    ).fetchone()[0]
    assert posted == len(keys) - 1, "a fen for each key but the registration's"
    all_laws(read)
    store.close()


def test_second_owner_of_many_lanes_ends_only_the_connection_that_stopped(address):
    """The other lanes' owner goes on with the lanes that are left to him."""
    stopped, lively, second = (MysqlStore(address) for _ in range(3))
    stopped.take([1])
    lively.take([0, 2, 3])
    stopped.connection.execute(stopped.engine.begin_lane)
    stopped.connection.execute("UPDATE lanes SET at_us = 5 WHERE lane = 1")
    taken = second.take([2, 1, 0])
    assert [(row.lane, row.epoch, row.at_us) for row in taken] == [(2, 2, 0), (1, 2, 0), (0, 2, 0)]
    with pytest.raises(Error):
        stopped.connection.execute("COMMIT")
    assert lively.connection.execute("SELECT 7").fetchone() == (7,)
    for store in (stopped, lively, second):
        store.close()


def test_second_owner_ends_a_connection_that_stopped_in_the_middle(address):
    """It holds the lane's row, and nobody else would let go of it before somebody looks."""
    first, second = MysqlStore(address), MysqlStore(address)
    (row,) = first.take([0])
    first.connection.execute(first.engine.begin_lane)
    first.connection.execute("UPDATE lanes SET at_us = 5 WHERE lane = 0")
    began = time.monotonic()
    (taken,) = second.take([0])
    assert time.monotonic() - began < TAKEOVER_S
    assert (taken.epoch, taken.at_us) == (row.epoch + 1, row.at_us)
    with pytest.raises(Error):
        first.connection.execute("COMMIT")
    for store in (first, second):
        store.close()
