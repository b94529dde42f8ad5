"""Errands: one call to a channel each, and what it brought back put to the lane (渠道往来).

Law: own number, parameters and state are durable before a call goes out; what a call brings is a
reading for the lane to judge; an answer that was cut off is never taken for a no.
Units: µs of business time, but for signatures, which keep real time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import apsw

from lingqian.channels.port import (
    PAID_STATES,
    Channel,
    PayoutOrder,
    PayoutReading,
    PayoutState,
    Prepaid,
    Reading,
    RefundOrder,
    RefundReading,
    RefundState,
)
from lingqian.events.loss import Losses
from lingqian.events.pace import TRIES, Bucket, Priority, backoff_s
from lingqian.events.redirect import card_order, redirected
from lingqian.kernel.bound import CACHE_ROWS_MAX, CLOSE_AGE_S_MIN
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import BadSignature, Damaged, Fault, Rejected, Unknown, Unsent
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_PAYOUT, PREFIX_REFUND, show
from lingqian.storage import purse, query
from lingqian.storage.cashier import (
    FIELD_CARD,
    FIELD_PAYEE,
    FIELD_PURCHASE,
    FIELD_REASON,
    Cashier,
)
from lingqian.storage.clock import BusinessClock
from lingqian.storage.lane import Answer, Submission
from lingqian.topup.attempt import LIVE_STATES, AttemptState, PrepayResult
from lingqian.topup.evidence import Effect, Source
from lingqian.topup.payout import UNDER_WAY, Payout, PayoutStage, is_unconfirmed
from lingqian.topup.refund import Refund, RefundStage, Way

# How a call for a pay sheet ended of which the channel itself has said nothing.
UNKNOWN: Final = "unknown"
UNSENT: Final = "unsent"
_UNANSWERED: Final = (UNKNOWN, UNSENT)
_log = logging.getLogger(__name__)
# A channel prints what we say of ourselves on the person's own statement.
REMARK: Final = "退款"


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

    reader: apsw.Connection
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


class Errands:
    """Runs single errands; knows its accounts' pace and losses, and nothing of schedules."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.losses = {account: Losses() for account in kit.channels}
        # What a person's client confirms a transfer with; a channel tells it again when asked.
        self.packages: dict[bytes, str] = {}
        self._buckets = {account: Bucket() for account in kit.channels}

    def _channel(self, account: str) -> Any:  # noqa: ANN401 - a Channel, or one that pays out
        """Return the channel of an account.

        Raises: Damaged when it is not configured any more: its money still has to be explained.
        """
        channel = self.kit.channels.get(account)
        if channel is None:
            raise Damaged(f"the channel account {account} is not configured any more")
        return channel

    async def _call(
        self, account: str, verb: str, priority: Priority, call: Callable[[], Awaitable[Any]]
    ) -> Any:  # noqa: ANN401 - what the verb returns
        """Wait for the account's turn, call, and count how it ended.

        Raises: the channel faults.
        """
        await self._buckets[account].take(priority)
        try:
            said = await call()
        except Fault as fault:
            self.kit.counts.call(account, verb, type(fault).__name__.lower())
            raise
        self.kit.counts.call(account, verb, "answered")
        return said

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
        channel = self._channel(row.account)
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
                prepaid = await self._call(account, "prepay", Priority.CLIENT, call)
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
        channel, number = self._channel(account), show(PREFIX_ATTEMPT, attempt_id)
        pulse = self.kit.pulse(account)
        try:
            reading: Reading = await self._call(
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
        channel, number = self._channel(row.account), show(PREFIX_ATTEMPT, attempt_id)
        try:
            await self._call(row.account, "close", priority, lambda: channel.close(number))
        except Rejected as no:
            # Perhaps it has just been paid: the next query says so.
            _log.info("%s cannot be closed: %s", number, no.code)
        await self.look(attempt_id, Source.CLOSE, priority)

    # --- refunds ----------------------------------------------------------------------------

    async def push_refund(self, refund_id: bytes, priority: Priority) -> None:
        """Send a refund, or ask what became of it; a number that is not known there is sent."""
        row = purse.refund(self.kit.reader, refund_id)
        if row is None:
            return
        paid = purse.paid(self.kit.reader, row)
        if row.stage == RefundStage.REDIRECTED:
            reading = await self._redirected(refund_id, row, paid.account, priority)
            await self.note_refund(refund_id, paid.account, Source.QUERY, reading)
            return
        reading = RefundReading(show(PREFIX_REFUND, refund_id), RefundState.ABSENT)
        if row.stage != RefundStage.APPROVED:
            reading = await self._refund_asked(paid.account, reading.refund_no, priority)
        if reading.state == RefundState.ABSENT:
            order = self._refund_order(refund_id, row, paid)
            reading = await self._sent_refund(paid.account, order, priority)
        await self.note_refund(refund_id, paid.account, Source.QUERY, reading)

    async def _redirected(
        self, refund_id: bytes, row: Refund, account: str, priority: Priority
    ) -> RefundReading:
        sealed = query.sealed_text(self.kit.reader, refund_id, FIELD_CARD)
        is_named = sealed is not None and row.way == Way.CARD
        card = self.kit.cashier.card(refund_id, sealed) if is_named and sealed else None
        order, channel = card_order(refund_id, row, card), self._channel(account)
        return await redirected(
            order,
            lambda: self._refund_asked(account, order.refund_no, priority),
            lambda each: self._call(
                account, "refund_abnormal", priority, lambda: channel.refund_abnormal(each)
            ),
        )

    def _refund_order(self, refund_id: bytes, row: Refund, paid: purse.Paid) -> RefundOrder:
        sealed = query.sealed_text(self.kit.reader, refund_id, FIELD_REASON)
        reason = REMARK
        if sealed is not None:
            reason = self.kit.cashier.open_sealed(refund_id, FIELD_REASON, sealed).decode()
        return RefundOrder(
            show(PREFIX_REFUND, refund_id),
            show(PREFIX_ATTEMPT, row.attempt_id),
            row.amount_fen,
            paid.paid_fen,
            "CNY",
            reason,
            paid.transaction_id,
        )

    async def _refund_asked(self, account: str, number: str, priority: Priority) -> RefundReading:
        channel = self._channel(account)
        reading: RefundReading = await self._call(
            account, "query_refund", priority, lambda: channel.query_refund(number)
        )
        return reading

    async def _sent_refund(
        self, account: str, order: RefundOrder, priority: Priority
    ) -> RefundReading:
        channel = self._channel(account)
        try:
            reading: RefundReading = await self._call(
                account, "refund", priority, lambda: channel.refund(order)
            )
        except (Unknown, BadSignature):
            return RefundReading(order.refund_no, RefundState.UNKNOWN, order.attempt_no)
        except Rejected as no:
            # A no is believed only when the channel has never heard of the number either.
            _log.warning("%s was refused: %s", order.refund_no, no.code)
            reading = await self._refund_asked(account, order.refund_no, priority)
            if reading.state == RefundState.ABSENT:
                reading = reading._replace(state=RefundState.CLOSED)
        return reading

    async def note_refund(
        self,
        refund_id: bytes,
        account: str,
        source: Source,
        reading: RefundReading,
        key: bytes = b"",
    ) -> Answer:
        """Put a reading of a refund to the lane."""
        kit = self.kit
        answer = await kit.ask(kit.cashier.note_refund(refund_id, account, source, reading, key))
        kit.counts.evidence(source.name.lower(), f"refund_{reading.state.name.lower()}")
        return answer

    # --- payouts ----------------------------------------------------------------------------

    async def push_payout(self, payout_id: bytes, priority: Priority) -> None:
        """Send a payout, ask what became of it, or take back what nobody has confirmed."""
        row = purse.payout(self.kit.reader, payout_id)
        if row is None or not row.account:
            return
        if row.stage == PayoutStage.APPROVED:
            answer = await self.kit.ask(self.kit.cashier.begin_payout(payout_id))
            if answer.code:
                return
            reading = await self._paid_out(payout_id, row, priority)
        elif row.stage in UNDER_WAY:
            reading = await self._payout_asked(payout_id, row, priority)
        else:
            return
        await self.note_payout(payout_id, Source.QUERY, reading)

    async def _payout_asked(
        self, payout_id: bytes, row: Payout, priority: Priority
    ) -> PayoutReading:
        number = show(PREFIX_PAYOUT, payout_id)
        is_over = is_unconfirmed(row, self.kit.clock.now_us())
        look = self._payout_taken_back if is_over else self._payout_queried
        reading = await look(row.account, number, priority)
        if reading.state == PayoutState.ABSENT:
            reading = await self._paid_out(payout_id, row, priority)
        return reading

    async def _payout_queried(self, account: str, number: str, priority: Priority) -> PayoutReading:
        channel = self._channel(account)
        reading: PayoutReading = await self._call(
            account, "query_payout", priority, lambda: channel.query_payout(number)
        )
        return reading

    async def _payout_taken_back(
        self, account: str, number: str, priority: Priority
    ) -> PayoutReading:
        """Take back what nobody has confirmed; the channel may have ended it by its own clock."""
        channel = self._channel(account)
        try:
            reading: PayoutReading = await self._call(
                account, "cancel_payout", priority, lambda: channel.cancel_payout(number)
            )
        except Rejected as no:
            _log.info("%s cannot be taken back: %s", number, no.code)
            return await self._payout_queried(account, number, priority)
        return reading

    async def _paid_out(self, payout_id: bytes, row: Payout, priority: Priority) -> PayoutReading:
        number = show(PREFIX_PAYOUT, payout_id)
        sealed = query.sealed_text(self.kit.reader, payout_id, FIELD_PAYEE)
        if sealed is None:
            raise Damaged(f"{number} has lost where it was to go")
        payee = self.kit.cashier.payee(payout_id, sealed)
        channel = self._channel(row.account)
        order = PayoutOrder(number, payee.payee, row.amount_fen, payee.remark, payee.real_name)
        try:
            reading: PayoutReading = await self._call(
                row.account, "pay_out", priority, lambda: channel.pay_out(order)
            )
        except (Unknown, BadSignature):
            return PayoutReading(number, PayoutState.UNKNOWN)
        except Rejected as no:
            _log.warning("%s was refused: %s", number, no.code)
            reading = await self._payout_queried(row.account, number, priority)
            if reading.state == PayoutState.ABSENT:
                reading = PayoutReading(number, PayoutState.FAILED, fail_reason=no.code)
        return reading

    async def note_payout(
        self, payout_id: bytes, source: Source, reading: PayoutReading, key: bytes = b""
    ) -> Answer:
        """Put a reading of a payout to the lane."""
        kit = self.kit
        self._keep_package(payout_id, reading)
        answer = await kit.ask(kit.cashier.note_payout(payout_id, source, reading, key))
        kit.counts.evidence(source.name.lower(), f"payout_{reading.state.name.lower()}")
        return answer

    def _keep_package(self, payout_id: bytes, reading: PayoutReading) -> None:
        if reading.state != PayoutState.AWAITING_PERSON:
            self.packages.pop(payout_id, None)
        elif reading.package:
            if len(self.packages) >= CACHE_ROWS_MAX:
                self.packages.clear()
            self.packages[payout_id] = reading.package


def effect_name(effect: int) -> str:
    """Return the word of what a piece of evidence did."""
    return Effect(effect).name
