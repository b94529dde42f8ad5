"""The journeys of the phone: through real Chromium, on the demo and its platform (手机全程).

Every stage that the texts give a figure for, tap to sheet with preloading and without, a cold open
with the phone's memory and without, the first screen on a bad line, the envelope frame by frame,
and what a simulated population makes of preloading.
"""

import asyncio
import subprocess
import sys
from contextlib import closing
from statistics import mean
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.bench import opening, passage
from lingqian.bench.chromium import GOOD, SLOW, Absent, Line, Phones, phones, program, slow_down
from lingqian.bench.chronicle import Chronicle
from lingqian.bench.opening import Opening
from lingqian.bench.passage import Phone
from lingqian.bench.report import Bar, Measure, judged, percentile, skipped
from lingqian.bench.scale import Scale
from lingqian.bench.stage import (
    BY_CHANNEL,
    FROM_BALANCE,
    NOTHING_SAID,
    TOP_UP,
    Passage,
    Stage,
    laps_ms,
    measured,
    rows,
    whole_ms,
)
from lingqian.bench.town import Town, town
from lingqian.bench.world import World
from lingqian.compose import DATABASE
from lingqian.storage.sqlite import connect

SHEET: Final = Bar(
    name="tap to sheet, preloaded, p99", must=800, aim=400, unit="ms", is_ceiling=True
)
WEIGHT: Final = Bar(
    name="first screen as it came over the wire", must=100, aim=60, unit="kB", is_ceiling=True
)
TOP_UP_WHOLE: Final = Bar(
    name="top-up, tap to shown, mean", must=4.7, aim=3.0, unit="s", is_ceiling=True
)
PACKET_WHOLE: Final = Bar(
    name="red packet, all stages, mean", must=3.0, aim=2.0, unit="s", is_ceiling=True
)
FAR_SHEET: Final = Bar(
    name=f"the same on {GOOD.name}", must=800, aim=700, unit="ms", is_ceiling=True
)
BARS: Final = (SHEET, FAR_SHEET, WEIGHT, TOP_UP_WHOLE, PACKET_WHOLE)
TAP_TO_SHEET: Final = Stage("tap to sheet", "tap:plan", "sheet_stands", "≤ 800 ms preloaded (T8)")
LOOPBACK: Final = Line("loopback", 0, 0, 0, 1)
_COLD: Final = "cold open"
_FRAME_MS: Final = 1_000 / 60
_POPULATION: Final = (
    sys.executable,
    "-c",
    "from lingqian.cli.main import main; main()",
    "population",
    "--json",
)
_SENDER, _RECEIVER, _BUYER = 0, 1, 2


class Bought(NamedTuple):
    """Top-ups of one phone, by whether the page was let prepare what was foretold."""

    told: list[Passage]
    untold: list[Passage]

    @property
    def ahead(self) -> list[Passage]:
        """Return those whose order was really opened ahead."""
        return [each for each in self.told if "ahead" in each]


class Given(NamedTuple):
    """Packets between two phones, and how far the frames of their openings were apart."""

    from_balance: list[Passage]
    by_channel: list[Passage]
    frames: list[list[float]]


class Opened(NamedTuple):
    """Cold openings: of the purse, by line, and of the first screen."""

    remembered: dict[str, list[Opening]]
    forgotten: dict[str, list[Opening]]
    first: list[Opening]
    first_slow: list[Opening]


class Found(NamedTuple):
    """What was gone through; `far` on a line as slow as a phone's."""

    near: Bought
    far: Bought
    given: Given
    opened: Opened


def through_chromium(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Go through every journey; skipped where there is no Chromium to do it with."""
    try:
        program()
    except Absent as absent:
        return [skipped(bar, str(absent)) for bar in BARS], []
    with town(world.folder / "town") as place:
        found = asyncio.run(_walked(place, scale))
    return _bars(found), [*_waits(found), *_abandoned(scale)]


async def _walked(place: Town, scale: Scale) -> Found:
    await place.calmed()
    path = str(place.folder / DATABASE)
    async with phones() as shop:
        with closing(connect(path, readonly=True)) as reader:
            chronicle = Chronicle(reader)
            near = await _bought(shop, place, chronicle, LOOPBACK, scale.passages)
            far = await _bought(shop, place, chronicle, GOOD, max(scale.passages // 4, 1))
            given = await _given(shop, place, chronicle, scale.passages)
        return Found(near, far, given, await _opened(shop, place, scale))


async def _bought(
    shop: Phones, place: Town, chronicle: Chronicle, line: Line, count: int
) -> Bought:
    """Buy coins with the sheet foretold and not, by turns; a first one teaches the server."""
    phone = await Phone.taken(shop, place.base, _BUYER)
    if line.latency_ms:
        await slow_down(phone.page, line)
    told, untold = list[Passage](), list[Passage]()
    await passage.top_up(phone, chronicle, is_foretold=False)
    for _ in range(count):
        untold.append(await passage.top_up(phone, chronicle, is_foretold=False))
        told.append(await passage.top_up(phone, chronicle, is_foretold=True))
    await phone.page.context.close()
    return Bought(told, untold)


async def _given(shop: Phones, place: Town, chronicle: Chronicle, count: int) -> Given:
    """Send packets from one phone to another, paid from the balance and by WeChat, by turns."""
    sender = await Phone.taken(shop, place.base, _SENDER)
    receiver = await Phone.taken(shop, place.base, _RECEIVER)
    from_balance, by_channel = list[Passage](), list[Passage]()
    for _ in range(count):
        from_balance.append(await passage.packet(sender, receiver, chronicle, by_channel=False))
        by_channel.append(await passage.packet(sender, receiver, chronicle, by_channel=True))
    for phone in (sender, receiver):
        await phone.page.context.close()
    return Given(from_balance, by_channel, receiver.book.frames())


async def _opened(shop: Phones, place: Town, scale: Scale) -> Opened:
    """Open the wallet cold: with what the phone remembers and without, and on a bad line."""
    phone = await opening.signed_in(shop, place)
    remembered: dict[str, list[Opening]] = {}
    forgotten: dict[str, list[Opening]] = {}
    purse = ("purse:recalled", "purse:fresh")
    for line in (LOOPBACK, GOOD):
        for _ in range(max(scale.passages // 2, 1)):
            warm = await opening.opened(phone, place, "wallet", purse, line)
            remembered.setdefault(line.name, []).append(warm)
            await opening.forget(phone)
            cold = await opening.opened(phone, place, "wallet", purse, line)
            forgotten.setdefault(line.name, []).append(cold)
    talk = ("room",)
    first = [await opening.opened(phone, place, "chat", talk, LOOPBACK)]
    slow = [
        await opening.opened(phone, place, "chat", talk, SLOW)
        for _ in range(max(scale.passages // 10, 1))
    ]
    await phone.page.context.close()
    return Opened(remembered, forgotten, first, slow)


def _bars(found: Found) -> list[Bar]:
    packets = whole_ms(FROM_BALANCE, found.given.from_balance)
    packets += whole_ms(BY_CHANNEL, found.given.by_channel)
    orders = whole_ms(TOP_UP, [*found.near.untold, *found.near.told])
    kilobytes = [each.weight / 1e3 for each in found.opened.first]
    return [
        _to_sheet_bar(SHEET, found.near),
        _to_sheet_bar(FAR_SHEET, found.far),
        judged(WEIGHT, kilobytes),
        judged(TOP_UP_WHOLE, [mean(orders) / 1e3], f"of {len(orders)}"),
        judged(PACKET_WHOLE, [mean(packets) / 1e3], f"of {len(packets)}"),
    ]


def _to_sheet_bar(bar: Bar, bought: Bought) -> Bar:
    laps = laps_ms(TAP_TO_SHEET, bought.ahead)
    if not laps:
        return skipped(bar, "nothing was foretold")
    note = f"median {percentile(laps, 0.5):.0f} ms, of {len(laps)}"
    return judged(bar, [percentile(laps, 0.99)], note)


def _waits(found: Found) -> list[Measure]:
    """Return every row of the table of journeys."""
    return [
        *rows(TOP_UP, [*found.near.untold, *found.near.told]),
        *_to_sheet(LOOPBACK, found.near),
        *_to_sheet(GOOD, found.far),
        *rows(FROM_BALANCE, found.given.from_balance),
        *rows(BY_CHANNEL, found.given.by_channel),
        *_frames(found.given.frames),
        *_cold(found.opened),
        *_first_screen(found.opened.first, LOOPBACK),
        *_first_screen(found.opened.first_slow, SLOW),
    ]


def _to_sheet(line: Line, bought: Bought) -> list[Measure]:
    group = f"tap to sheet, {line.name}"
    return [
        measured(group, f"{name}, {words}", laps_ms(stage, passages), figure=stage.figure)
        for words, passages in (("not preloaded", bought.untold), ("preloaded", bought.ahead))
        for stage, name in ((TOP_UP.stages[0], "tap to asked"), (TAP_TO_SHEET, "tap to sheet"))
    ]


def _frames(openings: list[list[float]]) -> list[Measure]:
    gaps = [gap for each in openings for gap in each]
    if not gaps:
        return []
    dropped = sum(max(round(gap / _FRAME_MS) - 1, 0) for gap in gaps)
    note = f"p95 {percentile(gaps, 0.95):.1f} ms; {dropped} dropped of {dropped + len(gaps)}"
    return [measured("the envelope opens", "gap between frames", gaps, note=note)]


def _cold(opened: Opened) -> list[Measure]:
    made = []
    for words, openings in (("remembered", opened.remembered), ("forgotten", opened.forgotten)):
        for line, each in openings.items():
            laps = [one.shown_ms for one in each]
            name = f"first balance, {words}, {line}"
            made.append(measured(_COLD, name, laps, figure="at once; < 2 s (T18)"))
    return made


def _first_screen(openings: list[Opening], line: Line) -> list[Measure]:
    group = f"first screen, {line.name}"
    weight = f"{openings[0].weight:,} bytes over the wire"
    return [
        measured(group, "first paint", [each.painted_ms for each in openings]),
        measured(group, "content drawn", [each.shown_ms for each in openings], note=weight),
        measured(group, "interactive", [each.ready_ms for each in openings]),
    ]


def _abandoned(scale: Scale) -> list[Measure]:
    """Let the declared population live, and return what it gave up; it is a simulation."""
    people, days = scale.visitors
    line = [*_POPULATION, "--people", str(people), "--days", str(days), "--seed", "1"]
    done = subprocess.run(line, check=True, capture_output=True)  # noqa: S603 - our own program
    return [_abandonment(row) for row in msgspec.json.decode(done.stdout)["rows"]]


def _abandonment(row: dict[str, Any]) -> Measure:
    ppm = row["abandonment_ppm"]
    words = "preloaded" if row["is_preloading"] else "not preloaded"
    share = NOTHING_SAID if ppm is None else f"{ppm / 10_000:.1f} % of {row['asked']} sheets"
    return Measure(
        group="abandonment, SIMULATED",
        name=f"{row['segment']}, {words}",
        rate=0.0,
        count=row["visits"],
        note=share,
        figure=_GIVEN_UP[row["segment"]],
    )


_GIVEN_UP: Final = {
    "ordinary": "23 % → < 18 % (T7, T8)",
    "fan": "9 % (T7)",
    "shopper": "15 % (T7)",
}
