"""The broker of a festival, and our topics on it: killed, deleted, and made again.

Units: seconds.
"""

import time
from contextlib import suppress

import msgspec
from confluent_kafka.admin import AdminClient

from broker import Broker
from festival.size import LANES, RELAY
from lingqian.events.bus import ABSENT, TOPICS
from lingqian.events.kafka.bus import KafkaBus
from lingqian.events.kafka.setting import KafkaRow
from lingqian.kernel.fault import Unsent
from lingqian.kit.follow import Follower, Mark

ANSWER_S = 30
LOOK_S = 0.05
HEAR_S = 0.1
SETTING = """
[kafka]
servers = "{servers}"
prefix = "{prefix}"
replicas = {replicas}
in_sync_min = {in_sync_min}
relay = "{relay}"
ingress = ["sends"]
"""
# As Kafka has it by default: a broker that shares its machine is late now and then, and not gone.
PATIENT = "broker.session.timeout.ms=9000"
# What `lingqian topic check` has to say of every topic when there is one broker, and nothing else.
ONE_BROKER = (" has 1 replicas; ", " has min.insync.replicas=1: ")


class Kafka:
    """One broker with the topics of one ledger."""

    def __init__(self):
        self._broker = Broker(PATIENT)
        self.row = KafkaRow(
            servers=self._broker.servers,
            prefix="festival",
            replicas=1,
            in_sync_min=1,
            relay=RELAY,
            client={"log_level": "0"},
        )
        self._bus = KafkaBus(self.row)
        self._admin = AdminClient({"bootstrap.servers": self.row.servers, "log_level": 0})

    @property
    def setting(self):
        """What a process is told of it."""
        return SETTING.format(**msgspec.structs.asdict(self.row))

    @property
    def job(self):
        """What a listener is told of it."""
        return {"kafka": msgspec.to_builtins(self.row), "lanes": LANES}

    def kill(self):
        """Take the broker away without a word."""
        self._broker.kill()

    def start(self):
        """Start the broker on what it has kept."""
        self._broker.start()

    def lose(self):
        """Delete every topic of ours with all that lies on it."""
        names = [self.row.topic(each) for each in TOPICS]
        for each in self._admin.delete_topics(names).values():
            each.result(ANSWER_S)
        until_s = time.monotonic() + ANSWER_S
        while any(self._bus.identity(each) != ABSENT for each in TOPICS):
            assert time.monotonic() < until_s, "the broker does not do what it has promised"
            time.sleep(LOOK_S)

    def end(self):
        """End everything."""
        self._bus.close()
        self._broker.stop()


class Newcomer:
    """Somebody who begins to follow now, and hears all that the topic has from its begin."""

    def __init__(self, row):
        self._bus = KafkaBus(row)
        self._follower = Follower(self._bus, dict.fromkeys(range(LANES), Mark()))

    def has_heard(self, ends):
        """Listen for a while; say whether each lane's events up to these were heard."""
        with suppress(Unsent):
            self._follower.take(HEAR_S)
        marks = self._follower.marks
        return all(marks[lane][:2] >= end for lane, end in ends.items())

    def leave(self):
        """Follow no more."""
        self._follower.close()
        self._bus.close()
