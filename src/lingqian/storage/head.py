"""Published heads: the head of every lane's chain, written outside the database (链头公布).

Law: a journal shorter than its last published head, or with another head at that place, is never
started silently. Each line ends in a digest over itself and the digest before it, so a line that
was changed or removed shows; only the last line may be torn, by a crash, and that is said.
"""

import os
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from lingqian.kernel.clock import rfc3339
from lingqian.kernel.fault import Damaged
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.port import Connection, LaneRow

NAME: Final = "heads.log"
PUBLISH_S: Final = 1
_LOOK_S: Final = 0.05
_VERSION: Final = "v1"
_DIGEST_CHARS: Final = 16
_START: Final = "0" * _DIGEST_CHARS
_TAIL_BYTES: Final = 65_536
_TAIL_LINES: Final = 512
SELECT_LANES: Final = "SELECT lane, epoch, next_seq, batch_id, head, at_us FROM lanes ORDER BY lane"
SELECT_HEAD: Final = "SELECT head FROM seals WHERE lane = ? AND last_seq = ?"
SELECT_END: Final = "SELECT COALESCE(max(last_seq), 0) FROM seals WHERE lane = ?"


class Head(NamedTuple):
    """One published line: a lane's chain had this head after this row; `at` is real time."""

    lane: int
    epoch: int
    seq: int
    head: bytes
    at: str


class HeadLine(NamedTuple):
    """A line as read: its number, the head, and what is wrong with it, if anything."""

    number: int
    head: Head | None
    fault: str


class Logs(NamedTuple):
    """The logs of published heads that are at hand: each process of a ledger writes its own.

    `is_all` says that there is no other one, so that a lane in none of them was never published.
    """

    paths: tuple[Path, ...]
    is_all: bool


def _digest(before: str, text: str) -> str:
    return sha256(f"{before} {text}".encode()).hexdigest()[:_DIGEST_CHARS]


def _parse(text: str) -> tuple[Head, str] | None:
    """Return the head of a line and its digest, or None when the line has another form."""
    words = text.split(" ")
    if len(words) != 7 or words[0] != _VERSION:
        return None
    if len(words[4]) != 2 * sha256().digest_size or len(words[6]) != _DIGEST_CHARS:
        return None
    try:
        lane, epoch, seq = int(words[1]), int(words[2]), int(words[3])
        head = bytes.fromhex(words[4])
    except ValueError:
        return None
    return Head(lane, epoch, seq, head, words[5]), words[6]


def log_size(path: Path) -> int:
    """Return how long a log is now; an audit that runs beside a writer reads no further."""
    return path.stat().st_size if path.exists() else 0


def read_heads(path: Path, bytes_max: int) -> Iterator[HeadLine]:
    """Yield every whole line with what is wrong with it; a removed line shows at the next."""
    if not path.exists():
        return
    before = _START
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            bytes_max -= len(line)
            if bytes_max < 0 or not line.endswith(b"\n"):
                return
            text = line[:-1].decode("ascii", "replace")
            parsed = _parse(text)
            if parsed is None:
                yield HeadLine(number, None, "cannot be read")
                continue
            head, digest = parsed
            fits = digest == _digest(before, text[: -_DIGEST_CHARS - 1])
            yield HeadLine(number, head, "" if fits else "does not follow the line before it")
            before = digest


class HeadLog:
    """Appends heads to `heads.log`; belongs to the thread that ticks.

    The first publishing after an opening writes every lane, so that the last heads of all lanes
    are never further from the end than one life of the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._published: dict[int, bytes] = {}
        self.was_torn = cut_torn(path)
        last = next(_backwards(path), None)
        self._digest = _START if last is None else last[1]

    @property
    def path(self) -> Path:
        """Where the log lies."""
        return self._path

    def publish(self, rows: Iterable[LaneRow], at_us: int) -> int:
        """Append one line for each lane whose head has changed, durably; return how many.

        Units: at_us is real time in microseconds, for people; ledger time stands in the journal.
        Raises: OSError when nothing could be written; the next call tries the same heads again.
        """
        digest, lines, heads = self._digest, [], {}
        for row in rows:
            if row.next_seq == 1 or self._published.get(row.lane) == row.head:
                continue
            text = _written(row, at_us)
            digest = _digest(digest, text)
            lines.append(f"{text} {digest}\n")
            heads[row.lane] = row.head
        if lines:
            self._append("".join(lines))
            # Only now: a line that was not written must not be the one the next one follows.
            self._digest = digest
            self._published.update(heads)
        return len(lines)

    def _append(self, text: str) -> None:
        is_new = not self._path.exists()
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            try:
                _write(handle, text.encode("ascii"))
            except OSError:
                os.ftruncate(handle, size)  # half a line would be taken for a changed one
                raise
        finally:
            os.close(handle)
        if is_new:
            sync_folder(self._path.parent)


def _written(row: LaneRow, at_us: int) -> str:
    seq = row.next_seq - 1
    return f"{_VERSION} {row.lane} {row.epoch} {seq} {row.head.hex()} {rfc3339(at_us)}"


def _write(handle: int, line: bytes) -> None:
    while line:
        line = line[os.write(handle, line) :]
    os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Make a name in a folder durable; systems that cannot open folders do it by themselves."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lane_rows(connection: Connection) -> list[LaneRow]:
    """Return every lane's row, for publishing and for checks."""
    return [LaneRow(*row) for row in connection.execute(SELECT_LANES)]


def cut_torn(path: Path) -> bool:
    """Remove a last line that a crash has torn; say whether there was one.

    Such a line was never durable as a whole, so nobody was ever told that it was published.
    """
    if not is_torn(path):
        return False
    with path.open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) - len(_torn_bytes(path)))
        os.fsync(file.fileno())
    return True


def is_torn(path: Path) -> bool:
    """Say whether the last line has no end: written by a crash, or being written now."""
    return bool(_torn_bytes(path))


def _torn_bytes(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return file.read().rpartition(b"\n")[2]


def _backwards(path: Path) -> Iterator[tuple[Head, str]]:
    """Yield whole lines that can be read, the last first, with their digests."""
    if not path.exists():
        return
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END) - len(_torn_bytes(path))
        rest = b""
        while end:
            start = max(0, end - _TAIL_BYTES)
            file.seek(start)
            lines = (file.read(end - start) + rest).split(b"\n")
            # The first piece may begin in the block before.
            rest = lines.pop(0) if start else b""
            for line in reversed(lines):
                parsed = _parse(line.decode("ascii", "replace"))
                if parsed is not None:
                    yield parsed
            end = start


def last_heads(path: Path, lanes: Iterable[int]) -> dict[int, Head]:
    """Return the last published head of each lane, reading from the end."""
    missing = set(lanes)
    heads: dict[int, Head] = {}
    for count, (head, _) in enumerate(_backwards(path)):
        if head.lane not in heads:
            heads[head.lane] = head
            missing.discard(head.lane)
        # A few hundred lines at least: they may name lanes that the database has lost.
        if not missing and count >= _TAIL_LINES:
            break
    return heads


def check_tail(connection: Connection, path: Path) -> list[Finding]:
    """Compare each lane with its last published head; empty when the file has lost nothing.

    For every start: a few reads, however long the journal is. `check_heads` compares every line.
    Raises: Damaged when the pages that hold the heads cannot be read.
    """
    try:
        heads = last_heads(path, [row.lane for row in lane_rows(connection)])
        found = [check_head(connection, head) for head in heads.values()]
        return [*_absent(connection, heads), *[each for each in found if each is not None]]
    except apsw.CorruptError as error:
        raise Damaged(f"the ledger is damaged ({error}); restore a backup of it") from error


def _published(connection: Connection, paths: Iterable[Path]) -> set[int]:
    """Return the lanes that have a head in any of some logs."""
    lanes = [row.lane for row in lane_rows(connection)]
    return {lane for path in paths for lane in last_heads(path, lanes)}


def absent(connection: Connection, paths: Iterable[Path]) -> Iterator[Finding]:
    """Yield every lane that has rows and no head in any of some logs."""
    return _absent(connection, _published(connection, paths))


def _absent(connection: Connection, lanes: Container[int]) -> Iterator[Finding]:
    for row in lane_rows(connection):
        if row.next_seq > 1 and row.lane not in lanes:
            words = f"lane {row.lane} has {row.next_seq - 1} rows and no head of it was published"
            yield Finding(FindingKind.HEAD_ABSENT, "lanes", row.lane, 0, "", words)


def check_head(connection: Connection, head: Head) -> Finding | None:
    """Compare one published head with the seal at its place."""
    row = connection.execute(SELECT_HEAD, (head.lane, head.seq)).fetchone()
    if row is not None and row[0] == head.head:
        return None
    (end,) = connection.execute(SELECT_END, (head.lane,)).fetchone()
    if end < head.seq:
        words = (
            f"lane {head.lane}: rows {end + 1} to {head.seq} are lost; "
            f"their head was published at {head.at}"
        )
        return Finding(FindingKind.HEAD_BEYOND, "journal", head.lane, end + 1, "", words)
    stored = "no batch ends there" if row is None else f"stored is {row[0].hex()}"
    words = (
        f"lane {head.lane}, row {head.seq}: published at {head.at} was {head.head.hex()}; {stored}"
    )
    return Finding(FindingKind.HEAD_DIFFERS, "seals", head.lane, head.seq, "", words)


def await_heads(connection: Connection, paths: Sequence[Path]) -> None:
    """Give a wallet that runs beside us the time it has to publish the first head of a lane.

    Returns at once when every lane with rows has one, and after twice that time anyway: what is
    missing then is a finding, not haste.
    """
    end = time.monotonic() + 2 * PUBLISH_S
    while any(absent(connection, paths)) and time.monotonic() < end:
        time.sleep(_LOOK_S)


def check_heads(connection: Connection, path: Path, bytes_max: int) -> Iterator[Finding]:
    """Compare every published line of the only log there is; a lane without any is a finding."""
    yield from absent(connection, (path,))
    yield from check_lines(connection, path, bytes_max)


def check_lines(connection: Connection, path: Path, bytes_max: int) -> Iterator[Finding]:
    """Compare every published line; name each lane's first that differs and the rows in doubt."""
    fits: dict[int, int] = {}
    broken: dict[int, Finding] = {}
    for line in read_heads(path, bytes_max):
        if line.fault:
            words = f"line {line.number} {line.fault}"
            yield Finding(FindingKind.HEAD_LINE, path.name, 0, 0, str(line.number), words)
        head = line.head
        if head is None or not _may_say_more(broken.get(head.lane)):
            continue
        finding = check_head(connection, head)
        if finding is None:
            fits[head.lane] = head.seq
        else:
            broken[head.lane] = finding
    for lane, finding in broken.items():
        first = fits.get(lane, 0) + 1
        yield finding._replace(
            words=f"{finding.words}; everything after row {first - 1} is in doubt"
        )


def _may_say_more(finding: Finding | None) -> bool:
    """Say whether later lines matter: of a lost tail the last one does, of a change the first."""
    return finding is None or finding.kind == FindingKind.HEAD_BEYOND
