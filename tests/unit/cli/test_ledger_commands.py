"""The commands that look after a ledger: what they print, and with which code they end."""

import json
import shutil
from importlib import import_module

import apsw
import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from typer.testing import CliRunner

from ledger_case import copied, lived
from lingqian.kernel.fault import Damaged, Fenced
from lingqian.storage import archive
from lingqian.storage.lock import DirectoryLock


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A closed data directory; never to be changed."""
    return lived(tmp_path_factory.mktemp("life") / "data", 2)


@pytest.fixture
def data(life, tmp_path):
    """A copy of it."""
    return copied(life, tmp_path / "data")


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """A passphrase that is quick to stretch."""
    monkeypatch.setattr(archive, "_SCRYPT_COST", 2)


def run(name, *words):
    """Run one command by its name."""
    shell = typer.Typer(add_completion=False)
    shell.command(name)(getattr(import_module(f"lingqian.cli.{name}"), name))
    return CliRunner().invoke(shell, [str(word) for word in words])


def break_balance(folder):
    """Give somebody a fen."""
    db = apsw.Connection(str(folder / "ledger.db"))
    db.execute(
        "UPDATE accounts SET credits_posted = credits_posted + 1 "
        "WHERE account = (SELECT max(account) FROM accounts)"
    )
    db.close()


def test_audit_of_a_clean_ledger_ends_with_0(data):
    """A cron job needs nothing but the code."""
    result = run("audit", "--data", data)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("clean: ")


def test_audit_with_findings_ends_with_1_and_json_lines(data):
    """A script reads one finding a line, and the summary last."""
    break_balance(data)
    result = run("audit", "--data", data, "--json")
    assert result.exit_code == 1
    *findings, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert {each["kind"] for each in findings} >= {"row_differs", "three_tiers"}
    assert all(each["meaning"] and each["words"] for each in findings)
    assert last["summary"]["findings"] == {
        kind: sum(each["kind"] == kind for each in findings)
        for kind in {each["kind"] for each in findings}
    }
    assert run("audit", "--data", data).stdout.splitlines()[-1].startswith(f"{len(findings)} find")


def test_audit_that_cannot_run_ends_with_2(tmp_path, data):
    """No ledger, no database, another schema: each is told in one line."""
    assert "there is no ledger" in run("audit", "--data", tmp_path / "none").stderr
    (data / "ledger.db").write_bytes(b"not a database at all" * 999)
    result = run("audit", "--data", data)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_audit_makes_no_keys(data):
    """Looking at a ledger whose keys are elsewhere must not make new ones."""
    shutil.rmtree(data / "keys")
    result = run("audit", "--data", data)
    assert result.exit_code == 0
    assert "no keys were given" in result.stdout
    assert not (data / "keys").exists()
    assert "no keys were given" in run("audit", "--data", data, "--without-keys").stdout


def test_rebuild_check_keeps_nothing(data):
    """It says each table, and leaves the folder as it was."""
    before = sorted(each.name for each in data.iterdir())
    result = run("rebuild", "--check", "--data", data, "--json")
    assert result.exit_code == 0
    assert all(each["is_equal"] for each in json.loads(result.stdout))
    left = {each.name for each in data.iterdir()} - {"ledger.db-wal", "ledger.db-shm"}
    assert sorted(left) == before
    break_balance(data)
    result = run("rebuild", "--check", "--data", data)
    assert result.exit_code == 1
    assert "1 differ, 0 missing, 0 extra" in result.stdout


def test_rebuild_writes_beside_and_never_over(data):
    """A person swaps the files; the rebuilt one is clean where the old one was not."""
    break_balance(data)
    result = run("rebuild", "--data", data)
    assert result.exit_code == 1
    assert run("rebuild", "--data", data).exit_code == 2
    for end in ("", "-wal", "-shm"):
        (data / f"ledger.db{end}").unlink(missing_ok=True)
    (data / "ledger.rebuilt.db").rename(data / "ledger.db")
    assert run("audit", "--data", data).exit_code == 0


def test_rebuild_of_a_running_wallet_is_refused(data):
    """What it would write would be old before it is swapped."""
    lock = DirectoryLock(data)
    result = run("rebuild", "--data", data)
    assert isinstance(result.exception, Fenced)
    assert run("rebuild", "--check", "--data", data).exit_code == 0
    lock.release()


def test_backup_and_restore_bring_a_wallet_back(data, tmp_path):
    """Ledger and keys by two archives, into an empty folder."""
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    result = run(
        "backup", tmp_path / "l", "--data", data, "--keys", tmp_path / "k",
        "--passphrase-file", secret, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["ledger"]["locked_by"], said["keys"]["count"]) == ("passphrase", 1)
    new = tmp_path / "new"
    result = run(
        "restore", tmp_path / "l", "--data", new, "--keys", tmp_path / "k",
        "--passphrase-file", secret, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == said["ledger"]["rows"]
    audited = run("audit", "--data", new)
    assert audited.exit_code == 0
    assert "no keys" not in audited.stdout
    assert run("rebuild", "--check", "--data", new).exit_code == 0


def test_backup_for_a_recipient(data, tmp_path):
    """The public key locks, the private key opens."""
    identity = X25519PrivateKey.generate()
    public = identity.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public").write_bytes(public)
    pem = identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "private").write_bytes(pem)
    words = ("--data", data, "--recipient-key-file", tmp_path / "public")
    assert run("backup", tmp_path / "l", *words).exit_code == 0
    words = ("--data", tmp_path / "new", "--identity-file", tmp_path / "private")
    assert run("restore", tmp_path / "l", *words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name a file"),
        (("a", "--plain", "--passphrase-file", "p"), "choose one"),
        (("--keys", "k"), "never written in the clear"),
        (("a", "--passphrase-file", "missing"), "cannot be read"),
    ],
)
def test_backup_asked_wrongly_ends_with_2(data, words, why):
    """Each refusal says what to do instead."""
    result = run("backup", *words, "--data", data)
    assert result.exit_code == 2
    assert why in result.stderr


def test_restore_asked_wrongly_ends_with_2(tmp_path):
    """A missing file is told before anything is made."""
    assert run("restore", "--data", tmp_path / "new").exit_code == 2
    assert run("restore", tmp_path / "none", "--data", tmp_path / "new").exit_code == 2
    assert not (tmp_path / "new").exists()


def test_restore_over_a_ledger_is_refused(data, tmp_path):
    """Nothing is ever written over."""
    assert run("backup", tmp_path / "l", "--data", data, "--plain").exit_code == 0
    result = run("restore", tmp_path / "l", "--data", data)
    assert isinstance(result.exception, Fenced)


def test_backup_of_a_ledger_with_findings_is_refused(data, tmp_path):
    """A copy of a damaged ledger is not called a backup."""
    break_balance(data)
    result = run("backup", tmp_path / "l", "--data", data)
    assert isinstance(result.exception, Damaged)
    assert not (tmp_path / "l").exists()


def test_migrate_says_what_it_did(data, tmp_path):
    """Nothing to do is an answer; no ledger is a mistake."""
    assert run("migrate", "--data", data).stdout == "already at the newest schema\n"
    assert json.loads(run("migrate", "--data", data, "--json").stdout) == {"steps": []}
    result = run("migrate", "--data", tmp_path / "none")
    assert result.exit_code == 2
    assert not (tmp_path / "none").exists()
