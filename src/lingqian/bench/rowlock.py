"""The usual row-lock design on MariaDB: what most wallets do, with durable settings (行锁).

Each transfer is a transaction of its own over the wire: lock the payer's row and read it, check,
insert, two updates, commit. Clients run in processes of their own and never wait for ours.
"""

import random
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final, NamedTuple

from lingqian.bench.mariadb import Server
from lingqian.bench.report import Crowd
from lingqian.bench.scale import Scale

PROCESSES: Final = 4
# The rival is measured with few clients and with as many as ours; its better figure counts.
FEW: Final = 8
_BALANCE_FEN: Final = 10**12
_DATABASE: Final = "rowlock"
_DEADLOCK: Final = 1213
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


class Load(NamedTuple):
    """What one client process does: how many connections, on how many accounts, for how long."""

    server: Server
    clients: int
    accounts: int
    is_hot: bool
    seconds: float


def fill(server: Server, accounts: int) -> None:
    """Make the rival's own database, with this many accounts that have money."""
    connection = server.connect()
    with connection.cursor() as cursor:
        for statement in _SCHEMA:
            cursor.execute(statement)
        rows = [(each, _BALANCE_FEN) for each in range(accounts)]
        cursor.executemany("INSERT INTO accounts (id, balance_fen) VALUES (%s, %s)", rows)
    connection.close()


def pay(load: Load) -> Crowd:
    """Run one process of clients; return each of their waits."""
    waits_s: list[float] = []
    ready = threading.Barrier(load.clients + 1)
    threads = [
        threading.Thread(target=_client, args=(load, ready, waits_s)) for _ in range(load.clients)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return Crowd(time.monotonic() - began, waits_s)


def _client(load: Load, ready: threading.Barrier, waits_s: list[float]) -> None:
    connection = load.server.connect()
    cursor = connection.cursor()
    cursor.execute(f"USE {_DATABASE}")
    chance = random.Random()  # noqa: S311 - whom to pay in a benchmark
    clock = time.perf_counter
    ready.wait()
    until = clock() + load.seconds
    while (began := clock()) < until:
        source, target = chance.sample(range(1, load.accounts), 2)
        _transfer(connection, cursor, source, 0 if load.is_hot else target)
        waits_s.append(clock() - began)
    connection.close()


def _transfer(connection: Any, cursor: Any, source: int, target: int) -> None:  # noqa: ANN401 - the driver has no types
    """Move one fen as the usual design does; a deadlock's victim tries again."""
    import pymysql  # type: ignore[import-untyped]  # noqa: PLC0415 - only this rival needs it; no types

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


class Rival(NamedTuple):
    """The row locks' server, its accounts, and processes of clients that wait to be told."""

    server: Server
    accounts: int
    pool: ProcessPoolExecutor

    def crowd(self, clients: int, seconds: float, *, is_hot: bool) -> Crowd:
        """Measure this many clients, spread over the processes, as one crowd."""
        load = Load(self.server, clients // PROCESSES, self.accounts, is_hot, seconds)
        done = list(self.pool.map(pay, [load] * PROCESSES))
        took_s = max(each.took_s for each in done)
        return Crowd(took_s, [wait for each in done for wait in each.waits_s])

    def best(self, scale: Scale, *, is_hot: bool) -> Crowd:
        """Measure few clients and as many as ours; return the crowd that was faster."""
        crowds = [
            self.crowd(clients, scale.locked_s, is_hot=is_hot) for clients in (FEW, scale.callers)
        ]
        return max(crowds, key=lambda each: each.rate)


@contextmanager
def rival(server: Server, accounts: int) -> Iterator[Rival]:
    """Fill the rival's database and start its processes; end them afterwards."""
    fill(server, accounts)
    with processes(PROCESSES) as pool:
        yield Rival(server, accounts, pool)


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes that share nothing with this one, before any clock runs."""
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        list(pool.map(abs, range(count)))
        yield pool
