"""The order of a run: which parts there are, what each needs, and what it hands back (次序)."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from lingqian.bench import (
    batch,
    caller,
    cost,
    credit,
    grown,
    http,
    journey,
    lane,
    notice,
    read,
    replay,
    rival,
)
from lingqian.bench.machine import describe, fsync_p50_us
from lingqian.bench.report import Bar, Measure, Report
from lingqian.bench.scale import Scale
from lingqian.bench.world import World
from lingqian.storage.collector import calm_collector

Found = tuple[list[Bar], list[Measure]]


class Part(NamedTuple):
    """One part of a run, by the name that `--only` takes."""

    name: str
    words: str
    run: Callable[[World, Scale], Found]


def _no_bars(run: Callable[[World, Scale], list[Measure]]) -> Callable[[World, Scale], Found]:
    return lambda world, scale: ([], run(world, scale))


PARTS: Final = (
    Part("raw", "the lane against the engine writing the same rows", batch.against_raw),
    Part("single", "64 callers against a transaction for each", caller.against_single),
    Part("hot", "one hot account or packet against spread ones", batch.hot),
    Part("batch", "batch sizes", _no_bars(batch.sizes)),
    Part("read", "balance, statement, packet", _no_bars(read.reads)),
    Part("stampede", "everybody taps one packet", _no_bars(caller.stampede)),
    Part("lock", "64 callers against row locks on MariaDB", rival.against_row_locks),
    Part("mariadb", "lanes on MariaDB against row locks on it", lane.on_mariadb),
    Part("cost", "processor time of one command by role", _no_bars(cost.by_role)),
    Part("http", "the server's processor time by request", http.against_echo),
    Part("notice", "notices and credits against their bare cost", notice.against_bare),
    Part("credit", "payment to spendable on the real clock", credit.on_real_clock),
    Part("journey", "a person on the phone, through real Chromium", journey.through_chromium),
    Part("audit", "the audit against 64 callers", replay.against_callers),
    Part("grown", "the slowest answers on a grown file", grown.tail),
)
NAMES: Final = tuple(part.name for part in PARTS)


def run(place: Path, scale: Scale, only: Sequence[str], say: Callable[[Part], None]) -> Report:
    """Run the chosen parts, each in a fresh world under `place`, which is left as it was."""
    folder = Path(tempfile.mkdtemp(prefix="lingqian-bench-", dir=place))
    calm_collector()  # as a wallet does when it is opened
    began = time.monotonic()
    try:
        report = Report(
            machine=describe(folder),
            scale=scale.name,
            began=datetime.now(UTC).isoformat(timespec="seconds"),
            fsync_p50_us=fsync_p50_us(folder),
        )
        for part in PARTS:
            if not only or part.name in only:
                say(part)
                bars, measures = part.run(World(folder / part.name, scale.people), scale)
                report.bars += bars
                report.measures += measures
                shutil.rmtree(folder / part.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.took_s = time.monotonic() - began
    return report
