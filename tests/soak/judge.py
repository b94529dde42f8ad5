"""The judge of a soak: whether memory grew, and how long answers took, from what was sampled.

Law: a bound is on the rise over the judged time: the median of the slopes of all pairs (Theil–Sen),
or the last tenth against the first, whichever is more; so neither a collection early or late counts
for a leak, nor does a leak that begins late escape.   Units: seconds; bytes; ms.
"""

import os
import subprocess
from bisect import bisect_left
from itertools import combinations
from statistics import median, quantiles
from typing import NamedTuple

PAIRS_SAMPLES_MAX = 400


class Sample(NamedTuple):
    """How much memory there was, so long after the beginning."""

    at_s: float
    held: int


class Pace(NamedTuple):
    """How long answers took in a stretch of time."""

    from_s: int
    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def rss(process_id):
    """Return what a process holds of the machine's memory."""
    asked = ["ps", "-o", "rss=", "-p", str(process_id)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    return 1024 * int(said.stdout)


def own_rss():
    """Return what this process holds."""
    return rss(os.getpid())


def after(samples, warm_s):
    """Return the samples that are judged: those after the caches have filled."""
    return samples[bisect_left(samples, warm_s, key=lambda each: each.at_s) :]


def rise(samples):
    """Return by how much memory grew from the first to the last sample, noise aside."""
    thin = samples[:: len(samples) // PAIRS_SAMPLES_MAX + 1]
    slopes = [(b.held - a.held) / (b.at_s - a.at_s) for a, b in combinations(thin, 2)]
    steady = median(slopes) * (samples[-1].at_s - samples[0].at_s)
    tenth = max(1, len(samples) // 10)
    return max(steady, typical(samples[-tenth:]) - typical(samples[:tenth]))


def typical(samples):
    """Return what was held most of the time."""
    return median(each.held for each in samples)


def flat(what, samples, rise_max):
    """Say what is wrong with a thing's memory; nothing when it is flat."""
    grown = rise(samples)
    if grown <= rise_max:
        return []
    return [f"{what} grew by {grown:,.0f} bytes in {samples[-1].at_s - samples[0].at_s:.0f} s"]


def paces(timed, stretch_s):
    """Fold (second, ms) into stretches, in order."""
    stretches = {}
    for at_s, ms in timed:
        stretches.setdefault(int(at_s // stretch_s), []).append(ms)
    return [pace(place * stretch_s, found) for place, found in sorted(stretches.items())]


def pace(from_s, found):
    """Return how long the answers of one stretch took."""
    cuts = quantiles(found, n=100, method="inclusive") if len(found) > 1 else found * 99
    return Pace(from_s, len(found), cuts[49], cuts[98], max(found))
