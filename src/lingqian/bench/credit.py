"""From payment to spendable money on the real clock, one callback in a hundred lost (到账时间).

A real server and a real simulator, and people who open a top-up, look at the sheet, pay, and come
back to the app a second later, or never. A time ends when another process can read the money in the
file: then it is durable and can be spent. It begins when the tap leaves for the platform, or when
the last byte of the notice stands at our gate; so what is measured is never too short.
"""

import asyncio
import time
from collections.abc import Collection
from contextlib import closing
from typing import Final, NamedTuple

import msgspec
from apsw import Connection

from lingqian.bench.caller import run_loop
from lingqian.bench.http import server
from lingqian.bench.platform import (
    ACCOUNT,
    AMOUNT_FEN,
    PRODUCT,
    Platform,
    asked,
    loss,
    payment,
    platform,
)
from lingqian.bench.porter import Porter
from lingqian.bench.report import Bar, Measure, judged, percentile
from lingqian.bench.scale import Scale
from lingqian.bench.wire import Request, Site
from lingqian.bench.world import World
from lingqian.compose import DATABASE
from lingqian.flows.command import Observe, ReceiveNotice
from lingqian.flows.evidence import ObserveDone
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_USER, parse, show
from lingqian.storage.codec import Row, decode
from lingqian.storage.sqlite import connect
from lingqian.topup.evidence import Effect, Source, notice_key

PAID: Final = Bar(
    name="payment to spendable, p99, 1 % of callbacks lost, people come back",
    must=2.0,
    aim=1.5,
    unit="s",
    is_ceiling=True,
)
TOLD: Final = Bar(name="notice to spendable, p99", must=100.0, aim=20.0, unit="ms", is_ceiling=True)
THINKS_S: Final = 1.0
BACK_S: Final = 1.0
# One callback in so many is lost, by the simulator's own fault.
LOST_EVERY: Final = 100
_LOST_FIRST: Final = 10
_GROUP: Final = "to spendable"
_LOOK_S: Final = 0.001
_SETTLE_S: Final = 60.0
_LANE: Final = 0
_SELECT: Final = (
    "SELECT lane, seq, at_us, kind, code, body FROM journal WHERE lane = ? AND seq > ? ORDER BY seq"
)
_SELECT_LAST: Final = "SELECT coalesce(max(seq), 0) FROM journal WHERE lane = ?"


class Spendable(NamedTuple):
    """When an attempt's money could be read, and whether it was a notice that brought it."""

    at_s: float
    is_told: bool


class _Attempt(msgspec.Struct):
    id: str


class _Order(msgspec.Struct):
    id: str
    attempts: list[_Attempt]


class _Envelope(msgspec.Struct):
    id: str


class Watch:
    """Another process's view of the file: what is durable by now, and when it was first seen."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        row = reader.execute(_SELECT_LAST, (_LANE,)).fetchone()
        self._seq = int(row[0])  # type: ignore[index]  # an aggregate is always there
        self._came = asyncio.Event()
        self.credited: dict[bytes, Spendable] = {}
        self.attempts: dict[bytes, bytes] = {}

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    def look(self) -> None:
        """Read what has come since the last look."""
        rows = [Row(*row) for row in self._reader.execute(_SELECT, (_LANE, self._seq))]
        at_s = time.perf_counter()
        for row in rows:
            self._seq = row.seq
            self._read(row, at_s)

    def _read(self, row: Row, at_s: float) -> None:
        record = decode(row).record
        command, outcome = record.command, record.outcome
        if isinstance(command, ReceiveNotice):
            self.attempts[command.notice_key] = command.attempt_id
        elif isinstance(outcome, ObserveDone) and outcome.effect == Effect.CREDITED:
            assert isinstance(command, Observe), "the journal names its kind"
            is_told = command.source == Source.NOTICE
            self.credited[command.attempt_id] = Spendable(at_s, is_told)
            self._came.set()

    async def until(self, attempts: Collection[bytes], wait_s: float) -> None:
        """Wait until all of these are credited."""
        async with asyncio.timeout(wait_s):
            while not self.credited.keys() >= set(attempts):
                self._came.clear()
                await self._came.wait()


class Drill(NamedTuple):
    """Who is in it: the server, the platform, the gate between them, and who watches."""

    site: Site
    paying: Platform
    porter: Porter
    watch: Watch

    async def live(
        self, user_id: bytes, place: int, *, comes_back: bool
    ) -> tuple[bytes, float] | None:
        """Let one person top up; return the attempt and when it was paid, None without a sheet."""
        body = {"user_id": show(PREFIX_USER, user_id), "amount_fen": AMOUNT_FEN, "product": PRODUCT}
        key = f"drill-{comes_back}-{place}"
        opening = Request("POST", "/v1/top-ups", msgspec.json.encode(body), key)
        opened = await asked(self.site, opening)
        assert opened.status == 201, f"a top-up was answered {opened.status}: {opened.body!r}"
        order = msgspec.json.decode(opened.body, type=_Order)
        if not order.attempts:
            # A starved simulator opens the server's breaker, as a starved platform would.
            return None
        attempt_id = parse(PREFIX_ATTEMPT, order.attempts[0].id)
        assert attempt_id is not None, "the API shows its own ids"
        await asyncio.sleep(THINKS_S)
        if place % LOST_EVERY == _LOST_FIRST:
            await asked(self.paying.control, loss())
        paid_s = time.perf_counter()
        paid = await asked(self.paying.control, payment(attempt_id))
        assert paid.status == 200, f"a payment was answered {paid.status}: {paid.body!r}"
        if comes_back:
            await asyncio.sleep(BACK_S)
            await asked(self.site, Request("POST", f"/v1/top-ups/{order.id}/return"))
        return attempt_id, paid_s

    def arrivals(self) -> dict[bytes, float]:
        """Return when the first notice of each attempt stood at the gate."""
        found: dict[bytes, float] = {}
        for received in self.porter.received:
            notice_id = msgspec.json.decode(received.request.body, type=_Envelope).id
            attempt_id = self.watch.attempts.get(notice_key(_LANE, ACCOUNT, notice_id))
            if attempt_id is not None:
                found.setdefault(attempt_id, received.at_s)
        return found


class Times(NamedTuple):
    """One crowd: from payment, from notice, how long it took.

    `lost` callbacks never came; `turned_away` found no channel to pay by. Units: s.
    """

    paid_s: list[float]
    told_s: list[float]
    lost: int
    turned_away: int
    took_s: float

    def measures(self, words: str) -> list[Measure]:
        """Return the rows of the table."""
        lost = f"{self.lost} callbacks lost, the slowest {max(self.paid_s):.2f} s"
        if self.turned_away:
            lost += f"; {self.turned_away} found no channel to pay by"
        slowest = f"the slowest {max(self.told_s) * 1e3:.1f} ms"
        return [
            self._measure(f"payment to spendable, {words}", self.paid_s, lost),
            self._measure("notice to spendable, of those", self.told_s, slowest),
        ]

    def _measure(self, name: str, waits_s: list[float], note: str) -> Measure:
        return Measure(
            group=_GROUP,
            name=name,
            rate=len(waits_s) / self.took_s,
            count=len(waits_s),
            p50_ms=percentile(waits_s, 0.5) * 1e3,
            p99_ms=percentile(waits_s, 0.99) * 1e3,
            note=note,
        )


def on_real_clock(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Let two crowds top up at a steady rate: one comes back after paying, one does not."""
    with platform(world.folder / "platform") as paying:
        porter = Porter()
        with (
            server(world, paying.config(porter.url).channels) as (site, _),
            closing(connect(str(world.folder / DATABASE), readonly=True)) as reader,
        ):
            drill = Drill(site, paying, porter, Watch(reader))
            back, away = run_loop(_crowds(drill, world, scale))
    words = f"{scale.payments_per_s} a second"
    bars = [
        judged(PAID, [percentile(back.paid_s, 0.99)]),
        judged(TOLD, [percentile(back.told_s + away.told_s, 0.99) * 1e3]),
    ]
    return bars, [
        *back.measures(f"{words}, back after {BACK_S:g} s"),
        *away.measures(f"{words}, nobody comes back"),
    ]


async def _crowds(drill: Drill, world: World, scale: Scale) -> tuple[Times, Times]:
    drill.porter.behind = drill.site._replace(api_key="")
    await drill.porter.open()
    watching = asyncio.create_task(drill.watch.run())
    try:
        back = await _crowd(drill, world, scale, comes_back=True)
        away = await _crowd(drill, world, scale, comes_back=False)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await drill.porter.close()
    return back, away


async def _crowd(drill: Drill, world: World, scale: Scale, *, comes_back: bool) -> Times:
    """Let people come one after another, at the rate, and wait until all of them have it."""
    began_s = time.perf_counter()
    people = []
    for place in range(scale.payments):
        wait_s = began_s + place / scale.payments_per_s - time.perf_counter()
        await asyncio.sleep(max(wait_s, 0))
        user_id = world.chance.choice(world.people)
        people.append(asyncio.create_task(drill.live(user_id, place, comes_back=comes_back)))
    paid = dict(filter(None, await asyncio.gather(*people)))
    took_s = time.perf_counter() - began_s
    credited = drill.watch.credited
    await drill.watch.until(paid, _SETTLE_S)
    arrived = drill.arrivals()
    told = [each for each in paid if each in arrived and credited[each].is_told]
    return Times(
        [credited[each].at_s - at_s for each, at_s in paid.items()],
        [credited[each].at_s - arrived[each] for each in told],
        sum(each not in arrived for each in paid),
        scale.payments - len(paid),
        took_s,
    )
