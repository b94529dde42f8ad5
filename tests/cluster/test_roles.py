"""The processes of deploy/roles.yaml as they are started there, each role under its credential.

They stand on a MariaDB that lets nobody in without a certificate, outside the sandbox. What differs
from the files is where things lie on this machine, and how soon a silent process is given up.
"""

import datetime as dt
import json
import re
import shutil
from contextlib import ExitStack, closing

import pytest

import mariadb
from acceptance.server import Server, surroundings
from contract.test_sealed_database import command
from lingqian.cluster.authority import Wish, issue, make_authority
from lingqian.cluster.credential import Credential
from lingqian.cluster.role import Role
from lingqian.compose import KEYS
from lingqian.identity.key import Scope
from lingqian.storage.keyring import add_key
from lingqian.storage.mysql.address import parse
from lingqian.storage.mysql.opening import Options
from lingqian.storage.mysql.server import MysqlServer
from tidy.test_compose import FOLDER, filled, ours, read

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(400)]
HERE = ("127.0.0.1",)
PEERS = json.dumps({"host": "127.0.0.1", "port": 0, "lease_s": 4, "beat_s": 1})
# What the test itself says: this disk's cipher cannot be seen, and the people are made up.
SAID = {
    "LINGQIAN_PROFILE": "closed_loop",
    "LINGQIAN_UNENCRYPTED_VOLUME_BECAUSE": "a test on made-up people",
    "LINGQIAN_PEERS": PEERS,
    "LINGQIAN_LANES": "4",
}


class Town:
    """A database with its user, an authority, and the processes of the file."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = folder / "authority"
        make_authority(self.authority, dt.datetime.now(dt.UTC))
        self.database = mariadb.Server(*command(self.credential("database", Role.DATABASE)))
        user = (FOLDER / "mariadb.sql").read_text("utf-8")
        self.database.do("CREATE DATABASE lingqian", *filter(str.strip, user.split(";")))
        self.url = f"mysql://wallet@127.0.0.1:{self.database.port}/lingqian"
        self.servers = {}

    def credential(self, name, *roles):
        """Issue a credential and return its folder."""
        own = self.folder / "credentials" / name
        issue(self.authority, own, Wish(name, roles, HERE), dt.datetime.now(dt.UTC))
        return own

    def start(self, name, service):
        """Start a process with the file's own settings; all but the first mount its keys."""
        told = {key: filled(value) for key, value in service["environment"].items()}
        told |= SAID
        secret = self.folder / "database-address"
        secret.write_text(self.url, "utf-8")
        told["LINGQIAN_DATABASE_FILE"] = str(secret)
        roles = [Role(word) for word in json.loads(told["LINGQIAN_ROLES"])]
        told["LINGQIAN_CREDENTIALS"] = str(self.credential(name, *roles))
        server = Server(self.folder / name, env=surroundings(**told))
        server.key = "none yet"
        if self.servers:
            shutil.copytree(self.servers["lane-1"].folder / KEYS, server.folder / KEYS)
        self.servers[name] = server
        server.start()

    def key(self):
        """Make a key that may do everything, and give it to every process's caller."""
        own = Credential(self.folder / "credentials" / "edge-1")
        place = MysqlServer(parse(self.url), Options(tls=lambda: own.client))
        with closing(place.visitor()) as visitor:
            key = add_key(visitor, "tests", frozenset(Scope))
        for server in self.servers.values():
            server.key = key

    def end(self):
        """End everything, the database last."""
        with ExitStack() as after:
            after.callback(self.database.stop)
            for server in self.servers.values():
                after.callback(server.end)


@pytest.fixture
def town(tmp_path):
    """All five processes, ready."""
    made = Town(tmp_path)
    try:
        for name, service in ours(read("roles.yaml", "mariadb.yaml")).items():
            made.start(name, service)
        made.key()
        yield made
    finally:
        made.end()


def shown(server, line):
    """Return every number that a process shows behind a line's beginning."""
    text = server.call("GET", "/metrics").body["text"]
    found = re.findall(rf"^{line}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return [float(each) for each in found]


def test_the_deployed_roles_serve_people_under_their_credentials(town):
    """An edge without lanes takes a request; a lane decides; each shows what is its own."""
    edge = town.servers["edge-1"]
    people = []
    for number in range(6):
        told = edge.call("POST", "/v1/users", {"external_id": f"u{number}", "nickname": "n"})
        assert told.status == 201, told
        people.append(told.body["id"])
    assert len({person[3:7] for person in people}) > 1, "people live in several lanes"
    for server in town.servers.values():
        assert server.call("GET", f"/v1/users/{people[0]}").status == 200
        assert shown(server, "lingqian_process_joined") == [1]
        assert shown(server, "lingqian_credential_seconds_left")[0] > 23 * 3_600
    lanes = {name: shown(each, "lingqian_lane_sequence") for name, each in town.servers.items()}
    counts = {name: len(found) for name, found in lanes.items()}
    assert counts == {"lane-1": 2, "lane-2": 2, "edge-1": 0, "relay-1": 0, "jobs-1": 0}
    posts = {name: sum(shown(each, "lingqian_posts_held")) for name, each in town.servers.items()}
    assert (posts["relay-1"], posts["jobs-1"] > 1, posts["edge-1"]) == (1, True, 0)
