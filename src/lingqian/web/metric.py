"""Metrics: everything a process counts or shows, and in which role it says something (指标表).

A counter is exported with `_total` behind its name; a histogram with `_bucket`, `_sum`, `_count`.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from lingqian.cluster.role import OURS, Role

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)
_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Form(StrEnum):
    """What kind of number it is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


# What is behind a name where it is exported.
_ENDINGS: Final = {
    Form.COUNTER: ("_total",),
    Form.GAUGE: ("",),
    Form.HISTOGRAM: ("_bucket", "_sum", "_count"),
}


class Metric(NamedTuple):
    """A row of the table; `bounds` are a histogram's."""

    name: str
    form: Form
    labels: tuple[str, ...]
    roles: tuple[Role, ...]
    words: str
    bounds: tuple[float, ...] = ()

    @property
    def exported(self) -> tuple[str, ...]:
        """The names under which a watcher finds it."""
        return tuple(self.name + ending for ending in _ENDINGS[self.form])


_EDGE: Final = (Role.EDGE,)
_LANE: Final = (Role.LANE,)
_RELAY: Final = (Role.RELAY,)
_JOBS: Final = (Role.JOBS,)
_OUTSIDE: Final = (Role.EDGE, Role.JOBS)

COMMANDS: Final = Metric(
    "lingqian_commands", Form.COUNTER, ("kind", "code"), _LANE, "Commands decided."
)
REQUESTS: Final = Metric(
    "lingqian_http_requests", Form.COUNTER, ("method", "path", "status"), _EDGE,
    "HTTP requests answered.",
)  # fmt: skip
SIZES: Final = Metric(
    "lingqian_batch_commands", Form.HISTOGRAM, (), _LANE, "Commands in a batch.", _SIZES
)
SECONDS: Final = Metric(
    "lingqian_batch_seconds", Form.HISTOGRAM, (), _LANE,
    "From taking a batch to its durable commit.", _SECONDS,
)  # fmt: skip
COMMITS: Final = Metric(
    "lingqian_commits", Form.COUNTER, ("outcome",), _LANE,
    "Commits tried, by how they ended: committed; unsent (nothing was written, tried again); "
    "unknown (cut, then found_committed or found_missing by a new epoch); fenced (another owner).",
)  # fmt: skip
DATABASE_ERRORS: Final = Metric(
    "lingqian_database_errors", Form.COUNTER, ("class",), _LANE,
    "Errors on the writer's connection, by the classes of a database server, or by the embedded "
    "engine's own words.",
)  # fmt: skip
SEQUENCE: Final = Metric(
    "lingqian_lane_sequence", Form.GAUGE, ("lane",), _LANE, "Rows in the journal of an owned lane."
)
EPOCH: Final = Metric(
    "lingqian_lane_epoch", Form.GAUGE, ("lane",), _LANE,
    "The epoch of an owned lane: it grows with every owner and every commit that was cut.",
)  # fmt: skip
DEPTH: Final = Metric("lingqian_queue_commands", Form.GAUGE, (), _LANE, "Commands waiting.")
AGE: Final = Metric(
    "lingqian_queue_age_seconds", Form.GAUGE, (), _LANE,
    "How long the command that has waited longest has waited.",
)  # fmt: skip
HANGING: Final = Metric(
    "lingqian_batch_waits_seconds", Form.GAUGE, (), _LANE,
    "How long the batch in hand has been under way; not ready from 5 on.",
)  # fmt: skip
HEADS: Final = Metric(
    "lingqian_heads_behind_seconds", Form.GAUGE, (), _LANE,
    "How long ago the heads of all lanes were last published.",
)  # fmt: skip
FULL: Final = Metric(
    "lingqian_queue_full_percent", Form.GAUGE, (), (Role.EDGE, Role.LANE),
    "How much of what may wait does wait, here or on its way to others; shedding begins at 25.",
)  # fmt: skip
JOINED: Final = Metric(
    "lingqian_process_joined", Form.GAUGE, (), OURS,
    "Whether this process takes part (1), with lanes where it is there for lanes.",
)  # fmt: skip
POSTS: Final = Metric(
    "lingqian_posts_held", Form.GAUGE, ("post",), (Role.RELAY, Role.JOBS),
    "Whether this process does (1) what one of them does for all.",
)  # fmt: skip
RELAYED: Final = Metric(
    "lingqian_relay_waiting", Form.GAUGE, (), _RELAY,
    "Amounts that one lane has let go and another has not taken yet.",
)  # fmt: skip
RELAY_AGE: Final = Metric(
    "lingqian_relay_oldest_seconds", Form.GAUGE, (), _RELAY,
    "How long ago the oldest of them was let go.",
)  # fmt: skip
BEHIND: Final = Metric(
    "lingqian_journal_behind_rows", Form.GAUGE, ("reader", "lane"), (Role.LANE, Role.JOBS),
    "Rows of a lane's journal that a reader has not carried on yet: `webhooks`, `events` (a bus).",
)  # fmt: skip
BUS_CARRIED: Final = Metric(
    "lingqian_bus_messages", Form.COUNTER, ("part",), _LANE,
    "Messages told on a bus (`events_out`, `relay_out`), or read from it and done (`commands_in`, "
    "`relay_in`).",
)  # fmt: skip
BUS_PARKED: Final = Metric(
    "lingqian_bus_parked", Form.COUNTER, ("part",), _LANE,
    "Messages passed over: no commands, or removed before they were read; alarm on any.",
)  # fmt: skip
BUS_FAILING: Final = Metric(
    "lingqian_bus_failing", Form.GAUGE, ("part",), _LANE,
    "Whether one of these does not go on (1).",
)  # fmt: skip
DELIVERIES: Final = Metric(
    "lingqian_deliveries_waiting", Form.GAUGE, (), _JOBS, "Webhook deliveries to be tried again."
)
WITHHELD: Final = Metric(
    "lingqian_proofs_withheld", Form.COUNTER, (), _JOBS,
    "Times a proof was due and could not be made: alarm on any.",
)  # fmt: skip
NOTICES: Final = Metric(
    "lingqian_notices", Form.COUNTER, ("account", "result"), _EDGE,
    "Notices from channels, by what became of them at the door.",
)  # fmt: skip
CALLS: Final = Metric(
    "lingqian_channel_calls", Form.COUNTER, ("account", "verb", "outcome"), _OUTSIDE,
    "Calls to channels, by how they ended.",
)  # fmt: skip
EVIDENCE: Final = Metric(
    "lingqian_evidence", Form.COUNTER, ("source", "effect"), _OUTSIDE,
    "Pieces of evidence, by where they came from and what they did.",
)  # fmt: skip
LOST: Final = Metric(
    "lingqian_callbacks_lost_ppm", Form.GAUGE, ("account",), _JOBS,
    "Callbacks that never came, of the payments proven in five minutes: alarm above 20000.",
)  # fmt: skip
MODE: Final = Metric(
    "lingqian_channel_mode", Form.GAUGE, ("account",), _JOBS,
    "How an account is served: 0 normal, 1 degraded, 2 unwinding, 3 forced off.",
)  # fmt: skip
ENGINE: Final = Metric(
    "lingqian_engine_bytes", Form.GAUGE, (), OURS,
    "Memory the database engine holds, most of it pages kept within a bound.",
)  # fmt: skip
CREDENTIAL: Final = Metric(
    "lingqian_credential_seconds_left", Form.GAUGE, (), OURS,
    "How long this process's credential is still good; absent where it has none.",
)  # fmt: skip
UNREAD: Final = Metric(
    "lingqian_database_unread", Form.GAUGE, (), OURS,
    "Whether what waits could not be looked at just now (1): the database does not answer.",
)  # fmt: skip

METRICS: Final = (
    COMMANDS, REQUESTS, SIZES, SECONDS, COMMITS, DATABASE_ERRORS, SEQUENCE, EPOCH, DEPTH, AGE,
    HANGING, HEADS, FULL, JOINED, POSTS, RELAYED, RELAY_AGE, BEHIND, BUS_CARRIED, BUS_PARKED,
    BUS_FAILING, DELIVERIES, WITHHELD, NOTICES, CALLS, EVIDENCE, LOST, MODE, ENGINE, CREDENTIAL,
    UNREAD,
)  # fmt: skip
