"""A MariaDB of the tests' own: one server per process of tests, a database for each who asks.

It is started when the first test needs it, durable as a real one must be, on a port of loopback and
a socket in a folder of its own, and ended by its number when the tests end.
"""

import atexit
import ctypes
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.store import MysqlStore
from need import FOLDERS, needs

START_S = 60
PORTS = range(12_000, 32_000)
PR_SET_PDEATHSIG = 1
# As deploy/mariadb.yaml has it: after a crash two logs must agree on what was committed.
DURABLE = (
    "--innodb-flush-log-at-trx-commit=1",
    "--log-bin=binary-log",
    "--binlog-format=ROW",
    "--sync-binlog=1",
)
INSTALLERS = ("mariadb-install-db", "mysql_install_db")


def free_port():
    """Return a port of loopback that nobody listens on now.

    The system lends none of these to those who call: whoever listens there may be killed and
    find it free when he is started again.
    """
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def end_with_parent():
    """Let a child end when whoever started it is killed and cannot say goodbye (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """One server, and the databases in it that nobody uses at the moment."""

    def __init__(self, *extra):
        self.folder = Path(tempfile.mkdtemp(prefix="lingqian-mariadb-"))
        # A server that starts clears away the temporary tables it finds, its neighbour's too.
        (self.folder / "passing").mkdir()
        self._surroundings = {**os.environ, "TMPDIR": str(self.folder / "passing")}
        self.port = free_port()
        self.socket = str(self.folder / "socket")
        self.process = None
        self._extra = extra
        self._count = 0
        self._spare = []
        self._own = ["--user=root"] if os.geteuid() == 0 else []
        self._install()
        self.start()

    def _install(self):
        found = [shutil.which(name, path=FOLDERS) for name in INSTALLERS]
        install = next((path for path in found if path), None)
        if install is None:
            pytest.skip("needs mariadb: the server is here, its installer is not")
        line = [install, "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db"]
        line += ["--auth-root-authentication-method=normal", *self._own]
        with (self.folder / "log").open("wb") as log:
            subprocess.run(
                line, check=True, stdout=log, stderr=log, timeout=120, env=self._surroundings
            )

    def start(self):
        """Start the server on its folder, as after a power cut when it was killed."""
        line = [needs("mariadb"), "--no-defaults", f"--datadir={self.folder / 'data'}", *self._own]
        line += [f"--socket={self.socket}", "--bind-address=127.0.0.1", f"--port={self.port}"]
        line += [f"--pid-file={self.folder / 'pid'}", "--skip-name-resolve", *DURABLE]
        line += ["--innodb-buffer-pool-size=64M"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*line, *self._extra],
                stdout=log,
                stderr=log,
                env=self._surroundings,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, nothing of ours
            )
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            if self._listens():
                return
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server did not start: {(self.folder / 'log').read_text()}")

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(self.socket)
            return bool(probe.recv(1))
        return False

    def kill(self):
        """End the server as a power cut of its process does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """End the server and remove what it kept."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def admin(self):
        """Open a connection that may do everything, over the socket."""
        return pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)

    def do(self, *statements):
        """Run statements that may do everything; return the rows of the last one."""
        connection = self.admin()
        try:
            cursor = connection.cursor()
            for each in statements:
                cursor.execute(each)
            return cursor.fetchall()
        finally:
            connection.close()

    def address(self, name):
        """Return where a database is."""
        return Address("root", "", "127.0.0.1", self.port, name)

    def fresh(self):
        """Make a database without any table, and return where it is."""
        self._count += 1
        name = f"fresh_{self._count}"
        self.do(f"CREATE DATABASE {name}")
        return self.address(name)

    def empty(self):
        """Return a database that may have tables, without rows; give it back with `done`."""
        if not self._spare:
            return self.fresh()
        address = self._spare.pop()
        self._clean(address.name)
        return address

    def done(self, address):
        """Take a database back, whatever is in it; once, however often that is said."""
        if address not in self._spare:
            self._spare.append(address)

    def _clean(self, name):
        """End whoever is still in a database, and empty it."""
        for (number,) in self.do(
            f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
        ):
            with suppress(pymysql.err.Error):
                self.do(f"KILL {number}")
        tables = self.do(
            "SELECT table_name FROM information_schema.tables "
            f"WHERE table_schema = '{name}' AND table_name <> 'schema_steps'"
        )
        self.do(f"USE {name}", *[f"DELETE FROM `{table}`" for (table,) in tables], "SELECT 1")


def url(place):
    """Return where a database is, as a setting says it."""
    return f"mysql://{place.user}@{place.host}:{place.port}/{place.name}"


@functools.cache
def server():
    """Return the server of this process of tests; without one on this machine, skip."""
    needs("mariadb")
    started = Server()
    atexit.register(started.stop)
    return started


@contextmanager
def database():
    """Lend an empty database of that server."""
    place = server().empty()
    yield place
    server().done(place)


class LentStore(MysqlStore):
    """A store over a lent database, which goes back when nobody uses the store any more."""

    def __init__(self, address):
        super().__init__(address)
        self._back = weakref.finalize(self, server().done, address)

    def close(self):
        """Release the connection and give the database back."""
        super().close()
        self._back()


def lent_store():
    """Open a store over an empty database of that server."""
    return LentStore(server().empty())
