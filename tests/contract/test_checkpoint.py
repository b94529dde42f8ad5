"""The write-ahead log is moved into the database beside the writer, and does not grow for ever."""

import threading
from contextlib import contextmanager
from itertools import pairwise

import apsw
import pytest

from law import all_laws
from lingqian.storage import checkpoint, sqlite
from lingqian.storage.checkpoint import REST_PAGES_MAX, ROUNDS_MAX, Checkpointer
from lingqian.storage.sqlite import SqliteStore
from world import World

LOG_PAGES = 300


class Log:
    """A connection that moves what it is told to, once it is let go."""

    def __init__(self, moved_pages, *, fails=False):
        self.moved_pages, self.fails = moved_pages, fails
        self.gate = threading.Event()
        self.asked = 0

    def close(self):
        """Do nothing: the log is asked again."""

    def wal_checkpoint(self, mode):
        """Wait for the gate, then say how much was moved."""
        assert mode == apsw.SQLITE_CHECKPOINT_PASSIVE, "anything else would wait for the writer"
        self.asked += 1
        self.gate.wait(10)
        if self.fails:
            raise apsw.FullError("the disk is full")
        return self.moved_pages, self.moved_pages


def test_writer_never_waits_for_the_bulk():
    """While pages move the writer is told to go on; then it may move the little that is left."""
    log = Log(50_000)
    mover = Checkpointer(lambda: log)
    assert not mover.is_settled(50_000)
    assert not mover.is_settled(50_500), "still moving"
    log.gate.set()
    mover.finish()
    assert mover.is_settled(50_000 + REST_PAGES_MAX)
    assert log.asked == 1


def test_much_that_came_meanwhile_is_moved_beside_the_writer_too():
    """Under full load the rest of one round is a stall of its own; but rounds come to an end."""
    log = Log(50_000)
    log.gate.set()
    mover = Checkpointer(lambda: log)
    for _ in range(ROUNDS_MAX):
        assert not mover.is_settled(50_001 + REST_PAGES_MAX)
        mover.finish()
    assert mover.is_settled(50_001 + REST_PAGES_MAX)
    assert log.asked == ROUNDS_MAX


def test_round_that_fails_loses_nothing():
    """A full disk under the mover is the writer's to meet, not a thread's to die of."""
    log = Log(0, fails=True)
    log.gate.set()
    mover = Checkpointer(lambda: log)
    assert not mover.is_settled(50_000)
    mover.finish()
    assert not mover.is_settled(50_000), "it tries again"
    mover.finish()


@contextmanager
def on_file(folder):
    """Open a world on a file of its own."""
    world = World(store=SqliteStore(folder / "ledger.db"))
    yield world
    world.close()


def test_log_begins_anew_while_the_writer_goes_on(tmp_path, monkeypatch):
    """The log would otherwise grow with every batch until the process ends."""
    monkeypatch.setattr(sqlite, "WAL_PAGES_MAX", LOG_PAGES)
    monkeypatch.setattr(checkpoint, "REST_PAGES_MAX", LOG_PAGES)
    log = tmp_path / "ledger.db-wal"
    with on_file(tmp_path) as world:
        world.do(world.register("a"))
        sizes = []
        for number in range(400):
            world.do(world.fund("a", 1, key=f"fund {number}"))
            world.store._checkpointer.finish()
            sizes.append(world.store._wal_pages)
        assert log.stat().st_size < 3 * LOG_PAGES * 4_120
        assert any(later < sooner for sooner, later in pairwise(sizes))
        all_laws(world.connection)


def test_long_reader_holds_the_log_and_is_not_asked_at_every_batch(tmp_path, monkeypatch):
    """An audit may read for minutes: meanwhile the log grows, and no batch pays for trying."""
    monkeypatch.setattr(sqlite, "WAL_PAGES_MAX", 20)
    with on_file(tmp_path) as world:
        world.do(world.register("a"))
        reader = world.store.reader()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchall()
        for number in range(60):
            world.do(world.fund("a", 1, key=f"fund {number}"))
            world.store._checkpointer.finish()
        assert world.store._held_pages > 0
        assert world.store._wal_pages < world.store._held_pages + 20 + 50
        reader.execute("COMMIT")
        reader.close()
        all_laws(world.connection)


@pytest.mark.parametrize("kind", ["alone", "beside"])
def test_checkpoint_beside_the_writer_needs_a_disk_it_shares(tmp_path, monkeypatch, kind):
    """Alone on its disk the writer must do it itself: another connection would be refused."""
    monkeypatch.setattr(sqlite, "WAL_PAGES_MAX", 10)
    started = []
    monkeypatch.setattr(Checkpointer, "is_settled", lambda *_: started.append(1) or True)
    world = World(store=SqliteStore(tmp_path / "ledger.db", is_alone=kind == "alone"))
    for number in range(10):
        world.do(world.register(f"person {number}"))
    world.close()
    assert bool(started) == (kind == "beside")
