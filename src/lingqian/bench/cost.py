"""Processor time of one command in each role, in µs: what a capacity model starts from (耗时).

Law: each figure is one role's own. The edge is a server that only echoes; the lane is the writer's
thread with its driver; the relay is a writer that only delivers; the database is the server's own
process, its background threads included. Whoever asks is in none of them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

from lingqian.bench import http, mariadb
from lingqian.bench.batch import SHARES
from lingqian.bench.group import by_lane
from lingqian.bench.machine import cpu_s, since_s, threads_s
from lingqian.bench.report import Measure
from lingqian.bench.scale import Scale
from lingqian.bench.world import Mint, Place, World, push
from lingqian.flows.command import Transfer
from lingqian.storage.lane import Submission, Writer
from lingqian.storage.relay import waiting

if TYPE_CHECKING:
    from lingqian.bench.watch import Watched

SIZE: Final = 64
LANES: Final = 4


class Spent(NamedTuple):
    """What some work took of the processor. Units: s.

    `store_s` is the part of the writer's time that went into statements and driver.
    """

    writer_s: float
    store_s: float
    database_s: float

    def rows(self, role: str, name: str, count: int) -> list[Measure]:
        """Return the writer's row of the table, and the database's."""
        note = f"{self.store_s / count * 1e6:.0f} µs of it statements and driver"
        return [
            cost(role, name, self.writer_s, count, note),
            cost("database", name, self.database_s, count),
        ]


class Meter:
    """A writer over a store that counts, and the server behind it; works on the writer's thread."""

    def __init__(self, writer: Writer, store: "Watched", pid: int) -> None:
        self.writer = writer
        self._store = store
        self._pid = pid

    def spent(self, work: Callable[[], object]) -> Spent:
        """Do some work; return what it took on each side."""
        store_s, database_s = self._store.spent_s, threads_s(self._pid)
        began_s = time.thread_time()
        work()
        writer_s = time.thread_time() - began_s
        return Spent(writer_s, self._store.spent_s - store_s, threads_s(self._pid) - database_s)


def cost(role: str, name: str, taken_s: float, count: int, note: str = "") -> Measure:
    """Return a row: what one of `count` took of the processor, and how many a core would do."""
    each_s = max(taken_s / count, 1e-7)
    return Measure(
        group=role, name=name, rate=1 / each_s, count=count, cpu_us=each_s * 1e6, note=note
    )


def by_role(world: World, scale: Scale) -> list[Measure]:
    """Measure edge, lane, relay and database; without MariaDB the edge alone."""
    found = edge(world, scale)
    try:
        with mariadb.server(world.folder) as server:
            found += _behind(world, scale, server)
    except mariadb.Absent:
        return found
    return sorted(found, key=lambda each: each.group)


def edge(world: World, scale: Scale) -> list[Measure]:
    """Measure what a request costs before and after the lane: an echo through the same door."""
    count = max(scale.requests // 2, scale.callers)
    asked = http.echoes(world, count * 2)
    with http.server(world) as (site, pid):
        http.measured(site, asked[:count], scale.callers)  # a round to warm up, not counted
        before_s = cpu_s(pid)
        http.measured(site, asked[count:], scale.callers)
        note = "HTTP, key, validation and answer; an echo, no lane behind it"
        return [cost("edge", "claim", since_s(pid, before_s), count, note)]


def _behind(world: World, scale: Scale, server: mariadb.Server) -> list[Measure]:
    address = server.database("roles")
    place = Place(world.folder / "roles", LANES, address)
    roles = World(place.folder, scale.people, place)
    with _meter(roles, [0], server.pid) as meter:
        found = _lane(meter, roles.among(by_lane(roles.people)[0]), scale)
    with _meter(roles, range(LANES), server.pid) as meter:
        return found + _relay(meter, roles.transfers(scale.transfers))


@contextmanager
def _meter(world: World, lanes: Sequence[int], pid: int) -> Iterator[Meter]:
    """Take some lanes of a world on a server, through a store that counts."""
    from lingqian.bench.watch import Watched  # noqa: PLC0415 - only with a driver

    assert world.place.address is not None, "this world lies on a server"
    store = Watched(world.place.address)
    writer = world.place.open_writer(world.vault, lanes, store)
    yield Meter(writer, store, pid)
    writer.close()


def _lane(meter: Meter, home: Mint, scale: Scale) -> list[Measure]:
    """Measure what a lane does in batches, all of it at home."""
    sends = home.sends(scale.packets, SHARES)
    packets = [each.command.packet_id for each in sends]  # type: ignore[union-attr]  # all SendPacket
    found = []
    for name, made in (
        ("transfer", home.transfers(scale.transfers)),
        (f"send a packet of {SHARES}", sends),
        ("claim", home.claims(packets, SHARES)),
    ):
        spent = meter.spent(partial(push, meter.writer, made, SIZE))
        found += spent.rows("lane", f"{name}, batches of {SIZE}", len(made))
    return found


def _relay(meter: Meter, made: Sequence[Submission]) -> list[Measure]:
    """Measure carrying what crosses lanes, right behind each batch that let it go."""
    spent, count = Spent(0.0, 0.0, 0.0), 0
    for start in range(0, len(made), SIZE):
        batch = made[start : start + SIZE]
        push(meter.writer, batch, SIZE)
        count += sum(_crosses(each) for each in batch)
        some = meter.spent(partial(_deliver, meter.writer))
        spent = Spent(*map(add, spent, some))
    return spent.rows("relay", f"payment over {LANES} lanes, behind batches of {SIZE}", count)


def _crosses(submission: Submission) -> bool:
    command = submission.command
    assert isinstance(command, Transfer), "only payments are made here"
    return command.source_id[:2] != command.target_id[:2]


def _deliver(writer: Writer) -> None:
    while commands := writer.read(lambda connection: list(waiting(connection))):
        writer.apply([Submission(each) for each in commands])
