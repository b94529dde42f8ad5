"""Outbound errands: refunds and payouts, sent to their channel or asked after (退款与提现).

Law: as for every errand; and a no of the channel is believed only when it has never heard of the
number either: money that may have gone out is never sent again under another.   Units: fen.
"""

import logging
from typing import Final

from lingqian.channels.port import (
    PayoutOrder,
    PayoutReading,
    PayoutState,
    RefundOrder,
    RefundReading,
    RefundState,
)
from lingqian.events.errand import Calls, Kit
from lingqian.events.pace import Priority
from lingqian.events.redirect import card_order, redirected
from lingqian.kernel.bound import CACHE_ROWS_MAX
from lingqian.kernel.fault import BadSignature, Damaged, Rejected, Unknown
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_PAYOUT, PREFIX_REFUND, show
from lingqian.storage import purse, query
from lingqian.storage.cashier import FIELD_CARD, FIELD_PAYEE, FIELD_REASON
from lingqian.storage.lane import Answer
from lingqian.topup.evidence import Source
from lingqian.topup.payout import UNDER_WAY, Payout, PayoutStage, is_unconfirmed
from lingqian.topup.refund import Refund, RefundStage, Way

_log = logging.getLogger(__name__)
# A channel prints what we say of ourselves on the person's own statement.
REMARK: Final = "退款"


class Outbound:
    """Runs single errands for money that goes out; knows nothing of schedules."""

    def __init__(self, kit: Kit, calls: Calls) -> None:
        self.kit = kit
        self.calls = calls
        # What a person's client confirms a transfer with; a channel tells it again when asked.
        self.packages: dict[bytes, str] = {}

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
        order, channel = card_order(refund_id, row, card), self.calls.channel(account)
        return await redirected(
            order,
            lambda: self._refund_asked(account, order.refund_no, priority),
            lambda each: self.calls.call(
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
        channel = self.calls.channel(account)
        reading: RefundReading = await self.calls.call(
            account, "query_refund", priority, lambda: channel.query_refund(number)
        )
        return reading

    async def _sent_refund(
        self, account: str, order: RefundOrder, priority: Priority
    ) -> RefundReading:
        channel = self.calls.channel(account)
        try:
            reading: RefundReading = await self.calls.call(
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
        channel = self.calls.channel(account)
        reading: PayoutReading = await self.calls.call(
            account, "query_payout", priority, lambda: channel.query_payout(number)
        )
        return reading

    async def _payout_taken_back(
        self, account: str, number: str, priority: Priority
    ) -> PayoutReading:
        """Take back what nobody has confirmed; the channel may have ended it by its own clock."""
        channel = self.calls.channel(account)
        try:
            reading: PayoutReading = await self.calls.call(
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
        channel = self.calls.channel(row.account)
        order = PayoutOrder(number, payee.payee, row.amount_fen, payee.remark, payee.real_name)
        try:
            reading: PayoutReading = await self.calls.call(
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
