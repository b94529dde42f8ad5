"""An Apache Kafka of the tests' own: one broker per process of tests, a name apart for each test.

Its published packages are resolved by Maven once and kept beside the environment. It is one KRaft
node with a small heap on ports of loopback, in a folder of its own, and ended by its number when
the tests end. `LINGQIAN_TEST_KAFKA=host:port` names somebody's own instead.
"""

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mariadb import end_with_parent, free_port
from need import needs, required

NAMED = "LINGQIAN_TEST_KAFKA"
# Long, because a machine may be busy; a broker that has ended is told at once.
START_S = 120
RESOLVE_S = 300
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
CLUSTER = "bGluZ3FpYW4tdGVzdHMtLQ"
# The log back end is mandatory: a class of the server loads it when it is loaded itself.
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>lingqian</groupId><artifactId>broker</artifactId>
<version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>3.9.1</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId>
<version>1.7.36</version></dependency>
</dependencies></project>
"""
LOGGING = """log4j.rootLogger=WARN,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %c %m%n
"""
# One node for all parts; every record is flushed, because the tests kill it.
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
log.flush.interval.messages=1
log.segment.delete.delay.ms=0
log.cleaner.enable=false
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
controller.quorum.election.timeout.ms=300
controller.quorum.election.backoff.max.ms=100
num.network.threads=2
num.io.threads=2
offsets.topic.replication.factor=1
"""
JAVA = ("-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def jars():
    """Return the folder of the broker's packages; the test ends where they cannot be had."""
    maven = needs("mvn")
    home = Path(sys.prefix) / f"kafka-{hashlib.sha256(POM.encode()).hexdigest()[:12]}"
    if not home.is_dir():
        new = Path(tempfile.mkdtemp(prefix="kafka-", dir=sys.prefix))
        (new / "pom.xml").write_text(POM)
        (new / "log4j.properties").write_text(LOGGING)
        line = [maven, "-q", "-B", PLUGIN, "-DincludeScope=runtime", "-DoutputDirectory=jars"]
        done = subprocess.run(
            line, cwd=new, capture_output=True, text=True, timeout=RESOLVE_S, check=False
        )
        if done.returncode:
            shutil.rmtree(new)
            words = f"Maven could not resolve Kafka: {done.stdout[-500:]}"
            (pytest.fail if "mvn" in required() else pytest.skip)(words)
        _format(new)
        try:
            new.rename(home)
        except OSError:
            shutil.rmtree(new)  # a neighbour was first
    return home


def _java(home, *rest):
    logging = f"-Dlog4j.configuration=file:{home / 'log4j.properties'}"
    return [needs("java"), *JAVA, "-cp", f"{home / 'jars'}/*", logging, *rest]


def _format(home):
    """Write the empty node that every broker of the tests begins as."""
    (home / "properties").write_text(PROPERTIES.format(port=1, controller=2, folder=home))
    line = _java(home, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c")
    subprocess.run([*line, home / "properties"], check=True, capture_output=True, timeout=START_S)


class Broker:
    """One broker; what was killed may be started again on the same folder and port.

    `extra` are lines of settings that go before ours.
    """

    def __init__(self, *extra):
        self._home = jars()
        self.folder = Path(tempfile.mkdtemp(prefix="lingqian-kafka-"))
        shutil.copytree(self._home / "data", self.folder / "data")
        self.servers = f"127.0.0.1:{free_port()}"
        text = PROPERTIES.format(
            port=self.servers.split(":")[1], controller=free_port(), folder=self.folder
        )
        (self.folder / "properties").write_text(text + "\n".join(extra))
        self.process = None
        self.start()

    def start(self):
        """Start the broker on its folder, as after a power cut when it was killed."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                _java(self._home, "kafka.Kafka", self.folder / "properties"),
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, nothing of ours
            )
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            if answers(self.servers):
                return
        words = (self.folder / "log").read_text()
        self.stop()
        raise AssertionError(f"the broker did not start: {words}")

    def kill(self):
        """End the broker as a power cut of its process does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """End the broker and remove what it kept."""
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Named:
    """A broker that somebody else runs."""

    def __init__(self, servers):
        self.servers = servers
        assert answers(servers), f"nobody answers at {servers}, which {NAMED} names"

    def kill(self):
        """Leave somebody else's broker alone."""
        pytest.skip(f"{NAMED} is not ours to kill")


class Mock:
    """The client library's own broker in its own memory: no JVM, and less than a broker."""

    def __init__(self):
        self._client = AdminClient({"test.mock.num.brokers": 1, "log_level": 0})
        found = self._client.list_topics(timeout=START_S).brokers.values()
        self.servers = ",".join(f"{each.host}:{each.port}" for each in found)

    def make(self, name):
        """Name a topic to the mock, which makes whatever it is asked for."""
        self._client.list_topics(name, timeout=START_S)


def answers(servers):
    """Say whether a broker answers there, within a second."""
    client = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    with contextlib.suppress(KafkaException):
        return bool(client.list_topics(timeout=1).brokers)
    return False


@functools.cache
def server():
    """Return the broker of this process of tests; without one on this machine, skip."""
    if NAMED in os.environ:
        return Named(os.environ[NAMED])
    needs("java")
    started = Broker()
    atexit.register(started.stop)
    return started
