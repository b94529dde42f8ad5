"""The router: brings a command to whoever owns its lane, and asks again until it is known (路由).

Law: a caller is told an answer, or after all patience a fault; never a refusal that no lane gave.
The same command is asked again, so what was done before is answered again and not done twice.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from lingqian.cluster.lease import Member, Picture, lane_of_lease
from lingqian.cluster.line import Trust
from lingqian.cluster.neighbour import Neighbour
from lingqian.flows.kind import home_lane
from lingqian.kernel.bound import ASKS_UNDER_WAY_MAX, QUEUE_AGE_S_MAX
from lingqian.kernel.fault import Busy, Fault, Fenced, Moved, Stopping, Unknown, Unsent
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission

PAUSE_S_MIN: Final = 0.01
PAUSE_S_MAX: Final = 0.25
# What may be otherwise a moment later, with another owner.
_AGAIN: Final = (Moved, Unsent, Unknown, Fenced, Stopping)


class Router:
    """Knows each lane's owner as of the last picture; belongs to one event loop."""

    def __init__(
        self,
        me: str,
        intake: Intake,
        nudge: Callable[[], None],
        trust: Trust,
        patience_s: float,
    ) -> None:
        self._me = me
        self._intake = intake
        self._nudge = nudge
        self._patience_s = patience_s
        self._owners: dict[int, str] = {}
        self._living: dict[str, Member] = {}
        self._neighbours: dict[str, Neighbour] = {}
        self._trust = trust
        # Tasks that nobody waits for; the loop itself would let them go.
        self._telling: set[asyncio.Task[None]] = set()
        self._seen: asyncio.Future[None] | None = None
        self._under_way = 0

    @property
    def lanes(self) -> list[int]:
        """Every lane there is."""
        return sorted(self._owners)

    @property
    def full_pct(self) -> int:
        """How much of what may be under way is, in per cent."""
        return 100 * self._under_way // ASKS_UNDER_WAY_MAX

    def see(self, picture: Picture) -> None:
        """Learn who owns what; whoever waits for that looks again."""
        self._living = picture.living()
        self._owners = {
            lane: lease.owner
            for lease in picture.leases
            if (lane := lane_of_lease(lease.name)) is not None
        }
        for name in [name for name in self._neighbours if name not in self._living]:
            self._neighbours.pop(name).close()
        seen, self._seen = self._seen, None
        if seen is not None and not seen.done():
            seen.set_result(None)

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to its lane's owner, whoever that is by now, until it is answered.

        Raises: Busy; Unsent, Unknown when patience is over.
        """
        if self._under_way >= ASKS_UNDER_WAY_MAX:
            raise Busy(f"{ASKS_UNDER_WAY_MAX} commands are under way")
        self._under_way += 1
        try:
            return await self._ask(submission, time.monotonic() + self._patience_s)
        finally:
            self._under_way -= 1

    async def _ask(self, submission: Submission, until_s: float) -> Answer:
        pause_s = PAUSE_S_MIN
        last: Fault = Unsent("there was no time to ask")
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                return await self._try(submission, left_s)
            except _AGAIN as fault:
                # Unknown once is unknown to the end: it may have been done.
                last = last if isinstance(last, Unknown) else fault
            self._nudge()
            await self._change(min(pause_s, left_s))
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
        raise last if isinstance(last, Unknown) else Unsent(str(last)) from last

    async def _try(self, submission: Submission, within_s: float) -> Answer:
        owner = self._owner(home_lane(submission.command))
        if owner == self._me:
            return await self._intake.ask(submission, min(within_s, QUEUE_AGE_S_MAX))
        member = self._living.get(owner)
        if member is None:
            raise Moved("nobody owns the lane just now")
        return await self._neighbour(member).ask(submission, within_s)

    def _owner(self, lane: int) -> str:
        """Return the owner of a lane; of one that never was, whoever can say so."""
        owner = self._owners.get(lane)
        if owner is None and self._owners:
            owner = self._owners[min(self._owners)]
        return owner or ""

    def _neighbour(self, member: Member) -> Neighbour:
        neighbour = self._neighbours.get(member.name)
        if neighbour is None or neighbour.address != member.address:
            neighbour = self._neighbours[member.name] = Neighbour(member.address, self._trust)
        return neighbour

    async def _change(self, pause_s: float) -> None:
        """Wait for another picture, but no longer than a pause."""
        if self._seen is None:
            self._seen = asyncio.get_running_loop().create_future()
        await asyncio.wait((self._seen,), timeout=pause_s)

    def tell(self, members: list[Member]) -> None:
        """Tell members to look: something was let go for them."""
        for member in members:
            self._beside(self._neighbour(member).look())

    def greet(self, members: list[Member]) -> None:
        """Open the connections to members, so that telling them something need not wait."""
        for member in members:
            self._beside(self._neighbour(member).greet())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that nobody waits for."""
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def close(self) -> None:
        """End the connections to all others."""
        for neighbour in self._neighbours.values():
            neighbour.close()
