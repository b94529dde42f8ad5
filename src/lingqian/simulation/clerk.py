"""The clerk: does what rows ask for, as the server's own agent does, in a world's time (店员).

It remembers nothing that a crash must not lose: what is to be asked, closed or sent stands in the
tables, and what a channel says comes back as a command.
"""

from collections import Counter
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, Final, NamedTuple

import apsw

from lingqian.channels.port import (
    PAID_STATES,
    Notice,
    NoticeKind,
    PayoutOrder,
    PayoutReading,
    PayoutState,
    Product,
    Purchase,
    Reading,
    RefundOrder,
    RefundReading,
    RefundState,
    TradeState,
)
from lingqian.flows.command import (
    BeginPayout,
    Command,
    NotePayout,
    NotePrepay,
    NoteRefund,
    Observe,
    ReceiveNotice,
)
from lingqian.kernel.fault import BadSignature, Fault, Rejected, Unsent
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_PAYOUT, PREFIX_REFUND, lane_of, parse, show
from lingqian.simulation.street import Street
from lingqian.topup.attempt import AttemptState, PrepayResult
from lingqian.topup.evidence import Source, notice_key, stranger_id
from lingqian.topup.fee import FeePlan, fees
from lingqian.topup.notice import NoticeState
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import RefundStage

ROWS_MAX: Final = 200
PREPAY_TRIES: Final = 3
SELECT_QUERIES: Final = (
    "SELECT attempt_id, account, state FROM attempts WHERE query_due_at_us > 0 "
    "AND query_due_at_us <= ? ORDER BY query_due_at_us, attempt_id LIMIT ?"
)
SELECT_NOTICES: Final = (
    "SELECT notice_key FROM notices WHERE state = ? ORDER BY at_us, notice_key LIMIT ?"
)
SELECT_REFUNDS: Final = (
    "SELECT r.refund_id, r.stage, r.attempt_id, r.amount_fen, a.account, a.paid_fen "
    "FROM refunds r JOIN attempts a ON a.attempt_id = r.attempt_id "
    "WHERE r.due_at_us > 0 AND r.due_at_us <= ? ORDER BY r.due_at_us, r.refund_id LIMIT ?"
)
SELECT_PAYOUTS: Final = (
    "SELECT payout_id, stage, account, amount_fen FROM payouts "
    "WHERE due_at_us > 0 AND due_at_us <= ? ORDER BY due_at_us, payout_id LIMIT ?"
)


class Letter(NamedTuple):
    """A notice as it came over the street, kept until the lane has it."""

    account: str
    notice: Notice
    body: bytes


def finish(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the work returns
    """Run a coroutine that awaits nothing real to its end.

    Raises: what it raises.
    """
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a channel in memory never waits")


class Clerk:
    """Works for one wallet with several channel accounts."""

    def __init__(self, channels: dict[str, Street], plan: FeePlan) -> None:
        self.channels = channels
        self.plan = plan
        self.counts: Counter[str] = Counter()
        # What a sealed row beside the journal holds: the raw notices, by their key.
        self.raw: dict[bytes, Letter] = {}
        self._undelivered: list[tuple[str, dict[str, str], bytes]] = []
        # What others who stand at the same street hear as well: genuine notices.
        self.overhears: Callable[[Reading], None] = _ignore

    # --- pay sheets -----------------------------------------------------------------------------

    def prepay(self, account: str, purchase: Purchase, attempt_id: bytes) -> NotePrepay:
        """Ask for a pay sheet, again where nothing was sent, and say how that ended."""
        for _ in range(PREPAY_TRIES):
            try:
                sheet = finish(self.channels[account].prepay(purchase))
            except Unsent:
                continue
            except Rejected as refusal:
                return NotePrepay(attempt_id, PrepayResult.FAILED, 0, refusal.code)
            except Fault:
                self.counts["prepay unknown"] += 1
                return NotePrepay(attempt_id, PrepayResult.UNKNOWN, 0, "")
            return NotePrepay(attempt_id, PrepayResult.PAYABLE, sheet.valid_until_us, "")
        self.counts["prepay unsent"] += 1
        return NotePrepay(attempt_id, PrepayResult.FAILED, 0, "unsent")

    # --- notices --------------------------------------------------------------------------------

    def receive(self, now_us: int) -> list[Command]:
        """Take what the street has brought, verify it, and keep what is genuine."""
        commands: list[Command] = []
        street, self._undelivered = self._undelivered, []
        for account, channel in self.channels.items():
            street += [(account, *letter) for letter in channel.letters()]
        for account, headers, body in street:
            try:
                notice = self.channels[account].parse_notice(headers, body, now_us)
            except BadSignature:
                self.counts["notice refused: signature"] += 1
                self.channels[account].refused(headers, body)
                continue
            except Rejected:
                self.counts["notice refused: another merchant"] += 1
                continue
            self._undelivered.append((account, headers, body))
            commands.append(self._heard(Letter(account, notice, body)))
        return commands

    def delivered(self) -> None:
        """Hear that everything received is durable: the street brings it no more."""
        self._undelivered.clear()

    def _heard(self, letter: Letter) -> Command:
        """Keep a notice of a payment; what it says of money out goes straight to the lane."""
        reading = letter.notice.reading
        if isinstance(reading, RefundReading):
            return self.noted(parse(PREFIX_REFUND, reading.refund_no) or b"", reading)
        if isinstance(reading, PayoutReading):
            return self.paid_out(parse(PREFIX_PAYOUT, reading.payout_no) or b"", reading)
        return self._kept(letter)

    def _kept(self, letter: Letter) -> ReceiveNotice:
        account, notice, body = letter
        attempt_id = self._subject(account, notice)
        key = notice_key(lane_of(attempt_id), account, notice.notice_id)
        self.counts["notice received again" if key in self.raw else "notice received"] += 1
        self.raw[key] = letter
        if notice.kind == NoticeKind.PAYMENT and isinstance(notice.reading, Reading):
            self.overhears(notice.reading)
        return ReceiveNotice(
            key,
            account,
            sha256(body).digest(),
            attempt_id,
            notice.event,
            notice.signed_at_us,
            notice.created_at_us,
        )

    def _subject(self, account: str, notice: Notice) -> bytes:
        """Return the attempt a notice speaks of, or what stands for an unknown number."""
        reading = notice.reading
        number = "" if reading is None else getattr(reading, "attempt_no", "")
        return parse(PREFIX_ATTEMPT, number) or stranger_id(0, account, number)

    def observe_notices(self, connection: apsw.Connection) -> list[Observe]:
        """Return what kept notices say, those first that wait longest."""
        rows: list[Any] = connection.execute(
            SELECT_NOTICES, (NoticeState.RECEIVED, ROWS_MAX)
        ).fetchall()
        letters = [(key, self.raw[key]) for (key,) in rows]
        return [
            self.observed(letter.account, letter.notice.reading, Source.NOTICE, key)
            for key, letter in letters
            if letter.notice.kind == NoticeKind.PAYMENT
            and isinstance(letter.notice.reading, Reading)
        ]

    def observed(self, account: str, reading: Reading, source: Source, key: bytes = b"") -> Observe:
        """Make the command that brings a reading to the lane, fees computed from the plan."""
        attempt_id = parse(PREFIX_ATTEMPT, reading.attempt_no)
        is_paid = reading.state in PAID_STATES
        settle_fen = reading.settle_fen if is_paid else 0
        lines = fees(self.plan, reading.amount_fen, settle_fen, reading.success_at_us)
        return Observe(
            attempt_id or stranger_id(0, account, reading.attempt_no),
            account,
            source,
            reading.state,
            reading.amount_fen,
            reading.payer_fen,
            settle_fen,
            reading.transaction_id,
            reading.success_at_us,
            *(lines if is_paid else (0, 0, 0)),
            sha256(repr(reading).encode()).digest(),
            key,
            "",
        )

    # --- asking ---------------------------------------------------------------------------------

    def due(self, connection: apsw.Connection, now_us: int) -> list[Observe]:
        """Ask about every attempt that is due, and close those that are being closed."""
        rows: list[Any] = connection.execute(SELECT_QUERIES, (now_us, ROWS_MAX)).fetchall()
        return [self._ask(*row) for row in rows]

    def _ask(self, attempt_id: bytes, account: str, state: int) -> Observe:
        if state == AttemptState.CLOSING:
            return self.shut(attempt_id, account)
        return self.query(attempt_id, account, Source.QUERY)

    def query(self, attempt_id: bytes, account: str, source: Source) -> Observe:
        """Ask a channel what became of an attempt; no answer is an answer too."""
        number = show(PREFIX_ATTEMPT, attempt_id)
        self.counts["query"] += 1
        try:
            reading = finish(self.channels[account].query(number))
        except Fault:
            self.counts["query without an answer"] += 1
            reading = Reading(number, TradeState.UNKNOWN)
        return self.observed(account, reading, source)

    def shut(self, attempt_id: bytes, account: str) -> Observe:
        """Query, close, query: whoever paid in between is heard."""
        before = self.query(attempt_id, account, Source.QUERY)
        if before.state in PAID_STATES or before.state == TradeState.UNKNOWN:
            return before
        try:
            finish(self.channels[account].close(show(PREFIX_ATTEMPT, attempt_id)))
        except Rejected:
            self.counts["close refused"] += 1
        except Fault:
            self.counts["close unknown"] += 1
        after = self.query(attempt_id, account, Source.QUERY)
        if after.state == TradeState.NOT_PAID:
            # Not closed after all: it is asked again in its time.
            return after._replace(state=TradeState.UNKNOWN)
        return after

    # --- money out ------------------------------------------------------------------------------

    def refunds(self, connection: apsw.Connection, now_us: int) -> list[NoteRefund]:
        """Send refunds that are due, under their one number, and ask about those on their way."""
        rows: list[Any] = connection.execute(SELECT_REFUNDS, (now_us, ROWS_MAX)).fetchall()
        return [self._refund(*row) for row in rows]

    def _refund(  # noqa: PLR0913, PLR0917 - the columns of a row
        self, refund_id: bytes, stage: int, attempt_id: bytes, amount_fen: int, account: str,
        paid_fen: int,
    ) -> NoteRefund:  # fmt: skip
        number, channel = show(PREFIX_REFUND, refund_id), self.channels[account]
        order = RefundOrder(
            number, show(PREFIX_ATTEMPT, attempt_id), amount_fen, paid_fen, "CNY", "refund"
        )
        reading = RefundReading(number, RefundState.UNKNOWN)
        try:
            if stage != RefundStage.APPROVED:
                reading = finish(channel.query_refund(number))
            if stage == RefundStage.APPROVED or reading.state == RefundState.ABSENT:
                reading = finish(channel.refund(order))
        except Fault:
            self.counts["refund without an answer"] += 1
        return self.noted(refund_id, reading)

    def noted(self, refund_id: bytes, reading: RefundReading) -> NoteRefund:
        """Make the command that brings a reading of a refund to the lane."""
        return NoteRefund(
            refund_id,
            reading.state,
            reading.refund_id,
            reading.amount_fen,
            reading.success_at_us,
            self.plan.base_ppm,
            sha256(repr(reading).encode()).digest(),
            Source.QUERY,
            "",
        )

    def payouts(self, connection: apsw.Connection, now_us: int) -> list[Command]:
        """Begin payouts that are due, send those begun, and ask about those on their way."""
        rows: list[Any] = connection.execute(SELECT_PAYOUTS, (now_us, ROWS_MAX)).fetchall()
        return [self._payout(*row) for row in rows]

    def _payout(self, payout_id: bytes, stage: int, account: str, amount_fen: int) -> Command:
        if stage == PayoutStage.APPROVED:
            return BeginPayout(payout_id)
        number, channel = show(PREFIX_PAYOUT, payout_id), self.channels[account]
        reading = PayoutReading(number, PayoutState.UNKNOWN)
        try:
            reading = finish(channel.query_payout(number))
            if reading.state == PayoutState.ABSENT:
                order = PayoutOrder(number, "payee", amount_fen, "payout", "")
                reading = finish(channel.pay_out(order))
        except Fault:
            self.counts["payout without an answer"] += 1
        return self.paid_out(payout_id, reading)

    def paid_out(self, payout_id: bytes, reading: PayoutReading) -> NotePayout:
        """Make the command that brings a reading of a payout to the lane."""
        return NotePayout(
            payout_id,
            reading.state,
            reading.channel_no,
            reading.amount_fen,
            reading.fail_reason,
            reading.changed_at_us,
            sha256(repr(reading).encode()).digest(),
            Source.QUERY,
            "",
        )


def _ignore(heard: object) -> None:
    """Hear of something that nobody listens to."""
    del heard


def purchase_of(attempt_id: bytes, amount_fen: int, expires_at_us: int, payer: str) -> Purchase:
    """Return what a pay sheet is asked for; the same for every try of one attempt."""
    number = show(PREFIX_ATTEMPT, attempt_id)
    return Purchase(
        number, Product.JSAPI, "top-up", amount_fen, "CNY", expires_at_us, payer, "127.0.0.1", ""
    )
