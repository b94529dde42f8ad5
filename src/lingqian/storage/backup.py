"""Backup and restore: an audited copy, encrypted, read back before it counts (备份与恢复).

Law: a copy is a snapshot; it is audited, written durably, and read back. Keys never travel with it.
A restore goes into a folder without a ledger, and a ledger older than the published heads is
accepted only by a person who has read what is lost.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lingqian.kernel.fault import Damaged, Fenced
from lingqian.storage.archive import (
    FRAME_BYTES,
    Keyring,
    Lock,
    checksum_of,
    read_archive,
    write_archive,
)
from lingqian.storage.audit import audit
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.head import (
    HeadLog,
    check_heads,
    lane_rows,
    log_size,
    sync_folder,
)
from lingqian.storage.port import Connection
from lingqian.storage.session import end_sessions
from lingqian.storage.sqlite import SqliteStore, connect
from lingqian.storage.vault import Vault

Tick = Callable[[str, int, int], None]

_STEP_PAGES: Final = 2_048
_VERSION: Final = 1
_KIND_LEDGER: Final = "ledger"
_KIND_KEYS: Final = "keys"
_KEYS_PATTERN: Final = "root-*.key"
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


class HeadRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a lane stood in the snapshot."""

    lane: int
    epoch: int
    seq: int
    head: bytes


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first frame of an archive: what it holds. `made_at` is real time, RFC 3339."""

    version: int
    kind: str
    made_at: str
    size: int
    digest: bytes
    heads: tuple[HeadRow, ...] = ()
    files: tuple[tuple[str, int], ...] = ()


class Backed(NamedTuple):
    """What a backup wrote: where, how much, its checksum, and whether it was read back whole."""

    path: Path
    size: int
    rows: int
    checksum: bytes
    is_rehearsed: bool


class Restored(NamedTuple):
    """What a restore brought back, and what of the published history it lacks."""

    rows: int
    made_at: str
    lost: tuple[str, ...]


class Source(NamedTuple):
    """What is backed up: a ledger, its published heads and, where at hand, its keys."""

    database: Path
    heads: Path
    vault: Vault | None


def back_up(source: Source, target: Path, lock: Lock, *, made_at: str, tick: Tick) -> Backed:
    """Copy a running ledger, audit the copy, encrypt it, read it back.

    Raises: Damaged when the audit finds anything; then nothing is written.
    """
    heads_bytes = log_size(source.heads)
    with tempfile.TemporaryDirectory(dir=source.database.parent, prefix=".backup-") as folder:
        copy = Path(folder) / "copy.db"
        _copy(source.database, copy, tick)
        with open_copy(copy) as connection:
            rows = _audit_copy(connection, source, heads_bytes, tick)
            heads = tuple(
                HeadRow(row.lane, row.epoch, row.next_seq - 1, row.head)
                for row in lane_rows(connection)
            )
        size, digest = copy.stat().st_size, _digest(copy)
        manifest = Manifest(_VERSION, _KIND_LEDGER, made_at, size, digest, heads)
        parts = _parts(copy, lambda done: tick("encrypting", done, size))
        checksum = write_archive(target, lock, manifest, parts)
    return Backed(target, size, rows, checksum, _rehearse(target, lock, source.vault))


class open_copy:  # noqa: N801 - used as a verb, in a with statement
    """Open a copy nobody else has, for reading; closes it."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(str(path))

    def __enter__(self) -> Connection:
        """Return the connection."""
        return self._connection

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._connection.close(force=True)


def _copy(database: Path, target: Path, tick: Tick) -> None:
    """Copy one snapshot with the engine's own backup, beside whoever writes."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(handle)
    source, copy = connect(str(database), readonly=True), connect(str(target))
    try:
        # The open transaction holds the snapshot: a writer can not make the copy start again.
        source.execute("BEGIN; SELECT count(*) FROM sqlite_schema")
        with copy.backup("main", source, "main") as work:
            while not work.done:
                work.step(_STEP_PAGES)
                tick("copying", work.page_count - work.remaining, work.page_count)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
        source.close(force=True)


def _audit_copy(connection: Connection, source: Source, heads_bytes: int, tick: Tick) -> int:
    """Audit a copy; return its rows.

    Raises: Damaged, with the first findings in words.
    """
    found: list[Finding] = []
    total = sum(row.next_seq - 1 for row in lane_rows(connection))
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        tick("auditing", done, total)

    # Heads are compared by hand: those published after the copy belong to rows it does not have.
    summary = audit(connection, heads=None, vault=source.vault, emit=found.append, tick=advance)
    found += check_heads(connection, source.heads, heads_bytes)
    # A ledger that was never started beside its log has published nothing; that is no loss.
    found = [each for each in found if each.kind != FindingKind.HEAD_ABSENT]
    if found:
        words = "; ".join(each.words for each in found[:3])
        raise Damaged(f"the copy has {len(found)} findings, nothing was written: {words}")
    return summary.rows


def _digest(path: Path) -> bytes:
    digest = sha256()
    for part in _parts(path, _ignore):
        digest.update(part)
    return digest.digest()


def _ignore(done: int) -> None:
    del done


def _parts(path: Path, tick: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while part := file.read(FRAME_BYTES):
            yield part
            done += len(part)
            tick(done)


def _rehearse(target: Path, lock: Lock, vault: Vault | None) -> bool:
    """Read an archive back as a restore would; one for a recipient only by its checksum.

    Raises: Damaged.
    """
    if lock.name in {"plain", "vault"}:
        for _ in open_archive(target, Keyring(vault=vault), _KIND_LEDGER)[1]:
            pass
        return True
    if not checksum_of(target):
        raise Damaged(f"{target} does not fit its checksum")
    return False


def open_archive(path: Path, keyring: Keyring, kind: str) -> tuple[Manifest, Iterator[bytes]]:
    """Open an archive of a kind: its manifest, and its data, which end in a check.

    Raises: Damaged, at once or while the data are read.
    """
    frames = read_archive(path, keyring)
    try:
        manifest = msgspec.msgpack.decode(next(frames, b""), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"the archive's manifest cannot be read: {error}") from error
    if manifest.kind != kind or manifest.version != _VERSION:
        raise Damaged(f"the archive holds {manifest.kind} {manifest.version}, not {kind}")
    return manifest, _checked(manifest, frames)


def _checked(manifest: Manifest, frames: Iterator[bytes]) -> Iterator[bytes]:
    digest, size = sha256(), 0
    for part in frames:
        digest.update(part)
        size += len(part)
        yield part
    if size != manifest.size or digest.digest() != manifest.digest:
        raise Damaged("the archive does not hold what its manifest says")


# --- restore ----------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a ledger is restored: names inside a data directory."""

    database: Path
    heads: Path


def restore(  # noqa: PLR0913 - what a restore must be told, by name
    archive: Path,
    place: Place,
    keyring: Keyring,
    *,
    vault: Vault | None,
    accepts_loss: bool,
    at_us: int,
    tick: Tick,
) -> Restored:
    """Bring a ledger back into a folder that has none: checked, audited, opened, then named.

    Raises: Damaged when the archive or its ledger is; Fenced when the folder has a ledger, or the
    heads published there are newer and the loss was not accepted.
    """
    # A log left by another database would be applied to this one when it is opened.
    for name in (place.database, *place.database.parent.glob(place.database.name + "-*")):
        if name.exists():
            raise Fenced(f"{name} exists; restore into a folder without a ledger")
    part = place.database.with_name(place.database.name + ".part")
    try:
        manifest = _unpack(archive, part, keyring, tick)
        with open_copy(part) as connection:
            source = Source(part, Path(os.devnull), vault)
            rows = _audit_copy(connection, source, 0, tick)
            lost = _compare_heads(connection, place.heads, accepts_loss=accepts_loss)
        _open_as_wallet(part, at_us)
        part.replace(place.database)
        sync_folder(place.database.parent)
    finally:
        for name in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
    _publish(place, is_new=bool(lost), at_us=at_us)
    return Restored(rows, manifest.made_at, lost)


def _unpack(archive: Path, part: Path, keyring: Keyring, tick: Tick) -> Manifest:
    manifest, data = open_archive(archive, keyring, _KIND_LEDGER)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    done = 0
    with os.fdopen(handle, "wb") as file:
        for piece in data:
            if not done and not piece.startswith(_SQLITE_MAGIC):
                raise Damaged("the archive holds no database")
            file.write(piece)
            done += len(piece)
            tick("decrypting", done, manifest.size)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _compare_heads(connection: Connection, heads: Path, *, accepts_loss: bool) -> tuple[str, ...]:
    """Compare with what was published in this folder; return what is lost, in words.

    Raises: Fenced when something is lost and that was not accepted; Damaged for another history.
    """
    found = list(check_heads(connection, heads, log_size(heads))) if heads.exists() else []
    others = [each.words for each in found if each.kind in _OTHER_HISTORY]
    if others:
        raise Damaged(f"this folder published another history: {'; '.join(others)}")
    lost = tuple(each.words for each in found if each.kind == FindingKind.HEAD_BEYOND)
    if lost and not accepts_loss:
        raise Fenced(f"the archive is older than what was published here: {'; '.join(lost)}")
    return lost


_OTHER_HISTORY: Final = frozenset({FindingKind.HEAD_DIFFERS, FindingKind.HEAD_LINE})


def _open_as_wallet(path: Path, at_us: int) -> None:
    """Open the copy as a wallet does, and bring it to this program's schema.

    Sessions end: what was revoked or renewed since the backup would be good once more.
    Raises: Damaged when it is newer than this program.
    """
    store = SqliteStore(path)
    store.chore(lambda connection: end_sessions(connection, at_us))
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _publish(place: Place, *, is_new: bool, at_us: int) -> None:
    """Publish the restored heads; a log that knows of lost rows is kept beside the new one."""
    if is_new:
        kept = place.heads.with_name(f"{place.heads.name}.before-{at_us}")
        place.heads.rename(kept)
    log = HeadLog(place.heads)
    with open_copy(place.database) as connection:
        log.publish(lane_rows(connection), at_us)
    sync_folder(place.heads.parent)


# --- keys -------------------------------------------------------------------------------------


def back_up_keys(folder: Path, target: Path, lock: Lock, *, made_at: str) -> int:
    """Write the key folder into an archive of its own; return how many keys.

    Raises: Damaged when there is none.
    """
    files = sorted(folder.glob(_KEYS_PATTERN))
    if not files:
        raise Damaged(f"{folder} has no keys")
    texts = [file.read_bytes() for file in files]
    data = b"".join(texts)
    names = tuple((file.name, len(text)) for file, text in zip(files, texts, strict=True))
    digest = sha256(data).digest()
    manifest = Manifest(_VERSION, _KIND_KEYS, made_at, len(data), digest, files=names)
    write_archive(target, lock, manifest, iter((data,)))
    return len(files)


def restore_keys(archive: Path, folder: Path, keyring: Keyring) -> int:
    """Bring keys back into a folder that has none; return how many.

    Raises: Damaged when the archive is; Fenced when there are keys.
    """
    if any(folder.glob(_KEYS_PATTERN)):
        raise Fenced(f"{folder} has keys; they are never written over")
    manifest, parts = open_archive(archive, keyring, _KIND_KEYS)
    data = b"".join(parts)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, size in manifest.files:
        text, data = data[:size], data[size:]
        if not Path(name).match(_KEYS_PATTERN) or Path(name).name != name:
            raise Damaged(f"{name!r} is no name of a key")
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(folder)
    return len(manifest.files)
