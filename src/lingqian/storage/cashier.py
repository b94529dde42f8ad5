"""The cashier: turns what callers and channels say of top-ups into commands (收银台).

Ids, sealed texts and fees enter a command here; behind it all is decided by pure functions. What a
channel needs of a person (an openid, an address) is sealed beside the attempt, with its keyed
digest in the journal, so that every retry says exactly the same.
"""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from lingqian.channels.port import (
    PAID_STATES,
    Notice,
    PayoutReading,
    Purchase,
    Reading,
    RefundReading,
)
from lingqian.flows.advance import WRITE_OFF
from lingqian.flows.command import (
    AllocateParked,
    AskAdvance,
    AskPayout,
    AskRefund,
    BeginAttempt,
    BeginClose,
    BeginPayout,
    CancelPayout,
    ExpireOrder,
    FundLine,
    NotePayout,
    NotePrepay,
    NoteRefund,
    Observe,
    OpenOrder,
    ReceiveNotice,
    RedirectRefund,
    SendGift,
    SettleAdvance,
)
from lingqian.gift.catalogue import GiftRow
from lingqian.gift.income import IncomeRow, settle_after_us
from lingqian.identity.user import Status
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.id import (
    ID_BYTES,
    PREFIX_ATTEMPT,
    PREFIX_PAYOUT,
    PREFIX_REFUND,
    lane_of,
    mint,
    parse,
)
from lingqian.storage.clock import unix_ms
from lingqian.storage.desk import FIELD_NOTICE, client_key
from lingqian.storage.lane import Submission
from lingqian.storage.port import Personal
from lingqian.storage.vault import Vault
from lingqian.topup.advance import History
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.coin import Basis
from lingqian.topup.evidence import Source, notice_key, stranger_id
from lingqian.topup.fee import FeePlan, fees
from lingqian.topup.order import OrderKind
from lingqian.topup.plan import Plan
from lingqian.topup.refund import Origin, Way

FIELD_PURCHASE: Final = 6
FIELD_REASON: Final = 7
FIELD_PAYEE: Final = 8
FIELD_CARD: Final = 9
# Money for a number that is none of ours is kept here, until a person has placed it.
STRANGERS_LANE: Final = 0


class OrderWish(NamedTuple):
    """A top-up as a caller asks for it. Units: s."""

    user_id: bytes
    kind: OrderKind
    plan: Plan
    life_s: int
    scene: str = ""
    object_id: bytes = b""
    order_id: bytes = b""
    is_from_balance: bool = False
    factors: int = 0


class Payee(NamedTuple):
    """Where a payout goes: the person's id with the channel, the name if asked for, a few words."""

    payee: str
    real_name: str
    remark: str


class Applicant(NamedTuple):
    """Who asks for an advance: what was topped up before, the age, and where it is asked from.

    `device` and `address` are words that stay the same for the same one; empty when unknown.
    `factors` are bits of compliance.factor.
    """

    history: History
    is_minor: bool
    device: str = ""
    address: str = ""
    factors: int = 0


class Card(NamedTuple):
    """A person's bank card, as the channel wants it named: the bank's code, number, holder."""

    bank_type: str
    bank_account: str
    real_name: str


class GiftWish(NamedTuple):
    """A gift as somebody asks for it."""

    user_id: bytes
    streamer_id: bytes
    row: GiftRow
    count: int  # type: ignore[assignment]  # hides tuple.count
    scene: str
    factors: int = 0


class Kept(NamedTuple):
    """A verified notice as it is to be kept: whole, with what its reading is about."""

    account: str
    raw: bytes
    notice: Notice


def evidence_digest(reading: Reading | RefundReading | PayoutReading) -> bytes:
    """Return the digest of what a channel stated, over its canonical bytes."""
    return sha256(msgspec.msgpack.encode(reading)).digest()


class Cashier:
    """Mints top-up commands. Holds keys, each account's price list and the basis of refunds."""

    def __init__(
        self, vault: Vault, plans: Mapping[str, FeePlan], basis: Basis = Basis.BLENDED
    ) -> None:
        self._vault = vault
        self._plans = plans
        self.basis = basis

    def _sealed(self, owner_id: bytes, field: int, plain: bytes) -> tuple[bytes, Personal]:
        mac = self._vault.mac("personal", plain)
        cipher = self._vault.seal("personal", owner_id + bytes((field,)), plain)
        return mac, Personal(owner_id, field, cipher, mac)

    def open_sealed(self, owner_id: bytes, field: int, cipher: bytes) -> bytes:
        """Open what `_sealed` made.

        Raises: Damaged.
        """
        return self._vault.open("personal", owner_id + bytes((field,)), cipher)

    # --- orders and attempts ----------------------------------------------------------------

    def open_order(self, wish: OrderWish, caller_key: str, requested_by: str) -> Submission:
        """Make the command that opens an order."""
        lane = lane_of(wish.user_id)
        plan = wish.plan
        command = OpenOrder(
            client_key(lane, caller_key),
            wish.order_id or _id(lane),
            wish.user_id,
            wish.kind,
            wish.object_id,
            plan.plan_id,
            plan.amount_fen,
            plan.coins,
            plan.bonus_coins,
            plan.bonus_life_s * SECOND_US,
            wish.scene or plan.scene,
            wish.life_s * SECOND_US,
            requested_by,
            wish.is_from_balance,
            wish.factors,
        )
        return Submission(command)

    def attempt_id(self, order_id: bytes) -> bytes:
        """Return a fresh number for an attempt, in its order's lane."""
        return _id(lane_of(order_id))

    def begin_attempt(
        self, order_id: bytes, attempt_id: bytes, account: str, purchase: Purchase
    ) -> Submission:
        """Make the command that takes a number for a try, with what it says sealed beside it."""
        plain = msgspec.json.encode(purchase)
        mac, row = self._sealed(attempt_id, FIELD_PURCHASE, plain)
        command = BeginAttempt(attempt_id, order_id, account, purchase.product, mac)
        return Submission(command, (row,))

    def purchase(self, attempt_id: bytes, cipher: bytes) -> Purchase:
        """Return what an attempt says, as it was sealed.

        Raises: Damaged.
        """
        plain = self.open_sealed(attempt_id, FIELD_PURCHASE, cipher)
        return msgspec.json.decode(plain, type=Purchase)

    def note_prepay(
        self, attempt_id: bytes, result: PrepayResult, until_us: int, code: str
    ) -> Submission:
        """Make the command that notes how the call for a pay sheet ended."""
        return Submission(NotePrepay(attempt_id, result, until_us, code))

    def begin_close(self, attempt_id: bytes) -> Submission:
        """Make the command that begins to close an attempt."""
        return Submission(BeginClose(attempt_id))

    def cancel_order(self, order_id: bytes, by: str) -> Submission:
        """Make the command by which a person ends an unpaid order."""
        return Submission(ExpireOrder(order_id, by))

    # --- evidence ---------------------------------------------------------------------------

    def receive(self, kept: Kept) -> Submission:
        """Make the command that keeps a verified notice, its raw bytes sealed beside it."""
        notice = kept.notice
        attempt_id = subject_of(kept.account, notice)
        lane = lane_of(attempt_id) if attempt_id else STRANGERS_LANE
        key = notice_key(lane, kept.account, notice.notice_id)
        digest = sha256(kept.raw).digest()
        cipher = self._vault.seal("personal", key + bytes((FIELD_NOTICE,)), kept.raw)
        command = ReceiveNotice(
            key,
            kept.account,
            digest,
            attempt_id,
            notice.event,
            notice.signed_at_us,
            notice.created_at_us,
        )
        return Submission(command, (Personal(key, FIELD_NOTICE, cipher, digest),))

    def observe(
        self, attempt_id: bytes, account: str, source: Source, reading: Reading, key: bytes = b""
    ) -> Submission:
        """Make the command that takes one reading of an attempt as evidence."""
        lines = (0, 0, 0)
        if reading.state in PAID_STATES:
            settle_fen = reading.settle_fen or reading.amount_fen
            plan = self._plans.get(account, FeePlan())
            lines = fees(plan, reading.amount_fen, settle_fen, reading.success_at_us)
        command = Observe(
            attempt_id,
            account,
            source,
            reading.state,
            reading.amount_fen,
            reading.payer_fen,
            reading.settle_fen,
            reading.transaction_id,
            reading.success_at_us,
            *lines,
            evidence_digest(reading),
            key,
            "",
        )
        return Submission(command)

    def allocate(self, transaction_key: bytes, action: str, user_id: bytes, by: str) -> Submission:
        """Make the command by which a person ends money that nobody could place."""
        return Submission(AllocateParked(transaction_key, action, user_id, by))

    # --- money on its way out ---------------------------------------------------------------

    def ask_refund(
        self, order_id: bytes, amount_fen: int, reason: str, caller: tuple[str, str]
    ) -> Submission:
        """Make the command that asks money back; `caller` is its key and its name."""
        caller_key, requested_by = caller
        lane = lane_of(order_id)
        refund_id = _id(lane)
        mac, row = self._sealed(refund_id, FIELD_REASON, reason.encode())
        command = AskRefund(
            client_key(lane, caller_key),
            refund_id,
            order_id,
            amount_fen,
            mac if reason else b"",
            Origin.PERSON,
            requested_by,
            self.basis,
        )
        return Submission(command, (row,) if reason else ())

    def note_refund(
        self,
        refund_id: bytes,
        account: str,
        source: Source,
        reading: RefundReading,
        key: bytes = b"",
    ) -> Submission:
        """Make the command that brings a reading of a refund home."""
        command = NoteRefund(
            refund_id,
            reading.state,
            reading.refund_id,
            reading.amount_fen,
            reading.success_at_us,
            self._plans.get(account, FeePlan()).base_ppm,
            evidence_digest(reading),
            source,
            "",
            key,
        )
        return Submission(command)

    def redirect_refund(
        self, refund_id: bytes, card: Card | None, caller: tuple[str, str]
    ) -> Submission:
        """Make the command that sends a stuck refund to a card, or without one to the merchant."""
        caller_key, by = caller
        key = client_key(lane_of(refund_id), caller_key)
        if card is None:
            return Submission(RedirectRefund(key, refund_id, Way.MERCHANT, b"", by))
        mac, row = self._sealed(refund_id, FIELD_CARD, msgspec.json.encode(card))
        return Submission(RedirectRefund(key, refund_id, Way.CARD, mac, by), (row,))

    def card(self, refund_id: bytes, cipher: bytes) -> Card:
        """Return the card a refund goes to, as it was sealed.

        Raises: Damaged.
        """
        plain = self.open_sealed(refund_id, FIELD_CARD, cipher)
        return msgspec.json.decode(plain, type=Card)

    def ask_payout(  # noqa: PLR0913 - what a payout slip has, by name
        self,
        user_id: bytes,
        amount_fen: int,
        payee: Payee,
        *,
        account: str,
        delay_s: int,
        caller: tuple[str, str],
        factors: int = 0,
    ) -> Submission:
        """Make the command that sets money aside to be paid out."""
        caller_key, requested_by = caller
        lane = lane_of(user_id)
        payout_id = _id(lane)
        mac, row = self._sealed(payout_id, FIELD_PAYEE, msgspec.json.encode(payee))
        command = AskPayout(
            client_key(lane, caller_key),
            payout_id,
            user_id,
            account,
            amount_fen,
            mac,
            delay_s * SECOND_US,
            requested_by,
            factors,
        )
        return Submission(command, (row,))

    def payee(self, payout_id: bytes, cipher: bytes) -> Payee:
        """Return where a payout goes, as it was sealed.

        Raises: Damaged.
        """
        plain = self.open_sealed(payout_id, FIELD_PAYEE, cipher)
        return msgspec.json.decode(plain, type=Payee)

    def begin_payout(self, payout_id: bytes) -> Submission:
        """Make the command that comes before a payout's first call."""
        return Submission(BeginPayout(payout_id))

    def cancel_payout(self, payout_id: bytes, by: str) -> Submission:
        """Make the command that takes back a payout nobody has sent."""
        return Submission(CancelPayout(payout_id, by))

    def note_payout(
        self, payout_id: bytes, source: Source, reading: PayoutReading, key: bytes = b""
    ) -> Submission:
        """Make the command that brings a reading of a payout home."""
        command = NotePayout(
            payout_id,
            reading.state,
            reading.channel_no,
            reading.amount_fen,
            reading.fail_reason,
            reading.changed_at_us,
            evidence_digest(reading),
            source,
            "",
            key,
        )
        return Submission(command)

    # --- advances ---------------------------------------------------------------------------

    def fund_line(
        self, lane: int, amount_fen: int, caller_key: str, requested_by: str
    ) -> Submission:
        """Make the command that puts the operator's own money into a lane's line, or takes it."""
        key = client_key(lane, caller_key)
        return Submission(FundLine(key, lane, amount_fen, requested_by))

    def ask_advance(
        self, order_id: bytes, account: str, applicant: Applicant, requested_by: str
    ) -> Submission:
        """Make the command that asks for an order's coins before its money is proven."""
        device, address = self.askers(lane_of(order_id), applicant)
        command = AskAdvance(
            order_id,
            account,
            *applicant.history,
            requested_by,
            applicant.is_minor,
            device,
            address,
            applicant.factors,
        )
        return Submission(command)

    def askers(self, lane: int, applicant: Applicant) -> tuple[bytes, bytes]:
        """Return a lane's keys of the device and the address an applicant asks from."""
        return (
            self._asker(lane, b"device", applicant.device),
            self._asker(lane, b"address", applicant.address),
        )

    def _asker(self, lane: int, kind: bytes, name: str) -> bytes:
        if not name:
            return b""
        mac = self._vault.mac("asker", kind, name.encode())
        return lane.to_bytes(2, "big") + mac[: ID_BYTES - 2]

    def write_off(self, order_id: bytes, by: str) -> Submission:
        """Make the command by which a person gives up what is owed of an advance."""
        return Submission(SettleAdvance(order_id, WRITE_OFF, by))

    # --- gifts ------------------------------------------------------------------------------

    def send_gift(
        self, wish: GiftWish, income: IncomeRow, streamer: Status, caller_key: str
    ) -> Submission:
        """Make the command that gives coins to a streamer."""
        lane = lane_of(wish.user_id)
        command = SendGift(
            client_key(lane, caller_key),
            _id(lane),
            wish.user_id,
            wish.streamer_id,
            wish.row.code,
            wish.row.coins,
            wish.count,
            income.streamer_ppm,
            settle_after_us(income),
            wish.scene,
            streamer.account_class,
            streamer.state,
            wish.factors,
        )
        return Submission(command)


def _id(lane: int) -> bytes:
    return mint(lane, unix_ms(), secrets.randbits(64))


def subject_of(account: str, notice: Notice) -> bytes:
    """Return what a notice speaks of: an attempt, a refund or a payout of ours.

    A payment under a number that is none of ours gets a name of its own, so that its money can be
    booked; anything else that we do not know has none.
    """
    match notice.reading:
        case Reading():
            ours = parse(PREFIX_ATTEMPT, notice.reading.attempt_no)
            return ours or stranger_id(STRANGERS_LANE, account, notice.reading.attempt_no)
        case RefundReading():
            return parse(PREFIX_REFUND, notice.reading.refund_no) or b""
        case PayoutReading():
            return parse(PREFIX_PAYOUT, notice.reading.payout_no) or b""
        case None:
            return b""
