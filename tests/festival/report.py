"""The report of a festival: every death, how long answers took, what was asked again and heard."""

from collections import Counter
from statistics import quantiles

from festival.size import LANES, RELAY, SIZE
from festival.stage import PROCESSES


def report(seen):
    """Print everything that a reader may want to know of a run."""
    for line in lines(seen):
        print(line, flush=True)  # noqa: T201 - a report is what a long test is run for


def lines(seen):
    """Return the lines of the report."""
    memory = seen["memory"]
    yield ""
    yield f"{PROCESSES} processes, {LANES} lanes, {SIZE.people:,} people, relay over {RELAY}"
    yield f"leases of {SIZE.timing.life_s} s, renewed every {SIZE.timing.beat_s} s"
    yield f"lived     {seen['lived_s']:.1f} s"
    yield f"drained   {seen['drained_s']:.2f} s after the last answer"
    yield f"judged    by audit and rebuild --check in {seen['judged_s']:.1f} s"
    for death in seen["deaths"]:
        what = f"{death.what:<11} after {death.opens:>7,} opens"
        yield f"killed    {what}, down {death.down_s:.2f} s, healed in {death.healed_s:.2f} s"
    codes = Counter(each.code for each in memory.opens)
    yield "opens     " + ", ".join(f"{code}: {number:,}" for code, number in codes.most_common())
    again = [each.tries for each in memory.opens if each.tries > 1]
    yield f"asked     again {len(again):,}, at most {max(again, default=1)} times"
    cuts = quantiles([each.ms for each in memory.opens], n=1_000, method="inclusive")
    yield f"answered  p50 {cuts[499]:.0f} ms, p99 {cuts[989]:.0f} ms, p99.9 {cuts[998]:.0f} ms"
    last = f"the last {seen['heard_s']:.2f} s after all had arrived"
    yield f"followed  {len(memory.heard):,} events, {last}"
    yield from seen["wrong"][:20]
