"""`lingqian credential`: made, issued, renewed in time, shown, and refused in words."""

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from lingqian.cli.credential import app
from lingqian.cluster.authority import Wish, issue
from lingqian.cluster.credential import read_own
from lingqian.cluster.role import OURS, Role

LANE = ["--role", "lane", "--name", "lane-1", "--for", "lane-1.internal", "--for", "::1"]


def run(*words):
    """Run the command."""
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def authority(tmp_path):
    """An authority made by the command."""
    done = run("authority", tmp_path / "authority")
    assert (done.exit_code, done.stderr) == (0, "")
    return tmp_path / "authority"


def test_a_credential_says_what_was_asked_for(authority, tmp_path):
    """Name, role and both hosts, for a day; for people and for scripts."""
    folder = tmp_path / "lane"
    done = run("issue", folder, "--authority", authority, *LANE)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("lane-1 is good until 2")
    shown = run("show", folder)
    assert shown.exit_code == 0
    assert "hosts    lane-1.internal, ::1\n" in shown.stdout
    told = json.loads(run("show", folder, "--json").stdout)
    assert {key: told[key] for key in ("name", "roles", "hosts", "state")} == {
        "name": "lane-1",
        "roles": ["lane"],
        "hosts": ["lane-1.internal", "::1"],
        "state": "good",
    }


def test_all_is_every_role_that_serve_can_have(authority, tmp_path):
    """But never that of a database or a broker."""
    run("issue", tmp_path / "one", "--authority", authority, "--role", "all", "--name", "one")
    assert read_own(tmp_path / "one").roles == set(OURS)


def test_renewing_waits_until_a_third_is_left(authority, tmp_path):
    """A timer may call it as often as it likes; what is renewed says the same as before."""
    folder = tmp_path / "lane"
    run("issue", folder, "--authority", authority, *LANE, "--hours", "48")
    before = read_own(folder)
    assert "is good until" in run("renew", folder, "--authority", authority).stdout
    assert read_own(folder) == before
    early = dt.datetime.now(dt.UTC) - dt.timedelta(hours=33)
    issue(authority, folder, Wish(before.name, (Role.LANE,), before.hosts, 48), early)
    assert run("renew", folder, "--authority", authority).exit_code == 0
    after = read_own(folder)
    assert after.until_s > before.until_s - 60
    assert (after.name, after.roles, after.hosts) == before[:3]
    assert after.until_s - after.since_s == before.until_s - before.since_s


def test_renewing_now_does_not_wait(authority, tmp_path):
    """For a credential that may have got away."""
    folder = tmp_path / "lane"
    run("issue", folder, "--authority", authority, *LANE)
    before = (folder / "credential.pem").read_bytes()
    assert run("renew", folder, "--authority", authority, "--now").exit_code == 0
    assert (folder / "credential.pem").read_bytes() != before


def test_what_has_ended_is_shown_as_such(authority, tmp_path):
    """A script sees it by the exit code."""
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    issue(authority, tmp_path / "old", Wish("old", (Role.EDGE,), ()), then)
    shown = run("show", tmp_path / "old")
    assert (shown.exit_code, "ended" in shown.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--role", "cook", "--name", "x"], 2, "cook is no role; roles are edge, lane"),
        (["--role", "lane", "--name", ""], 2, "1 to 64 letters"),
        (["--role", "lane", "--name", "x\n"], 2, "1 to 64 letters"),
        (["--role", "lane", "--name", "x", "--for", "名字.内部"], 2, "A-label"),
    ],
)
def test_a_mistake_in_asking_is_told_in_one_line(authority, tmp_path, words, code, told):
    """And nothing is issued."""
    done = run("issue", tmp_path / "x", "--authority", authority, *words)
    assert (done.exit_code, told in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "x" / "credential.pem").exists()


def test_a_second_authority_does_not_replace_the_first(authority):
    """Every credential it had issued would end with it."""
    done = run("authority", authority)
    assert (done.exit_code, "already holds an authority" in done.stderr) == (1, True)
