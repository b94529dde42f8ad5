"""Backups: whole, encrypted, without keys; a restore is checked, and never loses silently."""

import secrets
import threading

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ledger_case import LedgerCase, opened
from lingqian.kernel.fault import Damaged, Fenced
from lingqian.storage import archive
from lingqian.storage.archive import (
    Keyring,
    checksum_of,
    lock_of,
    passphrase_lock,
    plain_lock,
    read_identity,
    read_recipient,
    recipient_lock,
    vault_lock,
    write_archive,
)
from lingqian.storage.backup import (
    Place,
    Source,
    back_up,
    back_up_keys,
    open_archive,
    restore,
    restore_keys,
)
from lingqian.storage.head import last_heads
from lingqian.storage.rebuild import compare
from lingqian.storage.vault import open_vault

MADE_AT = "2026-03-01T04:00:00.000Z"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Many small frames, and a passphrase that is quick to stretch."""
    monkeypatch.setattr(archive, "FRAME_BYTES", 8_192)
    monkeypatch.setattr("lingqian.storage.backup.FRAME_BYTES", 8_192)
    monkeypatch.setattr(archive, "_SCRYPT_COST", 2)


def quiet(words, done, total):
    """Progress that nobody watches, and that never runs past its end."""
    assert 0 <= done <= total, words


def backed_up(folder, target, lock=None):
    """Back a data directory up."""
    vault = open_vault(folder / "keys")
    source = Source(folder / "ledger.db", folder / "heads.log", vault)
    return back_up(source, target, lock or vault_lock(vault), made_at=MADE_AT, tick=quiet)


def restored(target, folder, keyring, *, accepts_loss=False, vault=None):
    """Restore into a folder."""
    folder.mkdir(exist_ok=True)
    place = Place(folder / "ledger.db", folder / "heads.log")
    return restore(
        target, place, keyring, vault=vault, accepts_loss=accepts_loss, at_us=5, tick=quiet
    )


def assert_same(one, two):
    """Both databases hold the same ledger."""
    left, right = opened(one), opened(two)
    assert [check for check in compare(left, right) if not check.is_equal] == []
    left.close()
    right.close()


def test_backup_comes_back_with_the_installations_keys(life, tmp_path):
    """The usual case: the keys were kept apart and are there again."""
    made = backed_up(life, tmp_path / "b")
    assert made.is_rehearsed
    assert lock_of(tmp_path / "b") == "vault"
    vault = open_vault(life / "keys")
    back = restored(tmp_path / "b", tmp_path / "new", Keyring(vault=vault), vault=vault)
    assert (back.rows, back.made_at, back.lost) == (made.rows, MADE_AT, ())
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["heads.log", "ledger.db"]
    assert last_heads(tmp_path / "new" / "heads.log", range(9)), "the heads are published again"
    assert_same(life, tmp_path / "new")


def test_restore_signs_everybody_out(life, tmp_path):
    """A session that was ended or renewed since the backup must not be good once more."""
    backed_up(life, tmp_path / "b")
    vault = open_vault(life / "keys")
    restored(tmp_path / "b", tmp_path / "new", Keyring(vault=vault), vault=vault)
    live = "SELECT count(*) FROM sessions WHERE revoked_at_us = 0"
    waiting = "SELECT count(*) FROM session_links WHERE session_id = x''"
    for folder, found in ((life, True), (tmp_path / "new", False)):
        connection = opened(folder)
        counts = [connection.execute(each).fetchone()[0] > 0 for each in (live, waiting)]
        connection.close()
        assert counts == [found, found]


def test_backup_comes_back_with_a_passphrase(life, tmp_path):
    """Without the installation's keys the money is whole; only sealed texts stay sealed."""
    backed_up(life, tmp_path / "b", passphrase_lock(b"correct horse"))
    with pytest.raises(Damaged, match="does not open with this passphrase"):
        restored(tmp_path / "b", tmp_path / "new", Keyring(passphrase=b"wrong horse"))
    with pytest.raises(Damaged, match="which was not given"):
        restored(tmp_path / "b", tmp_path / "new", Keyring())
    restored(tmp_path / "b", tmp_path / "new", Keyring(passphrase=b"correct horse"))
    assert_same(life, tmp_path / "new")


def test_backup_for_a_recipient_opens_for_nobody_else(life, tmp_path):
    """A machine that makes backups need not be able to read them."""
    identity = X25519PrivateKey.generate()
    public = identity.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made = backed_up(life, tmp_path / "b", recipient_lock(read_recipient(public)))
    assert not made.is_rehearsed
    with pytest.raises(Damaged, match="does not open with this recipient"):
        restored(tmp_path / "b", tmp_path / "new", Keyring(identity=X25519PrivateKey.generate()))
    pem = identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    restored(tmp_path / "b", tmp_path / "new", Keyring(identity=read_identity(pem)))
    assert_same(life, tmp_path / "new")


def test_backup_is_unreadable_unless_plain_was_asked_for(life, tmp_path):
    """The default leaks nothing; the plain one is the control that this test can see."""
    word = b"CREATE TABLE journal"
    backed_up(life, tmp_path / "sealed")
    assert word not in (tmp_path / "sealed").read_bytes()
    backed_up(life, tmp_path / "plain", plain_lock())
    assert word in (tmp_path / "plain").read_bytes()
    restored(tmp_path / "plain", tmp_path / "new", Keyring())
    assert_same(life, tmp_path / "new")


def test_backup_never_holds_the_keys(life, tmp_path):
    """Whoever has the backup of the database must not have what opens it."""
    backed_up(life, tmp_path / "plain", plain_lock())
    data = (tmp_path / "plain").read_bytes()
    for file in (life / "keys").iterdir():
        text = file.read_text().strip()
        assert text.encode() not in data
        assert bytes.fromhex(text) not in data


@pytest.mark.parametrize("lock", ["plain", "sealed"])
def test_archive_shows_every_change(tmp_path, lock):
    """Any flipped bit, cut, swap or added byte is found, before the end is reached or at it."""
    vault = open_vault(tmp_path / "keys")
    path = tmp_path / "a"
    parts = [secrets.token_bytes(60) for _ in range(5)]
    chosen = plain_lock() if lock == "plain" else vault_lock(vault)
    write_archive(path, chosen, {}, iter(parts))
    whole = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        return [*archive.read_archive(path, Keyring(vault=vault))][1:]

    assert read(whole) == parts
    for place in range(len(whole)):
        with pytest.raises(Damaged):
            read(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not checksum_of(path)
        with pytest.raises(Damaged):
            read(whole[:place])
    with pytest.raises(Damaged):
        read(whole + b"\0")


def test_archive_shows_frames_in_another_order(tmp_path):
    """Two whole frames change places, and the checksum is made to fit: the cipher still sees it."""
    vault = open_vault(tmp_path / "keys")
    path = tmp_path / "a"
    parts = [bytes([number]) * 60 for number in range(4)]
    write_archive(path, vault_lock(vault), {}, iter(parts))
    whole = path.read_bytes()
    size = 5 + 60 + 16
    end = len(whole) - 32
    frames = [whole[end - size * n : end - size * (n - 1)] for n in (4, 3, 2, 1)]
    start = whole[: end - size * 4]
    for order in ((1, 0, 2, 3), (0, 1, 3, 2), (0, 1, 3), (0, 1, 2)):
        body = start + b"".join(frames[place] for place in order)
        path.write_bytes(body + archive.sha256(body).digest())
        assert checksum_of(path)
        with pytest.raises(Damaged):
            list(archive.read_archive(path, Keyring(vault=vault)))


def test_archive_is_there_whole_or_not_at_all(tmp_path):
    """A writer that fails in the middle leaves the archive of yesterday."""
    path = tmp_path / "a"
    write_archive(path, plain_lock(), {}, iter([b"yesterday"]))

    def fail():
        yield b"today"
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_archive(path, plain_lock(), {}, fail())
    assert [*archive.read_archive(path, Keyring())][1:] == [b"yesterday"]
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert path.stat().st_mode & 0o077 == 0


def test_backup_refuses_a_ledger_with_findings(data, tmp_path):
    """A copy of a damaged ledger is not called a backup."""
    db = apsw.Connection(str(data / "ledger.db"))
    db.execute("UPDATE accounts SET credits_posted = credits_posted + 1")
    db.close()
    with pytest.raises(Damaged, match="nothing was written"):
        backed_up(data, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert not list(data.glob(".backup-*"))


def test_backup_runs_beside_a_writer(tmp_path):
    """A snapshot is a snapshot: the writer goes on, the copy is of one moment."""
    folder = tmp_path / "data"
    folder.mkdir()
    case = LedgerCase(folder, lanes=2).live()
    is_over = threading.Event()
    made = []

    def copy():
        made.append(backed_up(folder, tmp_path / "b"))
        is_over.set()

    thread = threading.Thread(target=copy)
    thread.start()
    while not is_over.is_set():
        case.step(case.transfer(3))
    thread.join()
    case.close()
    back = restored(tmp_path / "b", tmp_path / "new", Keyring(vault=case.vault), vault=case.vault)
    assert back.rows == made[0].rows


def test_restore_refuses_a_folder_with_a_ledger(life, tmp_path):
    """Nothing is ever written over: not a ledger, and not what a ledger left behind."""
    backed_up(life, tmp_path / "b", plain_lock())
    for name in ("ledger.db", "ledger.db-wal"):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_bytes(b"")
        with pytest.raises(Fenced, match="exists"):
            restored(tmp_path / "b", folder, Keyring())
        assert (folder / name).read_bytes() == b""


def test_restore_says_what_is_lost_and_waits_for_a_yes(tmp_path):
    """An older ledger under newer published heads: refused with the range, or accepted with it."""
    folder = tmp_path / "data"
    folder.mkdir()
    case = LedgerCase(folder).live()
    made = backed_up(folder, tmp_path / "b")
    for _ in range(3):
        case.step(case.transfer(3), case.transfer(4))
    case.close()
    (folder / "ledger.db").unlink()
    lost = f"rows {made.rows + 1} to {made.rows + 6} are lost"
    keyring = Keyring(vault=case.vault)
    with pytest.raises(Fenced, match=lost):
        restored(tmp_path / "b", folder, keyring)
    assert not (folder / "ledger.db").exists()
    log = (folder / "heads.log").read_bytes()
    back = restored(tmp_path / "b", folder, keyring, accepts_loss=True)
    assert lost in back.lost[0]
    assert (folder / "heads.log.before-5").read_bytes() == log
    assert last_heads(folder / "heads.log", [0])[0].seq == made.rows


def test_restore_refuses_another_history(life, tmp_path):
    """A folder that has published other heads is another wallet's; no flag makes them one."""
    folder = tmp_path / "other"
    folder.mkdir()
    LedgerCase(folder).live().close()
    (folder / "ledger.db").unlink()
    backed_up(life, tmp_path / "b", plain_lock())
    with pytest.raises(Damaged, match="another history"):
        restored(tmp_path / "b", folder, Keyring(), accepts_loss=True)


def test_keys_travel_apart_under_a_passphrase(life, tmp_path):
    """Keys come back byte for byte, readable by their owner alone, and never over others."""
    lock = passphrase_lock(b"correct horse")
    assert back_up_keys(life / "keys", tmp_path / "k", lock, made_at=MADE_AT) == 1
    keyring = Keyring(passphrase=b"correct horse")
    assert restore_keys(tmp_path / "k", tmp_path / "keys", keyring) == 1
    for file in (life / "keys").iterdir():
        copy = tmp_path / "keys" / file.name
        assert copy.read_bytes() == file.read_bytes()
        assert copy.stat().st_mode & 0o077 == 0
    with pytest.raises(Fenced, match="never written over"):
        restore_keys(tmp_path / "k", tmp_path / "keys", keyring)
    with pytest.raises(Damaged, match="holds keys"):
        open_archive(tmp_path / "k", keyring, "ledger")
