"""What is told of money that comes in: orders, their ends, and money not placed (充值事件).

Units: fen; coins.
"""

from typing import Any, Final

from lingqian.events.told import Page, Told, balances, user
from lingqian.flows.evidence import ObserveDone
from lingqian.flows.order import ExpireDone, OrderDone
from lingqian.flows.park import AllocateDone
from lingqian.flows.refund import Opened
from lingqian.flows.settle import SettleDone
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_ORDER,
    PREFIX_PACKET,
    PREFIX_REFUND,
    show,
)
from lingqian.topup.evidence import Effect, Reason
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin, Refund

TYPES: Final = (
    "topup.opened.v1",
    "topup.credited.v1",
    "topup.held.v1",
    "topup.rejected.v1",
    "topup.overpaid.v1",
    "topup.closed.v1",
    "topup.contradicted.v1",
    "payment.parked.v1",
    "payment.allocated.v1",
    "refund.opened.v1",
)
_WORD: Final = {
    Effect.CREDITED: "credited",
    Effect.HELD: "held",
    Effect.RETURNED: "rejected",
    Effect.OVERPAID: "overpaid",
    Effect.CONTRADICTED: "contradicted",
}


def silent(page: Page) -> list[Told]:
    """Tell nothing: what happens between us and a channel is the trail's to show."""
    del page
    return []


def _told(word: str, order_id: bytes, row: Any, page: Page, kind: int) -> Told:  # noqa: ANN401 - command or row
    subject = show(PREFIX_ORDER, order_id)
    data = {
        "order_id": subject,
        "user_id": user(row.user_id),
        "kind": OrderKind(kind).name.lower(),
        "amount_fen": row.amount_fen,
        "coins": row.coins,
        "bonus_coins": row.bonus_coins,
        "packet_id": show(PREFIX_PACKET, row.object_id) if row.object_id else None,
        "balances": balances(page.posted),
    }
    return Told(f"topup.{word}.v1", subject, data, (row.user_id,), row.object_id)


def _of_row(word: str, order_id: bytes, page: Page) -> Told:
    order = page.facts.order(order_id)
    return _told(word, order_id, order, page, order.kind)


def ordered(page: Page) -> list[Told]:
    """Tell that an order is open, and that it is credited when the balance has paid it."""
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, OrderDone), "the journal names its kind"
    words = ["opened"] if outcome.credited is None else ["opened", "credited"]
    return [_told(word, command.order_id, command, page, command.order_kind) for word in words]


def expired(page: Page) -> list[Told]:
    """Tell that an order is closed; not yet while its channel is still asked."""
    outcome = page.outcome
    assert isinstance(outcome, ExpireDone), "the journal names its kind"
    return [_of_row("closed", page.command.order_id, page)] if outcome.is_closed else []


def observed(page: Page) -> list[Told]:
    """Tell what a piece of evidence did; the same truth told again tells nothing."""
    outcome = page.outcome
    assert isinstance(outcome, ObserveDone), "the journal names its kind"
    effect = Effect(outcome.effect)
    if effect == Effect.PARKED:
        return [_parked(page)]
    word = "closed" if outcome.closes_order else _WORD.get(effect)
    told = [] if word is None else [_of_row(word, outcome.order_id, page)]
    return [*told, *returning(page, outcome.refund)]


def _parked(page: Page) -> Told:
    """Tell that money came which a person must place."""
    command, outcome = page.command, page.outcome
    subject = command.transaction_id
    data = {
        "transaction_id": subject,
        "account": command.account,
        "attempt_id": show(PREFIX_ATTEMPT, command.attempt_id),
        "order_id": show(PREFIX_ORDER, outcome.order_id) if outcome.order_id else None,
        "amount_fen": command.amount_fen,
        "reason": Reason(outcome.reason).name.lower(),
        "paid_at": rfc3339(command.success_at_us),
    }
    return Told("payment.parked.v1", subject, data)


def allocated(page: Page) -> list[Told]:
    """Tell that a person has placed parked money."""
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, AllocateDone), "the journal names its kind"
    is_credit = outcome.refund is None
    subject = command.transaction_key.hex()
    data = {
        "amount_fen": outcome.amount_fen,
        "user_id": user(command.user_id) if is_credit else None,
        "order_id": show(PREFIX_ORDER, outcome.order_id) if outcome.order_id else None,
        "decided_by": command.by,
        "balances": balances(page.posted),
    }
    who = (command.user_id,) if is_credit else ()
    told = Told("payment.allocated.v1", subject, data, who)
    return [told, *returning(page, outcome.refund)]


def settled(page: Page, order_id: bytes) -> list[Told]:
    """Tell what became of a held order when its case ended."""
    outcome = page.outcome
    assert isinstance(outcome, SettleDone), "the journal names its kind"
    if outcome.credited is not None:
        return [_of_row("credited", order_id, page)]
    if outcome.refund is not None:
        return [_of_row("rejected", order_id, page), *returning(page, outcome.refund)]
    return []


def returning(page: Page, refund: Opened | None) -> list[Told]:
    """Tell that money is on its way back to the payment it came by."""
    if refund is None:
        return []
    subject = show(PREFIX_REFUND, refund.refund_id)
    data = {
        "refund_id": subject,
        "order_id": show(PREFIX_ORDER, refund.order_id) if refund.order_id else None,
        "user_id": user(refund.user_id) if refund.user_id else None,
        "amount_fen": refund.amount_fen,
        "coins": refund.coins_paid + refund.coins_bonus,
        "origin": Origin(refund.origin).name.lower(),
        "follows": show(PREFIX_REFUND, refund.parent) if refund.parent else None,
        "balances": balances(page.posted),
    }
    return [Told("refund.opened.v1", subject, data, owner(refund))]


def owner(refund: Opened | Refund) -> tuple[bytes, ...]:
    """Return whose refund it is; nobody's, where the money came under a number of nobody's."""
    return (refund.user_id,) if refund.user_id else ()
