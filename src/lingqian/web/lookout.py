"""The lookout: what the wallet counts and what waits in its database, for whoever watches (瞭望).

Law: looking harms nobody. One look is under way at a time, in a thread beside the requests; a
database that does not answer is shown as such, and all else as ever.
"""

import asyncio
import logging
import time
from typing import Final

from lingqian.cluster.post import JOBS, RELAY_POST, job
from lingqian.compose import Wallet
from lingqian.kernel.fault import Fault
from lingqian.storage.backlog import backlog
from lingqian.storage.setback import Setback
from lingqian.web.meter import Meter, Sight

LOOK_S: Final = 2.0
_log = logging.getLogger(__name__)


class Lookout:
    """Shows a wallet through a meter."""

    def __init__(self, wallet: Wallet, meter: Meter) -> None:
        self._wallet = wallet
        self._meter = meter
        self._watched = meter.watch(self._sight())
        self._look: asyncio.Task[None] | None = None
        self._setback = Setback(_log, "a look at what waits")

    def _sight(self) -> Sight:
        wallet = self._wallet
        intake = wallet.intake
        return Sight(
            outcomes=lambda: dict(wallet.outcomes),
            errors=lambda: dict(wallet.database_errors),
            lanes=wallet.lane_rows,
            depth=lambda: intake.depth,
            age_s=lambda: intake.age_s,
            waits_s=lambda: intake.waits_s,
            heads_s=lambda: wallet.publisher.behind_s,
            full_pct=lambda: wallet.company.full_pct,
            is_joined=lambda: wallet.company.is_joined,
            posts=self._posts,
            tallies=lambda: () if wallet.office is None else wallet.office.tallies,
            credential_s=self._credential_s,
            now_us=wallet.clock.now_us,
        )

    def _posts(self) -> dict[str, bool]:
        posts = self._wallet.company.posts
        return {name: posts.holds(name) for name in (RELAY_POST, *map(job, JOBS))}

    def _credential_s(self) -> float | None:
        credential = self._wallet.credential
        return None if credential is None else credential.own.until_s - time.time()

    async def text(self) -> bytes:
        """Return everything counted, and what waits now."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._see())
        done, _ = await asyncio.wait({self._look}, timeout=LOOK_S)
        if not done:
            self._watched.backlog = None
        return self._meter.text()

    async def _see(self) -> None:
        try:
            self._watched.backlog = await self._wallet.beside.do(backlog)
        except Fault as error:
            self._setback.failed(error)
            self._watched.backlog = None
        else:
            self._setback.over()
