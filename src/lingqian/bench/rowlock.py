"""The usual row-lock design on MariaDB: what most wallets do, with durable settings (行锁).

Each transfer is a transaction of its own over the wire: lock the payer's row and read it, check,
insert, two updates, commit. Clients run in processes of their own and never wait for ours.
"""

import importlib.util
import os
import random
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

from lingqian.kernel.fault import Fault

# Debian puts servers where an ordinary person's PATH does not look.
FOLDERS: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
PROCESSES: Final = 4
_BALANCE_FEN: Final = 10**12
_DATABASE: Final = "lingqian_bench"
_DEADLOCK: Final = 1213
_START_S: Final = 60.0
_SCHEMA: Final = (
    f"CREATE DATABASE {_DATABASE}",
    f"USE {_DATABASE}",
    "CREATE TABLE accounts (id BIGINT PRIMARY KEY, balance_fen BIGINT NOT NULL) ENGINE=InnoDB",
    (
        "CREATE TABLE transfers (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
        "request BINARY(16) NOT NULL, source BIGINT NOT NULL, target BIGINT NOT NULL, "
        "amount_fen BIGINT NOT NULL, UNIQUE KEY (request)) ENGINE=InnoDB"
    ),
)
_LOCK: Final = "SELECT balance_fen FROM accounts WHERE id = %s FOR UPDATE"
_INSERT: Final = (
    "INSERT INTO transfers (request, source, target, amount_fen) VALUES (%s, %s, %s, %s)"
)
_UPDATE: Final = "UPDATE accounts SET balance_fen = balance_fen + %s WHERE id = %s"


class Absent(Fault):
    """The machine lacks what this rival needs; the reason is the text."""


class Load(NamedTuple):
    """What one client process does: how many connections, on how many accounts, for how long."""

    socket: str
    clients: int
    accounts: int
    is_hot: bool
    seconds: float


@contextmanager
def server(folder: Path, accounts: int) -> Iterator[str]:
    """Start a server of our own in an empty folder, durable, on a socket; stop it afterwards.

    Raises: Absent.
    """
    daemon, install = _programs()
    data, run = folder / "mariadb", Path(tempfile.mkdtemp(prefix="lq-"))
    socket = str(run / "s")
    owner = ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    line = [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", *owner]
    line += ["--auth-root-authentication-method=normal"]
    with (folder / "mariadb.log").open("wb") as log:
        subprocess.run(line, check=True, stdout=log, stderr=log, timeout=120)  # noqa: S603 - fixed arguments
        line = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={socket}", *owner]
        line += ["--skip-networking", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=1"]
        line += ["--innodb-buffer-pool-size=256M", f"--pid-file={run / 'pid'}"]
        process = subprocess.Popen(line, stdout=log, stderr=log)  # noqa: S603 - fixed arguments
    try:
        _fill(_wait(process, socket), accounts)
        yield socket
    finally:
        process.terminate()
        process.wait(60)
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


def _connect(socket: str) -> Any:  # noqa: ANN401 - the driver has no types
    import pymysql  # type: ignore[import-untyped]  # noqa: PLC0415 - only this rival needs it; it has no types

    return pymysql.connect(unix_socket=socket, user="root", autocommit=True)


def _wait(process: subprocess.Popen[bytes], socket: str) -> Any:  # noqa: ANN401 - a connection
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        if Path(socket).exists():
            return _connect(socket)
        time.sleep(0.1)
    raise Absent("the MariaDB server did not start")


def _fill(connection: Any, accounts: int) -> None:  # noqa: ANN401 - the driver has no types
    with connection.cursor() as cursor:
        for statement in _SCHEMA:
            cursor.execute(statement)
        rows = [(each, _BALANCE_FEN) for each in range(accounts)]
        cursor.executemany("INSERT INTO accounts (id, balance_fen) VALUES (%s, %s)", rows)
    connection.close()


def pay(load: Load) -> tuple[int, float]:
    """Run one process of clients; return how many transfers they made, and in what time."""
    counts = [0] * load.clients
    ready = threading.Barrier(load.clients + 1)
    threads = [
        threading.Thread(target=_client, args=(load, place, ready, counts))
        for place in range(load.clients)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return sum(counts), time.monotonic() - began


def _client(load: Load, place: int, ready: threading.Barrier, counts: list[int]) -> None:
    connection = _connect(load.socket)
    cursor = connection.cursor()
    cursor.execute(f"USE {_DATABASE}")
    chance = random.Random()  # noqa: S311 - whom to pay in a benchmark
    ready.wait()
    until = time.monotonic() + load.seconds
    while time.monotonic() < until:
        source, target = chance.sample(range(1, load.accounts), 2)
        _transfer(connection, cursor, source, 0 if load.is_hot else target)
        counts[place] += 1
    connection.close()


def _transfer(connection: Any, cursor: Any, source: int, target: int) -> None:  # noqa: ANN401 - the driver has no types
    """Move one fen as the usual design does; a deadlock's victim tries again."""
    import pymysql  # noqa: PLC0415 - only who runs this rival needs it

    while True:
        try:
            connection.begin()
            cursor.execute(_LOCK, (source,))
            (balance_fen,) = cursor.fetchone()
            assert balance_fen >= 1, "the rival's payers have money"
            cursor.execute(_INSERT, (secrets.token_bytes(16), source, target, 1))
            cursor.execute(_UPDATE, (-1, source))
            cursor.execute(_UPDATE, (1, target))
            connection.commit()
        except pymysql.err.OperationalError as error:
            connection.rollback()
            if error.args[0] != _DEADLOCK:
                raise
        else:
            return


def rate(socket: str, clients: int, accounts: int, seconds: float, *, is_hot: bool) -> float:
    """Measure transfers per second of this many clients."""
    processes = min(PROCESSES, clients)
    load = Load(socket, clients // processes, accounts, is_hot, seconds)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(abs, range(processes)))  # all processes are there before the clock starts
        done = list(pool.map(pay, [load] * processes))
    return sum(count / took_s for count, took_s in done)
