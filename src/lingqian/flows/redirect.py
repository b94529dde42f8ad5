"""Redirecting: a refund that is stuck at its channel goes to a card instead (退款改道).

Law: the refund keeps its number and its money; only what the channel says moves it on, and a call
that was cut off ends nothing.   Source: WeChat Pay reference 10, abnormal refunds.
"""

from typing import NamedTuple

from lingqian.flows.command import RedirectRefund
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import View, Wanted
from lingqian.kernel.code import OK, Code
from lingqian.topup.refund import MACHINE, RefundStage


class Redirected(NamedTuple):
    """A refund is to be sent another way, at once."""

    stage: int


def need_redirect(command: RedirectRefund, wanted: Wanted) -> None:
    """Name the refund."""
    wanted.refunds.add(command.refund_id)


def decide_redirect(view: View, command: RedirectRefund, at_us: int) -> Decision:
    """Send a refund another way.

    Refuses: refund_unknown, refund_not_stuck.
    """
    del at_us
    refund = view.refunds.get(command.refund_id)
    if refund is None:
        return refused(Code.REFUND_UNKNOWN)
    if refund.stage != RefundStage.ABNORMAL:
        return refused(Code.REFUND_NOT_STUCK)
    # From here it must succeed.
    return Decision(OK, Redirected(MACHINE.step(refund.stage, "redirect")))


def fold_redirect(view: View, record: Record) -> None:
    """Write where the refund goes now; its channel is asked at once."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, RedirectRefund), "the journal names its kind"
    assert isinstance(outcome, Redirected), "the journal names its kind"
    refund = view.refunds.edit(command.refund_id)
    refund.stage = outcome.stage
    refund.way = command.way
    # A card that was named before is kept sealed, so that its digest has to stay as well.
    refund.card_mac = command.card_mac or refund.card_mac
    refund.tries = 0
    refund.due_at_us = record.at_us
    view.trail(record.seq, command.refund_id, refund.order_id)
