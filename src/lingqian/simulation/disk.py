"""A disk in memory that knows what was synced: power cuts, kills and faults on demand (模拟磁盘).

Law: after a power cut every byte that a sync has covered is there; of every write since, any part
may be, in any order. A killed process leaves what it wrote. An old process never touches the disk
again. Not modelled: a failed sync after which the system forgets that pages were dirty; folders
whose changes reach the disk later than a sync that follows them.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from random import Random
from typing import Any, Final, NamedTuple

import apsw

SECTOR_BYTES: Final = 512
_PAGE_BYTES: Final = 4_096
_NEVER: Final = 2**62


class Trouble(IntEnum):
    """What may happen at a write point, which is a write, a truncation, a deletion or a sync."""

    POWER_CUT = 1
    KILL = 2
    LOST = 3
    TORN = 4
    LATE = 5
    FULL = 6


DEADLY: Final = (Trouble.POWER_CUT, Trouble.KILL)


class Plan(NamedTuple):
    """A trouble at the write points `first` … `last`, counted from now.

    LOST fails and does nothing, TORN does a part, LATE does all and fails nevertheless; FULL fails
    only what makes a file grow. A deadly trouble needs no end: nothing works after it.
    """

    trouble: Trouble
    first: int
    last: int


class Change(NamedTuple):
    """A change since the last sync, with what is needed to take it back.

    `after` is None for a change of length; its new length is then `offset`.
    """

    offset: int
    size_before: int
    before: bytes
    after: bytes | None


class File:
    """A file: what a process reads now, and the changes that no sync has covered."""

    __slots__ = ("content", "is_named", "pending")

    def __init__(self) -> None:
        self.content = bytearray()
        self.pending: list[Change] = []
        # Whether a power cut leaves the name in its folder: true from the first sync on.
        self.is_named = False

    def write(self, data: bytes, offset: int) -> None:
        """Put bytes at a place, with zeros in a gap before it."""
        content = self.content
        size, end = len(content), offset + len(data)
        self.pending.append(Change(offset, size, bytes(content[offset:end]), data))
        if offset > size:
            content.extend(bytes(offset - size))
        content[offset:end] = data

    def resize(self, size: int) -> None:
        """Cut the file, or lengthen it with zeros."""
        content = self.content
        self.pending.append(Change(size, len(content), bytes(content[size:]), None))
        del content[size:]
        content.extend(bytes(size - len(content)))

    def sync(self) -> None:
        """Make every change so far survive a power cut."""
        self.pending.clear()
        self.is_named = True

    def lose(self, chance: Random) -> tuple[int, int]:
        """Go through a power cut: of what was not synced, keep what chance keeps.

        Return how many changes were lost and how many writes were torn.
        """
        pending, self.pending = self.pending, []
        for change in reversed(pending):
            self._undo(change)
        kept = _survivors(pending, chance)
        torn = 0
        for change in kept:
            if change.after is None:
                self.resize(change.offset)
            elif chance.randrange(4):
                self.write(change.after, change.offset)
            else:
                sectors = -(-len(change.after) // SECTOR_BYTES)
                self.write(change.after[: chance.randrange(sectors) * SECTOR_BYTES], change.offset)
                torn += 1
        self.pending.clear()
        return len(pending) - len(kept), torn

    def _undo(self, change: Change) -> None:
        content = self.content
        content[change.offset : change.offset + len(change.before)] = change.before
        del content[change.size_before :]


def _survivors(pending: list[Change], chance: Random) -> list[Change]:
    """Choose what reached the platter: nothing, a first part, or any of them."""
    style = chance.randrange(3)
    if style == 0:
        return []
    if style == 1:
        return pending[: chance.randrange(len(pending) + 1)]
    return [change for change in pending if chance.randrange(2)]


@contextmanager
def quiet() -> Iterator[None]:
    """Hush what the engine swallows: an error of the disk that it decides to live with."""
    loud = sys.unraisablehook

    def hook(event: Any) -> None:  # noqa: ANN401 - the interpreter's own type has no name
        if not isinstance(event.exc_value, apsw.Error):
            loud(event)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = loud


class Disk:
    """A file system that outlives the processes that mount it; starts empty and healthy."""

    def __init__(self, name: str, chance: Random) -> None:
        self.name = name
        self.files: dict[str, File] = {}
        self.points = 0
        self.struck = 0
        self.events: Counter[str] = Counter()
        self.is_dead = False
        self.generation = 0
        self._chance = chance
        self._deleted: dict[str, File] = {}
        self._mounts: list[Mount] = []
        self._trouble = Trouble.KILL
        self._first = self._last = _NEVER

    # --- what the world does with it ---

    def arm(self, plan: Plan) -> None:
        """Let a trouble happen at write points to come."""
        self._trouble = plan.trouble
        self._first, self._last = self.points + plan.first, self.points + plan.last

    def disarm(self) -> None:
        """Forget a trouble that has not happened yet, or let one that lasts end."""
        self._first = self._last = _NEVER

    def kill(self) -> None:
        """End the process that used the disk; what it wrote is there for the next."""
        self.is_dead = False
        self.generation += 1
        self.disarm()

    def cut_power(self) -> None:
        """Let the power fail: what was not synced survives by chance, or does not."""
        self.kill()
        for name, file in self._deleted.items():
            if name not in self.files and self._chance.randrange(2):
                self.files[name] = file
        self._deleted.clear()
        for name, file in list(self.files.items()):
            lost, torn = file.lose(self._chance)
            self.events["power cut that lost writes"] += lost > 0
            self.events["power cut that tore a write"] += torn > 0
            if not file.is_named and self._chance.randrange(2):
                del self.files[name]

    def mount(self) -> str:
        """Give a new process its door to the disk; return the name the engine opens it by."""
        mount = Mount(self, f"{self.name}-{len(self._mounts)}")
        self._mounts.append(mount)
        return mount.name

    def close(self) -> None:
        """Take every door away; nobody has a file open any more."""
        for mount in self._mounts:
            mount.unregister()
        self._mounts.clear()

    # --- what mounts do with it ---

    def delete(self, name: str, *, is_lasting: bool) -> None:
        """Remove a file; until the next sync of any file a power cut may bring it back."""
        file = self.files.pop(name, None)
        if file is not None and not is_lasting:
            self._deleted[name] = file

    def sync(self, file: File) -> None:
        """Make a file's changes last, and with them every deletion before: folders are ordered."""
        file.sync()
        self._deleted.clear()

    def strike(self) -> Trouble | None:
        """Pass a write point; return the trouble that happens there, if one does."""
        self.points += 1
        if not self._first <= self.points <= self._last:
            return None
        self.struck += 1
        self.is_dead = self._trouble in DEADLY
        return self._trouble


class Mount(apsw.VFS):
    """One process's door to the disk; it opens nothing any more once that process is gone."""

    def __init__(self, disk: Disk, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self._disk = disk
        self._generation = disk.generation

    def excepthook(self, kind: object, error: object, trace: object) -> bool:
        """Say nothing: what the engine cannot report, the process that is gone need not hear."""
        del kind, error, trace
        return True

    def check(self) -> None:
        """Stop a process that is gone.

        Raises: apsw.IOError.
        """
        if self._disk.is_dead or self._disk.generation != self._generation:
            raise _failure(apsw.SQLITE_IOERR, "the process is gone")

    def strike(self) -> Trouble | None:
        """Pass a write point; return the trouble that happens there, if one does.

        Raises: apsw.IOError when the process is gone.
        """
        self.check()
        return self._disk.strike()

    def xOpen(  # type: ignore[override]  # noqa: N802 - any object with a file's methods will do
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "Handle":
        """Open or make a file; without a name, one that nobody else sees and no trouble meets."""
        self.check()
        flags[1] = flags[0]
        if name is None:
            return Handle(self, self._disk, File(), is_scratch=True)
        text = name if isinstance(name, str) else name.filename()
        file = self._disk.files.get(text)
        if file is None:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(f"{text} is not there")
            file = self._disk.files[text] = File()
        return Handle(self, self._disk, file)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802 - the engine's
        """Remove a file, or meet the trouble planned for this point."""
        if self.strike():
            raise _failure(apsw.SQLITE_IOERR_DELETE, "a deletion failed")
        self._disk.delete(filename, is_lasting=syncdir)

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802 - the engine's name
        """Say whether a file is there."""
        del flags
        return pathname in self._disk.files

    def xFullPathname(self, name: str) -> str:  # noqa: N802 - the engine's name
        """Return the name: the disk has one folder."""
        return name

    def xSleep(self, microseconds: int) -> int:  # noqa: N802 - the engine's name
        """Sleep no one."""
        return microseconds

    def xGetLastError(self) -> tuple[int, str]:  # noqa: N802 - the engine's name
        """Say nothing beyond the exception."""
        return 0, ""


class Handle:
    """One process's open file; useless once that process is gone."""

    __slots__ = ("_disk", "_file", "_is_scratch", "_mount")

    def __init__(self, mount: Mount, disk: Disk, file: File, *, is_scratch: bool = False) -> None:
        self._mount = mount
        self._disk = disk
        self._file = file
        self._is_scratch = is_scratch

    def excepthook(self, kind: object, error: object, trace: object) -> bool:
        """Say nothing: what the engine cannot report, the process that is gone need not hear."""
        del kind, error, trace
        return True

    def _strike(self) -> Trouble | None:
        if self._is_scratch:
            return None
        return self._mount.strike()

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - the engine's name
        """Read what is there; the engine fills the rest with zeros."""
        self._mount.check()
        return bytes(self._file.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - the engine's name
        """Write, or meet the trouble planned for this point."""
        trouble, file = self._strike(), self._file
        if trouble is None:
            file.write(bytes(data), offset)
            return
        grows = offset + len(data) > len(file.content)
        if trouble == Trouble.FULL:
            if grows:
                self._disk.events["disk full"] += 1
                raise _failure(apsw.SQLITE_FULL, "the disk is full")
            file.write(bytes(data), offset)
            return
        if trouble == Trouble.TORN:
            file.write(bytes(data[: len(data) // 2]), offset)
        elif trouble != Trouble.LOST:
            file.write(bytes(data), offset)
        self._disk.events["write failed"] += 1
        raise _failure(apsw.SQLITE_IOERR_WRITE, "a write failed")

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - the engine's name
        """Set the length, or meet the trouble planned for this point."""
        trouble = self._strike()
        if trouble is None or trouble in (Trouble.LATE, Trouble.FULL, *DEADLY):
            self._file.resize(newsize)
        if trouble not in (None, Trouble.FULL):
            raise _failure(apsw.SQLITE_IOERR_TRUNCATE, "a truncation failed")

    def xSync(self, flags: int) -> None:  # noqa: N802 - the engine's name
        """Sync, or meet the trouble planned for this point."""
        del flags
        trouble = self._strike()
        if trouble in (None, Trouble.LATE, Trouble.FULL):
            self._disk.sync(self._file)
        if trouble not in (None, Trouble.FULL):
            raise _failure(apsw.SQLITE_IOERR_FSYNC, "a sync failed")

    def xFileSize(self) -> int:  # noqa: N802 - the engine's name
        """Return the length."""
        self._mount.check()
        return len(self._file.content)

    def xLock(self, level: int) -> None:  # noqa: N802 - the engine's name
        """Lock nothing: the world has one process at a time."""

    def xUnlock(self, level: int) -> None:  # noqa: N802 - the engine's name
        """Unlock nothing."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802 - the engine's name
        """Say that nobody else writes."""
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:  # noqa: N802 - the engine's name
        """Understand no control."""
        del op, pointer
        return False

    def xSectorSize(self) -> int:  # noqa: N802 - the engine's name
        """Return a page, as the engine assumes of ordinary disks."""
        return _PAGE_BYTES

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 - the engine's name
        """Promise what the engine assumes of ordinary disks: a torn write spares its neighbours."""
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self) -> None:  # noqa: N802 - the engine's name
        """Let go."""


def _failure(code: int, words: str) -> apsw.Error:
    error: Any = apsw.FullError(words) if code == apsw.SQLITE_FULL else apsw.IOError(words)
    error.extendedresult = code
    failure: apsw.Error = error
    return failure
