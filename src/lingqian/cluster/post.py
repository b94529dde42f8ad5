"""Posts: work that one process does for all of them, while it holds the work's lease (岗位).

Law: work begins when its lease is ours and has ended before the lease is let go. A process that is
alone holds every post from the beginning.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from lingqian.cluster.role import Role

# The timers of a wallet; each is one process's at a time.
JOBS: Final = ("agent", "beacon", "degrade", "reconcile", "sweep", "webhooks")
RELAY_POST: Final = f"{Role.RELAY}/all"
Work = Callable[[], Coroutine[Any, Any, None]]


def job(name: str) -> str:
    """Return the name of a timer's lease."""
    return f"{Role.JOBS}/{name}"


class Posts:
    """Which posts are ours; belongs to one event loop."""

    def __init__(self, *, is_alone: bool) -> None:
        self._is_alone = is_alone
        self._held: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def holds(self, name: str) -> bool:
        """Say whether a post is ours."""
        return self._is_alone or name in self._held

    def gain(self, names: list[str]) -> None:
        """Begin to work at these posts."""
        self._held.update(names)
        self._changed.set()

    async def lose(self, names: list[str]) -> None:
        """Work no more at these posts; it has ended when this returns."""
        self._held.difference_update(names)
        ending = [self._tasks[name] for name in names if name in self._tasks]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    async def run(self, name: str, work: Work) -> None:
        """Do work whenever its post is ours, until cancelled; what it raises is raised."""
        while True:
            while not self.holds(name):
                self._changed.clear()
                await self._changed.wait()
            task = self._tasks[name] = asyncio.create_task(work())
            try:
                await asyncio.wait((task,))
            finally:
                task.cancel()
                # It may let go of what it holds at its own pace; what it stands on waits for that.
                await asyncio.wait((task,))
                del self._tasks[name]
            if not task.cancelled():
                task.result()
                return
