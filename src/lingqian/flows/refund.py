"""Refunds: opened by a decision that finds money which must go back (退款)."""

from typing import NamedTuple

from lingqian.flows.decision import Record
from lingqian.flows.view import View, Wanted
from lingqian.ledger.chart import payable_account
from lingqian.ledger.posting import Phase, Posting
from lingqian.topup.order import return_state
from lingqian.topup.refund import MACHINE, Origin, Refund, RefundStage, refund_id


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


def fold_opened_refund(view: View, opened: Opened, record: Record) -> None:
    """Write a refund that may be sent now, and count it at its attempt and order."""
    refund = Refund(
        amount_fen=opened.amount_fen,
        attempt_id=opened.attempt_id,
        channel_refund_id="",
        coins_bonus=opened.coins_bonus,
        coins_paid=opened.coins_paid,
        created_at_us=record.at_us,
        due_at_us=record.at_us,
        fee_back_fen=0,
        order_id=opened.order_id,
        origin=opened.origin,
        parent=opened.parent,
        reason_mac=opened.reason_mac,
        stage=MACHINE.step(RefundStage.REQUESTED, "approve"),
        success_at_us=0,
        tries=0,
        user_id=opened.user_id,
    )
    view.refunds.put(opened.refund_id, refund)
    attempt = view.attempts.edit(opened.attempt_id)
    attempt.refunding_fen += opened.amount_fen
    attempt.refund_count += 1
    attempt.refund_at_us = record.at_us
    order = view.orders.edit(opened.order_id)
    order.refunding_fen += opened.amount_fen
    order.refund_state = return_state(order)
    view.trail(record.seq, opened.refund_id)
