"""The audit's replay of a whole journal, against the rate at which callers filled it (重放)."""

import time
from contextlib import closing
from typing import Final

from lingqian.bench import caller
from lingqian.bench.batch import SHARES
from lingqian.bench.report import Bar, Measure, judged, timed
from lingqian.bench.scale import Scale
from lingqian.bench.world import BATCH, World, push
from lingqian.compose import DATABASE, HEADS
from lingqian.storage.audit import audit
from lingqian.storage.finding import Finding
from lingqian.storage.sqlite import connect

REPLAY: Final = Bar(name="audit, rows a second, against 64 callers", must=4.0, aim=10.0)


def against_callers(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Let callers fill a journal, then audit all of it: seals, folds, every table, the laws."""
    writer = world.writer()
    push(writer, world.transfers(scale.transfers), BATCH)
    packets = world.packets(writer, scale.packets // 5, SHARES)
    push(writer, world.claims(packets, SHARES), BATCH)
    writer.close()
    ratios, laps_s, rows = [], [], 0
    for _ in range(min(scale.rounds, 3)):
        crowd = caller.transfers(world, scale)
        began = time.perf_counter()
        count = _audited(world)
        laps_s.append(time.perf_counter() - began)
        rows += count
        ratios.append(count / laps_s[-1] / (scale.calls / crowd.took_s))
    return [judged(REPLAY, ratios)], [timed("audit", "journal rows", rows, laps_s)]


def _audited(world: World) -> int:
    """Audit the world and return how many rows were replayed; it must be clean."""
    findings: list[Finding] = []
    path = str(world.folder / DATABASE)
    with closing(connect(path, readonly=True)) as connection:
        summary = audit(
            connection, heads=world.folder / HEADS, vault=world.vault, emit=findings.append
        )
    assert summary.is_clean, f"the audit of our own run found {findings[:3]}"
    return summary.rows
