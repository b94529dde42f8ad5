"""Meters: what the process counts, in the form Prometheus reads (指标)."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import apsw
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Count

from lingqian.kernel.code import Code
from lingqian.storage.intake import Batched

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)
_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Meter:
    """Counters of one process; children are bound once, so that counting costs next to nothing."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._commands = Count(
            "lingqian_commands", "Commands decided.", ("kind", "code"), registry=self._registry
        )
        self._requests = Count(
            "lingqian_http_requests",
            "HTTP requests answered.",
            ("method", "path", "status"),
            registry=self._registry,
        )
        self._sizes = Histogram(
            "lingqian_batch_commands",
            "Commands in a batch.",
            buckets=_SIZES,
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lingqian_batch_seconds",
            "From taking a batch to its durable commit.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._withheld = Count(
            "lingqian_proofs_withheld",
            "Times a proof was due and could not be made: alarm on any.",
            registry=self._registry,
        )
        self._notices = Count(
            "lingqian_notices",
            "Notices from channels, by what became of them at the door.",
            ("account", "result"),
            registry=self._registry,
        )
        self._calls = Count(
            "lingqian_channel_calls",
            "Calls to channels, by how they ended.",
            ("account", "verb", "outcome"),
            registry=self._registry,
        )
        self._evidence = Count(
            "lingqian_evidence",
            "Pieces of evidence, by where they came from and what they did.",
            ("source", "effect"),
            registry=self._registry,
        )
        self._lost = Gauge(
            "lingqian_callbacks_lost_ppm",
            "Callbacks that never came, of the payments proven in five minutes: alarm above 20000.",
            ("account",),
            registry=self._registry,
        )
        self._mode = Gauge(
            "lingqian_channel_mode",
            "How an account is served: 0 normal, 1 degraded, 2 unwinding, 3 forced off.",
            ("account",),
            registry=self._registry,
        )
        engine = Gauge(
            "lingqian_engine_bytes",
            "Memory the database engine holds, most of it pages kept within a bound.",
            registry=self._registry,
        )
        engine.set_function(apsw.memory_used)
        self._children: dict[tuple[type, int], Count] = {}
        self._bound: dict[tuple[Count, tuple[str, ...]], Count] = {}

    def watch_depth(self, depth: Callable[[], int]) -> None:
        """Show how many commands wait, as it is when somebody looks."""
        gauge = Gauge("lingqian_queue_commands", "Commands waiting.", registry=self._registry)
        gauge.set_function(depth)

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
