"""The checkpointer: moves the write-ahead log into the database beside the writer (检查点).

Law: a commit never waits for the bulk of a checkpoint. A thread with a connection of its own moves
it while the writer goes on; what was added meanwhile is little, and is moved between two batches.
"""

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final

import apsw

# As much as is moved between two batches; more than this is moved beside the writer once more.
REST_PAGES_MAX: Final = 2_000
ROUNDS_MAX: Final = 4


class Checkpointer:
    """Moves pages in the background; all methods belong to the writer's thread."""

    def __init__(self, open_connection: Callable[[], apsw.Connection]) -> None:
        self._open_connection = open_connection
        self._thread: threading.Thread | None = None
        self._rounds = 0
        self._moved_pages = 0

    def is_settled(self, wal_pages: int) -> bool:
        """Say whether so little is left of a log that the writer may move it between two batches.

        Goes on with the work when it is not, and never waits for it.
        """
        if self._thread is not None and self._thread.is_alive():
            return False
        rest_pages = wal_pages - self._moved_pages if self._rounds else wal_pages
        if rest_pages <= REST_PAGES_MAX or self._rounds >= ROUNDS_MAX:
            self._rounds = 0
            return True
        self._rounds += 1
        self._thread = threading.Thread(target=self._move, name="lingqian-checkpoint", daemon=True)
        self._thread.start()
        return False

    def _move(self) -> None:
        # What fails here loses nothing: the log stays, and the writer tries again.
        with suppress(apsw.Error), closing(self._open_connection()) as connection:
            _, moved_pages = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._moved_pages = moved_pages

    def finish(self) -> None:
        """Wait until nothing moves."""
        if self._thread is not None:
            self._thread.join()
