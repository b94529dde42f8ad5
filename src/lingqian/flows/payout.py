"""Payouts: a balance on its way to the person's own wallet at the channel (提现).

Law: the money is set aside when it is asked for, and comes back only on a reading that says it has
not arrived. A payout is begun in the lane before its first call, so that no cancel can cross it.
"""

from typing import Final, NamedTuple

from lingqian.channels.port import PayoutState
from lingqian.flows.command import AskPayout, BeginPayout, CancelPayout, NotePayout
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import Opened, Stop, Subject, fold_opened, want_case, weigh
from lingqian.flows.notice import end_notice, want_notice
from lingqian.flows.transfer import check_payer, count_usage, has_available
from lingqian.flows.view import View, Wanted
from lingqian.kernel.code import Code
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import balance_account, bank_account, channel_account, payable_account
from lingqian.ledger.hold import Hold, HoldState
from lingqian.ledger.posting import Phase, Posting
from lingqian.risk.rule import Action
from lingqian.topup.evidence import Reason
from lingqian.topup.payout import MACHINE, RETURNED, UNDER_WAY, Payout, PayoutStage
from lingqian.topup.schedule import ask_at_us


class PayoutAsked(NamedTuple):
    """Money was set aside for a payout, or held with the case that says why."""

    stage: int
    release_at_us: int
    opened: Opened | None


class PayoutMoved(NamedTuple):
    """Where a payout stands now and when to ask next; `differs` marks what contradicts its end."""

    stage: int
    due_at_us: int
    differs: bool = False


def need_ask(command: AskPayout, wanted: Wanted) -> None:
    """Name the rows a payout touches."""
    wanted.users.add(command.user_id)
    wanted.usages.add(command.user_id)
    wanted.accounts.add(balance_account(command.user_id))
    wanted.accounts.add(payable_account(command.payout_id))
    if wanted.is_gated:
        want_case(wanted, command.key, asked(command))


def asked(command: AskPayout) -> tuple[bytes | str | int, ...]:
    """Return what the person chose; the case of a stopped payout is named by it."""
    return command.user_id, command.account, command.amount_fen, command.payee_mac


def decide_ask(view: View, command: AskPayout, at_us: int) -> Decision:
    """Set money aside to be paid out: who, limits, risk, funds.

    Refuses: user_unknown, real_name_required, account_frozen, the limits, blocked,
    challenge_required, exceeds_available.
    """
    code = check_payer(view, command.user_id, command.amount_fen, at_us, None)
    if code:
        return refused(code)
    release_at_us = at_us + command.delay_us
    stop = _weigh(view, command, at_us) if view.policy.rules else None
    if stop is not None and stop.code:
        is_bare = stop.opened is None
        return Decision(stop.code, None if is_bare else PayoutAsked(0, 0, stop.opened))
    if not has_available(view, command.user_id, command.amount_fen):
        return refused(Code.EXCEEDS_AVAILABLE)
    # From here it must succeed.
    source, target = balance_account(command.user_id), payable_account(command.payout_id)
    if stop is not None:
        posting = Posting(Phase.HOLD, source, target, command.amount_fen)
        outcome = PayoutAsked(PayoutStage.HELD, release_at_us, stop.opened)
        return Decision(Code.OK, outcome, (posting,))
    posting = Posting(Phase.POST, source, target, command.amount_fen)
    return Decision(Code.OK, PayoutAsked(PayoutStage.APPROVED, release_at_us, None), (posting,))


def _weigh(view: View, command: AskPayout, at_us: int) -> Stop | None:
    stop = weigh(
        view,
        Subject(
            command.key,
            Action.PAYOUT,
            command.payout_id,
            command.user_id,
            command.amount_fen,
            asked(command),
        ),
        at_us,
    )
    if stop is None or stop.opened is None:
        return stop
    return stop._replace(opened=stop.opened._replace(requested_by=command.requested_by))


def fold_ask(view: View, record: Record) -> None:
    """Write the payout, its hold and its case where there are, and count it."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, AskPayout), "the journal names its kind"
    assert isinstance(outcome, PayoutAsked), "the journal names its kind"
    if outcome.opened is not None:
        fold_opened(view, outcome.opened, record)
    if record.code:
        return
    is_held = outcome.stage == PayoutStage.HELD
    payout = Payout(
        account=command.account,
        amount_fen=command.amount_fen,
        channel_no="",
        created_at_us=record.at_us,
        due_at_us=0 if is_held else outcome.release_at_us,
        fail_reason="",
        payee_mac=command.payee_mac,
        release_at_us=outcome.release_at_us,
        requested_by=command.requested_by,
        stage=MACHINE.step(PayoutStage.ASKED, "hold" if is_held else "approve"),
        submitted_at_us=0,
        success_at_us=0,
        tries=0,
        user_id=command.user_id,
    )
    view.payouts.put(command.payout_id, payout)
    view.trail(record.seq, command.payout_id)
    count_usage(view, command.user_id, command.amount_fen, record.at_us)
    if is_held:
        _, debit, credit, amount_fen = record.postings[0]
        hold = Hold(amount_fen, record.at_us, credit, debit, HoldState.HELD)
        view.holds.put(command.payout_id, hold)


def fold_reviewed(view: View, payout_id: bytes, record: Record, *, is_released: bool) -> None:
    """Write what became of a payout that a case had stopped."""
    payout = view.payouts.edit(payout_id)
    payout.stage = MACHINE.step(payout.stage, "approve" if is_released else "refuse")
    payout.release_at_us = max(payout.release_at_us, record.at_us)
    payout.due_at_us = payout.release_at_us if is_released else 0
    view.trail(record.seq, payout_id)


def need_payout(command: BeginPayout | CancelPayout | NotePayout, wanted: Wanted) -> None:
    """Name the payout and what is set aside for it."""
    wanted.payouts.add(command.payout_id)
    wanted.accounts.add(payable_account(command.payout_id))
    if isinstance(command, NotePayout):
        want_notice(command.notice_key, wanted)


def deepen_payout(view: View, command: CancelPayout | NotePayout, wanted: Wanted) -> None:
    """Name where the money came from and where it goes."""
    payout = view.payouts.get(command.payout_id)
    if payout is not None:
        wanted.accounts.add(balance_account(payout.user_id))
        wanted.accounts.add(_paid_from(lane_of(command.payout_id), payout))


def _paid_from(lane: int, payout: Payout) -> bytes:
    return channel_account(lane, payout.account) if payout.account else bank_account(lane)


def decide_begin(view: View, command: BeginPayout, at_us: int) -> Decision:
    """Say that the first call follows: from now on only a reading ends this payout.

    Refuses: payout_unknown, already_settled, not_due.
    """
    payout = view.payouts.get(command.payout_id)
    if payout is None:
        return refused(Code.PAYOUT_UNKNOWN)
    if payout.stage in UNDER_WAY:
        return Decision(Code.OK)
    if payout.stage in MACHINE.final:
        return refused(Code.ALREADY_SETTLED)
    if payout.stage != PayoutStage.APPROVED or at_us < payout.release_at_us:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    return Decision(Code.OK, PayoutMoved(PayoutStage.SUBMITTED, ask_at_us(0, at_us)))


def fold_begin(view: View, record: Record) -> None:
    """Write that the payout is under way."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, BeginPayout), "the journal names its kind"
    assert isinstance(outcome, PayoutMoved), "the journal names its kind"
    payout = view.payouts.edit(command.payout_id)
    payout.stage = MACHINE.step(payout.stage, "submit")
    payout.submitted_at_us = record.at_us
    payout.due_at_us = outcome.due_at_us
    view.trail(record.seq, command.payout_id)


def decide_cancel(view: View, command: CancelPayout, at_us: int) -> Decision:
    """Take back a payout that has not been sent; one under way is asked back of the channel.

    Refuses: payout_unknown, already_settled, payout_under_way.
    """
    del at_us
    payout = view.payouts.get(command.payout_id)
    if payout is None:
        return refused(Code.PAYOUT_UNKNOWN)
    if payout.stage in MACHINE.final:
        return refused(Code.ALREADY_SETTLED)
    # A held payout ends with its case.
    if payout.stage != PayoutStage.APPROVED:
        return refused(Code.PAYOUT_UNDER_WAY)
    # From here it must succeed.
    outcome = PayoutMoved(PayoutStage.CANCELLED, 0)
    return Decision(Code.OK, outcome, (_back(command.payout_id, payout),))


def _back(payout_id: bytes, payout: Payout) -> Posting:
    target = balance_account(payout.user_id)
    return Posting(Phase.POST, payable_account(payout_id), target, payout.amount_fen)


def fold_cancel(view: View, record: Record) -> None:
    """Write that the payout was taken back."""
    command = record.command
    assert isinstance(command, CancelPayout), "the journal names its kind"
    payout = view.payouts.edit(command.payout_id)
    payout.stage = MACHINE.step(payout.stage, "cancel")
    payout.due_at_us = 0
    payout.fail_reason = "cancelled"
    view.trail(record.seq, command.payout_id)


# What a reading does; the others leave the payout where it is, to be asked about again.
EVENT: Final = {
    PayoutState.ACCEPTED: "process",
    PayoutState.PROCESSING: "process",
    PayoutState.AWAITING_PERSON: "wait",
    PayoutState.TRANSFERRING: "process",
    PayoutState.CANCELLING: "process",
    PayoutState.SUCCESS: "succeed",
    PayoutState.FAILED: "fail",
    PayoutState.CANCELLED: "cancel",
}
_END: Final = {
    PayoutState.SUCCESS: PayoutStage.SUCCESS,
    PayoutState.FAILED: PayoutStage.FAILED,
    PayoutState.CANCELLED: PayoutStage.CANCELLED,
}


def decide_note(view: View, command: NotePayout, at_us: int) -> Decision:
    """Take a reading of a payout: paid, failed, or still to be asked about.

    A reading that contradicts an end, or says another amount, is kept as evidence and moves
    nothing. Refuses: payout_unknown, not_due.
    """
    payout = view.payouts.get(command.payout_id)
    if payout is None:
        parked = PayoutMoved(PayoutStage.ASKED, 0, differs=True) if command.notice_key else None
        return Decision(Code.PAYOUT_UNKNOWN, parked)
    if payout.stage in MACHINE.final:
        return _after_end(payout, command)
    if payout.stage not in UNDER_WAY:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    due_at_us = ask_at_us(payout.tries, at_us)
    if command.state == PayoutState.SUCCESS and command.amount_fen != payout.amount_fen:
        return Decision(Code.OK, PayoutMoved(payout.stage, due_at_us, differs=True))
    event = EVENT.get(PayoutState(command.state))
    stage = payout.stage if event is None else MACHINE.step(payout.stage, event)
    if stage not in MACHINE.final:
        return Decision(Code.OK, PayoutMoved(stage, due_at_us))
    if stage == PayoutStage.SUCCESS:
        source, target = payable_account(command.payout_id), _paid_from(view.lane, payout)
        posting = Posting(Phase.POST, source, target, payout.amount_fen)
    else:
        posting = _back(command.payout_id, payout)
    return Decision(Code.OK, PayoutMoved(stage, 0), (posting,))


def _after_end(payout: Payout, command: NotePayout) -> Decision:
    """Say nothing of a reading that repeats the end; mark one that tells of another end."""
    state = PayoutState(command.state)
    if state not in _END or _END[state] == payout.stage:
        return Decision(Code.OK, PayoutMoved(payout.stage, 0) if command.notice_key else None)
    return Decision(Code.OK, PayoutMoved(payout.stage, 0, differs=True))


def fold_note(view: View, record: Record) -> None:
    """Write what a reading has changed, and when to ask next."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, NotePayout), "the journal names its kind"
    assert isinstance(outcome, PayoutMoved), "the journal names its kind"
    view.trail(record.seq, command.payout_id, command.notice_key)
    if record.code:
        end_notice(view, command.notice_key, "park", Reason.UNKNOWN_ORDER)
        return
    payout = view.payouts.edit(command.payout_id)
    payout.due_at_us = outcome.due_at_us
    is_over = payout.stage in MACHINE.final
    end_notice(view, command.notice_key, "repeat" if is_over else "apply", Reason.NONE)
    if is_over:
        return
    payout.tries += 1
    payout.channel_no = command.channel_no or payout.channel_no
    if outcome.differs or outcome.stage == payout.stage:
        return
    payout.stage = MACHINE.step(payout.stage, EVENT[PayoutState(command.state)])
    assert payout.stage == outcome.stage, "a reading leads where it was decided"
    if payout.stage == PayoutStage.SUCCESS:
        payout.success_at_us = command.changed_at_us or record.at_us
    elif payout.stage in RETURNED:
        payout.fail_reason = command.fail_reason
