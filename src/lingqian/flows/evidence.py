"""Evidence: what a channel says of an attempt moves its order, once (凭证入账).

Law: verified money is booked in the command that brings it, whatever else is true of the order;
the same truth told again, in any order and from anywhere, changes nothing but the evidence.
"""

from typing import Final, NamedTuple

from lingqian.channels.port import PAID_STATES, TradeState
from lingqian.flows.advance import (
    BRIDGED_STATES,
    confirmed,
    fold_confirmed,
    fold_repaid,
    owed_fen,
    repaid,
    want_proof,
)
from lingqian.flows.attempt import begin_close, free_order
from lingqian.flows.case import case_id
from lingqian.flows.command import Observe
from lingqian.flows.credit import (
    Credited,
    can_credit,
    credit,
    fold_credit,
    refuse_packet,
    want_credit,
)
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import Opened, Subject, fold_opened, open_review
from lingqian.flows.notice import end_notice
from lingqian.flows.order import UNPAID_STATES, close_order
from lingqian.flows.receipt import receipt, settled_fen, want_receipt
from lingqian.flows.refund import Opened as RefundOpened
from lingqian.flows.refund import fold_opened_refund, open_refund, want_refund
from lingqian.flows.view import View, Wanted
from lingqian.kernel.clock import business_day
from lingqian.kernel.code import OK, Code
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import held_account, unallocated_account
from lingqian.ledger.posting import Posting
from lingqian.risk.rule import Action, Rule, Verdict, judge
from lingqian.topup.attempt import DEAD_STATES, Attempt, AttemptState, Mark, query_at_us
from lingqian.topup.attempt import MACHINE as ATTEMPT_MACHINE
from lingqian.topup.evidence import (
    DENIALS,
    Effect,
    Payment,
    Reason,
    Source,
    is_sound,
    transaction_key,
)
from lingqian.topup.inflow import Inflow, count_inflow, is_reviewed
from lingqian.topup.order import (
    CREDIT_MACHINE,
    PAY_MACHINE,
    CreditState,
    Order,
    OrderKind,
    PayState,
)
from lingqian.topup.refund import Origin

# AML-1: one person's top-ups of a day above the bound wait for a person.
AML_1: Final = Rule("aml_1", Action.TOP_UP, 0, Verdict.REVIEW)


class ObserveDone(NamedTuple):
    """What a piece of evidence did.

    `reason` is why money is parked. `repaid_fen` went to what the person owes of this advance.
    `query_due_at_us` is when to ask next where the channel says
    that it waits. `order_id` is empty for a number that is none of ours.
    """

    effect: int
    reason: int
    order_id: bytes
    query_due_at_us: int
    closes_order: bool
    credited: Credited | None
    opened: Opened | None
    refund: RefundOpened | None
    repaid_fen: int = 0


def need_observe(command: Observe, wanted: Wanted) -> None:
    """Name the attempt, the notice and, where money came, its transaction and accounts."""
    wanted.attempts.add(command.attempt_id)
    key = _notice_key(command)
    if key:
        wanted.notices.add(key)
    if command.state in PAID_STATES:
        lane = lane_of(command.attempt_id)
        wanted.transactions.add(transaction_key(lane, command.account, command.transaction_id))
        wanted.accounts.add(unallocated_account(lane))
        want_receipt(lane, command.account, wanted)


def _notice_key(command: Observe) -> bytes:
    """Return the notice that brought the evidence; another lane's is not ours to end."""
    key = command.notice_key
    return key if key[:2] == command.attempt_id[:2] else b""


def deepen_observe(view: View, command: Observe, wanted: Wanted) -> None:
    """Name the order of the attempt, and what a success of it may open."""
    attempt = view.attempts.get(command.attempt_id)
    if attempt is None:
        return
    wanted.orders.add(attempt.order_id)
    if command.state in PAID_STATES:
        wanted.cases.add(case_id(attempt.order_id))
        want_refund(command.attempt_id, Origin.LATE, wanted)
        want_refund(command.attempt_id, Origin.OVERPAID, wanted)


def deepen_success(view: View, command: Observe, wanted: Wanted) -> None:
    """Name what the order's money may become."""
    attempt = view.attempts.get(command.attempt_id)
    if attempt is None:
        return
    order = view.orders.have(attempt.order_id)
    want_credit(attempt.order_id, order, wanted)
    wanted.inflows.add(order.user_id)
    if order.credit_state in BRIDGED_STATES:
        want_proof(attempt.order_id, order, wanted)
    if order.live_attempt:
        wanted.attempts.add(order.live_attempt)


def decide_observe(view: View, command: Observe, at_us: int) -> Decision:
    """Take one piece of evidence.

    Refuses: evidence_invalid, attempt_unknown.
    """
    attempt = view.attempts.get(command.attempt_id)
    if command.state in PAID_STATES:
        amounts = (
            command.amount_fen,
            command.payer_fen,
            command.settle_fen,
            command.fee_fen,
            command.service_fee_fen,
            command.rebate_fen,
        )
        if not is_sound(amounts, command.transaction_id, command.success_at_us):
            return refused(Code.EVIDENCE_INVALID)
        return _paid(view, command, attempt, at_us)
    if attempt is None:
        return refused(Code.ATTEMPT_UNKNOWN)
    # From here it must succeed.
    return Decision(OK, _unpaid(view, command, attempt, at_us))


def _noted(effect: Effect, attempt: Attempt | None, reason: Reason = Reason.NONE) -> ObserveDone:
    order_id = b"" if attempt is None else attempt.order_id
    return ObserveDone(effect, reason, order_id, 0, False, None, None, None)  # noqa: FBT003 - a field of the outcome


def _unpaid(view: View, command: Observe, attempt: Attempt, at_us: int) -> ObserveDone:
    """Say what evidence without money does: an attempt ends, or is asked again."""
    effect = _effect(command, attempt)
    done = _noted(effect, attempt)
    order = view.orders.have(attempt.order_id)
    if effect == Effect.WAITING:
        tries = attempt.tries + 1
        due = query_at_us(attempt.created_at_us, tries, at_us, order.expires_at_us)
        return done._replace(query_due_at_us=due)
    is_last = order.live_attempt == command.attempt_id and at_us >= order.expires_at_us
    ends = effect in (Effect.SHUT, Effect.FAILED) and is_last and order.pay_state in UNPAID_STATES
    return done._replace(closes_order=ends)


_ENDS: Final = {
    TradeState.CLOSED: Effect.SHUT,
    TradeState.REVOKED: Effect.FAILED,
    TradeState.FAILED: Effect.FAILED,
}


# What a channel may say of a number that it has not ended.
_UNSAID: Final = (TradeState.UNKNOWN, TradeState.NOT_PAID, TradeState.PAYING)


def _effect(command: Observe, attempt: Attempt) -> Effect:
    if attempt.state == AttemptState.SUCCEEDED:
        is_denied = command.state in DENIALS and attempt.mark == Mark.NONE
        return Effect.CONTRADICTED if is_denied else Effect.NOTED
    if attempt.state in DEAD_STATES:
        is_asked = attempt.query_due_at_us and command.source == Source.QUERY
        return Effect.WAITING if is_asked and command.state in _UNSAID else Effect.NOTED
    if command.state == TradeState.ABSENT and attempt.state == AttemptState.CLOSING:
        return Effect.SHUT
    ends = _ENDS.get(TradeState(command.state))
    if ends is not None:
        return ends
    return Effect.WAITING if command.source == Source.QUERY else Effect.NOTED


def _paid(view: View, command: Observe, attempt: Attempt | None, at_us: int) -> Decision:
    """Book money that has come, once for each transaction, and say what it becomes."""
    key = transaction_key(view.lane, command.account, command.transaction_id)
    known = view.transactions.get(key)
    if known is not None:
        is_same = known.attempt_id == command.attempt_id
        reason = Reason.NONE if is_same else Reason.TRANSACTION_TAKEN
        return Decision(OK, _noted(Effect.NOTED, attempt, reason))
    # From here it must succeed.
    reason = _unplaced(command, attempt)
    if reason == Reason.WRONG_AMOUNT and command.source == Source.NOTICE:
        # A notice alone does not call a person: the channel is asked, and its answer decides.
        return Decision(OK, _noted(Effect.DOUBTED, attempt, reason))
    if reason or attempt is None:
        target = unallocated_account(view.lane)
        outcome = _noted(Effect.PARKED, attempt, reason)
        return Decision(OK, outcome, tuple(receipt(view.lane, command, target)))
    return _placed(view, command, attempt, at_us)


def _unplaced(command: Observe, attempt: Attempt | None) -> Reason:
    """Say why money cannot be placed by itself; NONE when it can."""
    if attempt is None:
        return Reason.UNKNOWN_ORDER
    if attempt.account != command.account:
        return Reason.OTHER_ACCOUNT
    if attempt.state == AttemptState.SUCCEEDED:
        return Reason.TWO_PAYMENTS
    if attempt.amount_fen != command.amount_fen:
        return Reason.WRONG_AMOUNT
    return Reason.NONE


def _placed(view: View, command: Observe, attempt: Attempt, at_us: int) -> Decision:
    """Credit an order's money, hold it for review, or send it back."""
    order = view.orders.have(attempt.order_id)
    held = held_account(attempt.order_id)
    postings = receipt(view.lane, command, held)
    if order.pay_state in (PayState.PAID, PayState.OVERPAID):
        return _returned(view, command, postings, Origin.OVERPAID)
    if order.credit_state in BRIDGED_STATES:
        return _bridged(view, command, attempt, postings)
    if not _is_honoured(view, order, command.success_at_us):
        return _returned(view, command, postings, Origin.LATE)
    rule = _rule(view, order, at_us)
    if rule is not None:
        subject = Subject(
            attempt.order_id, Action.TOP_UP, attempt.order_id, order.user_id, order.amount_fen
        )
        opened = open_review(view, subject, rule, at_us)
        opened = opened._replace(requested_by=order.requested_by)
        outcome = _noted(Effect.HELD, attempt)._replace(opened=opened)
        return Decision(OK, outcome, tuple(postings))
    credited, moves = credit(view, order, held, at_us)
    outcome = _noted(Effect.CREDITED, attempt)._replace(credited=credited)
    return Decision(OK, outcome, (*postings, *moves))


def _bridged(view: View, command: Observe, attempt: Attempt, postings: list[Posting]) -> Decision:
    """End an advance with its money; where it has ended, repay what is owed and return the rest."""
    order, held = view.orders.have(attempt.order_id), held_account(attempt.order_id)
    if order.credit_state == CreditState.ADVANCED:
        moves = confirmed(view.lane, attempt.order_id, order.amount_fen)
        return Decision(OK, _noted(Effect.CONFIRMED, attempt), (*postings, *moves))
    owed = min(owed_fen(view, order.user_id), command.amount_fen)
    moves = repaid(view.lane, held, order.user_id, owed)
    outcome = _noted(Effect.REPAID, attempt)._replace(repaid_fen=owed)
    if owed < command.amount_fen:
        rest_fen = command.amount_fen - owed
        refund, posting = open_refund(view, command.attempt_id, held, rest_fen, Origin.LATE)
        outcome, moves = outcome._replace(refund=refund), (*moves, posting)
    return Decision(OK, outcome, (*postings, *moves))


def _returned(view: View, command: Observe, postings: list[Posting], origin: Origin) -> Decision:
    attempt = view.attempts.have(command.attempt_id)
    source = held_account(attempt.order_id)
    amount_fen = command.amount_fen
    refund, posting = open_refund(view, command.attempt_id, source, amount_fen, origin)
    effect = Effect.OVERPAID if origin == Origin.OVERPAID else Effect.RETURNED
    outcome = _noted(effect, attempt)._replace(refund=refund)
    return Decision(OK, outcome, (*postings, posting))


def _is_honoured(view: View, order: Order, success_at_us: int) -> bool:
    """Say whether an order's terms still hold for money that came at this time (late money)."""
    in_time = success_at_us <= order.expires_at_us + view.policy.late_grace_us
    return in_time and can_credit(view, order)


def _rule(view: View, order: Order, at_us: int) -> Rule | None:
    """Return the rule by which an order's money waits: AML-1, or one of the operator's."""
    rules = view.policy.rules
    if is_reviewed(view.inflows.get(order.user_id), order.amount_fen, business_day(at_us)):
        rules = (AML_1, *rules)
    rule = judge(rules, Action.TOP_UP, order.amount_fen)
    if rule is None and order.kind == OrderKind.PACKET:
        rule = judge(rules, Action.SEND, order.amount_fen)
    # A challenge was for before the payment.
    return None if rule is None or rule.verdict == Verdict.CHALLENGE else rule


def fold_observe(view: View, record: Record) -> None:
    """Write what the evidence did to the attempt, the order, the notice and what hangs on them."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, Observe), "the journal names its kind"
    assert isinstance(outcome, ObserveDone), "the journal names its kind"
    effect = Effect(outcome.effect)
    subject = outcome.order_id or command.attempt_id
    view.trail(record.seq, subject, _notice_key(command))
    _fold_notice(view, command, outcome)
    if record.postings:
        _fold_money(view, command, outcome, record)
    elif effect == Effect.WAITING:
        attempt = view.attempts.edit(command.attempt_id)
        attempt.tries += 1
        attempt.query_due_at_us = outcome.query_due_at_us
    elif effect in _MARKS:
        attempt = view.attempts.edit(command.attempt_id)
        attempt.mark = _MARKS[effect]
        if effect == Effect.DOUBTED:
            attempt.query_due_at_us = record.at_us
    elif effect == Effect.NOTED:
        _fold_asked(view, command)
    elif effect in (Effect.SHUT, Effect.FAILED):
        _fold_end(view, command, outcome, record.at_us)


_MARKS: Final = {Effect.CONTRADICTED: Mark.CONTRADICTED, Effect.DOUBTED: Mark.DOUBTED}


def _fold_asked(view: View, command: Observe) -> None:
    """Write that a dead number's channel has answered, after a notice that nobody could believe."""
    attempt = view.attempts.get(command.attempt_id)
    is_asked = attempt is not None and attempt.state in DEAD_STATES and attempt.query_due_at_us
    if is_asked and command.source == Source.QUERY:
        view.attempts.edit(command.attempt_id).query_due_at_us = 0


def _fold_notice(view: View, command: Observe, outcome: ObserveDone) -> None:
    """Write what became of the notice, when it spoke of this attempt."""
    key = _notice_key(command)
    notice = view.notices.get(key) if key else None
    if notice is not None and notice.attempt_id == command.attempt_id:
        end_notice(view, key, _notice_event(outcome), outcome.reason)


def _notice_event(outcome: ObserveDone) -> str:
    if outcome.reason:
        return "park"
    return "repeat" if outcome.effect in (Effect.NOTED, Effect.CONTRADICTED) else "apply"


def _fold_end(view: View, command: Observe, outcome: ObserveDone, at_us: int) -> None:
    """Write that an attempt is over without money, and with it perhaps its order."""
    attempt = view.attempts.edit(command.attempt_id)
    step = "shut" if outcome.effect == Effect.SHUT else "fail"
    attempt.state = ATTEMPT_MACHINE.step(attempt.state, step)
    attempt.query_due_at_us = 0
    free_order(view, command.attempt_id, outcome.order_id)
    if outcome.closes_order:
        close_order(view, outcome.order_id, at_us)


def _fold_money(view: View, command: Observe, outcome: ObserveDone, record: Record) -> None:
    key = transaction_key(view.lane, command.account, command.transaction_id)
    parked_fen = command.amount_fen if outcome.effect == Effect.PARKED else 0
    payment = Payment(
        account=command.account,
        amount_fen=command.amount_fen,
        at_us=record.at_us,
        attempt_id=command.attempt_id,
        parked_fen=parked_fen,
        reason=outcome.reason,
        success_at_us=command.success_at_us,
        transaction_id=command.transaction_id,
        refund_count=0,
        settle_fen=settled_fen(command),
    )
    view.transactions.put(key, payment)
    view.trail(record.seq, key)
    if outcome.reason == Reason.TWO_PAYMENTS:
        view.attempts.edit(command.attempt_id).mark = Mark.TWO_PAYMENTS
    if outcome.reason in (Reason.NONE, Reason.WRONG_AMOUNT):
        _fold_success(view, command, outcome)
        _fold_order(view, command, outcome, record)


def _fold_success(view: View, command: Observe, outcome: ObserveDone) -> None:
    """Write what the channel has proven of an attempt."""
    attempt = view.attempts.edit(command.attempt_id)
    attempt.is_late = int(attempt.state in DEAD_STATES)
    attempt.state = ATTEMPT_MACHINE.step(attempt.state, "pay")
    attempt.mark = Mark.WRONG_AMOUNT if outcome.reason else Mark.NONE
    attempt.query_due_at_us = 0
    attempt.paid_fen = command.amount_fen
    attempt.payer_fen = command.payer_fen
    attempt.settle_fen = settled_fen(command)
    attempt.fee_fen = command.fee_fen
    attempt.service_fee_fen = command.service_fee_fen
    attempt.rebate_fen = command.rebate_fen
    attempt.transaction_id = command.transaction_id
    attempt.success_at_us = command.success_at_us


def _fold_order(view: View, command: Observe, outcome: ObserveDone, record: Record) -> None:
    order = view.orders.edit(outcome.order_id)
    order.received_fen += command.amount_fen
    order.due_at_us = 0
    if order.pay_state != PayState.OVERPAID:
        step = "overpay" if order.pay_state == PayState.PAID else "pay"
        order.pay_state = PAY_MACHINE.step(order.pay_state, step)
    order.paid_attempt = order.paid_attempt or command.attempt_id
    if order.live_attempt == command.attempt_id:
        order.live_attempt = b""
    elif order.live_attempt:
        # Another number can still be paid: it must not be.
        begin_close(view, order.live_attempt, record.at_us)
    _fold_credit(view, order, outcome, record)


def _fold_credit(view: View, order: Order, outcome: ObserveDone, record: Record) -> None:
    """Write what an order's money became."""
    if outcome.credited is not None:
        fold_credit(view, outcome.order_id, outcome.credited, record)
        _count(view, order, record.at_us)
    if outcome.opened is not None:
        fold_opened(view, outcome.opened, record)
        order.credit_state = CREDIT_MACHINE.step(order.credit_state, "hold")
        _count(view, order, record.at_us)
    if outcome.effect == Effect.CONFIRMED:
        order.credit_state = CREDIT_MACHINE.step(order.credit_state, "confirm")
        fold_confirmed(view, outcome.order_id, record)
        _count(view, order, record.at_us)
    fold_repaid(view, order.user_id, outcome.repaid_fen)
    if outcome.refund is not None:
        fold_opened_refund(view, outcome.refund, record)
    if outcome.effect == Effect.RETURNED:
        order.credit_state = CREDIT_MACHINE.step(order.credit_state, "reject")
    if outcome.effect in (Effect.RETURNED, Effect.PARKED):
        refuse_packet(view, order, record.at_us)


def _count(view: View, order: Order, at_us: int) -> None:
    """Count a proven top-up into the person's day."""
    inflow = view.inflows.get(order.user_id)
    if inflow is None:
        inflow = Inflow()
    count_inflow(inflow, order.amount_fen, business_day(at_us))
    view.inflows.put(order.user_id, inflow)
