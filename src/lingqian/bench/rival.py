"""Our callers against the row-lock design, uniform and hot, by turns (对手)."""

from statistics import median
from typing import Final

from lingqian.bench import caller, mariadb, rowlock
from lingqian.bench.raw import Raw, Recorder, race
from lingqian.bench.report import Bar, Measure, judged, skipped
from lingqian.bench.scale import Scale
from lingqian.bench.world import World

UNIFORM: Final = Bar(name="64 callers against row locks, uniform", must=5.0, aim=10.0)
HOT: Final = Bar(name="64 callers against row locks, one hot account", must=10.0, aim=30.0)


def against_row_locks(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Measure both designs by turns; skipped where there is no MariaDB."""
    try:
        with (
            mariadb.server(world.folder) as server,
            rowlock.rival(server, scale.rows_locked) as rival,
        ):
            return _race(world, scale, rival)
    except mariadb.Absent as absent:
        return [skipped(bar, str(absent)) for bar in (UNIFORM, HOT)], []


def _race(world: World, scale: Scale, rival: rowlock.Rival) -> tuple[list[Bar], list[Measure]]:
    bars, measures = [], []
    for bar, is_hot in ((UNIFORM, False), (HOT, True)):
        target_id = world.people[0] if is_hot else None
        ratios, ceilings, rivals, crowds = [], [], [], []
        for _ in range(min(scale.rounds, 3)):
            rivals.append(rival.best(scale, is_hot=is_hot))
            crowds.append(caller.transfers(world, scale, target_id))
            ratios.append(crowds[-1].rate / rivals[-1].rate)
            ceilings.append(_engine_rate(world, scale, target_id) / rivals[-1].rate)
        words = "one hot account" if is_hot else "uniform"
        note = f"the better of {rowlock.FEW} and {scale.callers} clients"
        best = max(rivals, key=lambda each: each.rate)
        measures += [
            best.measure(f"MariaDB, {words}", note, "row locks"),
            crowds[-1].measure(f"{scale.callers} callers, {words}", group="row locks"),
        ]
        reach = f"the engine alone, batches of {scale.callers}, reaches {median(ceilings):.2f} x"
        bars.append(judged(bar, ratios, reach))
    return bars, measures


def _engine_rate(world: World, scale: Scale, target_id: bytes | None) -> float:
    """Return how many transfers a second the engine alone writes in batches of all callers.

    No design on this engine can be faster, whatever it decides and however it is called.
    """
    raw, writer = Raw(world.copy(world.folder)), world.writer(Recorder)
    count = max(scale.calls // 4, scale.callers)
    laps = race(writer, raw, world.transfers(count, target_id), scale.callers)
    writer.close()
    raw.close()
    return count / sum(laps.raw_s)
