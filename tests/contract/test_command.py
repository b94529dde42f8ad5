"""Every command that takes a data directory, where the rows of its ledger are on a server.

Each works there, or says in one line what to do instead; none makes a file that nobody looks at.
"""

import json
import shutil

import pytest
from typer.testing import CliRunner

import mariadb
from ledger_case import LedgerCase
from lingqian.cli.main import app
from lingqian.kernel.fault import Unsent
from lingqian.kernel.id import PREFIX_ORDER, show
from lingqian.storage.head import lane_rows
from lingqian.storage.mysql.store import MysqlStore
from unit.cli.test_no_ledger import of_a_folder

pytestmark = pytest.mark.needs("mariadb")
LANES = 2
ON_A_SERVER = "lingqian: the ledger is on mysql://root@127.0.0.1:"
# What each is asked, its exit code, and words of its answer; in this order, for keys are made.
ANSWERS = {
    "audit": ((), 0, "clean: "),
    "backup": (("{out}/ledger.lqb",), 2, "back it up by that server's own tools"),
    "channel check": (("--offline",), 2, "no [[channels]] are set"),
    "config show": ((), 0, '"mysql://root@127.0.0.1:'),
    "funnel": (("--json",), 0, '"rows"'),
    "key new": (("till",), 0, "lq_"),
    "key list": ((), 0, "till"),
    "key enrol": (("till",), 0, "otpauth://"),
    "key passkeys": (("till",), 0, "No passkey acts under this key yet."),
    "key revoke": (("till",), 0, "till is revoked"),
    "migrate": ((), 0, "already at the newest schema"),
    "rebuild": (("--check",), 0, "equal"),
    "reconcile": (("--json",), 1, '"day": "2026-02-16"'),
    "restore": (("{out}/ledger.lqb",), 2, "restore the server's own backup"),
    "topic check": ((), 2, "no Kafka is set"),
    "topic create": ((), 2, "no Kafka is set"),
    "topic refill": (("events",), 2, "no Kafka is set"),
    "trail": (("{order}",), 0, "order opened for"),
    "vault rotate": ((), 2, "its processes hold the old keys"),
}
# Those that serve: their rows on a server are what test_product is about, and a demo has its own.
ELSEWHERE = {"serve", "demo"}


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A ledger on a server that has lived, with a folder of keys and heads; its address."""
    with mariadb.database() as address:
        store = MysqlStore(address)
        folder = tmp_path_factory.mktemp("life")
        case = LedgerCase(folder, LANES, store=store).live()
        case.log.publish(lane_rows(store.connection), case.us)
        store.close()
        yield folder, address


@pytest.fixture
def data(life, tmp_path, monkeypatch):
    """A copy of its folder; settings name the server."""
    folder, address = life
    monkeypatch.setenv("LINGQIAN_DATABASE", mariadb.url(address))
    (tmp_path / "ledger.lqb").write_bytes(b"an archive")
    return shutil.copytree(folder, tmp_path / "data")


def run(name, *words, data):
    """Run a command; return what came of it."""
    return CliRunner().invoke(app, [*name.split(), *map(str, words), "--data", str(data)])


def an_order(address):
    """Return the number of an order."""
    ((order_id,),) = mariadb.server().do(
        f"SELECT order_id FROM {address.name}.orders ORDER BY order_id LIMIT 1"
    )
    return show(PREFIX_ORDER, order_id)


def test_every_command_says_what_it_does_on_a_server():
    """A command added later must say so too."""
    assert {*of_a_folder()} == {*ANSWERS, *ELSEWHERE}


def test_each_command_works_or_says_what_to_do_instead(life, data, tmp_path):
    """The same commands, the same answers; a refusal is one line, and nothing was done."""
    for name, (words, code, expected) in ANSWERS.items():
        order = an_order(life[1]) if "{order}" in words else ""
        told = run(name, *[each.format(out=tmp_path, order=order) for each in words], data=data)
        assert told.exit_code == code, (name, told.output, told.exception)
        assert expected in told.output, name
        if told.stderr.startswith(ON_A_SERVER):
            assert len(told.stderr.splitlines()) == 1, name
    assert not [each for each in data.iterdir() if each.name.startswith("ledger")]


def test_findings_are_found_from_the_command(life, data):
    """An operator's cron needs nothing but the code, and the rows are named."""
    _, address = life
    edit = f"UPDATE {address.name}.accounts SET credits_posted = credits_posted {{}} 1"
    mariadb.server().do(edit.format("+"))
    try:
        audited, rebuilt = run("audit", "--json", data=data), run("rebuild", "--check", data=data)
    finally:
        mariadb.server().do(edit.format("-"))
    assert (audited.exit_code, rebuilt.exit_code) == (1, 1)
    *findings, _ = [json.loads(line) for line in audited.stdout.splitlines()]
    assert {each["kind"] for each in findings} >= {"row_differs", "debits_credits"}
    assert " differ, 0 missing, 0 extra" in rebuilt.stdout


def test_rebuild_for_good_and_archives_are_refused_before_anything_is_written(data, tmp_path):
    """A file beside a server's ledger would be taken for one by the next person who looks."""
    assert run("rebuild", data=data).exit_code == 2
    secret = tmp_path / "secret"
    secret.write_text("correct horse")
    keys = ("--keys", tmp_path / "k", "--passphrase-file", secret)
    told = run("backup", tmp_path / "l", *keys, data=data)
    assert (told.exit_code, (tmp_path / "k").exists()) == (2, False)
    told = run("backup", *keys, data=data)
    assert (told.exit_code, (tmp_path / "k").exists()) == (0, True), told.output
    told = run("restore", *keys, data=tmp_path / "new")
    assert told.exit_code == 0, told.output
    assert [*(tmp_path / "new" / "keys").iterdir()]


def test_lane_of_another_process_is_looked_for_in_its_log(data, tmp_path):
    """Its heads were never published here: a note, until all logs are named and it is in none."""
    log = data / "heads.log"
    lines = [line for line in log.read_text().splitlines() if line.split()[1] == "0"]
    assert lines
    (data / "heads.log").rename(tmp_path / "other.log")
    told = run("audit", data=data)
    assert (told.exit_code, "no head of lanes 0, 1 is here" in told.stdout) == (0, True)
    assert run("audit", "--heads", tmp_path / "other.log", data=data).exit_code == 0
    (tmp_path / "empty.log").touch()
    told = run("audit", "--heads", tmp_path / "empty.log", data=data)
    assert (told.exit_code, told.stdout.count("head_absent")) == (1, 2)


@pytest.mark.parametrize("name", ["audit", "key list", "rebuild", "migrate", "trail"])
def test_no_ledger_on_a_server_is_told_and_none_is_made(tmp_path, monkeypatch, name):
    """A typing mistake in an address must not leave tables behind that answer "nothing"."""
    address = mariadb.server().fresh()
    monkeypatch.setenv("LINGQIAN_DATABASE", mariadb.url(address))
    told = run(name, *(["x"] if name == "trail" else []), data=tmp_path)
    expected = f"lingqian: there is no ledger at {address!r}; lingqian serve makes one\n"
    assert (told.exit_code, told.stderr) == (2, expected)
    assert mariadb.server().do(f"SHOW TABLES FROM {address.name}") == ()


def test_server_that_is_away_is_told_without_its_password(tmp_path, monkeypatch):
    """One line and an exit code, as for everything that may be tried again."""
    port = mariadb.free_port()
    monkeypatch.setenv("LINGQIAN_DATABASE", f"mysql://me:secret@127.0.0.1:{port}/x")
    assert run("audit", data=tmp_path).exit_code == 2
    told = run("key list", data=tmp_path)
    assert isinstance(told.exception, Unsent)
    assert "secret" not in str(told.exception) + told.output
