"""Attempts: begun, given a pay sheet, and closed; one of an order can be paid (支付尝试)."""

from typing import NamedTuple

from lingqian.flows.command import BeginAttempt, BeginClose, NotePrepay
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import ATTEMPTS_MAX, CLOSE_AGE_S_MIN
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import OK, Code
from lingqian.topup.attempt import (
    LIVE_STATES,
    MACHINE,
    Attempt,
    AttemptState,
    Mark,
    PrepayResult,
    query_at_us,
)
from lingqian.topup.order import PAY_MACHINE, Order, PayState


class AttemptDone(NamedTuple):
    """An attempt has its number, and the amount it is to be asked for."""

    amount_fen: int
    expires_at_us: int


class PrepayDone(NamedTuple):
    """An attempt's state after the call for a pay sheet, and when its channel is asked next."""

    state: int
    query_due_at_us: int


class CloseBegun(NamedTuple):
    """An attempt is being closed."""

    order_id: bytes


def need_begin(command: BeginAttempt, wanted: Wanted) -> None:
    """Name the rows an attempt touches."""
    wanted.attempts.add(command.attempt_id)
    wanted.orders.add(command.order_id)


def decide_begin(view: View, command: BeginAttempt, at_us: int) -> Decision:
    """Begin an attempt of an open order that has no other that can be paid.

    Refuses: order_unknown, order_paid, order_closed, attempt_open, attempts_exhausted.
    """
    known = view.attempts.get(command.attempt_id)
    if known is not None:
        return Decision(OK, first=known)
    order = view.orders.get(command.order_id)
    if order is None:
        return refused(Code.ORDER_UNKNOWN)
    code = _check_order(order, at_us)
    if code:
        return refused(code)
    # From here it must succeed.
    return Decision(OK, AttemptDone(order.amount_fen, order.expires_at_us))


def _check_order(order: Order, at_us: int) -> Code:
    if order.pay_state in (PayState.PAID, PayState.OVERPAID):
        return Code.ORDER_PAID
    # An order is closed at its expiry or after it; a person's cancelling makes that now.
    if at_us >= order.expires_at_us:
        return Code.ORDER_CLOSED
    if order.live_attempt:
        return Code.ATTEMPT_OPEN
    return Code.ATTEMPTS_EXHAUSTED if order.attempt_count >= ATTEMPTS_MAX else Code.OK


def fold_begin(view: View, record: Record) -> None:
    """Write the attempt, and that it is the order's live one."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, BeginAttempt), "the journal names its kind"
    assert isinstance(outcome, AttemptDone), "the journal names its kind"
    at_us = record.at_us
    attempt = Attempt(
        account=command.account,
        amount_fen=outcome.amount_fen,
        created_at_us=at_us,
        fee_fen=0,
        is_late=0,
        mark=Mark.NONE,
        order_id=command.order_id,
        paid_fen=0,
        payer_fen=0,
        payer_mac=command.payer_mac,
        prepaid_until_us=0,
        product=command.product,
        query_due_at_us=query_at_us(at_us, 0, at_us, outcome.expires_at_us),
        rebate_fen=0,
        refund_at_us=0,
        refund_count=0,
        refunded_fen=0,
        refunding_fen=0,
        service_fee_fen=0,
        settle_fen=0,
        state=AttemptState.INIT,
        success_at_us=0,
        transaction_id="",
        tries=0,
    )
    view.attempts.put(command.attempt_id, attempt)
    order = view.orders.edit(command.order_id)
    if order.pay_state == PayState.NONE:
        order.pay_state = PAY_MACHINE.step(order.pay_state, "try")
    order.attempt_count += 1
    order.live_attempt = command.attempt_id
    order.due_at_us = max(order.expires_at_us, at_us + CLOSE_AGE_S_MIN * SECOND_US)
    view.trail(record.seq, command.order_id)


def need_prepay(command: NotePrepay, wanted: Wanted) -> None:
    """Name the attempt; its order follows."""
    wanted.attempts.add(command.attempt_id)


def deepen_order(view: View, command: NotePrepay | BeginClose, wanted: Wanted) -> None:
    """Name the order of an attempt."""
    attempt = view.attempts.get(command.attempt_id)
    if attempt is not None:
        wanted.orders.add(attempt.order_id)


_PREPAY_STEP = {
    (AttemptState.INIT, PrepayResult.PAYABLE): "payable",
    (AttemptState.INIT, PrepayResult.UNKNOWN): "unknown",
    # Only a first call that was refused proves that nothing can be paid.
    (AttemptState.INIT, PrepayResult.FAILED): "fail",
    (AttemptState.UNKNOWN, PrepayResult.PAYABLE): "payable",
}


def decide_prepay(view: View, command: NotePrepay, at_us: int) -> Decision:
    """Note the answer to a call for a pay sheet; what evidence has said meanwhile stands.

    Refuses: attempt_unknown.
    """
    attempt = view.attempts.get(command.attempt_id)
    if attempt is None:
        return refused(Code.ATTEMPT_UNKNOWN)
    state, result = AttemptState(attempt.state), PrepayResult(command.result)
    event = _PREPAY_STEP.get((state, result))
    is_renewed = state == AttemptState.PAYABLE and result == PrepayResult.PAYABLE
    if event is None and not is_renewed:
        return Decision(Code.OK)
    # From here it must succeed.
    due_at_us = attempt.query_due_at_us
    if event == "unknown":
        due_at_us = at_us
    elif event == "fail":
        due_at_us = 0
    following = attempt.state if event is None else MACHINE.step(attempt.state, event)
    return Decision(Code.OK, PrepayDone(following, due_at_us))


def fold_prepay(view: View, record: Record) -> None:
    """Write the attempt's state; one that failed leaves the order free for another."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, NotePrepay), "the journal names its kind"
    assert isinstance(outcome, PrepayDone), "the journal names its kind"
    attempt = view.attempts.edit(command.attempt_id)
    attempt.state = outcome.state
    attempt.query_due_at_us = outcome.query_due_at_us
    attempt.prepaid_until_us = max(attempt.prepaid_until_us, command.prepaid_until_us)
    view.trail(record.seq, attempt.order_id)
    if outcome.state == AttemptState.FAILED:
        free_order(view, command.attempt_id, attempt.order_id)


def free_order(view: View, attempt_id: bytes, order_id: bytes) -> None:
    """Write that an attempt can no longer be paid, so that its order may have another."""
    order = view.orders.edit(order_id)
    if order.live_attempt == attempt_id:
        order.live_attempt = b""
        is_open = order.pay_state in (PayState.NONE, PayState.PAYING)
        order.due_at_us = order.expires_at_us if is_open else 0


def need_close(command: BeginClose, wanted: Wanted) -> None:
    """Name the attempt; its order follows."""
    wanted.attempts.add(command.attempt_id)


def decide_close(view: View, command: BeginClose, at_us: int) -> Decision:
    """Begin to close an attempt that can still be paid.

    Refuses: attempt_unknown, already_settled.
    """
    del at_us
    attempt = view.attempts.get(command.attempt_id)
    if attempt is None:
        return refused(Code.ATTEMPT_UNKNOWN)
    if attempt.state not in LIVE_STATES:
        return refused(Code.ALREADY_SETTLED)
    if attempt.state == AttemptState.CLOSING:
        return Decision(Code.OK)
    # From here it must succeed.
    return Decision(Code.OK, CloseBegun(attempt.order_id))


def fold_close(view: View, record: Record) -> None:
    """Write that the attempt is being closed."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, BeginClose), "the journal names its kind"
    assert isinstance(outcome, CloseBegun), "the journal names its kind"
    begin_close(view, command.attempt_id, record.at_us)
    view.trail(record.seq, outcome.order_id)


def begin_close(view: View, attempt_id: bytes, at_us: int) -> None:
    """Write that an attempt is being closed: its channel is asked at once."""
    attempt = view.attempts.edit(attempt_id)
    if attempt.state != AttemptState.CLOSING:
        attempt.state = MACHINE.step(attempt.state, "close")
    attempt.query_due_at_us = at_us
