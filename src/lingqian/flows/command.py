"""Commands: small immutable values that name everything a decision may use (命令).

`key` is the idempotency key: lane(2) and fourteen bytes of a digest over caller and client key;
empty where the command's own subject makes it idempotent. Field order is part of the journal's
format (version 1): fields are only ever appended, with a new journal version.
"""

from typing import NamedTuple


class RegisterUser(NamedTuple):
    """Make a user of an external person; asking again returns the same user."""

    key: bytes
    user_id: bytes
    external_mac: bytes
    nickname_mac: bytes
    account_class: int


class ChangeUser(NamedTuple):
    """Set a user's account class, state or nickname; raises the version of its status."""

    key: bytes
    user_id: bytes
    account_class: int
    state: int
    nickname_mac: bytes


class SetMembers(NamedTuple):
    """Replace the members of a conversation; `members` is ids one after another."""

    key: bytes
    lane: int
    conversation_id: str
    members: bytes


class Fund(NamedTuple):
    """Put play money into a balance (sandbox only)."""

    key: bytes
    funding_id: bytes
    user_id: bytes
    amount_fen: int


class Transfer(NamedTuple):
    """Move money from one person to another; `factors` are bits of compliance.factor."""

    key: bytes
    transfer_id: bytes
    source_id: bytes
    target_id: bytes
    amount_fen: int
    note_mac: bytes
    target_class: int
    target_state: int
    factors: int = 0


class SendPacket(NamedTuple):
    """Fund a packet; its shares are fixed here, before any claim.

    `is_by_channel`: the money comes by the channel payment of the packet's own order.
    """

    key: bytes
    packet_id: bytes
    sender_id: bytes
    kind: int
    is_lucky: bool
    total_fen: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    share_fen_min: int
    share_fen_max: int
    spread: int
    lifetime_us: int
    draw_at_us: int
    awaits_entropy: bool
    conversation_id: str
    recipients: bytes
    passphrase_mac: bytes
    greeting_mac: bytes
    cover: str
    commitment: bytes
    seed_sealed: bytes
    beacon_chain: bytes = b""
    beacon_round: int = 0
    is_by_channel: bool = False
    factors: int = 0


class AddEntropy(NamedTuple):
    """Mix the sender's own 32 bytes into a packet that waits for them."""

    packet_id: bytes
    entropy: bytes


class AddBeacon(NamedTuple):
    """Mix in the public beacon's round that the packet promised when it was sent."""

    packet_id: bytes
    randomness: bytes
    signature: bytes


class ClaimPacket(NamedTuple):
    """Open a packet, or enter a draw. The claimer's status travels with the command."""

    packet_id: bytes
    user_id: bytes
    passphrase_mac: bytes
    status_version: int
    account_class: int
    state: int
    is_member: bool


class DrawPacket(NamedTuple):
    """Give the shares of a timed draw to its tickets, and the rest back."""

    packet_id: bytes


class ClosePacket(NamedTuple):
    """Return what nobody took: by the clock when expired, by a person when invalidated."""

    packet_id: bytes
    is_invalidation: bool
    by: str


class SettleCase(NamedTuple):
    """End a case: released, refused, or due by the clock (`event` is a step of case.MACHINE)."""

    case_id: bytes
    event: str
    by: str


class OpenOrder(NamedTuple):
    """Open a top-up order: to be paid by attempts over channels, or at once from the balance."""

    key: bytes
    order_id: bytes
    user_id: bytes
    order_kind: int
    object_id: bytes
    plan: str
    amount_fen: int
    coins: int
    bonus_coins: int
    bonus_life_us: int
    scene: str
    life_us: int
    requested_by: str
    is_from_balance: bool
    factors: int = 0


class BeginAttempt(NamedTuple):
    """Take a number for one try at a channel account; `payer_mac` is a keyed digest."""

    attempt_id: bytes
    order_id: bytes
    account: str
    product: int
    payer_mac: bytes


class NotePrepay(NamedTuple):
    """Note how the call for a pay sheet ended; `code` is the channel's own word for a refusal."""

    attempt_id: bytes
    result: int
    prepaid_until_us: int
    code: str


class ReceiveNotice(NamedTuple):
    """Keep a verified notice; `digest` is the SHA-256 of its raw bytes, which lie sealed beside."""

    notice_key: bytes
    account: str
    digest: bytes
    attempt_id: bytes
    event: str
    signed_at_us: int
    created_at_us: int


class Observe(NamedTuple):
    """One piece of evidence about an attempt; `state` is a TradeState, `source` says from where.

    Fees are computed from the account's plan by the shell, so that the journal keeps what was
    booked. `notice_key` is empty but for notices, `by` but for operators.
    """

    attempt_id: bytes
    account: str
    source: int
    state: int
    amount_fen: int
    payer_fen: int
    settle_fen: int
    transaction_id: str
    success_at_us: int
    fee_fen: int
    service_fee_fen: int
    rebate_fen: int
    digest: bytes
    notice_key: bytes
    by: str


class BeginClose(NamedTuple):
    """Stop an attempt from being paid: its channel is asked, told to close, and asked again."""

    attempt_id: bytes


class ExpireOrder(NamedTuple):
    """Close an order that is not paid: by the clock when it has expired, else by a person."""

    order_id: bytes
    by: str


class AllocateParked(NamedTuple):
    """End unallocated money by a person: `refund` it to its payment, or `credit` it to a user."""

    transaction_key: bytes
    action: str
    user_id: bytes
    by: str


class DeliverRelay(NamedTuple):
    """Credit what another lane has let go; `items` are (account, fen) numbered from `first`."""

    lane: int
    source: int
    first: int
    items: tuple[tuple[bytes, int], ...]


class AskRefund(NamedTuple):
    """Ask that money of a credited order goes back to its payment; `origin` is PERSON or BILL.

    `basis` is a topup.refund.Basis: what the operator lets coins be worth at this moment.
    """

    key: bytes
    refund_id: bytes
    order_id: bytes
    amount_fen: int
    reason_mac: bytes
    origin: int
    requested_by: str
    basis: int = 0


class NoteRefund(NamedTuple):
    """Bring a reading of a refund home; `state` is a channels.port.RefundState.

    `fee_ppm` is what the channel charges, so that what comes back of the fee is decided here;
    `notice_key` is empty but for notices.
    """

    refund_id: bytes
    state: int
    channel_refund_id: str
    amount_fen: int
    success_at_us: int
    fee_ppm: int
    digest: bytes
    source: int
    by: str
    notice_key: bytes = b""


class RedirectRefund(NamedTuple):
    """Send a refund that is stuck another way; `way` is a topup.refund.Way but ORIGINAL.

    `card_mac` is a digest of the person's card, empty for the merchant's own account.
    """

    key: bytes
    refund_id: bytes
    way: int
    card_mac: bytes
    by: str


class SendGift(NamedTuple):
    """Give coins to a streamer, whose status travels with the command.

    `coins` is the price of one; `streamer_ppm` of what they had cost is the streamer's, settled
    after `settle_after_us`. `factors` are bits of compliance.factor.
    """

    key: bytes
    gift_id: bytes
    user_id: bytes
    streamer_id: bytes
    code: str
    coins: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    streamer_ppm: int
    settle_after_us: int
    scene: str
    streamer_class: int
    streamer_state: int
    factors: int = 0


class SettleGift(NamedTuple):
    """Make the income of a gift that is due the streamer's balance."""

    gift_id: bytes


class ExpireCoins(NamedTuple):
    """End the bonus coins of an order whose time is over."""

    order_id: bytes


class AskPayout(NamedTuple):
    """Set money aside to be paid to the person's own wallet, at the earliest after `delay_us`.

    `account` names the channel account it is paid from; empty for the bank, by hand.
    """

    key: bytes
    payout_id: bytes
    user_id: bytes
    account: str
    amount_fen: int
    payee_mac: bytes
    delay_us: int
    requested_by: str
    factors: int = 0


class NotePayout(NamedTuple):
    """Bring a reading of a payout home; `state` is a channels.port.PayoutState."""

    payout_id: bytes
    state: int
    channel_no: str
    amount_fen: int
    fail_reason: str
    changed_at_us: int
    digest: bytes
    source: int
    by: str
    notice_key: bytes = b""


class BeginPayout(NamedTuple):
    """Say that a payout is about to be sent for the first time."""

    payout_id: bytes


class CancelPayout(NamedTuple):
    """Take back a payout that has not been sent."""

    payout_id: bytes
    by: str


class RecordBill(NamedTuple):
    """Note that a day's bill was fetched; the raw bytes travel sealed beside the command."""

    day_id: bytes
    account: str
    day: int
    bill: int
    digest: bytes


class RecordMatch(NamedTuple):
    """Note what comparing a day came to; the sheet of our rows travels sealed beside it."""

    day_id: bytes
    items: int
    opening_fen: int
    closing_fen: int
    ours_fen: int
    theirs_fen: int
    sheet_digest: bytes
    result_digest: bytes


class RecordDifference(NamedTuple):
    """Note a difference, or what became of one (`event` is a step of clearing's MACHINE).

    `gap_fen` is the channel's amount less ours, `fee_gap_fen` the channel's fee less ours; `remedy`
    is what the table of classes books at once, without a person.
    """

    difference_id: bytes
    account: str
    day: int
    way: int
    number: str
    class_code: str
    gap_fen: int
    fee_gap_fen: int
    event: str
    remedy: int


class ResolveDifference(NamedTuple):
    """End a difference by hand.

    `explain` books nothing; `ask` proposes a remedy, and `agree`, by somebody else, books it.
    """

    difference_id: bytes
    event: str
    remedy: int
    by: str
    note_mac: bytes


class RecordFlow(NamedTuple):
    """Note a movement that only the fund bill shows; `subject_id` names our payout or refund.

    One without a subject went between the channel account and the bank, and is booked so.
    """

    flow_id: bytes
    account: str
    day: int
    flow_no: str
    label: str
    amount_fen: int
    subject_id: bytes


class CloseDay(NamedTuple):
    """Close a day for ever. `open_ids` are the differences it is closed with, one after another.

    `explained_fen` is the part of the gap between both sums that has a name; `books_fen` what the
    books say the account has at the day's end, with what is in transit.
    """

    day_id: bytes
    is_first: bool
    explained_fen: int
    books_fen: int
    open_ids: bytes
    result_digest: bytes
    by: str


class FundLine(NamedTuple):
    """Put the operator's own money into a lane's line, or (below zero) take it back."""

    key: bytes
    lane: int
    amount_fen: int
    requested_by: str


class AskAdvance(NamedTuple):
    """Give an order's coins from the line before its money is proven.

    `account` is the channel account whose mode allows it. What the person has topped up before
    travels with the command, as it was read when the advance was asked for. So does `is_minor`:
    a row of the journal never has it, for it is refused. `device` and `address` are keys of askers:
    the order's lane and a keyed digest, empty where nothing is known. `factors` are bits of
    compliance.factor: by what the person proved that it is he who will owe.
    """

    order_id: bytes
    account: str
    credited_count: int
    first_credited_at_us: int
    credited_fen: int
    requested_by: str
    is_minor: bool = False
    device: bytes = b""
    address: bytes = b""
    factors: int = 0


class SettleAdvance(NamedTuple):
    """End an unpaid advance: `claw_back` at its deadline, `write_off` by a person.

    `request` ends nothing: it asks the person once to pay the same order.
    """

    order_id: bytes
    event: str
    by: str


class SetMode(NamedTuple):
    """Take one step of the table of modes for a channel account, in one lane."""

    lane: int
    account: str
    event: str
    by: str
    why: str


class StepTold(NamedTuple):
    """One step as a page tells it; `event_id` is lane(2) and a digest over person and page's id."""

    event_id: bytes
    trace: bytes
    step: int
    at_us: int
    scene: str
    order_id: bytes
    amount_fen: int
    reason: str


class RecordSteps(NamedTuple):
    """Take down what a person did on the way to a top-up; moves nothing."""

    user_id: bytes
    steps: tuple[StepTold, ...]


Command = (
    RegisterUser
    | ChangeUser
    | SetMembers
    | Fund
    | Transfer
    | SendPacket
    | AddEntropy
    | AddBeacon
    | ClaimPacket
    | DrawPacket
    | ClosePacket
    | SettleCase
    | DeliverRelay
    | AskRefund
    | NoteRefund
    | RedirectRefund
    | SendGift
    | SettleGift
    | ExpireCoins
    | AskPayout
    | NotePayout
    | BeginPayout
    | CancelPayout
    | FundLine
    | AskAdvance
    | SettleAdvance
    | SetMode
    | OpenOrder
    | BeginAttempt
    | NotePrepay
    | ReceiveNotice
    | Observe
    | BeginClose
    | ExpireOrder
    | AllocateParked
    | RecordBill
    | RecordMatch
    | RecordDifference
    | ResolveDifference
    | RecordFlow
    | CloseDay
    | RecordSteps
)
