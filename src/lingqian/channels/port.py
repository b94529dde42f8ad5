"""The port to payment channels: a Profile, seven verbs, and what they bring back (支付渠道).

Law: a channel keeps no state and changes none of ours; it turns requests into readings. A reading
says what the channel states, word by word in our terms; what it means for an order is decided in
the lane. Units: fen of `currency`; µs since 1970 UTC.
"""

from enum import IntEnum
from typing import Final, NamedTuple, Protocol, runtime_checkable


class Product(IntEnum):
    """The way a person reaches the pay sheet."""

    JSAPI = 1
    MINI_PROGRAM = 2
    APP = 3
    H5 = 4
    NATIVE = 5


class TradeState(IntEnum):
    """What a channel says of one attempt. ABSENT: it has never heard of that number."""

    UNKNOWN = 0
    ABSENT = 1
    NOT_PAID = 2
    PAYING = 3
    PAID = 4
    REFUNDED = 5
    CLOSED = 6
    REVOKED = 7
    FAILED = 8


# Money has reached the channel; a refund afterwards does not undo that it was paid.
PAID_STATES: Final = (TradeState.PAID, TradeState.REFUNDED)


class RefundState(IntEnum):
    """What a channel says of one refund. ABSENT: it has never heard of that number."""

    UNKNOWN = 0
    ABSENT = 1
    PROCESSING = 2
    SUCCESS = 3
    CLOSED = 4
    ABNORMAL = 5


class PayoutState(IntEnum):
    """What a channel says of one transfer to a person's own wallet (商家转账)."""

    UNKNOWN = 0
    ABSENT = 1
    ACCEPTED = 2
    PROCESSING = 3
    AWAITING_PERSON = 4
    TRANSFERRING = 5
    SUCCESS = 6
    FAILED = 7
    CANCELLING = 8
    CANCELLED = 9


class Profile(NamedTuple):
    """What a channel account is and can do; what it cannot do is said here, never in a default."""

    account: str
    channel: str
    name_zh: str
    name_en: str
    currency: str
    products: frozenset[Product]
    amount_fen_min: int
    amount_fen_max: int
    can_refund_in_part: bool
    can_pay_out: bool
    refund_days_max: int
    bill_hour: int


class Purchase(NamedTuple):
    """What is to be paid: everything a prepay call says, fixed before it is sent.

    `payer` is the person's id with the channel (an openid), empty where the product has none.
    `client_ip` is the person's own address. `attach` comes back with every reading.
    """

    attempt_no: str
    product: Product
    description: str
    amount_fen: int
    currency: str
    expires_at_us: int
    payer: str
    client_ip: str
    attach: str


class Prepaid(NamedTuple):
    """A pay sheet is ready: the token to open it with, and until when it can be opened.

    `token` is a prepay id, a code URL or a page address, as the product has it.
    """

    token: str
    valid_until_us: int


class Reading(NamedTuple):
    """What the channel states about one attempt, from a notice, a query or a bill.

    Amounts are 0 and texts empty until money has been paid. `amount_fen` is the order's total,
    `payer_fen` what the person paid after coupons, `settle_fen` what is settled to us.
    `payer_digest` is a digest of the person's id with the channel; the id itself is personal.
    """

    attempt_no: str
    state: TradeState
    amount_fen: int = 0
    payer_fen: int = 0
    settle_fen: int = 0
    currency: str = ""
    transaction_id: str = ""
    success_at_us: int = 0
    product: str = ""
    payer_digest: bytes = b""


class RefundOrder(NamedTuple):
    """A refund to send; `refund_no` stays the same on every retry.

    `transaction_id` names the payment by the channel's own number, where ours does not name it.
    """

    refund_no: str
    attempt_no: str
    amount_fen: int
    total_fen: int
    currency: str
    reason: str
    transaction_id: str = ""


class AbnormalRefund(NamedTuple):
    """Where an abnormal refund goes instead: to the person's or to the merchant's own card."""

    refund_no: str
    refund_id: str
    to_merchant: bool
    bank_type: str
    bank_account: str
    real_name: str


class RefundReading(NamedTuple):
    """What the channel states about one refund."""

    refund_no: str
    state: RefundState
    attempt_no: str = ""
    refund_id: str = ""
    transaction_id: str = ""
    amount_fen: int = 0
    settle_fen: int = 0
    currency: str = ""
    success_at_us: int = 0
    received_at: str = ""


class PayoutOrder(NamedTuple):
    """A transfer to a person's own wallet; `payout_no` stays the same on every retry."""

    payout_no: str
    payee: str
    amount_fen: int
    remark: str
    real_name: str


class PayoutReading(NamedTuple):
    """What the channel states about one transfer; `package` opens the person's confirmation."""

    payout_no: str
    state: PayoutState
    channel_no: str = ""
    amount_fen: int = 0
    package: str = ""
    fail_reason: str = ""
    changed_at_us: int = 0


class NoticeKind(IntEnum):
    """What a verified notice is about; OTHER is verified, kept and acknowledged."""

    OTHER = 0
    PAYMENT = 1
    REFUND = 2
    PAYOUT = 3


class Notice(NamedTuple):
    """A verified and opened notice: the channel's own id of it, and what it states."""

    notice_id: str
    kind: NoticeKind
    event: str
    created_at_us: int
    signed_at_us: int
    merchant: str
    reading: Reading | RefundReading | PayoutReading | None


class BillKind(IntEnum):
    """Which daily bill."""

    TRADE = 1
    FUND = 2


class BillSide(IntEnum):
    """Whether a bill line brings money or takes it."""

    PAYMENT = 1
    REFUND = 2
    FEE = 3
    FEE_RETURN = 4
    OTHER_IN = 5
    OTHER_OUT = 6


class BillRow(NamedTuple):
    """One line of a trade bill. `attempt_no` is ours; `refund_no` is empty on payment lines.

    `fee_e5` is the fee in hundred-thousandths of a yuan, as printed with five decimals; negative
    when a fee comes back. `rate_ppm` is parts per million.
    """

    side: BillSide
    at_us: int
    attempt_no: str
    transaction_id: str
    refund_no: str
    refund_id: str
    amount_fen: int
    settle_fen: int
    coupon_fen: int
    fee_e5: int
    rate_ppm: int
    state: str
    product: str


class FundRow(NamedTuple):
    """One line of a fund-flow bill: signed amount (in positive) and the balance after it."""

    side: BillSide
    at_us: int
    business_no: str
    flow_no: str
    kind: str
    amount_fen: int
    balance_fen: int
    voucher_no: str


class Bill(NamedTuple):
    """A fetched, checked and parsed bill; `digest` is the SHA-256 of the raw bytes.

    `rows` is empty on a day without traffic. The sums of the summary line have been checked.
    """

    kind: BillKind
    day: int
    raw: bytes
    digest: bytes
    rows: tuple[BillRow, ...] | tuple[FundRow, ...]


class Channel(Protocol):
    """One account with one channel.

    Every verb may raise the channel faults of kernel/fault.py: Unsent (safe to send again), Unknown
    (sent, no usable answer: only a reading may end it), Rejected (an explicit no, with its code),
    BadSignature (an answer that is not the channel's).
    """

    @property
    def profile(self) -> Profile:
        """Return what this account is and can do."""
        ...

    async def prepay(self, purchase: Purchase) -> Prepaid:
        """Ask for a pay sheet; the same purchase may be asked for again."""
        ...

    async def query(self, attempt_no: str) -> Reading:
        """Ask what became of an attempt."""
        ...

    async def close(self, attempt_no: str) -> None:
        """Ask that an attempt can no longer be paid; returns once the channel has said so."""
        ...

    async def refund(self, order: RefundOrder) -> RefundReading:
        """Send a refund, or the same refund again."""
        ...

    async def query_refund(self, refund_no: str) -> RefundReading:
        """Ask what became of a refund."""
        ...

    def parse_notice(self, headers: dict[str, str], body: bytes, now_us: int) -> Notice:
        """Verify, open and parse a notice: signature over the raw bytes first, then all else.

        Header names are lower case. Raises: BadSignature, Rejected.
        """
        ...

    async def fetch_bill(self, kind: BillKind, day: int) -> Bill:
        """Fetch, check and parse a day's bill; `day` counts Shanghai days since 1970-01-01.

        Raises: Rejected with `bill_creating` while it is not ready, and the channel faults.
        """
        ...

    def read_bill(self, kind: BillKind, day: int, raw: bytes) -> Bill:
        """Read a bill again from its raw bytes, as `fetch_bill` did; calls nobody, needs no key.

        Raises: Rejected for bytes that are no bill of this channel.
        """
        ...


@runtime_checkable
class SheetChannel(Protocol):
    """A channel whose own client opens the pay sheet, with parameters signed for it."""

    def invocation(self, product: Product, token: str) -> dict[str, str]:
        """Return what a page or an app opens the pay sheet with; made anew each time."""
        ...

    def confirmation(self, package: str) -> dict[str, str]:
        """Return what a person's client confirms a transfer with."""
        ...


@runtime_checkable
class CardChannel(Protocol):
    """A channel that can send a refund that is stuck to a bank card."""

    async def refund_abnormal(self, order: AbnormalRefund) -> RefundReading:
        """Send it; not to be repeated without a query between."""
        ...


class PayoutChannel(Channel, Protocol):
    """A channel whose Profile says `can_pay_out`."""

    async def pay_out(self, order: PayoutOrder) -> PayoutReading:
        """Send a transfer to a person's wallet, or the same transfer again."""
        ...

    async def query_payout(self, payout_no: str) -> PayoutReading:
        """Ask what became of a transfer."""
        ...

    async def cancel_payout(self, payout_no: str) -> PayoutReading:
        """Ask that a transfer nobody has confirmed be taken back."""
        ...
