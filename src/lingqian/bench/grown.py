"""From queue to answer on a file that has grown, checkpoints included (尾延迟)."""

import time
from typing import Final

from lingqian.bench import caller
from lingqian.bench.batch import laps
from lingqian.bench.report import Bar, Measure, judged, percentile, timed
from lingqian.bench.scale import Scale
from lingqian.bench.world import World
from lingqian.compose import DATABASE

TAIL: Final = Bar(
    name="queue to answer, p99.9, batches of 100", must=50.0, aim=10.0, unit="ms", is_ceiling=True
)
_FILL_BATCH: Final = 4_096
_FILL_CHUNK: Final = 40_960
_WAITING: Final = 100
_GROUP: Final = "grown"
_LONG: Final = 10_000_000


def tail(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Grow the file, then keep a hundred callers waiting until checkpoints have come and gone."""
    filling = _filled(world, scale.grown)
    size_mb = (world.folder / DATABASE).stat().st_size / 1e6
    waiting = min(_WAITING, scale.callers * 2)
    crowd = caller.transfers(world, scale._replace(callers=waiting, calls=scale.calls * 2))
    worst_ms = percentile(crowd.waits_s, 0.999) * 1e3
    note = f"file of {scale.grown:,} transfers, {size_mb:,.0f} MB"
    if scale.grown < _LONG:
        note += f"; the bar's own is {_LONG:,} (--grown {_LONG})"
    name = f"{waiting} callers on a grown file"
    slowest = f"p99.9 {worst_ms:.1f} ms, the slowest {max(crowd.waits_s) * 1e3:.1f} ms"
    return [judged(TAIL, [worst_ms], note)], [filling, crowd.measure(name, slowest, _GROUP)]


def _filled(world: World, count: int) -> Measure:
    """Grow the file by so many transfers, and say what that took."""
    writer, laps_s = world.writer(), []
    began_s = time.perf_counter()
    for start in range(0, count, _FILL_CHUNK):
        chunk = world.transfers(min(_FILL_CHUNK, count - start))
        laps_s += laps(writer, chunk, _FILL_BATCH)
    writer.close()
    note = f"{time.perf_counter() - began_s:,.0f} s in all, making the commands included"
    return timed(_GROUP, f"growing the file, batch {_FILL_BATCH:,}", count, laps_s, note)
