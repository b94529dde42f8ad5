"""Files that broke under a wallet: refused or reported in words, never started silently.

A write-ahead log that was cut, a database that lost its tail, a file that cannot be written, a disk
that is full. Each with the healthy file as control.
"""

import secrets
import shutil

import apsw
import pytest

from ledger_case import LedgerCase, opened
from lingqian.compose import Config, Wallet
from lingqian.kernel.fault import Damaged, Fault, Unknown, Unsent
from lingqian.storage.audit import audit
from lingqian.storage.finding import FindingKind
from lingqian.storage.sqlite import SqliteStore


@pytest.fixture
def crashed(tmp_path):
    """A data directory as a killed wallet leaves it: much of it still in the write-ahead log."""
    running = tmp_path / "running"
    running.mkdir()
    case = LedgerCase(running, 2).live()
    for _ in range(20):
        case.step(*[case.transfer(7) for _ in range(4)])
    folder = tmp_path / "crashed"
    shutil.copytree(running, folder)
    case.close()
    (folder / "ledger.db-shm").unlink()
    return folder


def starts(folder):
    """Start a wallet and stop it again."""
    Wallet(folder, Config(lanes=2)).close()


def findings_of(folder):
    """Audit without keys."""
    found = []
    connection = opened(folder)
    audit(connection, heads=folder / "heads.log", vault=None, emit=found.append)
    connection.close()
    return found


def test_wallet_starts_after_a_crash(crashed):
    """The control: a whole log is taken in, and nothing is lost."""
    starts(crashed)
    assert findings_of(crashed) == []


@pytest.mark.parametrize("tenths", [0, 3, 7])
def test_wallet_refuses_a_log_that_was_cut(crashed, tenths):
    """Rows that were answered and published are gone; the start names them."""
    log = crashed / "ledger.db-wal"
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size * tenths // 10)
    with pytest.raises(Damaged, match=r"rows \d+ to \d+ are lost"):
        starts(crashed)
    assert {each.kind for each in findings_of(crashed)} == {FindingKind.HEAD_BEYOND}


@pytest.mark.parametrize("tenths", [2, 5, 9])
def test_wallet_refuses_a_database_that_lost_its_tail(crashed, tenths):
    """A file shorter than it says is not opened."""
    starts(crashed)
    database = crashed / "ledger.db"
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size * tenths // 10)
    with pytest.raises(Fault):
        starts(crashed)


def test_wallet_refuses_what_is_no_database(crashed):
    """Noise where the ledger was."""
    starts(crashed)
    (crashed / "ledger.db").write_bytes(secrets.token_bytes(100_000))
    with pytest.raises(Fault):
        starts(crashed)


class Hindered(apsw.VFS):
    """A file system on which files cannot be written, or only until a quota is used up."""

    def __init__(self):
        self.name = f"hindered-{secrets.token_hex(8)}"
        self.is_readonly = False
        self.room = 1 << 40
        super().__init__(self.name, "")

    def xOpen(self, name, flags):  # noqa: N802 - the engine's name
        if self.is_readonly and flags[0] & apsw.SQLITE_OPEN_READWRITE:
            if flags[0] & apsw.SQLITE_OPEN_WAL:
                raise apsw.ReadOnlyError
            flags[0] = flags[0] & ~(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
            flags[0] |= apsw.SQLITE_OPEN_READONLY
        return HinderedFile(self, name, flags)


class HinderedFile(apsw.VFSFile):
    """A file that takes from the quota of its file system."""

    def __init__(self, disk, name, flags):
        self.disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data, offset):  # noqa: N802 - the engine's name
        if len(data) > self.disk.room:
            raise apsw.FullError("database or disk is full")
        self.disk.room -= len(data)
        super().xWrite(data, offset)


@pytest.fixture
def disk():
    """A file system that can be hindered."""
    made = Hindered()
    yield made
    made.unregister()


def test_store_refuses_a_file_it_cannot_write(crashed, disk):
    """A read-only ledger is told in words when it is opened, not at the first payment."""
    starts(crashed)
    database = crashed / "ledger.db"
    SqliteStore(database, vfs=disk.name).close()
    disk.is_readonly = True
    with pytest.raises(Fault):
        SqliteStore(database, vfs=disk.name).take([0])


def test_full_disk_answers_nobody_and_loses_nothing(tmp_path, disk):
    """While there is no room no command has an answer; with room the same keys go through once."""
    case = LedgerCase(tmp_path)
    case.store.close()
    case.store = SqliteStore(tmp_path / "ledger.db", vfs=disk.name)
    case.writer._store = case.store
    case.writer.lanes[0]._store = case.store
    case.live()
    before = case.store.connection.execute("SELECT next_seq FROM lanes").fetchone()[0]
    submission = case.transfer(11)
    disk.room = 0
    for _ in range(3):
        with pytest.raises((Unsent, Unknown)):
            case.step(submission)
    disk.room = 1 << 40
    (first,) = case.step(submission)
    (again,) = case.step(submission)
    assert (first.code, first.seq) == (0, before)
    assert (again.seq, again.first.seq) == (0, before)
    case.close()
    assert findings_of(tmp_path) == []


def test_full_disk_is_really_full(tmp_path, disk):
    """The control: the quota is what stops the writes."""
    store = SqliteStore(tmp_path / "ledger.db", vfs=disk.name)
    disk.room = 0
    with pytest.raises(apsw.FullError):
        store.connection.execute("INSERT INTO settings VALUES ('a', 'b')")
    disk.room = 1 << 40
    store.close()
