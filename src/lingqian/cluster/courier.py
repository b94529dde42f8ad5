"""The courier: money on its way from a lane of one process to a lane of another (跨进程转账).

Law: it only asks; the lane that is credited decides, and skips what it has seen. So a courier that
is late, doubled or killed moves nothing twice and loses nothing: the journal still has it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lingqian.flows.command import DeliverRelay
from lingqian.kernel.fault import Fault
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Store
from lingqian.storage.relay import waiting
from lingqian.storage.setback import Setback

LOOK_EVERY_S: Final = 0.02
REST_S: Final = 0.2
# Looking takes at most this part of a courier's time: one in so many.
_SHARE: Final = 4
_log = logging.getLogger(__name__)


class Courier:
    """Looks for what waits, and brings it; one delivery at a time between two lanes."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        ask: Callable[[Submission], Awaitable[Answer]],
    ) -> None:
        self._open_store = open_store
        self._ask = ask
        self._store: Store | None = None
        self._setback = Setback(_log, "relay")
        self._thread = ThreadPoolExecutor(1, "lingqian-courier")
        self._flying: dict[tuple[int, int], asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Carry, again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                began_s = time.monotonic()
                found = await loop.run_in_executor(self._thread, self._look)
                took_s = time.monotonic() - began_s
                self._send(found)
                pause_s = LOOK_EVERY_S if found else REST_S
                await asyncio.sleep(max(pause_s, _SHARE * took_s))
        finally:
            for task in tuple(self._flying.values()):
                task.cancel()
            await loop.run_in_executor(self._thread, self._close)

    def _look(self) -> list[DeliverRelay]:
        try:
            if self._store is None:
                self._store = self._open_store()
            found: list[DeliverRelay] = self._store.read(lambda reader: list(waiting(reader)))
        except Fault as fault:
            self._setback.failed(fault)
            return []
        self._setback.over()
        return found

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _send(self, found: list[DeliverRelay]) -> None:
        for command in found:
            pair = (command.source, command.lane)
            if pair not in self._flying:
                task = self._flying[pair] = asyncio.create_task(self._deliver(command))
                task.add_done_callback(lambda _, pair=pair: self._flying.pop(pair))  # type: ignore[misc]  # bound now

    async def _deliver(self, command: DeliverRelay) -> None:
        try:
            await self._ask(Submission(command))
        except Fault as fault:
            # It is still in the journal, and the next look finds it.
            _log.info("relay from %d to %d: %s", command.source, command.lane, fault)
