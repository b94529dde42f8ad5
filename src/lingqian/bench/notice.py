"""Notices and credits against the bare cost of a verified signature and a durable commit (回调).

The notices are the platform's own: paid for, sealed and signed by the simulator in a process of its
own, taken at a gate, and delivered later byte for byte, while their signatures are still young.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final, NamedTuple

from apsw import Connection

from lingqian.bench.bare import Bare, Cost, Rows, sealed
from lingqian.bench.caller import run_loop
from lingqian.bench.http import measured, server
from lingqian.bench.machine import cpu_s, since_s
from lingqian.bench.platform import ACCOUNT, Platform, opened, payment, platform, sheets
from lingqian.bench.porter import Porter, Received
from lingqian.bench.raw import Recorder
from lingqian.bench.report import Bar, Crowd, Measure, judged, timed
from lingqian.bench.scale import Scale
from lingqian.bench.wire import Site, press
from lingqian.bench.world import World
from lingqian.channels.port import Channel, Notice, Reading
from lingqian.compose import DATABASE, real_us
from lingqian.events.inbox import kept
from lingqian.storage.cashier import Cashier, Kept, subject_of
from lingqian.storage.lane import Submission, Writer
from lingqian.storage.sqlite import connect
from lingqian.topup.evidence import Source

# The bounds of this page are ours; the requirements ask for the ratios and name none.
KEPT: Final = Bar(name="notices verified and kept: share of the bare cost", must=0.3, aim=0.6)
CREDITED: Final = Bar(name="notices to spendable money: share of the bare cost", must=0.2, aim=0.4)
SERVED: Final = Bar(
    name="notices over HTTP: processor time of the bare cost / of taking and crediting one",
    must=0.1,
    aim=0.2,
)
_GROUP: Final = "notices"
_SELECT_CREDITED: Final = "SELECT count(*) FROM orders WHERE credited_at_us > 0"
_SETTLE_S: Final = 60.0
_LOOK_S: Final = 0.002
_GOOD: Final = frozenset((200,))
# So many people pay at once while the notices are made.
_PAYING: Final = 8


class Till(NamedTuple):
    """What takes notices: their channel, and the mint of commands."""

    channel: Channel
    cashier: Cashier

    def take(self, received: Received) -> tuple[Submission, Submission]:
        """Verify a notice as the door does; return the commands that keep and that credit it."""
        headers, body = received.headers, received.request.body
        notice = self.channel.parse_notice(headers, body, real_us())
        keep = self.cashier.receive(Kept(ACCOUNT, kept(headers, body), notice))
        return keep, self._credit(notice, keep.command.notice_key)  # type: ignore[union-attr]  # a ReceiveNotice

    def _credit(self, notice: Notice, key: bytes) -> Submission:
        reading = notice.reading
        assert isinstance(reading, Reading), "all that was paid for are top-ups"
        attempt_id = subject_of(ACCOUNT, notice)
        return self.cashier.observe(attempt_id, ACCOUNT, Source.NOTICE, reading, key)


class Load(NamedTuple):
    """One round over HTTP: what its senders met, and the server's processor time for each."""

    crowd: Crowd
    cpu_s: float


class Lap(NamedTuple):
    """One group: how long it took us until kept and until credited, and the bare cost."""

    count: int  # type: ignore[assignment]  # hides tuple.count
    kept_s: float
    credited_s: float
    bare: Cost


def against_bare(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Have notices made; race some of them in process and deliver the others over HTTP."""
    with platform(world.folder / "platform") as paying:
        porter = Porter()
        till, received = run_loop(made(world, paying, porter, scale.notices))
        apart = scale.notices // 4
        laps = _race(world, paying, till, _groups(received[:apart], scale.callers))
        with server(world, paying.config(porter.url).channels) as served:
            loads = _delivered(world, served, _groups(received[apart:], apart), scale.callers)
    bare_s = sum(lap.bare.cpu_s for lap in laps) / apart
    bars = [
        judged(KEPT, [lap.bare.kept_s / lap.kept_s for lap in laps]),
        judged(CREDITED, [lap.bare.credited_s / lap.credited_s for lap in laps]),
        judged(SERVED, [bare_s / load.cpu_s for load in loads]),
    ]
    return bars, [*_measures(laps, scale), _served(loads, bare_s, scale)]


def _groups(received: list[Received], size: int) -> list[list[Received]]:
    return [received[start : start + size] for start in range(0, len(received), size)]


def _measures(laps: list[Lap], scale: Scale) -> list[Measure]:
    count = sum(lap.count for lap in laps)
    words = f"groups of {scale.callers}"
    return [
        timed(_GROUP, f"verified and kept, {words}", count, [lap.kept_s for lap in laps]),
        timed(_GROUP, "the same: bare cost", count, [lap.bare.kept_s for lap in laps]),
        timed(_GROUP, f"credited, {words}", count, [lap.credited_s for lap in laps]),
        timed(_GROUP, "the same: bare cost", count, [lap.bare.credited_s for lap in laps]),
    ]


def _served(loads: list[Load], bare_s: float, scale: Scale) -> Measure:
    waits_s = [wait_s for load in loads for wait_s in load.crowd.waits_s]
    took_s = sum(load.crowd.took_s for load in loads)
    each_s = sum(load.cpu_s for load in loads) / len(loads)
    note = (
        f"{each_s * 1e6:.0f} µs of the server's processor each, credit included: "
        f"{1 / each_s:,.0f} a second and core; bare cost {bare_s * 1e6:.0f} µs"
    )
    name = f"answered over HTTP, {scale.callers} connections"
    return Crowd(took_s, waits_s).measure(name, note, _GROUP)


async def made(
    world: World, paying: Platform, porter: Porter, count: int
) -> tuple[Till, list[Received]]:
    """Open top-ups, let everybody pay, and take the notices in at the gate."""
    await porter.open()
    async with opened(world.folder, paying.config(porter.url)) as wallet:
        attempts = await sheets(wallet, [world.chance.choice(world.people) for _ in range(count)])
        waiting = [payment(each) for each in attempts]
        await press(paying.control, lambda: waiting.pop() if waiting else None, _PAYING, _GOOD)
        await porter.until(count, _SETTLE_S)
        till = Till(wallet.channels[ACCOUNT], wallet.cashier)
    await porter.close()
    return till, porter.received


def _race(world: World, paying: Platform, till: Till, groups: list[list[Received]]) -> list[Lap]:
    """Take groups through the lane and by the bare cost, by turns."""
    bare = Bare(paying, (world.copy(world.folder, "kept"), world.copy(world.folder, "credited")))
    writer = world.writer(Recorder)
    laps = [_lap(till, writer, bare, group) for group in groups]
    writer.close()
    bare.close()
    return laps


def _lap(till: Till, writer: Writer, bare: Bare, group: list[Received]) -> Lap:
    """Take one group as a server does; what the recorder does meanwhile is not counted."""
    store = writer.store
    assert isinstance(store, Recorder), "the lane is recorded"
    began_s = time.perf_counter() - store.aside_s
    taken = [till.take(each) for each in group]
    _apply(writer, [keep for keep, _ in taken])
    kept_s, kept_rows = time.perf_counter() - began_s - store.aside_s, store.written
    _apply(writer, [credit for _, credit in taken])
    credited_s = time.perf_counter() - began_s - store.aside_s
    cost = bare.lap([sealed(each) for each in group], Rows(kept_rows, store.written))
    return Lap(len(group), kept_s, credited_s, cost)


def _apply(writer: Writer, submissions: Sequence[Submission]) -> None:
    answers = writer.apply(submissions)
    assert not any(answer.code for answer in answers), "every notice is about a top-up of ours"


def _delivered(
    world: World, served: tuple[Site, int], rounds: list[list[Received]], connections: int
) -> list[Load]:
    """Deliver notices round by round; a round ends when all of it is spendable."""
    site, pid = served
    loads = []
    with closing(connect(str(world.folder / DATABASE), readonly=True)) as reader:
        for received in rounds:
            before, before_s = _credited(reader), cpu_s(pid)
            crowd = measured(site, [each.request for each in received], connections)
            until_s = time.monotonic() + _SETTLE_S
            while _credited(reader) - before < len(received):
                assert time.monotonic() < until_s, "what is kept is credited soon"
                time.sleep(_LOOK_S)
            loads.append(Load(crowd, since_s(pid, before_s) / len(received)))
    return loads


def _credited(reader: Connection) -> int:
    """Return how many orders are credited; by now, durably."""
    row = reader.execute(_SELECT_CREDITED).fetchone()
    return int(row[0])  # type: ignore[index]  # a count is always there
