"""Degrading: watches channel accounts, switches their mode, and catches up after an outage (降级).

Law: a switch is a command with who, what and why; after an outage every attempt of it is asked
about, the oldest first and at a bounded pace, before the line opens again. One that gets no answer
holds it no longer than a bill takes, which tells how it ended. What was advanced and
not paid is then closed at its channel, and its person asked for the payment, once.
Units: µs of real time for what is heard, of business time for rows.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

from lingqian.channels.route import State, is_rested, is_shut
from lingqian.flows.advance import REQUEST
from lingqian.flows.command import SetMode, SettleAdvance
from lingqian.kernel.bound import BILLED_AFTER_S, CLOSE_AGE_S_MIN
from lingqian.kernel.clock import SECOND_US, Clock
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Connection
from lingqian.storage.setback import Setback
from lingqian.storage.standing import modes, unasked, unpaid_advances, waiting_count
from lingqian.topup.mode import Mode, ModeRow, Signals, due_event, trouble

LOOK_EVERY_S: Final = 1.0
BY_ITSELF: Final = "degrade"
# Queries of one look after an outage: with one look a second, half the account's own pace.
UNWIND_ROWS: Final = 25
# A channel that does not answer so many of them is left alone until the next look.
MISSES_MAX: Final = 3
_log = logging.getLogger(__name__)

Ask = Callable[[Submission], Awaitable[Answer]]


class Errand(NamedTuple):
    """What the watch has done at a channel.

    `query` asks about an attempt and brings what is said to the lane; True when something was said.
    `reach` asks about one only to see whether its channel answers. `shut` closes an attempt, as far
    as it can be.
    """

    query: Callable[[bytes], Awaitable[bool]]
    reach: Callable[[bytes], Awaitable[bool]]
    shut: Callable[[bytes], Awaitable[None]]


class Pulse:
    """What is heard of one account: pay sheets that can be had, and evidence that comes or not."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.is_creating = True
        self.last_attempt = b""
        self._silent_since_us = 0
        self._well_since_us = now()

    def created(self, attempt_id: bytes, *, is_answered: bool) -> None:
        """Note whether a call for a pay sheet was answered at all; a refusal is an answer."""
        self.last_attempt = attempt_id
        self.is_creating = is_answered

    def missed(self) -> None:
        """Note that evidence was asked for and did not come."""
        if not self._silent_since_us:
            self._silent_since_us = self._now()

    def heard(self) -> None:
        """Note evidence: a notice, or an answer to a question."""
        self._silent_since_us = 0

    @property
    def is_silent(self) -> bool:
        """Whether the last question had no answer and nothing has come since."""
        return bool(self._silent_since_us)

    def signals(self, *, are_routes_open: bool, left: "Left") -> Signals:
        """Return what is seen now; a moment of trouble begins the steady time anew."""
        now_us, since_us = self._now(), self._silent_since_us
        silent_s = (now_us - since_us) // SECOND_US if since_us else 0
        seen = Signals(are_routes_open, self.is_creating, silent_s, 0, *left)
        if trouble(seen):
            self._well_since_us = now_us
        return seen._replace(steady_s=(now_us - self._well_since_us) // SECOND_US)


class Left(NamedTuple):
    """What an outage still has: attempts to ask about, at least; those that a bill has told."""

    unasked: int = 0
    billed: int = 0


class Health(Protocol):
    """Whoever keeps the breakers, and the time they go by."""

    state: State

    def now_us(self) -> int:
        """Return that time. Units: µs."""
        ...


class Outage:
    """An outage that is being caught up: how far its attempts have been asked about."""

    def __init__(self, ended_us: int) -> None:
        self.ended_us = ended_us
        self.asked = 0
        self.billed = 0
        # When each was begun, and its id.
        self.queue: deque[tuple[int, bytes]] = deque()
        self.is_last = False
        self._after = (0, b"")

    def refill(self, reader: Connection, account: str) -> None:
        """Take the next attempts into the queue, the oldest first."""
        room = UNWIND_ROWS - len(self.queue)
        found = unasked(reader, account, self.ended_us, self._after, room)
        self.queue.extend(found)
        self._after = found[-1] if found else self._after
        self.is_last = len(found) < room


class Surroundings(NamedTuple):
    """What the watch stands on: reads, the lane, business time, breakers, each account's hosts."""

    reader: Connection
    ask: Ask
    lanes: Sequence[int]
    clock: Clock
    health: Health
    hosts: Mapping[str, tuple[str, ...]]


class Watch:
    """Looks at every account once a second; keeps nothing that a restart must not lose.

    Modes are rows. After a restart in UNWINDING all attempts are asked about once more.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._pulses = {account: Pulse(around.health.now_us) for account in around.hosts}
        self._setback = Setback(_log, "degrade")
        self._outages: dict[str, Outage] = {}

    def pulse(self, account: str) -> Pulse:
        """Return an account's pulse, for whoever calls its channel to note what happens."""
        return self._pulses[account]

    def mode(self, account: str) -> Mode:
        """Return an account's mode."""
        return _mode(modes(self._around.reader).get(account))

    def asked(self, account: str) -> int:
        """Return how many attempts of the last outage have answered since it ended."""
        outage = self._outages.get(account)
        return 0 if outage is None else outage.asked

    async def run(self, errand: Errand) -> None:
        """Look for ever, at each account apart: one that hangs must not hide another's trouble."""
        looks = [partial(self.look_at, account, errand) for account in self._pulses]
        async with asyncio.TaskGroup() as group:
            for number, look in enumerate((*looks, partial(self.chase, errand))):
                group.create_task(_again(look, self._setback, str(number)))

    async def look(self, errand: Errand) -> None:
        """Look once at every account, one after the other."""
        for account in self._pulses:
            await self.look_at(account, errand)
        await self.chase(errand)

    async def look_at(self, account: str, errand: Errand) -> None:
        """Take the step that the signals of one account call for now."""
        row = modes(self._around.reader).get(account)
        left = await self._catch_up(account, row, errand)
        is_open = await self._is_shut(account, errand)
        event, why = due_event(_mode(row), self._signals(account, is_open, left))
        if event:
            await self.switch(account, event, BY_ITSELF, why)

    async def _is_shut(self, account: str, errand: Errand) -> bool:
        """Say whether an account cannot be paid over, by its breakers; rested, by a question.

        Nobody may tap for a while, and others may serve who does: a breaker alone would stay open.
        """
        hosts, health = self._around.hosts[account], self._around.health
        if not is_shut(health.state, account, hosts):
            return False
        attempt_id = self._pulses[account].last_attempt
        if not attempt_id or not is_rested(health.state, account, hosts, health.now_us()):
            return True
        return not await errand.reach(attempt_id)

    def _signals(self, account: str, are_routes_open: bool, left: Left) -> Signals:  # noqa: FBT001 - a signal
        pulse, around = self._pulses[account], self._around
        if pulse.is_silent and not waiting_count(around.reader, account, self._billed_us()):
            # Nobody waits for anything any more: silence is what there is to hear.
            pulse.heard()
        return pulse.signals(are_routes_open=are_routes_open, left=left)

    def _billed_us(self) -> int:
        """Return the moment before which bills have told what became of every attempt."""
        return self._around.clock.now_us() - BILLED_AFTER_S * SECOND_US

    async def switch(self, account: str, event: str, by: str, why: str) -> Code:
        """Take one step of an account's mode in every lane; OK when some lane took it.

        Raises: what asking raises; asking again sets the lanes that were not set.
        """
        codes = []
        for lane in self._around.lanes:
            submission = Submission(SetMode(lane, account, event, by, why))
            codes.append(Code((await self._around.ask(submission)).code))
        is_taken = Code.OK in codes
        if is_taken:
            _log.warning("%s: %s by %s: %s", account, event, by, why)
        return Code.OK if is_taken else codes[0]

    # --- after an outage --------------------------------------------------------------------

    async def _catch_up(self, account: str, row: ModeRow | None, errand: Errand) -> Left:
        """Ask about attempts of the outage, the oldest first; return what is left of it."""
        if row is None or row.mode != Mode.UNWINDING:
            return Left()
        outage = self._outages.get(account)
        if outage is None or outage.ended_us != row.since_us:
            outage = self._outages[account] = Outage(row.since_us)
        outage.refill(self._around.reader, account)
        misses, billed_us = 0, self._billed_us()
        for _ in range(len(outage.queue)):
            begun_us, attempt_id = outage.queue.popleft()
            if begun_us <= billed_us:
                outage.billed += 1
                continue
            is_said = await errand.query(attempt_id)
            outage.asked += is_said
            if not is_said:
                outage.queue.append((begun_us, attempt_id))
                misses += 1
            if misses == MISSES_MAX:
                break
        return Left(len(outage.queue) + (not outage.is_last), outage.billed)

    async def chase(self, errand: Errand) -> None:
        """Close advanced and unpaid attempts; ask for the payment where none is left to be paid."""
        around = self._around
        degraded = [
            account for account, row in modes(around.reader).items() if row.mode == Mode.DEGRADED
        ]
        old_us = around.clock.now_us() - CLOSE_AGE_S_MIN * SECOND_US
        for order_id, attempt_id in unpaid_advances(around.reader, degraded, old_us, UNWIND_ROWS):
            if attempt_id:
                await errand.shut(attempt_id)
            else:
                await around.ask(Submission(SettleAdvance(order_id, REQUEST, BY_ITSELF)))


async def _again(look: Callable[[], Awaitable[None]], setback: Setback, who: str) -> None:
    """Look, rest, and look again; what the surroundings spoil is left to the next look."""
    while True:
        try:
            await look()
        except Fault as fault:
            setback.failed(fault, who)
        else:
            setback.over(who)
        await asyncio.sleep(LOOK_EVERY_S)


def _mode(row: ModeRow | None) -> Mode:
    return Mode.NORMAL if row is None else Mode(row.mode)
