"""Refunds: asked for by people, opened by decisions that find money which must go back (退款).

Law: what a refund carries waits in its own payable account until the channel says it has arrived;
coins are frozen first and destroyed only then. An answer that was cut off ends nothing: the refund
keeps its number.
"""

from typing import Final, NamedTuple

from lingqian.channels.port import RefundState
from lingqian.flows.command import AskRefund, NoteRefund
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.notice import end_notice, want_notice
from lingqian.flows.view import View, Wanted
from lingqian.identity.user import UserState
from lingqian.kernel.bound import (
    BALANCE_FEN_MAX,
    REDIRECT_TRIES_MAX,
    REFUND_AGAIN_S,
    REFUND_DAYS_MAX,
    REFUND_GAP_S,
    REFUNDS_PER_ATTEMPT_MAX,
)
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.id import lane_of
from lingqian.ledger.account import available_fen
from lingqian.ledger.chart import (
    Book,
    balance_account,
    bank_account,
    cash_account,
    channel_account,
    coin_account,
    coin_issued_account,
    coin_value_account,
    house_account,
    payable_account,
    unallocated_account,
)
from lingqian.ledger.hold import MACHINE as HOLD_MACHINE
from lingqian.ledger.hold import Hold, HoldState
from lingqian.ledger.posting import Phase, Posting
from lingqian.topup.attempt import Attempt
from lingqian.topup.coin import (
    Basis,
    Part,
    Price,
    back_for,
    destroy,
    freeze,
    most_fen,
    thaw,
)
from lingqian.topup.evidence import Payment, Reason, Source, transaction_key
from lingqian.topup.fee import fee_back
from lingqian.topup.order import (
    CREDIT_MACHINE,
    PAID_STATES,
    CreditState,
    Order,
    OrderKind,
    return_state,
)
from lingqian.topup.refund import (
    MACHINE,
    Origin,
    Refund,
    RefundStage,
    Way,
    next_id,
    payment_refund_id,
    refund_id,
)
from lingqian.topup.schedule import ask_at_us


class Opened(NamedTuple):
    """The refund that a decision opens; part of that command's outcome."""

    refund_id: bytes
    order_id: bytes
    attempt_id: bytes
    user_id: bytes
    amount_fen: int
    origin: int
    reason_mac: bytes = b""
    parent: bytes = b""
    coins_paid: int = 0
    coins_bonus: int = 0
    subsidy_fen: int = 0


def want_refund(attempt_id: bytes, origin: Origin, wanted: Wanted) -> None:
    """Name the rows of a refund that a decision about this attempt may open."""
    identity = refund_id(attempt_id, origin)
    wanted.refunds.add(identity)
    wanted.accounts.add(payable_account(identity))


def open_refund(
    view: View, attempt_id: bytes, source: bytes, amount_fen: int, origin: Origin
) -> tuple[Opened, Posting]:
    """Return the refund to open of an attempt, and the posting that sets its money aside.

    `source` is the account the money lies in now. To be folded by `fold_opened_refund`.
    """
    order_id = view.attempts.have(attempt_id).order_id
    user_id = view.orders.have(order_id).user_id
    identity = refund_id(attempt_id, origin)
    opened = Opened(identity, order_id, attempt_id, user_id, amount_fen, origin)
    return opened, Posting(Phase.POST, source, payable_account(identity), amount_fen)


def want_payment_refund(key: bytes, payment: Payment, wanted: Wanted) -> None:
    """Name the rows of a refund of a payment that nobody had asked for."""
    identity = payment_refund_id(key, payment.at_us)
    wanted.refunds.add(identity)
    wanted.accounts.add(payable_account(identity))


def open_payment_refund(view: View, key: bytes, source: bytes) -> tuple[Opened, Posting]:
    """Return the refund of a payment nobody had asked for, and the posting that sets it aside.

    It names the order it came for, where it did, and is counted at none.
    """
    payment = view.transactions.have(key)
    attempt = view.attempts.get(payment.attempt_id)
    order_id = b"" if attempt is None else attempt.order_id
    order = view.orders.get(order_id) if order_id else None
    user_id = b"" if order is None else order.user_id
    identity = payment_refund_id(key, payment.at_us)
    opened = Opened(
        identity, order_id, payment.attempt_id, user_id, payment.parked_fen, Origin.UNASKED
    )
    return opened, Posting(Phase.POST, source, payable_account(identity), payment.parked_fen)


def fold_opened_refund(
    view: View, opened: Opened, record: Record, transaction_key: bytes = b""
) -> None:
    """Write a refund that may be sent now, and count it at its order, or at its own payment."""
    refund = _opened(opened, record.at_us, transaction_key)
    view.refunds.put(opened.refund_id, refund)
    view.trail(record.seq, opened.refund_id)
    if transaction_key:
        view.transactions.edit(transaction_key).refund_count += 1
    else:
        _count_opened(view, opened, record.at_us)


def _opened(opened: Opened, at_us: int, transaction_key: bytes) -> Refund:
    """Return a refund that may be sent now."""
    return Refund(
        amount_fen=opened.amount_fen,
        attempt_id=opened.attempt_id,
        card_mac=b"",
        channel_refund_id="",
        coins_bonus=opened.coins_bonus,
        coins_paid=opened.coins_paid,
        created_at_us=at_us,
        due_at_us=at_us,
        fee_back_fen=0,
        order_id=opened.order_id,
        origin=opened.origin,
        parent=opened.parent,
        reason_mac=opened.reason_mac,
        stage=MACHINE.step(RefundStage.REQUESTED, "approve"),
        success_at_us=0,
        tries=0,
        user_id=opened.user_id,
        transaction_key=transaction_key,
        way=Way.ORIGINAL,
        subsidy_fen=opened.subsidy_fen,
    )


def _count_opened(view: View, opened: Opened, at_us: int) -> None:
    attempt = view.attempts.edit(opened.attempt_id)
    attempt.refunding_fen += opened.amount_fen
    attempt.refund_count += 1
    attempt.refund_at_us = at_us
    order = view.orders.edit(opened.order_id)
    order.refunding_fen += opened.amount_fen
    order.refund_state = return_state(order)


class RefundNoted(NamedTuple):
    """Where a refund stands after a reading, what came back of the fee, and when to ask next.

    `next` is the refund that follows a closed one whose money has no other way to go. `differs`
    marks a reading that contradicts what is settled, or says another amount.
    """

    stage: int
    due_at_us: int
    fee_back_fen: int = 0
    next: Opened | None = None
    differs: bool = False


# What a person may ask back: money that was credited, and not yet taken back whole.
REFUNDABLE: Final = (
    CreditState.CREDITED,
    CreditState.CONFIRMED,
    CreditState.REVERSING,
    CreditState.PART_REVERSED,
)
# Refunds of credited money: if the channel gives up, the money goes back where it was taken.
REVERSALS: Final = (Origin.PERSON, Origin.BILL)


def need_ask(command: AskRefund, wanted: Wanted) -> None:
    """Name the order and the account the money will wait in; the rest follows from the order."""
    wanted.orders.add(command.order_id)
    wanted.grants.add(command.order_id)
    wanted.accounts.add(payable_account(command.refund_id))


def deepen_ask(view: View, command: AskRefund, wanted: Wanted) -> None:
    """Name the payment to refund and where its money is now."""
    order = view.orders.get(command.order_id)
    if order is not None:
        wanted.users.add(order.user_id)
        if order.paid_attempt:
            wanted.attempts.add(order.paid_attempt)
        _want_source(order.user_id, view.lane, wanted)


def _want_source(user_id: bytes, lane: int, wanted: Wanted) -> None:
    wanted.accounts.add(balance_account(user_id))
    wanted.accounts.add(coin_account(user_id))
    wanted.accounts.add(coin_issued_account(lane))
    wanted.accounts.add(coin_value_account(lane))
    wanted.accounts.add(bank_account(lane))
    wanted.accounts.add(cash_account(lane))
    wanted.accounts.add(house_account(lane, Book.SUBSIDY))


def decide_ask(view: View, command: AskRefund, at_us: int) -> Decision:
    """Set money of a credited order aside, to go back to the payment it came by.

    What the balance has paid goes back there at once. Refuses: order_unknown, not_refundable,
    account_frozen, refund_too_late, exceeds_refund_count, exceeds_refundable, refund_too_soon,
    exceeds_available, exceeds_balance_max, refund_takes_all.
    """
    order = view.orders.get(command.order_id)
    if order is None:
        return refused(Code.ORDER_UNKNOWN)
    code = _check_order(view, order, command) or _check_source(view, order, command, at_us)
    if code:
        return refused(code)
    opened = Opened(
        command.refund_id,
        command.order_id,
        order.paid_attempt,
        order.user_id,
        command.amount_fen,
        command.origin,
        command.reason_mac,
    )
    if order.kind != OrderKind.COINS:
        return _from_balance(view, opened)
    return _from_coins(view, opened, Basis(command.basis))


def _check_order(view: View, order: Order, command: AskRefund) -> Code:
    """Say whether anything of an order can be asked back.

    The money of a packet is in other hands; its rest goes back by itself when the packet ends.
    """
    is_of_channel = bool(order.paid_attempt)
    is_known = command.origin in (REVERSALS if is_of_channel else (Origin.PERSON,))
    is_credited = order.credit_state in REFUNDABLE and order.pay_state in PAID_STATES
    if not (is_credited and is_known) or order.kind == OrderKind.PACKET:
        return Code.NOT_REFUNDABLE
    user = view.users.get(order.user_id)
    is_frozen = user is None or user.state != UserState.ACTIVE
    return Code.ACCOUNT_FROZEN if command.origin == Origin.PERSON and is_frozen else Code.OK


def _check_source(view: View, order: Order, command: AskRefund, at_us: int) -> Code:
    """Say whether the payment takes its money back: one of a channel, or the person's balance."""
    if order.paid_attempt:
        attempt = view.attempts.have(order.paid_attempt)
        return _check_payment(attempt, command.amount_fen, at_us)
    if at_us - order.credited_at_us > REFUND_DAYS_MAX * DAY_US:
        return Code.REFUND_TOO_LATE
    counters = view.accounts.get(balance_account(order.user_id))
    owned_fen = 0 if counters is None else counters.credits_posted
    is_full = owned_fen + command.amount_fen > BALANCE_FEN_MAX
    return Code.EXCEEDS_BALANCE_MAX if is_full else Code.OK


def _check_payment(attempt: Attempt, amount_fen: int, at_us: int) -> Code:
    if at_us - attempt.success_at_us > REFUND_DAYS_MAX * DAY_US:
        return Code.REFUND_TOO_LATE
    if attempt.refund_count >= REFUNDS_PER_ATTEMPT_MAX:
        return Code.EXCEEDS_REFUND_COUNT
    if amount_fen > attempt.paid_fen - attempt.refunding_fen - attempt.refunded_fen:
        return Code.EXCEEDS_REFUNDABLE
    if attempt.refund_count and at_us < attempt.refund_at_us + REFUND_GAP_S * SECOND_US:
        return Code.REFUND_TOO_SOON
    return Code.OK


def _from_balance(view: View, opened: Opened) -> Decision:
    source = balance_account(opened.user_id)
    counters = view.accounts.get(source)
    if counters is None or available_fen(counters) < opened.amount_fen:
        return refused(Code.EXCEEDS_AVAILABLE)
    # From here it must succeed.
    target = payable_account(opened.refund_id)
    return Decision(Code.OK, opened, (Posting(Phase.POST, source, target, opened.amount_fen),))


def _from_coins(view: View, opened: Opened, basis: Basis) -> Decision:
    grant = view.grants.get(opened.order_id)
    if grant is None:
        # The whole price went to what the person owed: no coins, and nothing to give back.
        return refused(Code.EXCEEDS_REFUNDABLE)
    order = view.orders.have(opened.order_id)
    price = Price(order.amount_fen, order.coins)
    if opened.amount_fen > most_fen(grant, price, basis):
        return refused(Code.EXCEEDS_REFUNDABLE)
    back = back_for(grant, opened.amount_fen, price, basis)
    if back is None:
        return refused(Code.REFUND_TAKES_ALL)
    # From here it must succeed.
    part, subsidy_fen = back.part, opened.amount_fen - back.value_fen
    value, frozen = coin_value_account(view.lane), _coins(Phase.HOLD, opened.user_id, part)
    opened = opened._replace(coins_paid=part.paid, coins_bonus=part.bonus, subsidy_fen=subsidy_fen)
    raised = _subsidised(view.lane, subsidy_fen)
    if not opened.attempt_id:
        # Frozen, destroyed and paid back in one command: there is no channel to wait for.
        own = Posting(Phase.POST, value, balance_account(opened.user_id), opened.amount_fen)
        destroyed = _coins(Phase.CAPTURE, opened.user_id, part)
        return Decision(Code.OK, opened, (frozen, destroyed, *raised, own))
    aside = Posting(Phase.POST, value, payable_account(opened.refund_id), opened.amount_fen)
    return Decision(Code.OK, opened, (frozen, *raised, aside))


def _subsidised(lane: int, fen: int) -> tuple[Posting, ...]:
    """Let the house raise the price of coins to what goes back for them; below zero, lower it.

    What it adds leaves its own money for the reserve, and the other way round.
    """
    value, bank = coin_value_account(lane), bank_account(lane)
    cost, cash = house_account(lane, Book.SUBSIDY), cash_account(lane)
    if fen > 0:
        return Posting(Phase.POST, bank, value, fen), Posting(Phase.POST, cost, cash, fen)
    if fen < 0:
        return Posting(Phase.POST, value, bank, -fen), Posting(Phase.POST, cash, cost, -fen)
    return ()


def _coins(phase: Phase, user_id: bytes, part: Part) -> Posting:
    """Set coins aside, or end that: destroyed by a capture, given back by a release."""
    issued = coin_issued_account(user_id[0] << 8 | user_id[1])
    return Posting(phase, coin_account(user_id), issued, part.paid + part.bonus)


def fold_ask(view: View, record: Record) -> None:
    """Write the refund; freeze its coins; mark the order as being reversed."""
    opened = record.outcome
    assert isinstance(opened, Opened), "the journal names its kind"
    if not opened.attempt_id:
        _fold_own(view, opened, record)
        return
    fold_opened_refund(view, opened, record)
    order = view.orders.edit(opened.order_id)
    order.credit_state = CREDIT_MACHINE.step(order.credit_state, "reverse")
    view.trail(record.seq, opened.order_id)
    part = Part(opened.coins_paid, opened.coins_bonus)
    if part != (0, 0):
        freeze(view.grants.edit(opened.order_id), part, opened.amount_fen - opened.subsidy_fen)
        _, debit, credit, coins = record.postings[0]
        hold = Hold(coins, record.at_us, credit, debit, HoldState.HELD)
        view.holds.put(opened.refund_id, hold)


def _fold_own(view: View, opened: Opened, record: Record) -> None:
    """Write a refund of an order that the balance has paid: asked for and arrived at once."""
    refund = _opened(opened, record.at_us, b"")
    refund.stage = MACHINE.step(refund.stage, "succeed")
    refund.way = Way.BALANCE
    refund.due_at_us = 0
    refund.success_at_us = record.at_us
    view.refunds.put(opened.refund_id, refund)
    view.trail(record.seq, opened.refund_id, opened.order_id)
    grant, part = view.grants.edit(opened.order_id), Part(opened.coins_paid, opened.coins_bonus)
    freeze(grant, part, opened.amount_fen - opened.subsidy_fen)
    destroy(grant, part)
    _, debit, credit, coins = record.postings[0]
    state = HOLD_MACHINE.step(HoldState.HELD, "capture")
    view.holds.put(opened.refund_id, Hold(coins, record.at_us, credit, debit, state))
    order = view.orders.edit(opened.order_id)
    order.refunded_fen += opened.amount_fen
    order.refund_state = return_state(order)
    reversing = CREDIT_MACHINE.step(order.credit_state, "reverse")
    event = "full" if order.refunded_fen == order.amount_fen else "part"
    order.credit_state = CREDIT_MACHINE.step(reversing, event)


def need_note(command: NoteRefund, wanted: Wanted) -> None:
    """Name the refund, what waits for it, and the lane's own books of fees."""
    want_notice(command.notice_key, wanted)
    wanted.refunds.add(command.refund_id)
    wanted.holds.add(command.refund_id)
    wanted.accounts.add(payable_account(command.refund_id))
    wanted.accounts.add(payable_account(next_id(command.refund_id)))
    lane = lane_of(command.refund_id)
    wanted.accounts.add(bank_account(lane))
    wanted.accounts.add(cash_account(lane))
    wanted.accounts.add(house_account(lane, Book.FEE_EXPENSE))
    wanted.accounts.add(house_account(lane, Book.COUPON_COST))
    wanted.accounts.add(unallocated_account(lane))


def deepen_note(view: View, command: NoteRefund, wanted: Wanted) -> None:
    """Name the order, its coins, the payment, and where the money came from."""
    refund = view.refunds.get(command.refund_id)
    if refund is not None and refund.transaction_key:
        wanted.transactions.add(refund.transaction_key)
    elif refund is not None:
        wanted.orders.add(refund.order_id)
        wanted.grants.add(refund.order_id)
        wanted.attempts.add(refund.attempt_id)
        _want_source(refund.user_id, view.lane, wanted)


def deepen_channel(view: View, command: NoteRefund, wanted: Wanted) -> None:
    """Name the channel's account and the payment, once the attempt says which those are."""
    refund = view.refunds.get(command.refund_id)
    if refund is not None and refund.way != Way.BALANCE:
        wanted.accounts.add(channel_account(view.lane, _payment(view, refund).account))
        wanted.transactions.add(_payment_key(view, refund))


class _Paid(NamedTuple):
    """The payment a refund goes back to, and how often and how much has gone back of it."""

    account: str
    paid_fen: int
    settle_fen: int
    refunded_fen: int
    refund_count: int


def _payment(view: View, refund: Refund) -> _Paid:
    """Return the payment a refund is of; one that nobody had asked for goes back whole, once."""
    if refund.transaction_key:
        row = view.transactions.have(refund.transaction_key)
        return _Paid(row.account, row.amount_fen, row.settle_fen, 0, row.refund_count)
    attempt = view.attempts.have(refund.attempt_id)
    return _Paid(
        attempt.account,
        attempt.paid_fen,
        attempt.settle_fen,
        attempt.refunded_fen,
        attempt.refund_count,
    )


def _payment_key(view: View, refund: Refund) -> bytes:
    if refund.transaction_key:
        return refund.transaction_key
    attempt = view.attempts.have(refund.attempt_id)
    return transaction_key(view.lane, attempt.account, attempt.transaction_id)


# What a reading does; UNKNOWN and ABSENT leave a refund with its number, to be sent or asked again.
EVENT: Final = {
    RefundState.UNKNOWN: "submit",
    RefundState.ABSENT: "submit",
    RefundState.PROCESSING: "process",
    RefundState.SUCCESS: "succeed",
    RefundState.CLOSED: "close",
    RefundState.ABNORMAL: "fail",
}
_END: Final = {
    RefundState.SUCCESS: RefundStage.SUCCESS,
    RefundState.CLOSED: RefundStage.CLOSED,
}


def decide_note(view: View, command: NoteRefund, at_us: int) -> Decision:
    """Take a reading of a refund: arrived, given up, stuck, or still to be asked about.

    A reading that contradicts an end is kept as evidence and moves nothing. Success with another
    amount is not ours to explain: the refund waits for a person. Refuses: refund_unknown.
    """
    refund = view.refunds.get(command.refund_id)
    if refund is None:
        # A notice of a refund that is none of ours is parked; the daily bill explains it.
        parked = RefundNoted(RefundStage.REQUESTED, 0, differs=True) if command.notice_key else None
        return Decision(Code.REFUND_UNKNOWN, parked)
    state = RefundState(command.state)
    if refund.stage in MACHINE.final:
        if state not in _END or _END[state] == refund.stage:
            return Decision(Code.OK, RefundNoted(refund.stage, 0) if command.notice_key else None)
        return Decision(Code.OK, RefundNoted(refund.stage, 0, differs=True))
    # From here it must succeed.
    stage = _stage_after(refund, command)
    if stage == RefundStage.SUCCESS:
        return _arrived(view, command, refund)
    if stage == RefundStage.CLOSED:
        return _given_up(view, command.refund_id, refund)
    waits = stage == RefundStage.ABNORMAL
    differs = state == RefundState.SUCCESS
    due_at_us = 0 if waits else ask_at_us(refund.tries, at_us)
    return Decision(Code.OK, RefundNoted(stage, due_at_us, differs=differs))


def _stage_after(refund: Refund, command: NoteRefund) -> int:
    event = EVENT[RefundState(command.state)]
    if refund.stage == RefundStage.REDIRECTED:
        event = _redirected(refund, command, event)
    if event == "succeed" and command.amount_fen != refund.amount_fen:
        event = "fail"
    return MACHINE.steps.get((refund.stage, event), refund.stage)


def _redirected(refund: Refund, command: NoteRefund, event: str) -> str:
    """Say what a reading does to a refund that was sent another way and is not taken yet.

    That it is stuck is what we know; only the query after the channel's no says that it stays so.
    A call that is cut off again and again goes back to a person, who asks first as we do.
    """
    if event == "fail":
        return event if command.source == Source.QUERY else "submit"
    is_given_up = event == "submit" and refund.tries + 1 >= REDIRECT_TRIES_MAX
    return "fail" if is_given_up else event


def _arrived(view: View, command: NoteRefund, refund: Refund) -> Decision:
    """Pay out what was set aside: the settled part by the channel, a coupon's part by the house.

    What arrives with the merchant is still the person's: it is parked under its payment.
    """
    paid, lane = _payment(view, refund), view.lane
    before, after = paid.refunded_fen, paid.refunded_fen + refund.amount_fen
    gone_fen = paid.settle_fen * before // paid.paid_fen
    settled_fen = paid.settle_fen * after // paid.paid_fen - gone_fen
    fee_fen = fee_back(command.fee_ppm, paid.settle_fen, gone_fen, settled_fen)
    payable, channel = payable_account(command.refund_id), channel_account(lane, paid.account)
    is_ours = refund.way == Way.MERCHANT
    postings = [
        (bank_account(lane) if is_ours else payable, channel, settled_fen),
        (payable, unallocated_account(lane), settled_fen * is_ours),
        (payable, bank_account(lane), refund.amount_fen - settled_fen),
        (
            cash_account(lane),
            house_account(lane, Book.COUPON_COST),
            refund.amount_fen - settled_fen,
        ),
        (channel, house_account(lane, Book.FEE_EXPENSE), fee_fen),
        (cash_account(lane), bank_account(lane), fee_fen),
    ]
    moved = tuple([Posting(Phase.POST, *each) for each in postings if each[2]])
    part = Part(refund.coins_paid, refund.coins_bonus)
    if part != (0, 0):
        moved += (_coins(Phase.CAPTURE, refund.user_id, part),)
    return Decision(Code.OK, RefundNoted(RefundStage.SUCCESS, 0, fee_fen), moved)


def _given_up(view: View, refund_id: bytes, refund: Refund) -> Decision:
    """Bring money back where it was taken; what has no way back follows under a new number."""
    payable = payable_account(refund_id)
    if refund.origin not in REVERSALS:
        return _followed(view, refund_id, refund)
    part = Part(refund.coins_paid, refund.coins_bonus)
    outcome = RefundNoted(RefundStage.CLOSED, 0)
    if part == (0, 0):
        target = balance_account(refund.user_id)
        return Decision(
            Code.OK, outcome, (Posting(Phase.POST, payable, target, refund.amount_fen),)
        )
    postings = (
        Posting(Phase.POST, payable, coin_value_account(view.lane), refund.amount_fen),
        *_subsidised(view.lane, -refund.subsidy_fen),
        _coins(Phase.RELEASE, refund.user_id, part),
    )
    return Decision(Code.OK, outcome, postings)


def _followed(view: View, refund_id: bytes, refund: Refund) -> Decision:
    if _payment(view, refund).refund_count >= REFUNDS_PER_ATTEMPT_MAX:
        # The channel takes no further number: a person has to find another way.
        return Decision(Code.OK, RefundNoted(RefundStage.ABNORMAL, 0))
    following = Opened(
        next_id(refund_id),
        refund.order_id,
        refund.attempt_id,
        refund.user_id,
        refund.amount_fen,
        refund.origin,
        refund.reason_mac,
        parent=refund_id,
    )
    source, target = payable_account(refund_id), payable_account(following.refund_id)
    posting = Posting(Phase.POST, source, target, refund.amount_fen)
    return Decision(Code.OK, RefundNoted(RefundStage.CLOSED, 0, next=following), (posting,))


def fold_note(view: View, record: Record) -> None:
    """Write what a reading has changed of a refund, its payment, its order and its coins."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, NoteRefund), "the journal names its kind"
    assert isinstance(outcome, RefundNoted), "the journal names its kind"
    if record.code:
        end_notice(view, command.notice_key, "park", Reason.UNKNOWN_ORDER)
        view.trail(record.seq, command.notice_key)
        return
    refund = view.refunds.edit(command.refund_id)
    view.trail(
        record.seq,
        command.refund_id,
        refund.order_id,
        command.notice_key,
        refund.transaction_key,
    )
    is_over = refund.stage in MACHINE.final
    end_notice(view, command.notice_key, "repeat" if is_over else "apply", Reason.NONE)
    if is_over:
        return
    refund.stage = outcome.stage
    refund.due_at_us = outcome.due_at_us
    refund.tries += 1
    refund.channel_refund_id = command.channel_refund_id or refund.channel_refund_id
    if outcome.stage == RefundStage.SUCCESS:
        refund.success_at_us = command.success_at_us or record.at_us
        refund.fee_back_fen = outcome.fee_back_fen
        _fold_end(view, refund, command.refund_id, record)
        _fold_parked(view, refund, record)
    elif outcome.stage == RefundStage.CLOSED:
        _fold_end(view, refund, command.refund_id, record)
        if outcome.next is not None:
            _fold_next(view, outcome.next, record, refund.transaction_key)


def _fold_end(view: View, refund: Refund, refund_id: bytes, record: Record) -> None:
    """Count what arrived or came back at the payment and at the order, and end its coins."""
    if refund.transaction_key:
        return
    is_back = refund.stage == RefundStage.SUCCESS
    attempt, order = view.attempts.edit(refund.attempt_id), view.orders.edit(refund.order_id)
    for counted in (attempt, order):
        counted.refunding_fen -= refund.amount_fen
        counted.refunded_fen += refund.amount_fen if is_back else 0
    order.refund_state = return_state(order)
    is_last = not attempt.refunding_fen and refund.origin in REVERSALS
    if is_last and order.credit_state == CreditState.REVERSING:
        order.credit_state = CREDIT_MACHINE.step(order.credit_state, _reversed(attempt))
    part = Part(refund.coins_paid, refund.coins_bonus)
    if part != (0, 0):
        grant, hold = view.grants.edit(refund.order_id), view.holds.edit(refund_id)
        hold.state = HOLD_MACHINE.step(hold.state, "capture" if is_back else "release")
        hold.at_us = record.at_us
        if is_back:
            destroy(grant, part)
        else:
            thaw(grant, part, refund.amount_fen - refund.subsidy_fen)


def _fold_parked(view: View, refund: Refund, record: Record) -> None:
    """Write what has come back to us under its payment, until a person says whose it is."""
    target = unallocated_account(view.lane)
    parked_fen = sum(each.amount_fen for each in record.postings if each.credit == target)
    if parked_fen:
        key = _payment_key(view, refund)
        view.transactions.edit(key).parked_fen += parked_fen
        if not refund.transaction_key:
            view.trail(record.seq, key)


def _reversed(attempt: Attempt) -> str:
    if not attempt.refunded_fen:
        return "restore"
    return "full" if attempt.refunded_fen == attempt.paid_fen else "part"


def _fold_next(view: View, following: Opened, record: Record, transaction_key: bytes) -> None:
    fold_opened_refund(view, following, record, transaction_key)
    refund = view.refunds.edit(following.refund_id)
    refund.due_at_us = record.at_us + REFUND_AGAIN_S * SECOND_US
