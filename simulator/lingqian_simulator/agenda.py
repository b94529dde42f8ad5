"""The agenda: what is due when, on the business clock (日程).

Moving the clock makes due what it passes over, in the order of its times.
"""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable
from typing import Final

from lingqian_simulator.clock import SECOND_US, Clock

_WAIT_S_MAX: Final = 60.0


class Agenda:
    """A queue ordered by time; each entry looks again whether it is still wanted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._due: list[tuple[int, int, Callable[[], object]]] = []

    def at(self, due_us: int, act: Callable[[], object]) -> None:
        """Do something when the business clock reaches an instant."""
        heapq.heappush(self._due, (due_us, next(self._order), act))
        self._clock.moved.set()

    def run_due(self) -> None:
        """Do all that is due now."""
        while self._due and self._due[0][0] <= self._clock.now_us():
            heapq.heappop(self._due)[2]()

    async def run(self) -> None:
        """Do everything in its time, until cancelled."""
        while True:
            self._clock.moved.clear()
            self.run_due()
            wait_s = _WAIT_S_MAX
            if self._due:
                wait_s = min(wait_s, (self._due[0][0] - self._clock.now_us()) / SECOND_US)
            # `wait_for` of Python 3.11 forgets a cancellation that comes with the event; then
            # nobody could end this loop. `timeout` does not.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s, 0.001)):
                    await self._clock.moved.wait()
