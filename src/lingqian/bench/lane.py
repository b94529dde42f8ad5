"""Lanes on MariaDB, durable: against row locks on the same server, and among themselves (通道).

Both sides of a ratio run by turns on one server; each side's clients are processes of their own.
"""

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Final, NamedTuple

from lingqian.bench import mariadb, rowlock
from lingqian.bench.batch import laps
from lingqian.bench.group import Group, by_lane, grouped, together
from lingqian.bench.report import Bar, Crowd, Measure, judged, skipped, timed
from lingqian.bench.scale import Scale
from lingqian.bench.world import Place, World

UNIFORM: Final = Bar(
    name="lanes on MariaDB against row locks on it, 64 callers, uniform", must=2.0, aim=4.0
)
HOT: Final = Bar(
    name="lanes on MariaDB against row locks on it, 64 callers, one hot account",
    must=5.0,
    aim=10.0,
)
SIZE: Final = Bar(name="on MariaDB: batches of 64 against one by one", must=8.0, aim=16.0)
SPREAD: Final = Bar(
    name="on MariaDB: one hot account against spread ones, 64 callers", must=1.0, aim=1.2
)
BARS: Final = (UNIFORM, HOT, SIZE, SPREAD)
LANES: Final = 4
_SIZES: Final = (1, 64, 1_000)
_PROCESSES: Final = 2
_GROUP: Final = "on MariaDB"
_UNLOGGED: Final = "no binary log"


class Way(NamedTuple):
    """One way to spread lanes: for each process the lanes of each of its writers."""

    words: str
    processes: tuple[tuple[tuple[int, ...], ...], ...]
    is_hot: bool = False
    crosses: bool = False

    def groups(self, world: World, scale: Scale) -> list[Group]:
        """Return the callers of each process; the same number in all, however they are spread."""
        count = len(self.processes)
        callers, calls = scale.callers // count, scale.calls // count
        made = [grouped(world, writers, callers, calls) for writers in self.processes]
        return [
            each._replace(target_id=each.people[0] if self.is_hot else b"", crosses=self.crosses)
            for each in made
        ]


ONE: Final = Way("one lane", (((0,),),))
ONE_HOT: Final = ONE._replace(words="one lane, one hot account", is_hot=True)
TWO: Final = Way("two processes, a lane in each", (((0,),), ((1,),)))
FOUR: Final = Way("four lanes, one writer for all", (((0, 1, 2, 3),),))
WAYS: Final = (
    ONE,
    ONE_HOT,
    TWO,
    FOUR,
    FOUR._replace(words="the same, and three payments in four cross lanes", crosses=True),
    Way("four lanes, a writer for each", (((0,), (1,), (2,), (3,)),)),
)


class Sides(NamedTuple):
    """Both sides of the race: the rival, and the processes of our own callers."""

    rival: rowlock.Rival
    pool: ProcessPoolExecutor


def on_mariadb(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Measure everything that this part has; skipped where there is no MariaDB."""
    try:
        with (
            mariadb.server(world.folder) as server,
            rowlock.rival(server, scale.rows_locked) as rival,
            rowlock.processes(_PROCESSES) as pool,
        ):
            folder = world.folder / "lanes"
            place = Place(folder, LANES, server.database("lanes"))
            lanes = World(folder, scale.people, place)
            found = (_race(lanes, scale, Sides(rival, pool)), _sizes(lanes, scale))
            bars = [bar for some, _ in found for bar in some]
            measures = [_flush(server, _GROUP), *(measure for _, some in found for measure in some)]
        return bars, measures + _unlogged(world, scale)
    except mariadb.Absent as absent:
        return [skipped(bar, str(absent)) for bar in BARS], []


def _flush(server: mariadb.Server, group: str) -> Measure:
    p50_us = mariadb.commit_p50_us(server)
    return Measure(
        group=group,
        name="COMMIT of one small row",
        rate=1e6 / p50_us,
        count=mariadb.COMMITS,
        p50_ms=p50_us / 1e3,
        note=server.settings,
    )


def _unlogged(world: World, scale: Scale) -> list[Measure]:
    """Measure the race on a server that keeps no binary log, where a flush less holds a row."""
    folder = world.folder / "unlogged"
    folder.mkdir()
    with (
        mariadb.server(folder, is_logged=False) as server,
        rowlock.rival(server, scale.rows_locked) as rival,
        rowlock.processes(1) as pool,
    ):
        place = Place(folder / "lanes", LANES, server.database("lanes"))
        lanes = World(place.folder, scale.people, place)
        measures = [_flush(server, _UNLOGGED)]
        for way, words in ((ONE, "uniform"), (ONE_HOT, "one hot account")):
            theirs, ours = [], []
            for _ in range(min(scale.rounds, 3)):
                theirs.append(rival.best(scale, is_hot=way.is_hot))
                ours.append(together(pool, way.groups(lanes, scale)))
            note = f"{median(_ratios(ours, theirs)):.2f} x row locks"
            best = max(theirs, key=_rate)
            measures.append(best.measure(f"row locks, {words}", _rivals(scale), _UNLOGGED))
            measures.append(max(ours, key=_rate).measure(way.words, note, _UNLOGGED))
        return measures


def _race(world: World, scale: Scale, sides: Sides) -> tuple[list[Bar], list[Measure]]:
    """Race every way with the row locks, uniform and hot, round by round.

    As the rival is the better of two, so are our uniform callers: in one process or in two.
    """
    ours: dict[Way, list[Crowd]] = defaultdict(list)
    theirs: dict[bool, list[Crowd]] = defaultdict(list)
    for _ in range(min(scale.rounds, 3)):
        for is_hot in (False, True):
            theirs[is_hot].append(sides.rival.best(scale, is_hot=is_hot))
        for way in WAYS:
            ours[way].append(together(sides.pool, way.groups(world, scale)))
    uniform = [max(some, key=_rate) for some in zip(ours[ONE], ours[TWO], strict=True)]
    bars = [
        judged(UNIFORM, _ratios(uniform, theirs[False])),
        judged(HOT, _ratios(ours[ONE_HOT], theirs[True])),
        judged(SPREAD, _ratios(ours[ONE_HOT], ours[ONE])),
    ]
    measures = [
        max(theirs[is_hot], key=_rate).measure(words, _rivals(scale), _GROUP)
        for is_hot, words in ((False, "row locks, uniform"), (True, "row locks, one hot account"))
    ]
    for way in WAYS:
        ratio = median(_ratios(ours[way], ours[ONE]))
        note = f"{ratio:.2f} x one lane" if way is not ONE else f"{scale.callers} callers"
        measures.append(max(ours[way], key=_rate).measure(way.words, note, _GROUP))
    return bars, measures


def _rivals(scale: Scale) -> str:
    return f"the better of {rowlock.FEW} and {scale.callers} clients"


def _rate(crowd: Crowd) -> float:
    return crowd.rate


def _ratios(ours: list[Crowd], theirs: list[Crowd]) -> list[float]:
    return [mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True)]


def _sizes(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Measure sizes of batches in one lane, by turns."""
    taken_s: dict[int, list[float]] = defaultdict(list)
    ratios = []
    writer = world.place.open_writer(world.vault, [0])
    home = world.among(by_lane(world.people)[0])
    counts = {size: min(scale.transfers, size * 100) for size in _SIZES}
    rounds = min(scale.rounds, 3)
    for _ in range(rounds):
        each_s = {}
        for size, count in counts.items():
            lap_s = laps(writer, home.transfers(count), size)
            taken_s[size] += lap_s
            each_s[size] = sum(lap_s) / count
        ratios.append(each_s[1] / each_s[64])
    writer.close()
    measures = [
        timed(_GROUP, f"transfers, batch {size:,}", counts[size] * rounds, lap_s)
        for size, lap_s in taken_s.items()
    ]
    return [judged(SIZE, ratios)], measures
