"""The agent: carries out what rows say is due at channels, in bounded parallel (渠道代办).

Law: it decides nothing and remembers nothing that matters: schedules are rows, readings become
commands, and an agent that is killed anywhere is replaced by the next one without a difference.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from lingqian.channels.port import Notice, PayoutReading, Reading, RefundReading
from lingqian.events.errand import Errands, Kit
from lingqian.events.inbox import read_kept
from lingqian.events.outbound import Outbound
from lingqian.events.pace import Priority, Rest
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Fault, Rejected
from lingqian.storage import query, query_top_up
from lingqian.storage.cashier import subject_of
from lingqian.storage.desk import FIELD_NOTICE
from lingqian.storage.due import (
    SELECT_NOTICES,
    SELECT_PAYOUTS,
    SELECT_REFUNDS,
    DueAttempt,
    due_attempts,
    due_ids,
)
from lingqian.topup.attempt import AttemptState
from lingqian.topup.evidence import Effect, Source

EVERY_S: Final = 0.2
RUNNING_MAX: Final = 256
# To act on a notice no channel is called: it never waits behind channels that do not answer. What
# does not fit is taken up again by its row.
APPLYING_MAX: Final = 4_096
DRAIN_S: Final = 3.0
# A notice whose own task has been lost, by a crash or a fault, is taken up again after this.
NOTICE_WAIT_US: Final = 5 * SECOND_US
# On return the person's client asks at once, and we ask again while the page is open.
RETURN_AGAIN_S: Final = (1.0, 2.0)
# While callbacks are being lost, attempts are looked for this far before they are due.
EARLY_US: Final = 300 * SECOND_US
_log = logging.getLogger(__name__)


class Arrived(NamedTuple):
    """A notice that is durable and answered, and now to be acted on."""

    key: bytes
    account: str
    notice: Notice


class Agent:
    """Finds what is due and runs it; one errand at a time for each subject."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.errands = Errands(kit)
        self.outbound = Outbound(kit, self.errands.calls)
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._rest = Rest()
        # When each attempt was last asked about, to halve what is left of its interval.
        self._asked_us: dict[bytes, int] = {}

    # --- what the door asks for -------------------------------------------------------------

    def act_on(self, arrived: Arrived) -> None:
        """Act on a notice, after its answer has gone out."""
        self._start(arrived.key, lambda: self._apply(arrived), APPLYING_MAX)

    def came_back(self, attempt_id: bytes) -> None:
        """Ask again at 1 s and 3 s after a person's client came back, unless it is settled."""
        self._start(b"return" + attempt_id, lambda: self._follow(attempt_id))

    def close_soon(self, attempt_id: bytes) -> None:
        """Close an attempt that was given up, in the background."""
        self._start(attempt_id, lambda: self.errands.shut(attempt_id, Priority.CLIENT))

    async def _follow(self, attempt_id: bytes) -> None:
        for wait_s in RETURN_AGAIN_S:
            await asyncio.sleep(wait_s)
            row = query.attempt(self.kit.reader, attempt_id)
            if row is None or row.state == AttemptState.SUCCEEDED:
                return
            await self.errands.look(attempt_id, Source.CLIENT, Priority.CLIENT)

    async def _apply(self, arrived: Arrived) -> None:
        key, account, notice = arrived
        subject = subject_of(account, notice)
        reading = notice.reading
        match reading:
            case Reading():
                answer = await self.errands.observe(subject, account, Source.NOTICE, reading, key)
                if getattr(answer.outcome, "effect", None) == Effect.DOUBTED:
                    await self._ask_instead(subject, account, key)
            case RefundReading():
                await self.outbound.note_refund(subject, account, Source.NOTICE, reading, key)
            case PayoutReading():
                await self.outbound.note_payout(subject, Source.NOTICE, reading, key)
            case None:
                return

    # --- what is due ------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for what is due, again and again, until cancelled; then let errands finish."""
        try:
            while True:
                self._start_due()
                await asyncio.sleep(EVERY_S)
        finally:
            await self._drain()

    async def _drain(self) -> None:
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=DRAIN_S)
        # What is cut off here is due again by its row.
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start_due(self) -> None:
        reader, now_us = self.kit.reader, self.kit.clock.now_us()
        for key in due_ids(reader, SELECT_NOTICES, now_us - NOTICE_WAIT_US, RUNNING_MAX):
            self._start(key, lambda key=key: self._read_again(key))  # type: ignore[misc]  # bound now
        for due in self._due_attempts(now_us):
            is_unknown = due.state in (AttemptState.INIT, AttemptState.UNKNOWN)
            priority = Priority.UNKNOWN if is_unknown else Priority.OLDEST
            self._start(due.attempt_id, self._attend(due, priority))
        for identity in due_ids(reader, SELECT_REFUNDS, now_us, RUNNING_MAX):
            self._start(identity, self._push(self.outbound.push_refund, identity))
        for identity in due_ids(reader, SELECT_PAYOUTS, now_us, RUNNING_MAX):
            self._start(identity, self._push(self.outbound.push_payout, identity))

    def _attend(self, due: DueAttempt, priority: Priority) -> Callable[[], Awaitable[None]]:
        async def attend() -> None:
            if len(self._asked_us) > RUNNING_MAX * 64:
                self._asked_us.clear()
            self._asked_us[due.attempt_id] = self.kit.clock.now_us()
            await self.errands.attend(due.attempt_id, priority)

        return attend

    def _push(
        self, push: Callable[[bytes, Priority], Awaitable[None]], identity: bytes
    ) -> Callable[[], Awaitable[None]]:
        return lambda: push(identity, Priority.OLDEST)

    def _due_attempts(self, now_us: int) -> list[DueAttempt]:
        """Return attempts that are due; where callbacks are being lost, after half the time."""
        alarmed = {name for name, each in self.errands.losses.items() if each.is_alarming}
        early_us = EARLY_US if alarmed else 0
        found = due_attempts(self.kit.reader, now_us + early_us, RUNNING_MAX)
        return [each for each in found if self._is_due(each, now_us, alarmed)]

    def _is_due(self, due: DueAttempt, now_us: int, alarmed: set[str]) -> bool:
        if due.due_at_us <= now_us:
            return True
        since_us = self._asked_us.get(due.attempt_id, due.created_at_us)
        return due.account in alarmed and 2 * now_us >= due.due_at_us + since_us

    def _start(
        self,
        subject: bytes,
        errand: Callable[[], Awaitable[None]],
        running_max: int = RUNNING_MAX,
    ) -> None:
        is_busy = subject in self._running or len(self._running) >= running_max
        if is_busy or self._rest.is_resting(subject):
            return
        task = asyncio.ensure_future(self._guarded(subject, errand))
        self._running[subject] = task
        task.add_done_callback(lambda _: self._running.pop(subject, None))

    async def _guarded(self, subject: bytes, errand: Callable[[], Awaitable[None]]) -> None:
        """Run an errand; surroundings that fail put the subject to rest, and its row stays due."""
        try:
            await errand()
        except Fault as fault:
            self._rest.failed(subject)
            _log.info("errand for %s: %s", subject.hex(), fault)
        except Exception:  # noqa: BLE001 - the outermost loop of an errand; told, and tried again
            self._rest.failed(subject)
            _log.exception("errand for %s has failed", subject.hex())
        else:
            self._rest.done(subject)

    # --- notices left behind ----------------------------------------------------------------

    async def _read_again(self, key: bytes) -> None:
        """Act on a notice whose own task was lost; if it cannot be read, its channel is asked."""
        row = query_top_up.notice(self.kit.reader, key)
        sealed = query.sealed_text(self.kit.reader, key, FIELD_NOTICE)
        channel = None if row is None else self.kit.channels.get(row.account)
        if row is None or channel is None:
            return
        if sealed is not None:
            raw = self.kit.cashier.open_sealed(key, FIELD_NOTICE, sealed)
            headers, body = read_kept(raw)
            try:
                # Its age was judged when it came in.
                notice = channel.parse_notice(headers, body, row.signed_at_us)
            except (BadSignature, Rejected) as fault:
                # The channel's key has been replaced since: its word of now does as well.
                _log.warning("notice %s cannot be read again: %s", key.hex(), fault)
            else:
                await self._apply(Arrived(key, row.account, notice))
                return
        await self._ask_instead(row.attempt_id, row.account, key)

    async def _ask_instead(self, subject: bytes, account: str, key: bytes) -> None:
        if query.attempt(self.kit.reader, subject) is not None:
            reading = await self.errands.ask(subject, account)
            await self.errands.observe(subject, account, Source.QUERY, reading, key)
