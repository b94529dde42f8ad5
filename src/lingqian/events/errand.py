"""Errands: one call to a channel each, and what it brought back put to the lane (渠道往来).

Law: own number, parameters and state are durable before a call goes out; what a call brings is a
reading for the lane to judge; an answer that was cut off is never taken for a no.
Units: µs of business time, but for signatures, which keep real time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from lingqian.channels.port import PAID_STATES, Channel, Prepaid, Reading
from lingqian.events.loss import Losses
from lingqian.events.pace import TRIES, Bucket, Priority, backoff_s
from lingqian.kernel.bound import CLOSE_AGE_S_MIN
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import BadSignature, Damaged, Fault, Rejected, Unknown, Unsent
from lingqian.kernel.id import PREFIX_ATTEMPT, show
from lingqian.storage import query
from lingqian.storage.cashier import FIELD_PURCHASE, Cashier
from lingqian.storage.clock import BusinessClock
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Connection
from lingqian.topup.attempt import LIVE_STATES, AttemptState, PrepayResult
from lingqian.topup.evidence import Effect, Source

# How a call for a pay sheet ended of which the channel itself has said nothing.
UNKNOWN: Final = "unknown"
UNSENT: Final = "unsent"
_UNANSWERED: Final = (UNKNOWN, UNSENT)
_log = logging.getLogger(__name__)


class Counts(Protocol):
    """Whoever counts what goes on."""

    def call(self, account: str, verb: str, outcome: str) -> None:
        """Hear how a call to a channel ended."""
        ...

    def evidence(self, source: str, effect: str) -> None:
        """Hear what a piece of evidence did."""
        ...


class Pulse(Protocol):
    """Whoever listens whether an account lives."""

    def created(self, attempt_id: bytes, *, is_answered: bool) -> None:
        """Hear whether a call for a pay sheet was answered."""
        ...

    def missed(self) -> None:
        """Hear that evidence was asked for and did not come."""
        ...

    def heard(self) -> None:
        """Hear that evidence came."""
        ...


class Kit(NamedTuple):
    """What an errand needs of the house."""

    reader: Connection
    ask: Callable[[Submission], Awaitable[Answer]]
    cashier: Cashier
    channels: Mapping[str, Channel]
    clock: BusinessClock
    counts: Counts
    pulse: Callable[[str], Pulse]


class Sheet(NamedTuple):
    """How the call for a pay sheet ended: with one, or with the channel's own word."""

    result: PrepayResult
    prepaid: Prepaid | None
    code: str


class Calls:
    """Calls channels for errands: each account at its own pace, each call counted."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._buckets = {account: Bucket() for account in kit.channels}

    def channel(self, account: str) -> Any:  # noqa: ANN401 - a Channel, or one that pays out
        """Return the channel of an account.

        Raises: Damaged when it is not configured any more: its money still has to be explained.
        """
        channel = self._kit.channels.get(account)
        if channel is None:
            raise Damaged(f"the channel account {account} is not configured any more")
        return channel

    async def call(
        self, account: str, verb: str, priority: Priority, call: Callable[[], Awaitable[Any]]
    ) -> Any:  # noqa: ANN401 - what the verb returns
        """Wait for the account's turn, call, and count how it ended.

        Raises: the channel faults.
        """
        await self._buckets[account].take(priority)
        try:
            said = await call()
        except Fault as fault:
            self._kit.counts.call(account, verb, type(fault).__name__.lower())
            raise
        self._kit.counts.call(account, verb, "answered")
        return said


class Errands:
    """Runs single errands for money that comes in; knows its losses, and nothing of schedules."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.calls = Calls(kit)
        self.losses = {account: Losses() for account in kit.channels}

    # --- pay sheets -------------------------------------------------------------------------

    async def prepay(self, attempt_id: bytes) -> Sheet:
        """Ask for a pay sheet while a person waits, and note how that ended.

        Three tries; if one of them may have arrived, the outcome is unknown, not failed.
        """
        kit = self.kit
        row = query.attempt(kit.reader, attempt_id)
        sealed = query.sealed_text(kit.reader, attempt_id, FIELD_PURCHASE)
        assert row is not None, "an attempt is durable before its channel is asked"
        if sealed is None:
            raise Damaged(f"{show(PREFIX_ATTEMPT, attempt_id)} has lost what it was to say")
        purchase = kit.cashier.purchase(attempt_id, sealed)
        channel = self.calls.channel(row.account)
        sheet = await self._sheet(row.account, lambda: channel.prepay(purchase))
        is_answered = sheet.code not in _UNANSWERED
        kit.pulse(row.account).created(attempt_id, is_answered=is_answered)
        until_us = 0
        if sheet.prepaid is not None:
            # The channel counts in real time, orders in business time.
            shifted_us = sheet.prepaid.valid_until_us + kit.clock.offset_us
            until_us = min(shifted_us, purchase.expires_at_us)
        await kit.ask(kit.cashier.note_prepay(attempt_id, sheet.result, until_us, sheet.code))
        return sheet

    async def _sheet(self, account: str, call: Callable[[], Awaitable[Prepaid]]) -> Sheet:
        is_unknown = False
        for tries in range(TRIES):
            try:
                prepaid = await self.calls.call(account, "prepay", Priority.CLIENT, call)
            except Rejected as no:
                # What was refused at last may have been accepted before.
                result = PrepayResult.UNKNOWN if is_unknown else PrepayResult.FAILED
                return Sheet(result, None, no.code)
            except (Unknown, BadSignature):
                is_unknown = True
            except Unsent:
                pass
            else:
                return Sheet(PrepayResult.PAYABLE, prepaid, "")
            await asyncio.sleep(backoff_s(tries))
        result = PrepayResult.UNKNOWN if is_unknown else PrepayResult.FAILED
        return Sheet(result, None, UNKNOWN if is_unknown else UNSENT)

    # --- evidence ---------------------------------------------------------------------------

    async def look(self, attempt_id: bytes, source: Source, priority: Priority) -> Reading | None:
        """Query an attempt's channel and put the answer to the lane; None when there was none."""
        row = query.attempt(self.kit.reader, attempt_id)
        if row is None:
            return None
        reading = await self.ask(attempt_id, row.account, priority)
        await self.observe(attempt_id, row.account, source, reading)
        return reading

    async def ask(
        self, attempt_id: bytes, account: str, priority: Priority = Priority.UNKNOWN
    ) -> Reading:
        """Return what a channel says of an attempt now.

        Raises: the channel faults.
        """
        channel, number = self.calls.channel(account), show(PREFIX_ATTEMPT, attempt_id)
        pulse = self.kit.pulse(account)
        try:
            reading: Reading = await self.calls.call(
                account, "query", priority, lambda: channel.query(number)
            )
        except Rejected:
            pulse.heard()
            raise
        except Fault:
            pulse.missed()
            raise
        pulse.heard()
        return reading

    async def observe(
        self, attempt_id: bytes, account: str, source: Source, reading: Reading, key: bytes = b""
    ) -> Answer:
        """Put one reading to the lane and count what it did.

        Raises: the lane's faults.
        """
        kit = self.kit
        answer = await kit.ask(kit.cashier.observe(attempt_id, account, source, reading, key))
        effect = getattr(answer.outcome, "effect", None)
        words = Code(answer.code).name if effect is None else effect_name(effect)
        kit.counts.evidence(source.name.lower(), words.lower())
        if source == Source.NOTICE and account in self.losses:
            kit.pulse(account).heard()
        if reading.state in PAID_STATES and account in self.losses:
            losses = self.losses[account]
            hear = losses.told if source == Source.NOTICE else losses.proven
            hear(attempt_id)
        return answer

    async def attend(self, attempt_id: bytes, priority: Priority) -> None:
        """Ask about an attempt that is due, and close it when its order has run out."""
        row = query.attempt(self.kit.reader, attempt_id)
        if row is None:
            return
        if row.state not in LIVE_STATES:
            # A notice has said of a dead number what only its channel can confirm.
            if row.query_due_at_us:
                await self.look(attempt_id, Source.QUERY, priority)
            return
        if row.state == AttemptState.CLOSING:
            await self.shut(attempt_id, priority)
            return
        await self.look(attempt_id, Source.QUERY, priority)
        row = query.attempt(self.kit.reader, attempt_id)
        order = query.order(self.kit.reader, row.order_id) if row else None
        if row is None or order is None or row.state not in LIVE_STATES:
            return
        now_us = self.kit.clock.now_us()
        is_old = now_us >= row.created_at_us + CLOSE_AGE_S_MIN * SECOND_US
        if now_us >= order.expires_at_us and is_old:
            await self.kit.ask(self.kit.cashier.begin_close(attempt_id))
            await self.shut(attempt_id, priority)

    async def shut(self, attempt_id: bytes, priority: Priority) -> None:
        """Close an attempt: query, close, query; whatever says that it was paid comes first."""
        reading = await self.look(attempt_id, Source.QUERY, priority)
        row = query.attempt(self.kit.reader, attempt_id)
        if reading is None or row is None or row.state != AttemptState.CLOSING:
            return
        channel, number = self.calls.channel(row.account), show(PREFIX_ATTEMPT, attempt_id)
        try:
            await self.calls.call(row.account, "close", priority, lambda: channel.close(number))
        except Rejected as no:
            # Perhaps it has just been paid: the next query says so.
            _log.info("%s cannot be closed: %s", number, no.code)
        await self.look(attempt_id, Source.CLOSE, priority)


def effect_name(effect: int) -> str:
    """Return the word of what a piece of evidence did."""
    return Effect(effect).name
