"""Our callers against the row-lock design, uniform and hot, by turns (对手)."""

from typing import Final

from lingqian.bench import caller, rowlock
from lingqian.bench.report import Bar, Measure, judged, skipped
from lingqian.bench.scale import Scale
from lingqian.bench.world import World

UNIFORM: Final = Bar(name="64 callers against row locks, uniform", must=5.0, aim=10.0)
HOT: Final = Bar(name="64 callers against row locks, one hot account", must=10.0, aim=30.0)
# The rival is measured with few clients and with as many as ours; its better figure counts.
_FEW: Final = 8


def against_row_locks(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Measure both designs by turns; skipped where there is no MariaDB."""
    try:
        with rowlock.server(world.folder, scale.rows_locked) as socket:
            return _race(world, scale, socket)
    except rowlock.Absent as absent:
        return [skipped(bar, str(absent)) for bar in (UNIFORM, HOT)], []


def _race(world: World, scale: Scale, socket: str) -> tuple[list[Bar], list[Measure]]:
    bars, measures = [], []
    for bar, is_hot in ((UNIFORM, False), (HOT, True)):
        ratios, best, crowds = [], 0.0, []
        for _ in range(min(scale.rounds, 3)):
            rates = [
                rowlock.rate(socket, clients, scale.rows_locked, scale.locked_s, is_hot=is_hot)
                for clients in (_FEW, scale.callers)
            ]
            crowds.append(caller.transfers(world, scale, world.people[0] if is_hot else None))
            ratios.append(scale.calls / crowds[-1].took_s / max(rates))
            best = max(best, *rates)
        words = "one hot account" if is_hot else "uniform"
        note = f"the better of {_FEW} and {scale.callers} clients"
        measures += [
            Measure(group="row locks", name=f"MariaDB, {words}", rate=best, count=0, note=note),
            crowds[-1].measure(f"{scale.callers} callers, {words}", group="row locks"),
        ]
        bars.append(judged(bar, ratios))
    return bars, measures
