"""Topics made and looked after: a partition per lane, and settings that lose nothing (主题).

Law: a topic is never grown in place, because a lane's partition is its number: it is made anew and
told again. Outside the sandbox a topic that could lose what was acknowledged is not used.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from lingqian.events.bus import EVENTS, RELAY, TOPICS
from lingqian.events.kafka.setting import KafkaRow, connection
from lingqian.kernel.bound import BUS_ANSWER_S_MAX, BUS_MESSAGE_BYTES_MAX
from lingqian.kernel.fault import Damaged, Unsent

# What can be told again from the journal; of the others, what was not read yet would be lost.
REFILLED: Final = (EVENTS, RELAY)
_FOR_EVER: Final = "-1"
_WEEK_MS: Final = str(7 * 86_400_000)
_LOOK_AGAIN_S: Final = 0.1


class Law(NamedTuple):
    """A setting of a topic: what is wrong with a value, and why it matters."""

    name: str
    is_wrong: Callable[[str], bool]
    why: str


LAWS: Final = (
    Law("cleanup.policy", lambda value: value != "delete", "compaction removes events"),
    Law(
        "unclean.leader.election.enable",
        lambda value: value != "false",
        "a replica that is behind may lead, and what it lacks is lost",
    ),
    Law(
        "min.insync.replicas",
        lambda value: int(value) < 2,
        "acknowledged by one replica, a message is gone with it",
    ),
    Law(
        "max.message.bytes",
        lambda value: int(value) < BUS_MESSAGE_BYTES_MAX,
        f"an event may have {BUS_MESSAGE_BYTES_MAX} bytes",
    ),
)
_REPLICAS_MIN: Final = 3


class Seen(NamedTuple):
    """A topic as the brokers have it."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]


class Topics:
    """The topics of one ledger on one Kafka."""

    def __init__(self, row: KafkaRow) -> None:
        self._row = row
        self._admin = AdminClient({**connection(row)})

    def create(self, lanes: int, names: Sequence[str] = TOPICS) -> list[str]:
        """Make the topics that are missing; return their names.

        Raises: Damaged when one has another number of partitions; Unsent when no broker answers.
        """
        seen = {name: self.seen(name) for name in names}
        for name, found in seen.items():
            if found is not None and found.partitions != lanes:
                raise Damaged(self._other(name, found, lanes))
        missing = [name for name, found in seen.items() if found is None]
        made = [self._new(name, lanes) for name in missing]
        if made:
            self._wait(self._admin.create_topics(made, request_timeout=BUS_ANSWER_S_MAX))
            self._until(missing, is_there=True)
        return missing

    def _other(self, name: str, found: Seen, lanes: int) -> str:
        return (
            f"{self._row.topic(name)} has {found.partitions} partitions and the ledger {lanes} "
            "lanes; a topic is not grown in place: lingqian topic refill makes it anew"
        )

    def _new(self, name: str, lanes: int) -> NewTopic:
        settings = {
            "cleanup.policy": "delete",
            "unclean.leader.election.enable": "false",
            "min.insync.replicas": str(self._row.in_sync_min),
            "max.message.bytes": str(BUS_MESSAGE_BYTES_MAX),
            "retention.ms": _FOR_EVER if name == EVENTS else _WEEK_MS,
        }
        return NewTopic(self._row.topic(name), lanes, self._row.replicas, config=settings)

    def seen(self, name: str) -> Seen | None:
        """Return a topic as the brokers have it; None when there is none.

        Raises: Unsent when no broker answers.
        """
        full = self._row.topic(name)
        asked = self._admin.describe_topics(
            TopicCollection([full]), request_timeout=BUS_ANSWER_S_MAX
        )
        resource = ConfigResource(ConfigResource.Type.TOPIC, full)
        try:
            found = asked[full].result()
            settings = self._admin.describe_configs([resource], request_timeout=BUS_ANSWER_S_MAX)
            entries = settings[resource].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise Unsent(f"{full}: {error}") from error
        replicas = min(len(each.replicas) for each in found.partitions)
        known = {key: str(entry.value) for key, entry in entries.items()}
        return Seen(len(found.partitions), replicas, known)

    def faults(self, lanes: int) -> list[str]:
        """Return what is wrong with the topics, in words; nothing where all is well.

        Raises: Unsent when no broker answers.
        """
        return [words for name in TOPICS for words in self._faults(name, lanes)]

    def _faults(self, name: str, lanes: int) -> list[str]:
        full, found = self._row.topic(name), self.seen(name)
        if found is None:
            return [f"{full} is not there; lingqian topic create makes it"]
        wrong = [] if found.partitions == lanes else [self._other(name, found, lanes)]
        if found.replicas < _REPLICAS_MIN:
            wrong.append(f"{full} has {found.replicas} replicas; {_REPLICAS_MIN} outlive a broker")
        return wrong + [
            f"{full} has {law.name}={value}: {law.why}"
            for law in LAWS
            if law.is_wrong(value := found.settings.get(law.name, "0"))
        ]

    def refill(self, name: str, lanes: int) -> None:
        """Delete a topic and make it anew: whoever tells it begins at the journal's first row.

        Raises: Damaged for a topic that the journal cannot tell again; Unsent.
        """
        if name not in REFILLED:
            known = ", ".join(REFILLED)
            raise Damaged(f"{name} cannot be told again from the journal; what can is {known}")
        if self.seen(name) is not None:
            full = self._row.topic(name)
            self._wait(self._admin.delete_topics([full], request_timeout=BUS_ANSWER_S_MAX))
            self._until([name], is_there=False)
        self.create(lanes, [name])

    def _wait(self, futures: Mapping[str, object]) -> None:
        for full, future in futures.items():
            try:
                future.result(BUS_ANSWER_S_MAX)  # type: ignore[attr-defined]  # the client's own type
            except (KafkaException, TimeoutError) as error:
                raise Unsent(f"{full}: {error}") from error

    def _until(self, names: Sequence[str], *, is_there: bool) -> None:
        """Wait until every broker that is asked has heard of it."""
        until_s = time.monotonic() + BUS_ANSWER_S_MAX
        while any((self.seen(name) is not None) != is_there for name in names):
            if time.monotonic() > until_s:
                raise Unsent(f"{', '.join(names)}: the brokers have not done it yet")
            time.sleep(_LOOK_AGAIN_S)
