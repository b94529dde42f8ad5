"""What a run found: measures, bars, and the machine it ran on (结果).

Law: a bar is a ratio or a bound taken in one run; a rate is only for orientation.
"""

from statistics import median
from typing import Final, NamedTuple

import msgspec

HELD: Final = "held"
MISSED: Final = "missed"
SKIPPED: Final = "SKIPPED"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing done many times. Units: per second; ms. Latency is per batch, or per caller.

    `figure` is what the texts say of it, for what a person waits for; `cpu_us` is what one takes of
    a processor, and `rate` then what a whole core would do. Such rows have tables apart.
    """

    group: str
    name: str
    rate: float
    count: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    note: str = ""
    figure: str = ""
    cpu_us: float | None = None


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One row of design §11: what must be, what we aim at, what was measured (median, low, high).

    `is_ceiling`: the figure must stay below and not above.
    """

    name: str
    must: float
    aim: float
    unit: str = "x"
    is_ceiling: bool = False
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = SKIPPED
    note: str = ""


class Report(msgspec.Struct, kw_only=True):
    """A whole run."""

    machine: dict[str, str]
    scale: str
    began: str
    took_s: float = 0.0
    fsync_p50_us: float = 0.0
    bars: list[Bar] = msgspec.field(default_factory=list)
    measures: list[Measure] = msgspec.field(default_factory=list)


def judged(bar: Bar, samples: list[float], note: str = "") -> Bar:
    """Return a bar with its samples and the verdict on their median."""
    middle = median(samples)
    is_held = middle <= bar.must if bar.is_ceiling else middle >= bar.must
    return msgspec.structs.replace(
        bar,
        measured=middle,
        low=min(samples),
        high=max(samples),
        verdict=HELD if is_held else MISSED,
        note=note or bar.note,
    )


def skipped(bar: Bar, why: str) -> Bar:
    """Return a bar that this machine cannot measure, and why."""
    return msgspec.structs.replace(bar, note=why)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Crowd(NamedTuple):
    """What a crowd of callers met: how long it took in all, and each of their waits. Units: s."""

    took_s: float
    waits_s: list[float]

    @property
    def rate(self) -> float:
        """How many were answered in a second."""
        return len(self.waits_s) / self.took_s

    def measure(self, name: str, note: str = "", group: str = "callers") -> Measure:
        """Return this as a row of the table."""
        return Measure(
            group=group,
            name=name,
            rate=self.rate,
            count=len(self.waits_s),
            p50_ms=percentile(self.waits_s, 0.5) * 1e3,
            p99_ms=percentile(self.waits_s, 0.99) * 1e3,
            note=note,
        )


def timed(group: str, name: str, count: int, laps_s: list[float], note: str = "") -> Measure:
    """Return the measure of batches done one after another, `laps_s` apart."""
    return Measure(
        group=group,
        name=name,
        rate=count / sum(laps_s),
        count=count,
        p50_ms=percentile(laps_s, 0.5) * 1e3,
        p99_ms=percentile(laps_s, 0.99) * 1e3,
        note=note,
    )
