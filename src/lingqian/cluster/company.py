"""Company: whether this process is alone or one of several, as the rest of it sees that (同伴).

Law: both answer the same questions, so nothing above asks how many there are.
"""

import asyncio
import contextlib
import logging
from typing import Final

from lingqian.cluster.courier import Courier
from lingqian.cluster.node import Node
from lingqian.cluster.post import Posts
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission

# How long the others may take to take over before we go without waiting for them.
HAND_OVER_S_MAX: Final = 15.0
_log = logging.getLogger(__name__)


class Alone:
    """The only process of its database: every lane and every timer is its own."""

    courier: Courier | None = None
    is_joined: Final = True

    def __init__(self, intake: Intake) -> None:
        self.posts = Posts(is_alone=True)
        self._intake = intake

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to its lane.

        Raises: Busy, Stopping, Unsent, Unknown, Fenced.
        """
        return await self._intake.ask(submission)

    @property
    def full_pct(self) -> int:
        """How much of what may wait does wait, in per cent."""
        return self._intake.full_pct

    async def join(self) -> None:
        """Do nothing: everything is ours already."""

    def hand_over(self) -> None:
        """Do nothing: there is nobody to hand over to."""

    async def leave(self) -> None:
        """Do nothing: nobody waits for us to go."""


class Company:
    """One of several processes: it shares lanes and timers with the others.

    Without a courier money between lanes is carried by something else.
    """

    def __init__(self, intake: Intake, node: Node, courier: Courier | None) -> None:
        self.posts = node.posts
        self.courier = courier
        self._intake = intake
        self._node = node
        self._leaving: asyncio.Task[None] | None = None

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to whoever owns its lane.

        Raises: Busy, Unsent, Unknown.
        """
        return await self._node.ask(submission)

    @property
    def is_joined(self) -> bool:
        """Whether we take part, and lanes are ours where we are there for them."""
        return self._node.is_ready

    @property
    def full_pct(self) -> int:
        """How much of what may wait does wait, in per cent, here or on its way to others."""
        return max(self._intake.full_pct, self._node.router.full_pct)

    async def join(self) -> None:
        """Take part from now on.

        Raises: OSError when the address is taken; Unsent, Unknown when there is no database.
        """
        await self._node.start()

    def hand_over(self) -> None:
        """Begin to give what we hold to the others; requests go on and are asked of them."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._node.hand_over())

    async def leave(self) -> None:
        """Take part no more, when what we held has new holders or none can be found in time."""
        self.hand_over()
        assert self._leaving is not None, "begun just now"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER_S_MAX):
                await self._leaving
        await self._node.stop()
