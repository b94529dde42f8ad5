"""API keys: who calls, what they may do, and how soon a change is noticed."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import mariadb
from api.caller import Caller, running, wait_for
from lingqian.compose import DATABASE
from lingqian.identity.key import Scope, read_key, read_scopes, write_key, write_scopes
from lingqian.storage.keyring import NameTakenError, add_key, list_keys, open_beside, revoke_key
from lingqian.storage.sqlite import SqliteStore


def lingqian(*words):
    """Run the command line as a person would."""
    line = [str(Path(sys.executable).with_name("lingqian")), *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.needs("mariadb")
def test_a_key_is_made_beside_a_process_on_a_database_server(tmp_path, monkeypatch):
    """The process holds the folder, and keys are rows: who makes one must look where they are."""
    monkeypatch.delenv("LINGQIAN_DATABASE", raising=False)
    url = mariadb.url(mariadb.server().fresh())
    with running(tmp_path, database=url) as house:
        told = lingqian("key", "new", "shop", "--data", str(tmp_path))
        assert (told.returncode, told.stdout) == (1, "")
        assert "give this command the same `database` (LINGQIAN_DATABASE)" in told.stderr
        assert not (tmp_path / DATABASE).exists(), "a second ledger that nobody reads"
        monkeypatch.setenv("LINGQIAN_DATABASE", url)
        made = lingqian("key", "new", "shop", "--data", str(tmp_path))
        assert made.returncode == 0, made.stderr
        api = Caller(house.port, made.stdout.strip())
        assert api.get("/v1/limits").status == 200
        assert lingqian("key", "revoke", "shop", "--data", str(tmp_path)).returncode == 0
        wait_for(lambda: api.get("/v1/limits").status == 401)


BAD = ["", "x", "lq_0_0", "lq_" + "0" * 12 + "_" + "0" * 64, "lq_" + "Z" * 12 + "_" + "0" * 64]


@pytest.mark.parametrize("key", BAD)
def test_a_bad_key_is_refused(house, key):
    """Absent, malformed, unknown: the same answer."""
    told = Caller(house.port, key).get("/v1/limits")
    assert (told.status, told.code) == (401, "unauthenticated")
    assert told.headers["www-authenticate"].startswith("Bearer")


def test_a_secret_must_fit_its_key(house):
    """The id alone opens nothing."""
    good = house.caller()
    wrong = good.key[:-1] + ("0" if good.key[-1] != "0" else "1")
    assert good.get("/v1/limits").status == 200
    assert Caller(house.port, wrong).get("/v1/limits").status == 401


@pytest.mark.parametrize(("method", "path", "body", "scope"), [
    ("POST", "/v1/users", {"external_id": "s"}, Scope.WRITE_USERS),
    ("GET", "/v1/users?external_id=s", None, Scope.READ_USERS),
    ("POST", "/v1/sandbox/clock", {"advance_s": 0}, Scope.FUND_SANDBOX),
    ("GET", "/v1/cases", None, Scope.REVIEW_CASES),
    ("GET", "/v1/webhook-endpoints", None, Scope.WEBHOOKS_WRITE),
    ("GET", "/v1/packets/rp_00000000000000000000000000", None, Scope.READ_PACKETS),
    ("POST", "/v1/packets/rp_00000000000000000000000000/invalidation", {"by": "x"}, Scope.ADMIN),
])  # fmt: skip
def test_each_scope_opens_its_own_doors(house, method, path, body, scope):
    """With it the request goes on; with all others it does not."""
    others = house.caller(*[each for each in Scope if each != scope])
    assert others.call(method, path, body).code == "scope_missing"
    told = house.caller(scope).call(method, path, body)
    assert told.status != 403, told


def test_acting_for_a_person_needs_its_own_scope(house):
    """A key that may send packets is not yet a key to everybody's purse."""
    sender = house.caller().rich()
    caller = house.caller(Scope.WRITE_PACKETS)
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 10, "count": 1}
    assert caller.post("/v1/packets", body, once="x").code == "scope_missing"
    assert caller.claim("rp_00000000000000000000000000", sender).code == "scope_missing"


def test_keys_are_made_and_revoked_while_the_server_runs(house):
    """A leaked key cannot wait for a restart."""
    data = str(house.folder)
    made = lingqian("key", "new", "shop", "--data", data, "--scope", "read:users")
    assert made.returncode == 0, made.stderr
    caller = Caller(house.port, made.stdout.strip())
    assert caller.get("/v1/limits").status == 200
    assert caller.get("/v1/cases").code == "scope_missing"
    again = lingqian("key", "new", "shop", "--data", data)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert "read:users" in lingqian("key", "list", "--data", data).stdout
    assert lingqian("key", "revoke", "shop", "--data", data).returncode == 0
    wait_for(lambda: caller.get("/v1/limits").status == 401, timeout_s=1.5)
    assert lingqian("key", "revoke", "shop", "--data", data).returncode == 1


def test_an_empty_list_says_so(tmp_path):
    """Silence would leave open whether the folder was the right one."""
    SqliteStore(tmp_path / DATABASE).close()
    listed = lingqian("key", "list", "--data", str(tmp_path))
    assert (listed.returncode, "There is no key yet" in listed.stdout) == (0, True)


def test_only_a_digest_is_kept(tmp_path):
    """Whoever reads the database cannot call."""
    with closing(open_beside(tmp_path / DATABASE)) as connection:
        key = add_key(connection, "a", frozenset(Scope))
        with pytest.raises(NameTakenError):
            add_key(connection, "a", frozenset())
        assert revoke_key(connection, "a")
        assert not revoke_key(connection, "a")
        add_key(connection, "a", frozenset())  # a revoked name is free again
        assert [each.revoked_at_us > 0 for each in list_keys(connection)] == [True, False]
        secret = key.split("_")[2]
        connection.wal_checkpoint()
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_keys_and_scopes_are_read_as_they_were_written():
    """A scope that a later program knows grants nothing in this one."""
    assert read_key(write_key("ab" * 6, "cd" * 32)) == ("ab" * 6, "cd" * 32)
    assert read_scopes(write_scopes(Scope)) == frozenset(Scope)
    assert read_scopes("read:users fly:moon") == {Scope.READ_USERS}
