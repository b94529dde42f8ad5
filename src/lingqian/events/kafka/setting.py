"""What an operator says of a Kafka, and what is said to the client for him (Kafka 设置).

Law: settings that could lose or double what is acknowledged are ours and cannot be overruled.
Source: librdkafka's CONFIGURATION.md 2.16 and Kafka's producer and topic settings, read 2026-11.
"""

from typing import Annotated, Final, Literal

import msgspec

from lingqian.kernel.bound import BUS_ANSWER_S_MAX, BUS_MESSAGE_BYTES_MAX

# A line is an ordered log: more than five in flight, or a retry past another, would break it.
_PRODUCER: Final = {
    "acks": "all",
    "enable.idempotence": "true",
    "max.in.flight.requests.per.connection": "5",
    "enable.gapless.guarantee": "true",
    "message.timeout.ms": str(BUS_ANSWER_S_MAX * 1_000),
    "message.max.bytes": str(BUS_MESSAGE_BYTES_MAX),
    "topic.metadata.propagation.max.ms": "2000",
    "compression.type": "lz4",
    "linger.ms": "2",
}
# Places are stored with the effects, in the ledger: no group keeps one, none is guessed.
_CONSUMER: Final = {
    "group.id": "lingqian",
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": "false",
}
_OURS: Final = frozenset({*_PRODUCER, *_CONSUMER, "bootstrap.servers"}) - {
    "compression.type",
    "group.id",
    "linger.ms",
    "topic.metadata.propagation.max.ms",
}

Prefix = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")]


class KafkaRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A Kafka beside the ledger.

    `client` goes to the client library as it stands (security, time-outs). `ingress` names kinds of
    command that go through the commands topic. `relay`: how money between lanes is carried.
    """

    servers: Annotated[str, msgspec.Meta(min_length=1)]
    prefix: Prefix = "lingqian"
    replicas: Annotated[int, msgspec.Meta(ge=1, le=15)] = 3
    in_sync_min: Annotated[int, msgspec.Meta(ge=1, le=15)] = 2
    ingress: tuple[Literal["claims", "sends", "transfers", "gifts", "payouts"], ...] = ()
    ingress_wait_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 2_000
    relay: Literal["store", "kafka"] = "store"
    client: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse to let go of what keeps messages.

        Raises: ValueError, which msgspec turns into a message with the field's path.
        """
        taken = sorted(_OURS & self.client.keys())
        if taken:
            raise ValueError(f"client may not set {', '.join(taken)}: messages would be lost")
        if self.in_sync_min > self.replicas:
            raise ValueError("in_sync_min is more than there are replicas")

    def topic(self, name: str) -> str:
        """Return a topic's full name."""
        return f"{self.prefix}.{name}"


def connection(row: KafkaRow) -> dict[str, str]:
    """Return what every client is told."""
    return {"log.connection.close": "false", **row.client, "bootstrap.servers": row.servers}


def producer(row: KafkaRow) -> dict[str, str]:
    """Return what a producer is told."""
    return {**_PRODUCER, **connection(row), **_only_ours(_PRODUCER)}


def consumer(row: KafkaRow) -> dict[str, str]:
    """Return what a consumer is told."""
    return {**_CONSUMER, **connection(row), **_only_ours(_CONSUMER)}


def _only_ours(settings: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name in _OURS}
