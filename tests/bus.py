"""Where a kind of bus lives: in this process, on a Kafka, on the client's mock of one."""

import itertools
import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

import broker
from lingqian.events.bus import ABSENT, TOPICS
from lingqian.events.kafka.bus import KafkaBus
from lingqian.events.kafka.setting import KafkaRow
from lingqian.events.local import LocalBus
from lingqian.kernel.bound import BUS_MESSAGE_BYTES_MAX

KINDS = ("local", "kafka", "mock")
WAIT_S = 30
_numbers = itertools.count(time.time_ns())


class LocalPlace:
    """Lines in memory."""

    def __init__(self, lanes):
        self._bus = LocalBus()
        self._lanes = lanes
        self.make(*TOPICS)

    def open(self):
        """Return the bus, as another process would see it."""
        return self._bus

    def make(self, *topics):
        """Make topics."""
        for each in topics:
            self._bus.create(each, self._lanes)

    def lose(self, *topics):
        """Delete topics, with all that lay on them."""
        for each in topics:
            self._bus.delete(each)

    def done(self):
        """Leave."""


class KafkaPlace:
    """A prefix of its own on a broker of the tests' own."""

    def __init__(self, lanes):
        self.server = broker.server()
        self.row = KafkaRow(
            servers=self.server.servers,
            prefix=f"t{next(_numbers)}",
            replicas=1,
            in_sync_min=1,
            client={"log_level": "0"},
        )
        self._lanes = lanes
        self._open = []
        self._admin = AdminClient({"bootstrap.servers": self.server.servers, "log_level": 0})
        self.make(*TOPICS)

    def open(self):
        """Open the bus, as another process would."""
        self._open.append(KafkaBus(self.row))
        return self._open[-1]

    def make(self, *topics):
        """Make topics, and wait until they are there."""
        options = {"max.message.bytes": str(BUS_MESSAGE_BYTES_MAX)}
        new = [NewTopic(self.row.topic(each), self._lanes, 1, config=options) for each in topics]
        until = time.monotonic() + WAIT_S
        while new:
            asked = self._admin.create_topics(new)
            new = [each for each in new if not self._is_made(asked[each.topic], until)]
        self._until(topics, is_there=True)

    def _is_made(self, future, until):
        """Say whether a topic is made; not while the broker was kept from its heartbeat."""
        try:
            future.result(WAIT_S)
        except KafkaException as error:
            is_fenced = error.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR
            if not is_fenced or time.monotonic() > until:
                raise
            time.sleep(0.2)
            return False
        return True

    def lose(self, *topics):
        """Delete topics, and wait until they are gone."""
        names = [self.row.topic(each) for each in topics]
        for each in self._admin.delete_topics(names).values():
            each.result(WAIT_S)
        self._until(topics, is_there=False)

    def _until(self, topics, *, is_there):
        bus, until = KafkaBus(self.row), time.monotonic() + WAIT_S
        while any((bus.identity(each) != ABSENT) != is_there for each in topics):
            assert time.monotonic() < until, "the broker does not do what it has promised"
            time.sleep(0.02)
        bus.close()

    def done(self):
        """Close what was opened, and leave nothing on the broker."""
        for each in self._open:
            each.close()
        there = set(self._admin.list_topics(timeout=WAIT_S).topics)
        mine = [self.row.topic(each) for each in TOPICS if self.row.topic(each) in there]
        if mine:
            for each in self._admin.delete_topics(mine).values():
                each.result(WAIT_S)


class MockBus(KafkaBus):
    """The mock of the client library tells no topic's identity: nothing is ever deleted there."""

    def identity(self, topic):
        """Return one that its name makes."""
        return topic.encode().ljust(16)


class MockPlace:
    """A prefix of its own on the client library's mock; topics come when they are named."""

    def __init__(self, lanes):
        assert lanes <= 4, "the mock has four partitions"
        self._mock = broker.Mock()
        row = {"servers": self._mock.servers, "replicas": 1, "in_sync_min": 1}
        self.row = KafkaRow(**row, client={"log_level": "0"})
        self._open = []
        for each in TOPICS:
            self._mock.make(self.row.topic(each))

    def open(self):
        """Open the bus, as another process would."""
        self._open.append(MockBus(self.row))
        return self._open[-1]

    def lose(self, *topics):
        """Say that the mock cannot."""
        pytest.skip(f"the client's mock cannot delete {', '.join(topics)}; a real Kafka can")

    def done(self):
        """Close what was opened."""
        for each in self._open:
            each.close()


PLACES = {"local": LocalPlace, "kafka": KafkaPlace, "mock": MockPlace}
