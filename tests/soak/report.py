"""The report of a soak: one table of the whole time, and what was counted."""

from collections import Counter

from soak.judge import paces, rise
from soak.size import MIB, SIZE

STRETCHES = 12


def report(seen):
    """Print everything that a reader may want to hold against the bounds."""
    for line in lines(seen):
        print(line, flush=True)  # noqa: T201 - a report is what a long test is run for


def lines(seen):
    """Return the lines of the report."""
    told, watch = seen["told"], seen["watch"]
    yield ""
    yield f"{SIZE.live_s} s, of which {SIZE.warm_s} s warm up"
    yield from table(told["timed"], watch)
    yield ""
    for name in watch.samples:
        grown = rise(watch.judged(name)) / MIB
        yield f"{name:<9} rise {grown:+.2f} MiB over the judged time"
    yield f"events    {seen['events']:,}, rounds of the phones {seen['rounds']}"
    cuts = f"{told['line_cuts']} of the line, {told['listener_cuts']} of the listener"
    yield f"cuts      {cuts}, seen by the phones {seen['phone_cuts']}"
    yield from seen["complaints"]
    yield f"doubted   {dict(seen['doubted'])}"
    for day in seen["days"]:
        yield f"day       {day['day']} {day['state']}, differences {len(day['differences'])}"
    yield from (f"{each.what:<28}{each.count:,}" for each in seen["standings"])
    yield from counted(told["told"])


def table(timed, watch):
    """Return one line for each stretch of the time."""
    stretch_s = max(1, SIZE.live_s // STRETCHES)
    yield "from s  requests  p50 ms  p99 ms  max ms  server MiB  engine MiB  sender MiB  receiver"
    for row in paces(timed, stretch_s):
        held = [last_before(found, row.from_s + stretch_s) for found in watch.samples.values()]
        sizes = "".join(f"{each / MIB:12.1f}" for each in held)
        times = f"{row.p50_ms:8.1f}{row.p99_ms:8.1f}{row.max_ms:8.0f}"
        yield f"{row.from_s:6}{row.count:10,}{times}{sizes}"


def last_before(samples, at_s):
    """Return what was held last before an instant."""
    found = [each.held for each in samples if each.at_s <= at_s]
    return found[-1] if found else 0


def counted(told):
    """Return one line for each kind of request: how it was answered, how often."""
    kinds = {}
    for name, status, code, count in told:
        kinds.setdefault(name, Counter())[f"{status} {code}".strip()] += count
    for name, answers in sorted(kinds.items()):
        yield f"{name:<10}" + ", ".join(f"{word}: {n:,}" for word, n in answers.most_common())
