"""Aside: one thread with a connection of its own, for reads that take seconds (旁路线程).

Law: what is done aside only reads. One thing is done at a time, and nothing that is cancelled by
whoever waits for it leaves the connection in use by two.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lingqian.storage.port import Connection

Done = TypeVar("Done")


class Aside:
    """Does work beside the loop that answers people; its connection is opened when first needed."""

    def __init__(self, open_reader: Callable[[], Connection]) -> None:
        self._open_reader = open_reader
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "aside")

    async def do(self, work: Callable[[Connection], Done]) -> Done:
        """Do work in the thread and return what it returns.

        Raises: what the work raises.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Connection], Done]) -> Done:
        if self._connection is None:
            self._connection = self._open_reader()
        return work(self._connection)

    def close(self) -> None:
        """Wait for what is being done, and let the file go."""
        self._thread.shutdown(cancel_futures=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
