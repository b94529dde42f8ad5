"""A database that speaks TLS only and asks for certificates, reached under a role's credential.

It is started as deploy/mariadb.yaml starts it, and its user is made by deploy/mariadb.sql.
"""

import datetime as dt
import ssl

import pytest
import yaml

import mariadb
from lingqian.cluster.authority import AUTHORITY, Wish, issue, make_authority
from lingqian.cluster.credential import Credential
from lingqian.cluster.role import Role
from lingqian.kernel.fault import Unsent
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.opening import Options
from lingqian.storage.mysql.store import MysqlStore
from tidy.text import ROOT
from world import World

pytestmark = pytest.mark.needs("mariadb")
HERE = ("127.0.0.1",)
FOLDER = ROOT / "deploy"


def issued(authority, folder, role):
    """Issue a credential for this machine."""
    issue(authority, folder, Wish(folder.name, (role,), HERE), dt.datetime.now(dt.UTC))
    return folder


def command(own):
    """Return the options of the compose file, for a folder of credentials on this machine."""
    services = yaml.safe_load((FOLDER / "mariadb.yaml").read_text("utf-8"))["services"]
    said = [each.replace("/run/credentials", str(own)) for each in services["database"]["command"]]
    return [*said, "--innodb-buffer-pool-size=64M"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """An authority, and a server under it that lets nobody in without a certificate."""
    folder = tmp_path_factory.mktemp("house")
    authority = folder / "authority"
    make_authority(authority, dt.datetime.now(dt.UTC))
    server = mariadb.Server(*command(issued(authority, folder / "database", Role.DATABASE)))
    user = (FOLDER / "mariadb.sql").read_text("utf-8")
    server.do(
        "CREATE DATABASE lingqian",
        *[each for each in user.split(";") if each.strip()],
        "CREATE USER strict@'%' REQUIRE SUBJECT '/CN=lane'",
    )
    yield server, folder
    server.stop()


def options(context):
    """Return the options of a store for real money; `context`: what its connections begin with."""
    return Options(is_sandbox=False, tls=lambda: context)


def where(server, user="wallet"):
    """Return the database, as its user is told it: without a password."""
    return Address(user, "", "127.0.0.1", server.port, "lingqian")


def test_a_lane_writes_through_tls(house):
    """Both ends have shown who they are, and the server promises enough for real money."""
    server, folder = house
    credential = Credential(issued(folder / "authority", folder / "lane", Role.LANE))
    store = MysqlStore(where(server), Options(tls=lambda: credential.client))
    told = store.connection.execute("SHOW SESSION STATUS LIKE 'Ssl_version'").fetchone()
    assert told[1] == "TLSv1.3"
    world = World(1, store=store)
    world.batch(world.register("a"))
    (answer,) = world.batch(world.fund("a", 1_000))
    assert answer.code == 0
    store.close()


def refused(house, name):
    """Return the context of somebody whom the server, or we, must refuse, and what is then said."""
    _, folder = house
    trusting = ssl.create_default_context(cafile=folder / "authority" / AUTHORITY)
    if name == "no certificate":
        return trusting, "Access denied"
    if name == "another name":
        other = issued(folder / "authority", folder / "edge", Role.EDGE)
        return Credential(other).client, "Access denied"
    if name == "another authority":
        make_authority(folder / name, dt.datetime.now(dt.UTC))
        return Credential(issued(folder / name, folder / "stranger", Role.LANE)).client, "verify"
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    return trusting, "version|protocol"


@pytest.mark.parametrize(
    "name", ["no certificate", "another name", "another authority", "an older TLS"]
)
def test_whoever_is_not_meant_is_kept_out(house, name):
    """Nothing of theirs is written, and the words say why."""
    context, words = refused(house, name)
    user = "strict" if name == "another name" else "wallet"
    with pytest.raises(Unsent, match=words):
        MysqlStore(where(house[0], user), options(context))


def test_a_server_without_tls_is_not_spoken_to():
    """What was to be sealed is never sent in the clear because the other end knows no better."""
    with mariadb.database() as place, pytest.raises(Unsent, match=r"SSL|certificate"):
        MysqlStore(place, options(ssl.create_default_context()))
