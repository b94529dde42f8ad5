"""The node: this process among the others; its leases become lanes and posts (节点).

Law: the keeper decides, on its own thread; the writer's thread owns lanes, the loop does the rest.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Final, NamedTuple

from lingqian.cluster.host import Host
from lingqian.cluster.keeper import Keeper, Timing
from lingqian.cluster.lease import (
    Member,
    Picture,
    lane_lease,
    lane_of_lease,
)
from lingqian.cluster.line import Trust
from lingqian.cluster.post import JOBS, RELAY_POST, Posts, job
from lingqian.cluster.register import Register
from lingqian.cluster.role import Role
from lingqian.cluster.router import Router
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.wire import VERSION

# How long work may take to end before its lease is let go; the next round tries again.
END_S_MAX: Final = 2.0


class Setting(NamedTuple):
    """What a node is told: what it is there for, where it listens, how many lanes there are."""

    roles: frozenset[str]
    lanes: tuple[int, ...]
    jobs: tuple[str, ...] = JOBS
    host: str = "127.0.0.1"
    port: int = 0
    timing: Timing = Timing()
    # Where the others reach us, when it is not where we listen: behind an address translation.
    address: str = ""


class Node:
    """One process of several; its router and posts belong to the loop that started it."""

    def __init__(
        self,
        intake: Intake,
        open_register: Callable[[float], Register],
        setting: Setting,
        trust: Trust,
    ) -> None:
        self.name = f"{socket.gethostname()[:64]}-{secrets.token_hex(6)}"
        self.posts = Posts(is_alone=False)
        self._intake = intake
        self._open_register = open_register
        self._setting = setting
        self._known = frozenset(setting.lanes)
        self._loop: asyncio.AbstractEventLoop
        self._keeper: Keeper
        self._host = Host(intake, trust, self.nudge)
        patience_s = setting.timing.patience_s
        self.router = Router(self.name, intake, self.nudge, trust, patience_s)
        intake.on_fenced = self._fenced
        # Before it owns any lane, so that it takes nothing for its own that is somebody else's.
        intake.share(self._known)

    async def start(self) -> None:
        """Listen, join the others and begin with what is our share.

        Raises: OSError when the address is taken; Unsent, Unknown when there is no database.
        """
        setting = self._setting
        self._loop = asyncio.get_running_loop()
        port = await self._host.open(setting.host, setting.port)
        address = setting.address or f"{setting.host}:{port}"
        me = Member(self.name, address, setting.roles, VERSION, 0)
        names = [lane_lease(lane) for lane in setting.lanes]
        names += [RELAY_POST, *map(job, setting.jobs)]
        life_s = setting.timing.life_s
        register = partial(self._open_register, life_s)
        self._keeper = Keeper(register, me, self, names, setting.timing)
        await self._loop.run_in_executor(None, self._keeper.start)

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to whoever owns its lane.

        Raises: Busy, Unsent, Unknown.
        """
        return await self.router.ask(submission)

    def nudge(self) -> None:
        """Look at the register soon."""
        self._keeper.nudge()

    @property
    def is_ready(self) -> bool:
        """Whether our life was renewed in time, and lanes are ours where we are there for them."""
        lanes = [name for name in self._keeper.held if lane_of_lease(name) is not None]
        serves = bool(lanes) or Role.LANE not in self._setting.roles
        return self._keeper.is_fresh and serves

    @property
    def held(self) -> frozenset[str]:
        """The leases that are ours."""
        return self._keeper.held

    async def hand_over(self) -> None:
        """Give all we hold to the others, as far as there are any who can hold it."""
        await asyncio.wrap_future(self._keeper.hand_over())

    async def stop(self) -> None:
        """Let go of everything and take part no more."""
        await self._loop.run_in_executor(None, self._keeper.stop)
        await self._host.close()
        self.router.close()

    # --- what the keeper tells, on its own thread -------------------------------------------------

    def gain(self, names: list[str]) -> None:
        """Own these lanes, work at these posts."""
        posts = [name for name in names if lane_of_lease(name) is None]
        self._loop.call_soon_threadsafe(self.posts.gain, posts)
        if lanes := _lanes_in(names):
            self._intake.take(lanes).add_done_callback(partial(self._taken, lanes))

    def _taken(self, lanes: list[int], future: "Future[None]") -> None:
        if future.exception() is not None:
            self._keeper.doubt([lane_lease(lane) for lane in lanes])

    def lose(self, names: list[str]) -> None:
        """Own these lanes no more, work no more at these posts.

        Raises: TimeoutError when that takes too long.
        """
        lanes = _lanes_in(names)
        ends: list[Future[Any]] = [self._intake.give(lanes)] if lanes else []
        posts = [name for name in names if lane_of_lease(name) is None]
        if posts:
            ends.append(asyncio.run_coroutine_threadsafe(self.posts.lose(posts), self._loop))
        if wait(ends, END_S_MAX).not_done:
            raise TimeoutError(f"{', '.join(names)} have not ended yet")

    def see(self, picture: Picture) -> None:
        """Tell the router who owns what, and the writer which lanes there are."""
        known = frozenset(_lanes_in([lease.name for lease in picture.leases]))
        if known > self._known:
            self._known = known
            self._intake.share(known)
        self._loop.call_soon_threadsafe(self.router.see, picture)

    def greet(self, members: list[Member]) -> None:
        """Open connections to members before there is something to tell them."""
        self._loop.call_soon_threadsafe(self.router.greet, members)

    def tell(self, members: list[Member]) -> None:
        """Tell members that something was let go for them."""
        self._loop.call_soon_threadsafe(self.router.tell, members)

    def _fenced(self) -> None:
        """Take up our lanes anew, as far as they are ours; runs in the writer's thread."""
        self._keeper.doubt([lane_lease(lane) for lane in self._known])


def _lanes_in(names: list[str]) -> list[int]:
    """Return the lanes among the things that leases are about."""
    found = [lane_of_lease(name) for name in names]
    return [lane for lane in found if lane is not None]
