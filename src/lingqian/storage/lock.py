"""One process per data directory: a second one is refused with a clear message."""

import os
from pathlib import Path
from typing import IO, Final

from lingqian.kernel.fault import Fenced, Unsent

if os.name == "nt":
    import msvcrt

    def _take(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Windows only
else:
    import fcntl

    def _take(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


NAME: Final = "lock"


class DirectoryLock:
    """Holds a data directory until released; the system releases it when the process dies."""

    def __init__(self, folder: Path) -> None:
        try:
            self._file = (folder / NAME).open("a+")
        except OSError as error:
            raise Unsent(f"{folder} cannot be written: {error.strerror}") from error
        try:
            _take(self._file)
        except OSError as error:
            self._file.seek(0)
            owner = self._file.read().strip() or "another process"
            self._file.close()
            raise Fenced(
                f"{folder} is in use by {owner}; stop it first, or use another --data directory"
            ) from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}")
        self._file.flush()

    def release(self) -> None:
        """Let the directory go."""
        self._file.close()
