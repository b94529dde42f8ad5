"""Meters: what the process counts, in the form Prometheus reads (指标)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import apsw
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from lingqian.events.tally import Tally
from lingqian.kernel.code import Code
from lingqian.storage.backlog import Backlog
from lingqian.storage.intake import Batched
from lingqian.storage.port import LaneRow
from lingqian.web import metric
from lingqian.web.metric import Form, Metric

_FAMILIES: Final = {Form.COUNTER: CounterMetricFamily, Form.GAUGE: GaugeMetricFamily}


class Sight(NamedTuple):
    """What others count or hold, as it is when somebody looks.   Units: seconds."""

    outcomes: Callable[[], Mapping[str, int]]
    errors: Callable[[], Mapping[str, int]]
    lanes: Callable[[], Iterable[LaneRow]]
    depth: Callable[[], int]
    age_s: Callable[[], float]
    waits_s: Callable[[], float]
    heads_s: Callable[[], float]
    full_pct: Callable[[], int]
    is_joined: Callable[[], bool]
    posts: Callable[[], Mapping[str, bool]]
    tallies: Callable[[], Sequence[Tally]]
    credential_s: Callable[[], float | None]
    now_us: Callable[[], int]


class Meter:
    """Counters of one process; children are bound once, so that counting costs next to nothing."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._commands = self._count(metric.COMMANDS)
        self._requests = self._count(metric.REQUESTS)
        self._sizes = self._histogram(metric.SIZES)
        self._seconds = self._histogram(metric.SECONDS)
        self._withheld = self._count(metric.WITHHELD)
        self._notices = self._count(metric.NOTICES)
        self._calls = self._count(metric.CALLS)
        self._evidence = self._count(metric.EVIDENCE)
        self._lost = self._gauge(metric.LOST)
        self._mode = self._gauge(metric.MODE)
        self._gauge(metric.ENGINE).set_function(apsw.memory_used)
        self._children: dict[tuple[type, int], Count] = {}
        self._bound: dict[tuple[Count, tuple[str, ...]], Count] = {}

    def _count(self, row: Metric) -> Count:
        return Count(row.name, row.words, row.labels, registry=self._registry)

    def _gauge(self, row: Metric) -> Gauge:
        return Gauge(row.name, row.words, row.labels, registry=self._registry)

    def _histogram(self, row: Metric) -> Histogram:
        return Histogram(
            row.name, row.words, row.labels, registry=self._registry, buckets=row.bounds
        )

    def watch(self, sight: Sight) -> "Watched":
        """Show what others count; returns where to say what was found to wait."""
        watched = Watched(sight)
        self._registry.register(watched)
        return watched

    def requests(self, method: str, path: str) -> Callable[[int], None]:
        """Return what counts the answers of one operation by status."""
        children: dict[int, Count] = {}

        def count(status: int) -> None:
            child = children.get(status)
            if child is None:
                child = children[status] = self._requests.labels(method, path, str(status))
            child.inc()

        return count

    def batch(self, batched: Batched) -> None:
        """Count a batch; runs in the writer's thread after everybody is answered."""
        self._sizes.observe(len(batched.answers))
        self._seconds.observe(batched.took_s)
        for key, times in Counter(
            (type(each.command), each.code) for each in batched.answers
        ).items():
            self._child(key).inc(times)

    def _child(self, key: tuple[type, int]) -> Count:
        child = self._children.get(key)
        if child is None:
            kind, code = key
            child = self._commands.labels(kind.__name__, Code(code).name.lower())
            self._children[key] = child
        return child

    def _more(self, count: Count, *labels: str) -> None:
        """Count one more; the library is asked for a child only once."""
        child = self._bound.get((count, labels))
        if child is None:
            child = self._bound[count, labels] = count.labels(*labels)
        child.inc()

    def withheld(self) -> None:
        """Count a proof that is due and cannot be made."""
        self._withheld.inc()

    def notice(self, account: str, result: str) -> None:
        """Count a notice at the door: `received`, `known`, `other`, or why it was refused."""
        self._more(self._notices, account, result)

    def call(self, account: str, verb: str, outcome: str) -> None:
        """Count a call to a channel."""
        self._more(self._calls, account, verb, outcome)

    def evidence(self, source: str, effect: str) -> None:
        """Count a piece of evidence."""
        self._more(self._evidence, source, effect)

    def watch_losses(self, account: str, lost_ppm: Callable[[], int]) -> None:
        """Show an account's rate of lost callbacks, as it is when somebody looks."""
        self._lost.labels(account).set_function(lost_ppm)

    def watch_mode(self, account: str, mode: Callable[[], int]) -> None:
        """Show an account's mode by its number, as it is when somebody looks."""
        self._mode.labels(account).set_function(mode)

    def text(self) -> bytes:
        """Return everything counted so far."""
        return generate_latest(self._registry)


class Watched:
    """Collects a sight for the library whenever somebody looks."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        # What waits in the database, as last looked at; None when it could not be.
        self.backlog: Backlog | None = None

    def collect(self) -> Iterator[Any]:
        """Yield a family for each row of the table that is another's to count."""
        sight = self._sight
        yield _family(metric.COMMITS, {(key,): times for key, times in sight.outcomes().items()})
        errors = {(key.replace(" ", "_"),): times for key, times in sight.errors().items()}
        yield _family(metric.DATABASE_ERRORS, errors)
        lanes = list(sight.lanes())
        yield _family(metric.SEQUENCE, {(str(row.lane),): row.next_seq - 1 for row in lanes})
        yield _family(metric.EPOCH, {(str(row.lane),): row.epoch for row in lanes})
        yield _family(metric.DEPTH, {(): sight.depth()})
        yield _family(metric.AGE, {(): sight.age_s()})
        yield _family(metric.HANGING, {(): sight.waits_s()})
        yield _family(metric.HEADS, {(): sight.heads_s()})
        yield _family(metric.FULL, {(): sight.full_pct()})
        yield _family(metric.JOINED, {(): int(sight.is_joined())})
        posts = {(name,): int(is_held) for name, is_held in sight.posts().items()}
        yield _family(metric.POSTS, posts)
        yield from self._carried(sight.tallies())
        left_s = sight.credential_s()
        yield _family(metric.CREDENTIAL, {} if left_s is None else {(): left_s})
        yield _family(metric.BEHIND, self._behind(sight.tallies(), lanes))
        yield _family(metric.UNREAD, {(): int(self.backlog is None)})
        if self.backlog is not None:
            yield from self._waiting(self.backlog)

    def _waiting(self, found: Backlog) -> Iterator[Any]:
        old_us = self._sight.now_us() - found.oldest_us if found.oldest_us else 0
        yield _family(metric.RELAYED, {(): found.relayed})
        yield _family(metric.RELAY_AGE, {(): max(0, old_us) / 1_000_000})
        yield _family(metric.DELIVERIES, {(): found.deliveries})

    @staticmethod
    def _carried(tallies: Sequence[Tally]) -> Iterator[Any]:
        yield _family(metric.BUS_CARRIED, {(each.name,): each.carried for each in tallies})
        yield _family(metric.BUS_PARKED, {(each.name,): each.parked for each in tallies})
        yield _family(metric.BUS_FAILING, {(each.name,): int(each.is_failing) for each in tallies})

    def _behind(
        self, tallies: Sequence[Tally], lanes: Sequence[LaneRow]
    ) -> dict[tuple[str, str], int]:
        """Return how many rows each reader has before it, by reader and lane."""
        told = {lane: seq for each in tallies for lane, seq in each.told.items()}
        behind = {
            ("events", str(row.lane)): max(0, row.next_seq - 1 - told[row.lane])
            for row in lanes
            if row.lane in told
        }
        if self.backlog is not None:
            for lane, rows in self.backlog.behind.items():
                behind["webhooks", str(lane)] = rows
        return behind


def _family(row: Metric, found: Mapping[Any, float]) -> Any:  # noqa: ANN401 - a family of the library
    family = _FAMILIES[row.form](row.name, row.words, labels=row.labels)
    for labels, value in sorted(found.items()):
        family.add_metric(labels, value)
    return family
