"""Rotation: names move under a new key or cipher, and the ledger does not notice (密钥轮换)."""

import json
import shutil

import apsw
import pytest
from typer.testing import CliRunner

from ledger_case import lived, opened
from lingqian.cli.vault import app
from lingqian.compose import Config, Wallet
from lingqian.storage.audit import audit
from lingqian.storage.reseal import PLACES
from lingqian.storage.vault import open_vault


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A closed data directory; never to be changed."""
    return lived(tmp_path_factory.mktemp("life") / "data")


@pytest.fixture
def data(life, tmp_path):
    """A copy of it."""
    return shutil.copytree(life, tmp_path / "data")


def first_bytes(folder):
    """Return which generation and cipher each place's rows begin with."""
    connection = opened(folder)
    found = {
        (place.table, row[0][0])
        for place in PLACES
        for row in connection.execute(
            f"SELECT {place.column} FROM {place.table} WHERE {place.column} <> x''"
        )
    }
    connection.close()
    return found


def findings(folder):
    """Audit with the keys; return what was found."""
    found = []
    connection = opened(folder)
    audit(connection, heads=folder / "heads.log", vault=open_vault(folder / "keys"),
          emit=found.append)  # fmt: skip
    connection.close()
    return found


def run(*words):
    """Run the command."""
    return CliRunner().invoke(app, [str(word) for word in words])


TABLES = {place.table for place in PLACES}


def test_every_row_moves_under_the_new_key(data):
    """Sealed anew, all of them; the audit, which opens each, finds nothing."""
    assert first_bytes(data) == {(table, 1) for table in TABLES}
    told = run("rotate", "--data", data, "--json")
    assert told.exit_code == 0, told.output
    said = json.loads(told.stdout)
    assert (said["root"], said["fresh"], said["damaged"]) == (2, 0, 0)
    assert first_bytes(data) == {(table, 2) for table in TABLES}
    assert findings(data) == []
    again = json.loads(run("rotate", "--data", data, "--keep-root", "--json").stdout)
    assert again == {"root": None, "resealed": 0, "fresh": said["resealed"], "damaged": 0}


def test_another_cipher_is_a_setting_and_a_rotation(data):
    """SM4 for what is told of people; a wallet opens on it and reads everybody's name."""
    (data / "lingqian.toml").write_text('personal_cipher = "sm4-gcm"\n')
    assert run("rotate", "--data", data, "--keep-root").exit_code == 0
    assert first_bytes(data) == {(table, 0x81) for table in TABLES}
    assert findings(data) == []


def test_a_row_that_does_not_open_is_told_and_left(data):
    """It is for the audit and a person; the others are moved all the same."""
    connection = apsw.Connection(str(data / "ledger.db"))
    connection.execute("UPDATE devices SET name_sealed = CAST(x'01' || randomblob(40) AS BLOB)")
    connection.close()
    told = run("rotate", "--data", data)
    assert (told.exit_code, "do not open" in told.output) == (1, True)
    assert ("passkeys", 2) in first_bytes(data)


def test_a_running_house_is_not_rotated(tmp_path):
    """Its process would go on sealing with the old key."""
    wallet = Wallet(tmp_path, Config())
    try:
        assert run("rotate", "--data", tmp_path).exit_code == 1
    finally:
        wallet.close()
    assert run("rotate", "--data", tmp_path / "nothing").exit_code == 2
