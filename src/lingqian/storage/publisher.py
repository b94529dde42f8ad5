"""The publisher: heads of all lanes, outside the database, at least once a second (链头公布)."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from lingqian.kernel.clock import Clock
from lingqian.storage.head import HeadLog
from lingqian.storage.port import LaneRow

_EVERY_S: Final = 0.5
_log = logging.getLogger(__name__)


class Publisher:
    """A thread of its own, so that publishing never waits inside a batch."""

    def __init__(self, log: HeadLog, rows: Callable[[], list[LaneRow]], clock: Clock) -> None:
        self._log = log
        self._rows = rows
        self._clock = clock
        self._published_s = time.monotonic()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lingqian-heads", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Publish the last heads and end."""
        self._is_stopping.set()
        self._thread.join()
        self.publish()

    @property
    def behind_s(self) -> float:
        """How long ago every head was last published, in seconds."""
        return time.monotonic() - self._published_s

    def publish(self) -> None:
        """Publish every head that has changed; on a disk that is full, say so and try again."""
        try:
            self._log.publish(self._rows(), self._clock.now_us())
            self._published_s = time.monotonic()
        except OSError as error:
            _log.error("heads are not published: %s", error)

    def _run(self) -> None:
        while not self._is_stopping.wait(_EVERY_S):
            self.publish()
