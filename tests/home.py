"""Where a kind of store lives, and how its engine says what can go wrong: one class per engine.

The contract suite knows no engine; it asks a home. A home is opened any number of times and always
holds the same data.
"""

import os
from contextlib import contextmanager, suppress

import apsw
import pymysql
import pytest

import mariadb
from lingqian.storage.memory import memory_store
from lingqian.storage.mysql import schema
from lingqian.storage.mysql.address import parse
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.store import MysqlStore
from lingqian.storage.sqlite import SqliteStore, migrations

TIDB = "LINGQIAN_TEST_TIDB"
KINDS = ("memory", "file", "alone", "mariadb", "tidb")


class SqliteHome:
    """A file, a file that one process has for itself, or memory."""

    begin_lane = begin = "BEGIN IMMEDIATE"
    errors = apsw.Error
    busy = apsw.BusyError("busy")
    cut = apsw.IOError("cut")
    away = apsw.CantOpenError("away")
    binds_readers = True

    def __init__(self, kind, folder):
        self.kind = kind
        self._folder = folder
        # In memory the database lives as long as somebody has it open.
        self.forgets = kind == "memory"
        self.is_single = kind == "alone"

    def open(self):
        """Open the store of this home."""
        if self.kind == "memory":
            return memory_store(f"contract-{self._folder}")
        return SqliteStore(self._folder / "ledger.db", is_alone=self.kind == "alone")

    def schema(self, store):
        """Return the numbers of all steps, and the one that a store says it has reached."""
        return [number for number, _, _ in migrations()], store.connection.pragma("user_version")

    def outgrow(self, store):
        """Make a store say that a later program has been here."""
        store.connection.pragma("user_version", migrations()[-1][0] + 1)
        if self.is_single:
            store.close()

    @contextmanager
    def cannot_begin(self, store):
        """Keep a transaction of this store from beginning."""
        store.connection.execute(self.begin)
        yield
        store.connection.execute("ROLLBACK")

    def reader(self, store):
        """Open a connection for reads; belongs to whoever asks."""
        return store.reader()

    def impatient(self, reader):
        """Let a reader say at once that it would have to wait."""
        reader.set_busy_timeout(0)

    def done(self):
        """Leave; the folder is the test's own."""


class ServerHome:
    """A database on a server of the tests' own, or on one that somebody has named."""

    errors = pymysql.err.Error
    busy = pymysql.err.OperationalError(1213, "deadlock")
    cut = pymysql.err.OperationalError(2013, "cut")
    away = pymysql.err.OperationalError(2003, "away")
    forgets = is_single = False

    def __init__(self, kind):
        self.kind = kind
        self._server = mariadb.server() if kind == "mariadb" else Named(os.environ[TIDB])
        self.address = self._server.empty()
        self._has_outgrown = False
        store = self.open()
        self.begin_lane, self.begin = store.engine.begin_lane, store.engine.begin
        self.binds_readers = bool(store.engine.read_only)
        store.close()

    def open(self):
        """Open the store of this home."""
        return MysqlStore(self.address)

    def schema(self, store):
        """Return the numbers of all steps, and the one that a store says it has reached."""
        found = store.connection.execute(
            "SELECT max(number), count(*) FROM schema_steps"
        ).fetchone()
        assert found[1] == len(schema.steps()), "every step is written down"
        return sorted({step.number for step in schema.steps()}), found[0]

    def outgrow(self, store):
        """Make a store say that a later program has been here."""
        number = schema.steps()[-1].number + 1
        store.connection.execute(schema.PUT_STEP, (number, 1, bytes(32)))
        self._has_outgrown = True

    @contextmanager
    def cannot_begin(self, store):
        """Keep a transaction of this store from beginning: there is nobody to ask."""
        with pytest.MonkeyPatch.context() as patch:
            store.connection.close()
            patch.setattr(store, "_open", self._turned_away)
            yield

    def _turned_away(self):
        raise self.away

    def reader(self, store):  # noqa: ARG002 - as a file's home is asked
        """Open a connection for reads, held to what a session is told."""
        link, engine = connect(self.address, Options())
        for statement in engine.read_only:
            link.execute(statement)
        return link

    def impatient(self, reader):
        """Do nothing: readers never wait for a writer here."""

    def done(self):
        """Leave an empty database to the next test, unless it is spoilt."""
        if not self._has_outgrown:
            self._server.done(self.address)


class Named(mariadb.Server):
    """A server that somebody else runs, named by an address that may make databases."""

    def __init__(self, text):
        self._at = parse(text)
        self._count = 0
        self._spare = []

    def admin(self):
        """Open a connection with the rights of the address."""
        at = self._at
        return pymysql.connect(
            host=at.host, port=at.port, user=at.user, password=at.password, autocommit=True
        )

    def address(self, name):
        """Return where a database is."""
        return self._at._replace(name=name)

    def fresh(self):
        """Make a database without any table, and return where it is."""
        self._count += 1
        name = f"{self._at.name}_{os.getpid()}_{self._count}"
        self.do(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return self.address(name)


def home(kind, folder):
    """Return a home of a kind; skip the test where this machine has no such engine."""
    if kind == "tidb" and TIDB not in os.environ:
        pytest.skip(f"needs tidb: {TIDB} names no server (mysql://root@host:4000/lingqian)")
    return ServerHome(kind) if kind in {"mariadb", "tidb"} else SqliteHome(kind, folder)


@contextmanager
def opened(place):
    """Open a home's store for a test; what the test has left of it is let go."""
    store = place.open()
    yield store
    with suppress(place.errors):
        store.close()
