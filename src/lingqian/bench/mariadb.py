"""A MariaDB server of the bench's own, durable, in an empty folder on a socket (数据库服务器)."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from lingqian.kernel.fault import Fault
from lingqian.storage.mysql.address import PORT, Address

# Debian puts servers where an ordinary person's PATH does not look.
FOLDERS: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
_START_S: Final = 60.0
_STOP_S: Final = 60
COMMITS: Final = 200
_SETTINGS: Final = (
    "--skip-networking",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=256M",
)
# As deploy/mariadb.yaml keeps it: without a log there is no second copy and no point in time.
_LOGGED: Final = ("--log-bin=log", "--binlog-format=ROW", "--sync-binlog=1", "--server-id=1")
_UNLOGGED: Final = ("--skip-log-bin",)


class Absent(Fault):
    """The machine lacks what this needs; the reason is the text."""


class Server(NamedTuple):
    """A server that runs: its socket, and its process."""

    socket: str
    pid: int
    settings: str

    def connect(self) -> Any:  # noqa: ANN401 - the driver has no types
        """Open a connection of the driver alone, each statement a transaction until one begins."""
        import pymysql  # type: ignore[import-untyped]  # noqa: PLC0415 - looked for before; no types

        return pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)

    def database(self, name: str) -> Address:
        """Make an empty database and return where it is."""
        connection = self.connect()
        connection.cursor().execute(f"CREATE DATABASE {name}")
        connection.close()
        return Address("root", "", "", PORT, name, self.socket)


@contextmanager
def server(folder: Path, *, is_logged: bool = True) -> Iterator[Server]:
    """Start a server in an empty folder, with its binary log or without; stop it afterwards.

    Raises: Absent.
    """
    daemon, install = _programs()
    settings = (*_SETTINGS, *(_LOGGED if is_logged else _UNLOGGED))
    data, run = folder / "mariadb", Path(tempfile.mkdtemp(prefix="lq-"))
    socket = str(run / "s")
    owner = ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    line = [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", *owner]
    line += ["--auth-root-authentication-method=normal"]
    with (folder / "mariadb.log").open("wb") as log:
        subprocess.run(line, check=True, stdout=log, stderr=log, timeout=120)  # noqa: S603 - fixed arguments
        line = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={socket}", *owner]
        line += [*settings, f"--pid-file={run / 'pid'}"]
        process = subprocess.Popen(line, stdout=log, stderr=log)  # noqa: S603 - fixed arguments
    try:
        _wait(process, socket)
        yield Server(socket, process.pid, " ".join(settings))
    finally:
        process.terminate()
        process.wait(_STOP_S)
        shutil.rmtree(run, ignore_errors=True)


def _programs() -> tuple[str, str]:
    names = (("mariadbd", "mysqld"), ("mariadb-install-db", "mysql_install_db"))
    found = [
        next(filter(None, (shutil.which(n, path=FOLDERS) for n in each)), None) for each in names
    ]
    if found[0] is None or found[1] is None:
        raise Absent("no MariaDB server on this machine")
    if importlib.util.find_spec("pymysql") is None:
        raise Absent("PyMySQL is not installed (it comes with the developer's lock file)")
    return found[0], found[1]


def _wait(process: subprocess.Popen[bytes], socket: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        if Path(socket).exists():
            return
        time.sleep(0.1)
    raise Absent("the MariaDB server did not start")


def commit_p50_us(running: Server) -> float:
    """Return how long this server takes to make one small row durable, half of the times."""
    connection = running.connect()
    cursor = connection.cursor()
    cursor.execute("CREATE DATABASE probe")
    cursor.execute("CREATE TABLE probe.probe (id BIGINT PRIMARY KEY) ENGINE=InnoDB")
    laps_s = []
    for number in range(COMMITS):
        connection.begin()
        cursor.execute("INSERT INTO probe.probe VALUES (%s)", (number,))
        began = time.perf_counter()
        connection.commit()
        laps_s.append(time.perf_counter() - began)
    cursor.execute("DROP DATABASE probe")
    connection.close()
    return median(laps_s) * 1e6
