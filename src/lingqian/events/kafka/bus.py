"""The bus on Apache Kafka: a topic per kind of message, a partition per lane (Kafka 总线).

Law: no Kafka transactions. A message is appended when every in-sync replica has it; places are read
from here and kept elsewhere. What the client cannot do in time is Unsent, and its producer is given
up, so that nothing later overtakes it.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from lingqian.events.bus import ABSENT, Carried, Message, OutOfSpan, Span
from lingqian.events.kafka.setting import KafkaRow, connection, consumer, producer
from lingqian.kernel.bound import BUS_ANSWER_S_MAX
from lingqian.kernel.fault import Unsent

_log: Final = logging.getLogger(__name__)
_OUT_OF_SPAN: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001 - the client's own name
_MOVED: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.LEADER_NOT_AVAILABLE,
    }
)
_LOOK_AGAIN_S: Final = 0.05
_HALF: Final = 1 << 64


class KafkaBus:
    """Topics of one prefix on one Kafka. Appending and reading may each be another thread's."""

    def __init__(self, row: KafkaRow) -> None:
        self._row = row
        self._admin = AdminClient({**connection(row)}, logger=_log)
        self._asker = Consumer(consumer(row), logger=_log)
        self._producer: Producer | None = None

    def identity(self, topic: str) -> bytes:
        """Return the topic's id, or ABSENT.

        Raises: Unsent when no broker answers.
        """
        name = self._row.topic(topic)
        asked = self._admin.describe_topics(
            TopicCollection([name]), request_timeout=BUS_ANSWER_S_MAX
        )
        try:
            found = asked[name].result().topic_id
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return ABSENT
            raise Unsent(f"{name}: {error}") from error
        high: int = found.get_most_significant_bits()
        low: int = found.get_least_significant_bits()
        return (high % _HALF).to_bytes(8, "big") + (low % _HALF).to_bytes(8, "big")

    def span(self, topic: str, lane: int) -> Span:
        """Return what a partition holds.

        Raises: Unsent when no broker answers, or there is no such partition.
        """
        partition = TopicPartition(self._row.topic(topic), lane)
        until_s = time.monotonic() + BUS_ANSWER_S_MAX
        while True:
            try:
                found = self._asker.get_watermark_offsets(partition, timeout=BUS_ANSWER_S_MAX)
            except KafkaException as error:
                # Just after a topic was made again the client still asks the old one's leader.
                if error.args[0].code() not in _MOVED or time.monotonic() > until_s:
                    raise Unsent(f"{partition.topic}/{lane}: {error}") from error
                time.sleep(_LOOK_AGAIN_S)
                continue
            if found is None:
                raise Unsent(f"{partition.topic}/{lane}: no answer in {BUS_ANSWER_S_MAX} s")
            return Span(*found)

    def append(self, topic: str, messages: Sequence[tuple[int, Message]]) -> list[int]:
        """Put messages on the partitions of their lanes; return the offset of each.

        Raises: Unsent.
        """
        name, places = self._row.topic(topic), [-1] * len(messages)
        if self._producer is None:
            self._producer = Producer(producer(self._row), logger=_log)
        try:
            for at, (lane, message) in enumerate(messages):
                self._put(name, lane, message, _into(places, at))
            self._producer.flush(BUS_ANSWER_S_MAX * 2)
        except (KafkaException, BufferError) as error:
            self._give_up()
            raise Unsent(f"{name}: {error}") from error
        if -1 in places:
            self._give_up()
            raise Unsent(f"{name}: {places.count(-1)} of {len(places)} messages were not taken")
        return places

    def _put(self, name: str, lane: int, message: Message, done: Any) -> None:  # noqa: ANN401 - the client's call-back
        assert self._producer is not None, "made just before"
        headers: list[tuple[str, str | bytes | None]] = [*message.headers]
        self._producer.produce(name, message.value, message.key, lane, done, headers=headers)
        self._producer.poll(0)

    def _give_up(self) -> None:
        """Drop the producer with all that still waits in it."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
        self._producer = None

    def reader(self, topic: str) -> "KafkaReader":
        """Return a new reader that reads nothing yet."""
        return KafkaReader(self._row, topic)

    def close(self) -> None:
        """Let go; what was appended stays."""
        self._give_up()
        self._asker.close()


def _into(places: list[int], at: int) -> Any:  # noqa: ANN401 - the client's call-back
    def done(error: KafkaError | None, message: Any) -> None:  # noqa: ANN401 - the client's own type
        if error is None:
            places[at] = message.offset()

    return done


@final
class KafkaReader:
    """Reads partitions from offsets that its owner keeps; a member of no group."""

    def __init__(self, row: KafkaRow, topic: str) -> None:
        self._name = row.topic(topic)
        self._consumer = Consumer(consumer(row), logger=_log)
        # What went wrong behind messages that were still good.
        self._trouble: KafkaError | None = None
        self._at = -1

    def seek(self, places: Mapping[int, int]) -> None:
        """Read these lanes from these places on, and no others."""
        self._trouble = None
        self._consumer.assign(
            [TopicPartition(self._name, lane, place) for lane, place in places.items()]
        )

    def take(self, count_max: int, wait_s: float) -> list[Carried]:
        """Return what comes next, in the order of each partition.

        Raises: OutOfSpan; Unsent when a broker says that it cannot be read.
        """
        if self._trouble is None:
            found = self._consume(count_max, wait_s)
            if found or self._trouble is None:
                return found
        trouble, self._trouble = self._trouble, None
        if trouble.code() in _OUT_OF_SPAN:
            raise OutOfSpan(self._at)
        raise Unsent(f"{self._name}: {trouble}")

    def _consume(self, count_max: int, wait_s: float) -> list[Carried]:
        """Wait for the first message only: the client hands over at once what it has behind it."""
        raw = self._consumer.consume(1, wait_s)
        if raw and count_max > 1:
            raw += self._consumer.consume(count_max - 1, 0)
        found = []
        for each in raw:
            trouble = each.error()
            if trouble is None:
                found.append(_carried(each))
            else:
                self._trouble, self._at = trouble, each.partition() or 0
        return found

    def close(self) -> None:
        """Let go of the partitions and the connections."""
        self._consumer.close()


def _carried(raw: Any) -> Carried:  # noqa: ANN401 - the client's own type
    headers = tuple([(name, value or b"") for name, value in raw.headers() or ()])
    message = Message(raw.key() or b"", raw.value() or b"", headers)
    return Carried(raw.partition(), raw.offset(), message)
