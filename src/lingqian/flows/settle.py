"""Settling cases: released or refused by a person, or due by the clock (审核处理)."""

from typing import NamedTuple

from lingqian.flows.case import CLEARED_STATES, OPEN_STATES, Case, CaseState
from lingqian.flows.case import MACHINE as CASE_MACHINE
from lingqian.flows.command import SettleCase
from lingqian.flows.credit import (
    Credited,
    can_credit,
    credit,
    fold_credit,
    refuse_packet,
    want_credit,
)
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import OWNER_LEAD
from lingqian.flows.packet import SendDone, due_at_us, opening
from lingqian.flows.payout import fold_reviewed
from lingqian.flows.refund import Opened, fold_opened_refund, open_refund, want_refund
from lingqian.flows.transfer import MACHINE as TRANSFER_MACHINE
from lingqian.flows.transfer import landing, want_landing
from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import TOP_UP_REVIEW_DEADLINE_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.ledger.chart import balance_account, escrow_account, held_account, payable_account
from lingqian.ledger.hold import MACHINE as HOLD_MACHINE
from lingqian.ledger.posting import Phase, Posting
from lingqian.redpacket.packet import MACHINE as PACKET_MACHINE
from lingqian.redpacket.packet import PacketState
from lingqian.risk.rule import Action
from lingqian.topup.order import CREDIT_MACHINE
from lingqian.topup.refund import Origin


class SettleDone(NamedTuple):
    """A case ended in this state; a packet that came alive opens and expires at these times.

    Of a top-up: what its money became, or the refund that sends it back; neither when its case
    went on to somebody higher.
    """

    state: int
    await_until_us: int
    expires_at_us: int
    credited: Credited | None = None
    refund: Opened | None = None


def need_settle(command: SettleCase, wanted: Wanted) -> None:
    """Name the case; what it stopped follows from it."""
    wanted.cases.add(command.case_id)


def deepen_settle(view: View, command: SettleCase, wanted: Wanted) -> None:
    """Name the rows of what the case stopped."""
    case = view.cases.get(command.case_id)
    if case is None:
        return
    wanted.holds.add(case.object_id)
    wanted.accounts.add(balance_account(case.user_id))
    if case.action == Action.SEND:
        wanted.packets.add(case.object_id)
        wanted.progress.add(case.object_id)
        wanted.accounts.add(escrow_account(case.object_id))
    elif case.action == Action.TOP_UP:
        wanted.orders.add(case.object_id)
    elif case.action == Action.PAYOUT:
        wanted.payouts.add(case.object_id)
        wanted.accounts.add(payable_account(case.object_id))
    elif case.action == Action.TRANSFER:
        wanted.transfers.add(case.object_id)


def deepen_target(view: View, command: SettleCase, wanted: Wanted) -> None:
    """Name the receiver's rows of a stopped transfer, or what a held top-up becomes."""
    case = view.cases.get(command.case_id)
    if case is not None and case.action == Action.TOP_UP:
        _want_order(view, case.object_id, wanted)
    if case is None or case.action != Action.TRANSFER:
        return
    transfer = view.transfers.get(case.object_id)
    if transfer is not None:
        want_landing(view.lane, transfer.target_id, wanted)


def _want_order(view: View, order_id: bytes, wanted: Wanted) -> None:
    order = view.orders.get(order_id)
    if order is not None:
        want_credit(order_id, order, wanted)
        wanted.attempts.add(order.paid_attempt)
        want_refund(order.paid_attempt, Origin.REJECTED, wanted)


def decide_settle(view: View, command: SettleCase, at_us: int) -> Decision:
    """End an open case; released money goes on, refused money comes back.

    Refuses: case_unknown, case_closed, not_due, same_person.
    """
    case = view.cases.get(command.case_id)
    if case is None:
        return refused(Code.CASE_UNKNOWN)
    code = _check_case(case, command, at_us)
    if code:
        return refused(code)
    # From here it must succeed.
    return _settled(view, command, case, at_us)


def _check_case(case: Case, command: SettleCase, at_us: int) -> Code:
    if case.state not in OPEN_STATES:
        return Code.CASE_CLOSED
    if command.event == "due" and at_us < case.due_at_us:
        return Code.NOT_DUE
    is_same = bool(case.requested_by) and command.by == case.requested_by
    return Code.SAME_PERSON if is_same else Code.OK


def _settled(view: View, command: SettleCase, case: Case, at_us: int) -> Decision:
    if case.action == Action.TOP_UP and case.state == CaseState.HELD and command.event == "due":
        # Nobody answered: money that came in stays where it is, and goes to somebody higher.
        return Decision(Code.OK, SettleDone(CASE_MACHINE.step(case.state, "escalate"), 0, 0))
    state = CASE_MACHINE.step(case.state, command.event)
    if not _holds_money(case):
        return Decision(Code.OK, SettleDone(state, 0, 0))
    if case.action == Action.TOP_UP:
        return _top_up(view, case.object_id, state, at_us)
    if state in CLEARED_STATES:
        return _released(view, case, state, at_us)
    hold = view.holds.have(case.object_id)
    posting = Posting(Phase.RELEASE, hold.debit, hold.credit, hold.amount_fen)
    return Decision(Code.OK, SettleDone(state, 0, 0), (posting,))


def _holds_money(case: Case) -> bool:
    """Say whether a case has money set aside: a challenge has none, and a claim takes no share."""
    return case.action != Action.CLAIM and case.state in (CaseState.DELAYED, CaseState.HELD)


def _top_up(view: View, order_id: bytes, state: int, at_us: int) -> Decision:
    """Credit a held order, or send its money back; so too when its packet has died meanwhile."""
    order = view.orders.have(order_id)
    source = held_account(order_id)
    done = SettleDone(state, 0, 0)
    if state in CLEARED_STATES and can_credit(view, order):
        credited, postings = credit(view, order, source, at_us)
        return Decision(Code.OK, done._replace(credited=credited), tuple(postings))
    refund, posting = open_refund(
        view, order.paid_attempt, source, order.amount_fen, Origin.REJECTED
    )
    return Decision(Code.OK, done._replace(refund=refund), (posting,))


def _released(view: View, case: Case, state: int, at_us: int) -> Decision:
    hold = view.holds.have(case.object_id)
    posting = Posting(Phase.CAPTURE, hold.debit, hold.credit, hold.amount_fen)
    if case.action == Action.SEND:
        opened = opening(view.packets.have(case.object_id), at_us)
        outcome = SettleDone(state, opened.await_until_us, opened.expires_at_us)
        return Decision(Code.OK, outcome, (posting,))
    if case.action == Action.PAYOUT:
        return Decision(Code.OK, SettleDone(state, 0, 0), (posting,))
    transfer = view.transfers.have(case.object_id)
    _, relayed = landing(view.lane, transfer.target_id, transfer.amount_fen)
    return Decision(Code.OK, SettleDone(state, 0, 0), (posting,), relayed)


def fold_settle(view: View, record: Record) -> None:
    """Write the case's end, and through its hold the packet's or the transfer's."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, SettleCase), "the journal names its kind"
    assert isinstance(outcome, SettleDone), "the journal names its kind"
    case = view.cases.edit(command.case_id)
    if case.action == Action.TOP_UP:
        view.trail(record.seq, case.object_id)
    if outcome.state == case.state:
        case.owner = OWNER_LEAD
        case.due_at_us = record.at_us + TOP_UP_REVIEW_DEADLINE_S * SECOND_US
        return
    case.state = outcome.state
    case.decided_by = command.by
    if case.action == Action.TOP_UP:
        _fold_order(view, case.object_id, outcome, record)
    elif record.postings:
        _fold_hold(view, command, outcome, record)


def _fold_order(view: View, order_id: bytes, outcome: SettleDone, record: Record) -> None:
    """Write what became of a held order."""
    if outcome.credited is not None:
        fold_credit(view, order_id, outcome.credited, record)
    if outcome.refund is not None:
        fold_opened_refund(view, outcome.refund, record)
        order = view.orders.edit(order_id)
        order.credit_state = CREDIT_MACHINE.step(order.credit_state, "reject")
        refuse_packet(view, order, record.at_us)


def _fold_hold(view: View, command: SettleCase, outcome: SettleDone, record: Record) -> None:
    """Write what became of money that was set aside, and of what it was set aside for."""
    case = view.cases.have(command.case_id)
    is_released = record.postings[0].phase == Phase.CAPTURE
    hold = view.holds.edit(case.object_id)
    step = "capture" if is_released else "expire" if command.event == "due" else "release"
    hold.state = HOLD_MACHINE.step(hold.state, step)
    hold.at_us = record.at_us
    if case.action == Action.SEND:
        _fold_packet(view, case, outcome, record.at_us, is_released=is_released)
    elif case.action == Action.PAYOUT:
        fold_reviewed(view, case.object_id, record, is_released=is_released)
    else:
        transfer = view.transfers.edit(case.object_id)
        transfer.state = TRANSFER_MACHINE.step(transfer.state, "pay" if is_released else "refuse")


def _fold_packet(
    view: View, case: Case, outcome: SettleDone, at_us: int, *, is_released: bool
) -> None:
    progress = view.progress.edit(case.object_id)
    if not is_released:
        progress.state = PACKET_MACHINE.step(progress.state, "refuse")
        progress.closed_at_us = at_us
        return
    step = "await" if outcome.await_until_us else "open"
    progress.state = PACKET_MACHINE.step(progress.state, step)
    progress.await_until_us = outcome.await_until_us
    progress.expires_at_us = outcome.expires_at_us
    packet = view.packets.have(case.object_id)
    times = SendDone(progress.state, outcome.await_until_us, outcome.expires_at_us, None)
    progress.due_at_us = due_at_us(packet, times)
    assert progress.state in (PacketState.OPEN, PacketState.AWAITING), "a released packet lives"
