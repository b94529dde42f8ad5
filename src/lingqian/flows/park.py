"""Parked money: a person says whose it is, or sends it back to its payment (挂账处理)."""

from typing import Final, NamedTuple

from lingqian.flows.command import AllocateParked
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.refund import (
    Opened,
    fold_opened_refund,
    open_payment_refund,
    open_refund,
    want_payment_refund,
    want_refund,
)
from lingqian.flows.transfer import landing, want_landing
from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import REFUND_DAYS_MAX
from lingqian.kernel.clock import DAY_US
from lingqian.kernel.code import OK, Code
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import unallocated_account
from lingqian.ledger.posting import Phase, Posting
from lingqian.topup.evidence import UNASKED, Payment, Reason
from lingqian.topup.order import CREDIT_MACHINE, CreditState
from lingqian.topup.refund import Origin, refund_id

CREDIT: Final = "credit"
REFUND: Final = "refund"


class AllocateDone(NamedTuple):
    """Parked money went to a person's balance, or into a refund."""

    amount_fen: int
    attempt_id: bytes
    order_id: bytes
    refund: Opened | None


def need_allocate(command: AllocateParked, wanted: Wanted) -> None:
    """Name the transaction and where its money may go."""
    wanted.transactions.add(command.transaction_key)
    lane = lane_of(command.transaction_key)
    wanted.accounts.add(unallocated_account(lane))
    if command.action == CREDIT:
        want_landing(lane, command.user_id, wanted)


def deepen_allocate(view: View, command: AllocateParked, wanted: Wanted) -> None:
    """Name the attempt that was paid, and the refund of it."""
    payment = view.transactions.get(command.transaction_key)
    if payment is not None:
        wanted.attempts.add(payment.attempt_id)
        want_refund(payment.attempt_id, Origin.SURPLUS, wanted)
        want_payment_refund(command.transaction_key, payment, wanted)


def deepen_parked(view: View, command: AllocateParked, wanted: Wanted) -> None:
    """Name the order of the attempt."""
    payment = view.transactions.get(command.transaction_key)
    attempt = None if payment is None else view.attempts.get(payment.attempt_id)
    if attempt is not None:
        wanted.orders.add(attempt.order_id)


def decide_allocate(view: View, command: AllocateParked, at_us: int) -> Decision:
    """End parked money.

    Refuses: nothing_parked, attempt_unknown, not_refundable, refund_too_late.
    """
    payment = view.transactions.get(command.transaction_key)
    if payment is None or not payment.parked_fen:
        return refused(Code.NOTHING_PARKED)
    if command.action == REFUND:
        return _refunded(view, command.transaction_key, payment, at_us)
    # From here it must succeed.
    source = unallocated_account(view.lane)
    target, relayed = landing(view.lane, command.user_id, payment.parked_fen)
    posting = Posting(Phase.POST, source, target, payment.parked_fen)
    order_id = _order_id(view, payment)
    outcome = AllocateDone(payment.parked_fen, payment.attempt_id, order_id, None)
    return Decision(OK, outcome, (posting,), relayed)


def _refunded(view: View, key: bytes, payment: Payment, at_us: int) -> Decision:
    """Send parked money back to its payment, the way it came and no other."""
    code = _check_refund(view, key, payment, at_us)
    if code:
        return refused(code)
    # From here it must succeed.
    source = unallocated_account(view.lane)
    if payment.reason == Reason.WRONG_AMOUNT:
        refund, posting = open_refund(
            view, payment.attempt_id, source, payment.parked_fen, Origin.SURPLUS
        )
    else:
        refund, posting = open_payment_refund(view, key, source)
    order_id = _order_id(view, payment)
    outcome = AllocateDone(payment.parked_fen, payment.attempt_id, order_id, refund)
    return Decision(OK, outcome, (posting,))


def _check_refund(view: View, key: bytes, payment: Payment, at_us: int) -> Code:
    if payment.attempt_id == key:
        # A surplus that reconciling has found: there is no payment it could go back to.
        return Code.ATTEMPT_UNKNOWN
    # What came back to the merchant has been refunded: its payment takes no second one.
    is_gone = payment.reason not in (*UNASKED, Reason.WRONG_AMOUNT) or payment.refund_count
    if is_gone or view.refunds.get(refund_id(payment.attempt_id, Origin.SURPLUS)) is not None:
        return Code.NOT_REFUNDABLE
    is_late = at_us - payment.success_at_us > REFUND_DAYS_MAX * DAY_US
    return Code.REFUND_TOO_LATE if is_late else Code.OK


def _order_id(view: View, payment: Payment) -> bytes:
    """Return the order whose money is parked; empty where it is none of ours."""
    attempt = view.attempts.get(payment.attempt_id)
    return attempt.order_id if attempt and payment.reason == Reason.WRONG_AMOUNT else b""


def fold_allocate(view: View, record: Record) -> None:
    """Write that nothing is parked any more, and what became of the order it came for."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, AllocateParked), "the journal names its kind"
    assert isinstance(outcome, AllocateDone), "the journal names its kind"
    view.transactions.edit(command.transaction_key).parked_fen = 0
    view.trail(record.seq, command.transaction_key, outcome.order_id or outcome.attempt_id)
    if outcome.refund is not None:
        is_unasked = outcome.refund.origin == Origin.UNASKED
        key = command.transaction_key if is_unasked else b""
        fold_opened_refund(view, outcome.refund, record, key)
    if outcome.order_id:
        order = view.orders.edit(outcome.order_id)
        if order.credit_state == CreditState.NONE:
            # Its own terms were never met: the person has the money, or gets it back.
            order.credit_state = CREDIT_MACHINE.step(order.credit_state, "reject")
