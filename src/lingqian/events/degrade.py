"""Degrading: watches channel accounts, switches their mode, and catches up after an outage (降级).

Law: a switch is a command with who, what and why; after an outage every attempt of it is asked
about, the oldest first and at a bounded pace, before the line opens again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

import apsw

from lingqian.flows.command import SetMode
from lingqian.kernel.clock import SECOND_US, Clock
from lingqian.kernel.fault import Fault
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.standing import modes, unasked
from lingqian.topup.mode import Mode, Signals, due_event, trouble

LOOK_EVERY_S: Final = 1.0
BY_ITSELF: Final = "degrade"
# Queries of one look after an outage: with one look a second, half the account's own pace.
UNWIND_ROWS: Final = 25
_log = logging.getLogger(__name__)

Ask = Callable[[Submission], Awaitable[Answer]]
# Asks a channel about one attempt and brings what it says to the lane; True when it has said.
Query = Callable[[bytes], Awaitable[bool]]


class Pulse:
    """What is heard of one account: evidence, attempts that wait for it, and calls that work."""

    def __init__(self, account: str, now_us: int) -> None:
        self.account = account
        self.are_routes_open = False
        self.is_creating = True
        self._waiting_since_us = 0
        self._well_since_us = now_us

    def began(self, now_us: int) -> None:
        """Note that an attempt waits for evidence."""
        if not self._waiting_since_us:
            self._waiting_since_us = now_us

    def heard(self, now_us: int, *, is_waiting: bool) -> None:
        """Note evidence: a notice or an answer; silence is counted anew while others wait."""
        self._waiting_since_us = now_us if is_waiting else 0

    def signals(self, now_us: int, unasked_count: int) -> Signals:
        """Return what is seen now; a moment of trouble begins the steady time anew."""
        since_us = self._waiting_since_us
        silent_s = (now_us - since_us) // SECOND_US if since_us else 0
        seen = Signals(self.are_routes_open, self.is_creating, silent_s, 0, unasked_count)
        if trouble(seen):
            self._well_since_us = now_us
        return seen._replace(steady_s=(now_us - self._well_since_us) // SECOND_US)


class Outage(NamedTuple):
    """An outage that is being caught up: its end, and the attempts that have answered since."""

    ended_us: int
    asked: set[bytes]


class Watch:
    """Looks at every account once a second; keeps nothing that a restart must not lose.

    Modes are rows. After a restart in UNWINDING all attempts are asked about once more.
    """

    def __init__(
        self, connection: apsw.Connection, clock: Clock, lanes: Iterable[int], ask: Ask
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._lanes = tuple(lanes)
        self._ask = ask
        self._pulses: dict[str, Pulse] = {}
        self._outages: dict[str, Outage] = {}

    def pulse(self, account: str) -> Pulse:
        """Return an account's pulse, for whoever calls its channel to note what happens."""
        known = self._pulses.get(account)
        if known is None:
            known = self._pulses[account] = Pulse(account, self._clock.now_us())
        return known

    def mode(self, account: str) -> Mode:
        """Return an account's mode."""
        row = modes(self._connection).get(account)
        return Mode.NORMAL if row is None else Mode(row.mode)

    async def run(self, query: Query) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look(query)
            except Fault as fault:
                _log.warning("degrade: %s", fault)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, query: Query) -> None:
        """Take every step that the signals call for now."""
        now_us, known = self._clock.now_us(), modes(self._connection)
        for account, pulse in self._pulses.items():
            row = known.get(account)
            mode = Mode.NORMAL if row is None else Mode(row.mode)
            left = 0
            if mode == Mode.UNWINDING:
                assert row is not None, "an account that unwinds has a row"
                left = await self._catch_up(account, row.since_us, query)
            event, why = due_event(mode, pulse.signals(now_us, left))
            if event:
                await self.switch(account, event, BY_ITSELF, why)

    async def switch(self, account: str, event: str, by: str, why: str) -> int:
        """Take one step of an account's mode in every lane; return the last answer's code.

        Raises: what asking raises; asking again sets the lanes that were not set.
        """
        _log.warning("%s: %s by %s: %s", account, event, by, why)
        code = 0
        for lane in self._lanes:
            answer = await self._ask(Submission(SetMode(lane, account, event, by, why)))
            code = answer.code
        return code

    async def _catch_up(self, account: str, ended_us: int, query: Query) -> int:
        """Ask about attempts of the outage, the oldest first; return how many have not answered."""
        outage = self._outages.get(account)
        if outage is None or outage.ended_us != ended_us:
            outage = self._outages[account] = Outage(ended_us, set())
        waiting = unasked(self._connection, account, ended_us, UNWIND_ROWS + len(outage.asked))
        fresh = [each for each in waiting if each not in outage.asked][:UNWIND_ROWS]
        for attempt_id in fresh:
            if await query(attempt_id):
                outage.asked.add(attempt_id)
        return len([each for each in fresh if each not in outage.asked])
