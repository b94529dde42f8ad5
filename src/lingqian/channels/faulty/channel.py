"""The faulty channel itself: the port on top of a truth, with faults between (故障渠道).

Law: a verb either does what it says to the truth or does nothing; what it answers is another thing.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lingqian.channels.faulty.fault import CALM, Dice, Rates
from lingqian.channels.faulty.truth import (
    REFUND_US,
    Payment,
    Payout,
    Refund,
    Truth,
    fund_rows,
    trade_rows,
)
from lingqian.channels.port import (
    AbnormalRefund,
    Bill,
    BillKind,
    BillRow,
    BillSide,
    FundRow,
    Notice,
    NoticeKind,
    PayoutOrder,
    PayoutReading,
    PayoutState,
    Prepaid,
    Profile,
    Purchase,
    Reading,
    RefundOrder,
    RefundReading,
    RefundState,
    TradeState,
)
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.fault import BadSignature, Rejected, Unknown, Unsent

SHEET_US: Final = 7_200 * SECOND_US
AGE_US_MAX: Final = 300 * SECOND_US
LATE_S_MAX: Final = 4 * 3_600
COPIES_S_MAX: Final = 60
# The zone's midnight in UTC: a bill of day d is made in the morning of d + 1 in Shanghai.
_ZONE_US: Final = 8 * 3_600 * SECOND_US
_HOUR_US: Final = 3_600 * SECOND_US
_SIGNATURE: Final = "faulty-signature"
_SIGNED_AT: Final = "faulty-timestamp"


class Letter(NamedTuple):
    """A notice on its way: when it arrives, and what it says."""

    due_at_us: int
    number: int
    body: bytes
    is_forged: bool


class Faulty:
    """One account of a channel that exists only in memory.

    `rates` may be changed at any time; `clock` is the business time. The person's side is
    `pay`, `confirm`; the street's is `letters`.
    """

    def __init__(
        self, profile: Profile, seed: bytes, clock: Callable[[], int], rates: Rates = CALM
    ) -> None:
        self._profile = profile
        self._clock = clock
        self._dice = Dice(seed, b"faulty:" + profile.account.encode())
        self._secret = hashlib.sha256(b"faulty" + seed).digest()
        self._letters: list[Letter] = []
        # Refunds and transfers whose end nobody has been told of yet.
        self._running_refunds: dict[str, Refund] = {}
        self._running_payouts: dict[str, Payout] = {}
        self.rates = rates
        self.truth = Truth()

    @property
    def profile(self) -> Profile:
        """Return what this account is and can do."""
        return self._profile

    @property
    def happened(self) -> dict[str, int]:
        """Return how often each fault has really happened."""
        return self._dice.happened

    async def prepay(self, purchase: Purchase) -> Prepaid:
        """Ask for a pay sheet; the same purchase may be asked for again."""
        self._before(is_read=False)
        self.truth.open(purchase)
        self._after(is_read=False)
        until_us = min(self._clock() + SHEET_US, purchase.expires_at_us)
        return Prepaid(f"sheet-{purchase.attempt_no}", until_us)

    async def query(self, attempt_no: str) -> Reading:
        """Ask what became of an attempt."""
        self._before(is_read=True)
        reading = self._reading(attempt_no)
        self._after(is_read=True)
        if reading.state is not TradeState.ABSENT and self._falls("stale"):
            known = (TradeState.UNKNOWN, TradeState.NOT_PAID)
            return Reading(attempt_no, known[self._dice.below(2)])
        return reading

    async def close(self, attempt_no: str) -> None:
        """Ask that an attempt can no longer be paid."""
        self._before(is_read=False)
        self.truth.close(attempt_no)
        self._after(is_read=False)

    async def refund(self, order: RefundOrder) -> RefundReading:
        """Send a refund, or the same refund again."""
        self._before(is_read=False)
        is_new = order.refund_no not in self.truth.refunds
        end = self._refund_end() if is_new else RefundState.SUCCESS
        now_us = self._clock()
        ends_at_us = now_us + REFUND_US + self._dice.wait_us(600)
        refund = self.truth.refund(order, now_us, ends_at_us, end)
        if is_new:
            self._running_refunds[order.refund_no] = refund
        self._after(is_read=False)
        return self._refund_reading(refund)

    async def query_refund(self, refund_no: str) -> RefundReading:
        """Ask what became of a refund."""
        self._before(is_read=True)
        refund = self.truth.refunds.get(refund_no)
        self._after(is_read=True)
        if refund is None:
            return RefundReading(refund_no, RefundState.ABSENT)
        return self._refund_reading(refund)

    async def refund_abnormal(self, order: AbnormalRefund) -> RefundReading:
        """Send an abnormal refund to a card."""
        self._before(is_read=False)
        refund = self.truth.refunds.get(order.refund_no)
        if refund is None:
            raise Rejected("RESOURCE_NOT_EXISTS", "", 404)
        self.truth.reopen(refund, self._clock())
        self._running_refunds[order.refund_no] = refund
        self._after(is_read=False)
        return self._refund_reading(refund)

    async def pay_out(self, order: PayoutOrder) -> PayoutReading:
        """Send a transfer to a person's wallet, or the same transfer again."""
        self._before(is_read=False)
        is_new = order.payout_no not in self.truth.payouts
        payout = self.truth.pay_out(order, self._clock())
        if is_new:
            self._running_payouts[order.payout_no] = payout
        self._after(is_read=False)
        return self._payout_reading(payout)

    async def query_payout(self, payout_no: str) -> PayoutReading:
        """Ask what became of a transfer."""
        self._before(is_read=True)
        payout = self.truth.payouts.get(payout_no)
        self._after(is_read=True)
        if payout is None:
            return PayoutReading(payout_no, PayoutState.ABSENT)
        return self._payout_reading(payout)

    async def cancel_payout(self, payout_no: str) -> PayoutReading:
        """Ask that a transfer nobody has confirmed be taken back."""
        self._before(is_read=False)
        payout = self.truth.payouts.get(payout_no)
        if payout is None:
            raise Rejected("NOT_FOUND", "", 404)
        self.truth.lapse(payout, self._clock())
        if payout.state is PayoutState.AWAITING_PERSON:
            self.truth.end(payout, PayoutState.CANCELLED, self._clock())
        elif payout.state is not PayoutState.CANCELLED:
            raise Rejected("INVALID_REQUEST", "it can no longer be taken back", 400)
        self._after(is_read=False)
        return self._payout_reading(payout)

    def parse_notice(self, headers: dict[str, str], body: bytes, now_us: int) -> Notice:
        """Verify and read a notice: the signature over the raw bytes first, then all else.

        Raises: BadSignature, Rejected.
        """
        stamp = headers.get(_SIGNED_AT, "")
        expected = self._sign(stamp.encode(), body, self._secret)
        if not hmac.compare_digest(expected.encode(), headers.get(_SIGNATURE, "").encode()):
            raise BadSignature("the signature does not fit the bytes")
        if abs(now_us - int(stamp)) > AGE_US_MAX:
            raise BadSignature("signed too long ago")
        said = json.loads(body)
        if said["merchant"] != self._profile.account:
            raise Rejected("other_merchant")
        return Notice(
            said["id"],
            NoticeKind(said["kind"]),
            said["event"],
            said["created_at_us"],
            int(stamp),
            said["merchant"],
            _reading_of(NoticeKind(said["kind"]), said["reading"]),
        )

    async def fetch_bill(self, kind: BillKind, day: int) -> Bill:
        """Fetch a day's bill.

        Raises: Rejected `bill_creating`, and the channel faults.
        """
        self._before(is_read=True)
        ready_us = (day + 1) * DAY_US - _ZONE_US + self._profile.bill_hour * _HOUR_US
        if self._clock() < ready_us or self._falls("bill_late"):
            raise Rejected("bill_creating", "", 400)
        rows: list[BillRow] | list[FundRow] = (
            fund_rows(self.truth, day)
            if kind is BillKind.FUND
            else self._spoilt(trade_rows(self.truth, day))
        )
        raw = json.dumps(rows, ensure_ascii=False).encode()
        return self.read_bill(kind, day, raw if rows else b"")

    @staticmethod
    def read_bill(kind: BillKind, day: int, raw: bytes) -> Bill:
        """Read a bill again from its raw bytes: lists of cells in the port's order.

        Raises: Rejected.
        """
        try:
            said = json.loads(raw) if raw else []
            read = _fund_row if kind is BillKind.FUND else _trade_row
            rows: Any = tuple([read(cells) for cells in said])
        except (ValueError, TypeError) as error:
            raise Rejected("bill_malformed", "no bill of this channel") from error
        return Bill(kind, day, raw, hashlib.sha256(raw).digest(), rows)

    def pay(self, attempt_no: str) -> bool:
        """Let the person pay now; return whether money went over."""
        order = self.truth.orders.get(attempt_no)
        if order is None or order.payments:
            return False
        state = self.truth.state_of(order, self._clock())
        if state is TradeState.CLOSED and not self._falls("late"):
            return False
        amount_fen = order.purchase.amount_fen
        if self._falls("wrong_amount"):
            amount_fen += 1 + self._dice.below(amount_fen)
        coupon_fen = self._dice.below(amount_fen) if self._falls("coupon") else 0
        self._take(attempt_no, amount_fen, coupon_fen)
        if self._falls("double"):
            self._take(attempt_no, amount_fen, 0)
        return True

    def confirm(self, payout_no: str) -> bool:
        """Let the person confirm a transfer; return whether that was still possible."""
        payout = self.truth.payouts.get(payout_no)
        if payout is None:
            return False
        self.truth.lapse(payout, self._clock())
        if payout.state is not PayoutState.AWAITING_PERSON:
            return False
        is_failed = self._falls("payout_failed")
        state = PayoutState.FAILED if is_failed else PayoutState.SUCCESS
        self.truth.end(payout, state, self._clock(), "ACCOUNT_FROZEN" if is_failed else "")
        return True

    def letters(self) -> list[tuple[dict[str, str], bytes]]:
        """Take every notice that has arrived by now: headers and body, as a street brings them."""
        now_us = self._clock()
        self._write_endings(now_us)
        here = sorted(each for each in self._letters if each.due_at_us <= now_us)
        self._letters = [each for each in self._letters if each.due_at_us > now_us]
        return [(self._headers(each, now_us), each.body) for each in here]

    def next_letter_us(self) -> int:
        """Return when the next notice arrives; 0 when none is on its way."""
        return min((each.due_at_us for each in self._letters), default=0)

    def _take(self, attempt_no: str, amount_fen: int, coupon_fen: int) -> None:
        number = self.truth.number("42")
        payment = Payment(attempt_no, number, amount_fen, coupon_fen, self._clock())
        self.truth.orders[attempt_no].payments.append(payment)
        reading = self._paid_reading(payment)
        if self._falls("notice_wrong_amount"):
            reading = reading._replace(amount_fen=reading.amount_fen + 1)
        self._post(NoticeKind.PAYMENT, "TRANSACTION.SUCCESS", reading)

    def _write_endings(self, now_us: int) -> None:
        """Write the notices of refunds and transfers that have come to their end."""
        for number, refund in list(self._running_refunds.items()):
            state = refund.state(now_us)
            if state is not RefundState.PROCESSING:
                del self._running_refunds[number]
                self._post(NoticeKind.REFUND, f"REFUND.{state.name}", self._refund_reading(refund))
        for number, payout in list(self._running_payouts.items()):
            self.truth.lapse(payout, now_us)
            if payout.state is not PayoutState.AWAITING_PERSON:
                del self._running_payouts[number]
                self._post(NoticeKind.PAYOUT, "PAYOUT.FINISHED", self._payout_reading(payout))

    def _post(self, kind: NoticeKind, event: str, reading: NamedTuple) -> None:
        """Put a notice on its way, or not, or twice, or late."""
        if self._falls("notice_lost"):
            return
        merchant = self._profile.account
        if self._falls("notice_elsewhere"):
            merchant += "-elsewhere"
        number = self.truth.number("notice-")
        said = {
            "id": number,
            "kind": int(kind),
            "event": event,
            "merchant": merchant,
            "created_at_us": self._clock(),
            "reading": [each.hex() if isinstance(each, bytes) else each for each in reading],
        }
        body = json.dumps(said).encode()
        due_at_us = self._clock()
        if self._falls("notice_late"):
            due_at_us += self._dice.wait_us(LATE_S_MAX)
        is_forged = self._falls("notice_forged")
        self._letters.append(Letter(due_at_us, len(self._letters), body, is_forged))
        if self._falls("notice_doubled"):
            again_us = due_at_us + self._dice.wait_us(COPIES_S_MAX)
            self._letters.append(Letter(again_us, len(self._letters), body, is_forged))

    def _headers(self, letter: Letter, now_us: int) -> dict[str, str]:
        """Sign a notice as it goes out: each copy anew, a forged one with another's secret."""
        secret = bytes(32) if letter.is_forged else self._secret
        stamp = str(now_us)
        return {
            _SIGNED_AT: stamp,
            _SIGNATURE: self._sign(stamp.encode(), letter.body, secret),
        }

    def _sign(self, stamp: bytes, body: bytes, secret: bytes) -> str:
        return hmac.new(secret, stamp + b"\n" + body, "sha256").hexdigest()

    def _before(self, *, is_read: bool) -> None:
        if self._falls("unsent"):
            raise Unsent("no host could be reached")
        if self._falls("lost_before"):
            raise Unknown("no answer")
        if not is_read and self._falls("refused"):
            raise Rejected("RULE_LIMIT", "", 403)

    def _after(self, *, is_read: bool) -> None:
        if self._falls("lost_after"):
            raise Unknown("no answer")
        if self._falls("forged"):
            raise BadSignature("not theirs") if is_read else Unknown("the answer is not theirs")

    def _falls(self, name: str) -> bool:
        return self._dice.fall(name, getattr(self.rates, name))

    def _refund_end(self) -> RefundState:
        if self._falls("refund_abnormal"):
            return RefundState.ABNORMAL
        return RefundState.CLOSED if self._falls("refund_closed") else RefundState.SUCCESS

    def _reading(self, attempt_no: str) -> Reading:
        order = self.truth.orders.get(attempt_no)
        if order is None:
            return Reading(attempt_no, TradeState.ABSENT)
        state = self.truth.state_of(order, self._clock())
        if not order.payments:
            return Reading(attempt_no, state)
        return self._paid_reading(order.payments[0])._replace(state=state)

    def _paid_reading(self, payment: Payment) -> Reading:
        purchase = self.truth.orders[payment.attempt_no].purchase
        return Reading(
            payment.attempt_no,
            TradeState.PAID,
            payment.amount_fen,
            payment.settle_fen,
            payment.settle_fen,
            purchase.currency,
            payment.transaction_id,
            payment.at_us,
            purchase.product.name,
            hashlib.sha256(purchase.payer.encode()).digest() if purchase.payer else b"",
        )

    def _refund_reading(self, refund: Refund) -> RefundReading:
        state = refund.state(self._clock())
        is_done = state is RefundState.SUCCESS
        return RefundReading(
            refund.order.refund_no,
            state,
            refund.order.attempt_no,
            refund.refund_id,
            refund.transaction_id,
            refund.order.amount_fen,
            refund.settle_fen,
            refund.order.currency,
            refund.ends_at_us if is_done else 0,
        )

    def _payout_reading(self, payout: Payout) -> PayoutReading:
        self.truth.lapse(payout, self._clock())
        is_open = payout.state is PayoutState.AWAITING_PERSON
        return PayoutReading(
            payout.order.payout_no,
            payout.state,
            payout.channel_no,
            payout.order.amount_fen,
            f"confirm-{payout.order.payout_no}" if is_open else "",
            payout.fail_reason,
            payout.changed_at_us,
        )

    def _spoilt(self, rows: list[BillRow]) -> list[BillRow]:
        """Lose or change lines of a bill, as a file may that was put together in a hurry."""
        kept = [row for row in rows if not self._falls("bill_line_lost")]
        return [
            row._replace(amount_fen=row.amount_fen + 1) if self._falls("bill_line_wrong") else row
            for row in kept
        ]


_Said = list[object]


def _trade_row(cells: list[Any]) -> BillRow:
    return BillRow(BillSide(cells[0]), *cells[1:])


def _fund_row(cells: list[Any]) -> FundRow:
    return FundRow(BillSide(cells[0]), *cells[1:])


def _reading_of(kind: NoticeKind, said: _Said) -> Reading | RefundReading | PayoutReading:
    """Build a reading from what a notice says, field by field in the port's order."""
    if kind is NoticeKind.PAYMENT:
        reading = Reading(*said)  # type: ignore[arg-type]  # written by _post from the same shape
        digest = bytes.fromhex(str(reading.payer_digest))
        return reading._replace(state=TradeState(reading.state), payer_digest=digest)
    if kind is NoticeKind.REFUND:
        refund = RefundReading(*said)  # type: ignore[arg-type]  # as above
        return refund._replace(state=RefundState(refund.state))
    payout = PayoutReading(*said)  # type: ignore[arg-type]  # as above
    return payout._replace(state=PayoutState(payout.state))
