"""What an operator starts from: files that no engine ran here, held to what the code takes."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lingqian.cli.config import load
from lingqian.cli.main import COMMANDS, app
from lingqian.cluster.authority import AUTHORITY, CREDENTIAL
from lingqian.cluster.role import OURS
from lingqian.compose import Config
from lingqian.storage.mysql.address import parse
from lingqian.storage.mysql.durability import PACKET_BYTES_MIN
from lingqian.storage.mysql.engine import MARIADB, TIDB
from lingqian.web.route.health import OPERATIONS
from tidy.text import ROOT

FOLDER = ROOT / "deploy"
DATABASES = ("mariadb.yaml", "tidb.yaml", "tidb-dev.yaml")
TOGETHER = [
    ("compose.yaml",),
    ("compose.yaml", "watch.yaml"),
    *[("roles.yaml", database) for database in DATABASES],
    ("roles.yaml", "mariadb.yaml", "kafka.yaml", "watch.yaml"),
]
OUR_IMAGE = "lingqian:local"
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+(\.\d+)*[a-z0-9.-]*$")
DEFAULT = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")


def merged(one, two):
    """Lay one file over another, as an engine does: maps grow, commands are replaced."""
    if isinstance(one, dict) and isinstance(two, dict):
        return {key: merged(one.get(key), two[key]) if key in two else one[key]
                for key in {**one, **two}}  # fmt: skip
    return one if two is None else two


def read(*names):
    """Return what several files together say."""
    found = {}
    for name in names:
        found = merged(found, yaml.safe_load((FOLDER / name).read_text("utf-8")))
    return found


def ours(found):
    """Return our own services."""
    return {name: row for name, row in found["services"].items() if row.get("image") == OUR_IMAGE}


def filled(text):
    """Put what stands for an unset variable in its place."""
    return DEFAULT.sub(lambda match: match[2] or "", str(text))


def settings(service, tmp_path):
    """Return the Config that a service starts with; a setting nobody knows is refused."""
    given = {name: filled(value) for name, value in service["environment"].items()}
    for name, place in [(name, given[name]) for name in given if name.endswith("_FILE")]:
        assert place.removeprefix("/run/secrets/") in service["secrets"], name
        secret = tmp_path / name
        secret.write_text("mysql://wallet@database:3306/lingqian\n", "utf-8")
        given[name] = str(secret)
    return load(tmp_path, given)


@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_every_setting_is_one_that_a_process_takes(names, tmp_path):
    """A setting that is misspelt here would stop the start of every process."""
    for name, service in ours(read(*names)).items():
        config = settings(service, tmp_path)
        command, *options = service["command"]
        assert command in {row.name for row in COMMANDS}
        told = CliRunner().invoke(app, [command, "--help"]).stdout
        assert all(option in told for option in options if option.startswith("--"))
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} is open to strangers"
            assert int(port.rpartition(":")[2]) == config.port


@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_what_a_service_names_is_there(names):
    """Volumes, secrets, whom it waits for, and files of ours that are mounted."""
    found = read(*names)
    for name, service in found["services"].items():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            assert target.startswith("/"), name
            if source.startswith("./credentials/") or source in found.get("volumes", {}):
                continue
            assert (FOLDER / source).is_file(), f"{name} mounts {source}"
        assert set(service.get("secrets", ())) <= found.get("secrets", {}).keys(), name
        assert set(service.get("depends_on", ())) <= found["services"].keys(), name


@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_our_processes_can_do_little_harm(names):
    """Nobody who is root, no rights, nothing that can be written but its own folder."""
    for name, service in ours(read(*names)).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert "user" not in service, "the image says who it is"
        credentials = [line for line in service["volumes"] if "credentials" in line]
        assert all(line.endswith(":ro") for line in credentials), name


def test_images_are_named_by_a_version():
    """`latest` is another thing every week; digests are the operator's own step."""
    for path in FOLDER.glob("*.yaml"):
        services = (yaml.safe_load(path.read_text("utf-8")) or {}).get("services", {})
        for name, service in services.items():
            image = service.get("image", OUR_IMAGE)
            assert image == OUR_IMAGE or PINNED.match(image), f"{path.name}: {name}: {image}"


def test_every_role_runs_under_a_credential_of_its_own(tmp_path):
    """Each has its own volume and folder; one alone may write keys, and the others wait for it."""
    services = ours(read("roles.yaml", "mariadb.yaml"))
    roles = set()
    for name, service in services.items():
        config = settings(service, tmp_path)
        roles |= set(config.roles)
        assert config.credentials == "/run/credentials"
        assert f"./credentials/{name}:/run/credentials:ro" in service["volumes"]
        assert f"{name}:/srv/lingqian" in service["volumes"]
        assert config.peers.address == f"{name}:{config.peers.port}"
        assert config.lanes == 16
    assert roles == set(OURS)
    writes = [name for name, row in services.items() if "keys:/srv/lingqian/keys" in row["volumes"]]
    assert writes == ["lane-1"]
    assert all("lane-1" in row["depends_on"] for name, row in services.items() if name != "lane-1")


def test_the_database_promises_what_a_process_demands():
    """Outside the sandbox a process refuses a server that promises less."""
    given = {}
    for option in read("mariadb.yaml")["services"]["database"]["command"]:
        name, _, value = option.removeprefix("--").partition("=")
        given[name.replace("-", "_")] = value.upper()
    for demand in MARIADB.demands:
        if demand.name in given:
            assert given[demand.name] in demand.accepted, demand.name
    assert {"innodb_flush_log_at_trx_commit", "sync_binlog"} <= given.keys()
    assert int(given["max_allowed_packet"].removesuffix("M")) * 1_048_576 >= PACKET_BYTES_MIN
    assert given["require_secure_transport"] == "ON"
    paths = {given["ssl_ca"], given["ssl_cert"], given["ssl_key"]}
    assert paths == {f"/RUN/CREDENTIALS/{name}".upper() for name in (AUTHORITY, CREDENTIAL)}
    told = (FOLDER / "tidb.sql").read_text("utf-8")
    assert all(f"SET GLOBAL {demand.name} = ON;" in told for demand in TIDB.demands)


def test_a_database_knows_the_user_that_processes_come_as():
    """The address in the guide, the user in the SQL, and a certificate instead of a password."""
    address = parse(re.search(r"`(mysql://\S+)`", (FOLDER / "README.md").read_text("utf-8"))[1])
    assert (address.password, address.host) == ("", "database")
    for name in ("mariadb.sql", "tidb.sql"):
        text = (FOLDER / name).read_text("utf-8")
        assert f"CREATE USER IF NOT EXISTS {address.user}@'%' REQUIRE ISSUER" in text
        assert f"ON {address.name}.* TO {address.user}@'%'" in text


def test_a_cluster_of_tidb_keeps_a_majority_when_one_is_lost():
    """Three stores that find each other, and a server that waits for its settings."""
    services = read("roles.yaml", "tidb.yaml")["services"]
    stores = [name for name in services if name.startswith("tikv-")]
    assert len(stores) == 3
    for name in stores:
        assert f"--advertise-addr={name}:20160" in services[name]["command"]
        assert "--pd-endpoints=pd:2379" in services[name]["command"]
    assert "database-setup" in services["lane-1"]["depends_on"]


def test_kafka_keeps_what_it_has_acknowledged():
    """Three nodes, two in sync, no unclean leader, nobody without a certificate."""
    services = read("kafka.yaml")["services"]
    nodes = {name: row for name, row in services.items() if name.startswith("kafka-")}
    assert len(nodes) == 3
    for number, (name, node) in enumerate(sorted(nodes.items()), 1):
        told = {key: str(value) for key, value in node["environment"].items()}
        assert told["KAFKA_NODE_ID"] == str(number)
        assert f"{number}@{name}:9093" in told["KAFKA_CONTROLLER_QUORUM_VOTERS"]
        assert told["KAFKA_ADVERTISED_LISTENERS"] == f"CLIENTS://{name}:9092"
        assert told["KAFKA_DEFAULT_REPLICATION_FACTOR"] == "3"
        assert told["KAFKA_MIN_INSYNC_REPLICAS"] == "2"
        assert told["KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE"] == "false"
        assert told["KAFKA_SSL_CLIENT_AUTH"] == "required"
        assert told["KAFKA_SSL_KEYSTORE_LOCATION"].endswith(CREDENTIAL)
        assert told["KAFKA_SSL_TRUSTSTORE_LOCATION"].endswith(AUTHORITY)


def test_every_process_is_told_of_kafka_and_waits_for_its_topics(tmp_path):
    """Outside the sandbox none starts before they are there, a partition for each lane."""
    services = ours(read("roles.yaml", "mariadb.yaml", "kafka.yaml"))
    made = settings(services["topics"], tmp_path)
    for name, service in services.items():
        config = settings(service, tmp_path)
        assert (config.kafka, config.lanes) == (made.kafka, made.lanes), name
        assert name == "topics" or "topics" in service["depends_on"], name
    hosts = [each.partition(":")[0] for each in made.kafka.servers.split(",")]
    assert hosts == ["kafka-1", "kafka-2", "kafka-3"]


def test_everybody_is_watched_and_every_file_of_the_watcher_is_mounted(tmp_path):
    """A process that is not watched has no alerts."""
    found = read("roles.yaml", "mariadb.yaml", "watch.yaml")
    (job,) = read("prometheus.yaml")["scrape_configs"]
    watched = {
        target: row["labels"]["role"] for row in job["static_configs"] for target in row["targets"]
    }
    assert watched == {
        f"{name}:{(config := settings(service, tmp_path)).port}": config.roles[0]
        for name, service in ours(found).items()
    }
    mounts = "\n".join(found["services"]["watch"]["volumes"])
    assert all(f":{path}:ro" in mounts for path in read("prometheus.yaml")["rule_files"])


def lines_of(path: Path):
    """Return a Dockerfile's instructions, each on one line."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] not in "# "]


def test_the_image_is_nobody_and_says_when_it_is_alive():
    """A number instead of root, a door that exists, a command that exists, sources that exist."""
    lines = lines_of(FOLDER / "Dockerfile")
    said = {}
    for word, rest in lines:
        said.setdefault(word, []).append(rest)
    assert said["USER"] == ["10001:10001"]
    assert json.loads(said["ENTRYPOINT"][-1]) == ["lingqian"]
    assert json.loads(said["CMD"][-1])[0] in {row.name for row in COMMANDS}
    door = re.search(r"127\.0\.0\.1:(\d+)(/\w+)", said["HEALTHCHECK"][0])
    assert int(door[1]) == Config().port == int(said["EXPOSE"][0])
    assert door[2] in {each.path for each in OPERATIONS}
    copied = [rest.split()[:-1] for rest in said["COPY"] if not rest.startswith("--from")]
    taken = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for source in [name for names in copied for name in names]:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in taken, f"{source} never reaches the engine"


def test_the_image_has_the_clients_that_were_tested():
    """One version each, with the hashes of the lock that the tests run on."""
    own = (FOLDER / "server.lock").read_text("utf-8")
    pinned = re.findall(r"^\S+==.*\n(?:    --hash=.*\n?)+", own, re.MULTILINE)
    assert [pin.partition("==")[0] for pin in pinned] == ["confluent-kafka", "pymysql"]
    lock = (ROOT / "requirements-dev.lock").read_text("utf-8")
    assert [pin for pin in pinned if pin.rstrip() not in lock] == []
