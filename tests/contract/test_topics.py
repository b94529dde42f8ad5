"""`lingqian topic` on a real Kafka: made, checked, made anew; what could lose messages is named."""

import json

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

from bus import WAIT_S, KafkaPlace
from lingqian.cli.topic import app
from lingqian.events.bus import ABSENT, COMMANDS, EVENTS, TOPICS, Message
from lingqian.events.kafka.topic import LAWS, Topics
from lingqian.kernel.fault import Damaged, Unsent


@pytest.fixture
def place():
    """A prefix on a broker, without topics."""
    made = KafkaPlace(2)
    made.lose(*TOPICS)
    yield made
    made.done()


@pytest.fixture
def data(place, tmp_path):
    """A data directory whose settings name that broker."""
    row = place.row
    (tmp_path / "lingqian.toml").write_text(
        f'lanes = 2\n[kafka]\nservers = "{row.servers}"\nprefix = "{row.prefix}"\n'
        'replicas = 1\nin_sync_min = 1\n[kafka.client]\nlog_level = "0"\n'
    )
    return tmp_path


def run(*words):
    """Run the command."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_topics_are_made_once_with_a_partition_per_lane(place, data):
    """A lane's partition is its number; whoever makes them twice changes nothing."""
    done = run("create", "--data", data)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"made: {', '.join(TOPICS)}\n"
    assert run("create", "--data", data).stdout == "all topics are there\n"
    seen = Topics(place.row).seen(EVENTS)
    assert (seen.partitions, seen.replicas) == (2, 1)
    assert not [law.name for law in LAWS if law.is_wrong(seen.settings[law.name])] or (
        seen.settings["min.insync.replicas"] == "1"
    )


def test_a_topic_is_not_grown_in_place(place):
    """Nothing would be told again, and half of the lanes would have no begin."""
    topics = Topics(place.row)
    topics.create(2)
    with pytest.raises(Damaged, match="has 2 partitions and the ledger 3 lanes"):
        topics.create(3)
    assert [each for each in topics.faults(3) if "not grown in place" in each]


def test_what_could_lose_messages_is_named(place, data):
    """Each in words that say why, for people and for scripts."""
    missing = run("check", "--data", data)
    assert missing.exit_code == 1
    assert missing.stdout.count("is not there") == len(TOPICS)
    name = place.row.topic(EVENTS)
    client = AdminClient({"bootstrap.servers": place.row.servers, "log_level": 0})
    weak = {"cleanup.policy": "compact", "unclean.leader.election.enable": "true"}
    client.create_topics([NewTopic(name, 2, 1, config=weak)])[name].result(WAIT_S)
    Topics(place.row).create(2)
    done = run("check", "--data", data, "--json")
    found = json.loads(done.stdout)["faults"]
    assert done.exit_code == 1
    assert f"{name} has 1 replicas; 3 outlive a broker" in found
    assert f"{name} has cleanup.policy=compact: compaction removes events" in found
    assert any("unclean.leader.election.enable=true" in each for each in found)
    assert any("min.insync.replicas=1" in each for each in found)
    assert any("max.message.bytes" in each for each in found)


def test_a_topic_that_the_journal_tells_again_is_made_anew(place, data):
    """And no other: what nobody has read yet stands nowhere else."""
    Topics(place.row).create(2)
    bus = place.open()
    before = bus.identity(EVENTS)
    bus.append(EVENTS, [(0, Message(b"", b"old"))])
    done = run("refill", EVENTS, "--data", data, "--yes")
    assert (done.exit_code, done.stdout) == (0, "events is empty now and is told again\n")
    assert bus.identity(EVENTS) not in {before, ABSENT}
    assert run("refill", EVENTS, "--data", data).exit_code == 1, "it asks first"
    refused = run("refill", COMMANDS, "--data", data, "--yes")
    assert isinstance(refused.exception, Damaged)
    assert "what can is events, relay" in str(refused.exception)


def test_without_a_kafka_there_are_no_topics(tmp_path):
    """It is said, and nothing is guessed."""
    done = run("check", "--data", tmp_path)
    assert (done.exit_code, "no Kafka is set" in done.stderr) == (2, True)


def test_a_kafka_that_does_not_answer_is_said(place):
    """Its name is in the words."""
    row = place.row.__class__(servers="127.0.0.1:9", client={"log_level": "0"})
    with pytest.raises(Unsent, match=r"lingqian\.events"):
        Topics(row).faults(1)
