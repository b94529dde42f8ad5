"""Whoever shares the machine does not share the ledger: its files are their owner's alone."""

import os
import stat
from contextlib import closing

import pytest

from lingqian.compose import DATABASE, Config, Wallet
from lingqian.storage.keyring import add_key, open_beside

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of this kind are POSIX's")


def rights(path):
    """Return the rights of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("is_key_first", [True, False], ids=["key new first", "serve first"])
def test_the_ledger_can_be_read_by_its_owner_only(tmp_path, is_key_first):
    """Also in a folder that somebody made for it, with the rights that folders usually have."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    if is_key_first:
        with closing(open_beside(folder / DATABASE)) as connection:
            add_key(connection, "shop", frozenset())
    wallet = Wallet(folder, Config())
    (made,) = wallet.intake.ask_many([wallet.desk.register("amy", "Amy", 3)])
    made.result(10)
    found = {path.name: rights(path) for path in folder.glob(f"{DATABASE}*")}
    wallet.close()
    assert set(found) == {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
    assert set(found.values()) == {0o600}


def test_a_folder_made_for_the_ledger_is_its_owners(tmp_path):
    """Whichever command comes first."""
    with closing(open_beside(tmp_path / "data" / DATABASE)):
        assert rights(tmp_path / "data") == 0o700
