"""What gifts, coins, refunds and payouts tell the outside (礼物、退款、提现的事件).

Units: fen; coins.   Source: docs/reference/events.md.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.events.incoming import owner, returning
from lingqian.events.told import Page, Told, balances, user
from lingqian.flows.command import (
    AskRefund,
    BeginPayout,
    CancelPayout,
    ExpireCoins,
    NotePayout,
    NoteRefund,
    RedirectRefund,
    SendGift,
    SettleGift,
)
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.id import PREFIX_GIFT, PREFIX_ORDER, PREFIX_PAYOUT, PREFIX_REFUND, show
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import RefundStage, Way

TYPES: Final = (
    "gift.sent.v1",
    "income.settled.v1",
    "coins.expired.v1",
    "refund.succeeded.v1",
    "refund.closed.v1",
    "refund.abnormal.v1",
    "refund.contradicted.v1",
    "refund.redirected.v1",
    "payout.asked.v1",
    "payout.held.v1",
    "payout.refused.v1",
    "payout.succeeded.v1",
    "payout.failed.v1",
    "payout.cancelled.v1",
    "payout.contradicted.v1",
)


def _gift(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    subject = show(PREFIX_GIFT, command.gift_id)
    data = {
        "gift_id": subject,
        "user_id": user(command.user_id),
        "streamer_id": user(command.streamer_id),
        "code": command.code,
        "count": command.count,
        "coins": command.coins * command.count,
        "scene": command.scene,
        "streamer_fen": outcome.streamer_fen,
        "settles_at": rfc3339(outcome.settles_at_us),
    }
    return [Told("gift.sent.v1", subject, data, (command.user_id, command.streamer_id))]


def _income(page: Page) -> list[Told]:
    gift_id = page.command.gift_id
    gift = page.facts.gift(gift_id)
    data = {
        "gift_id": show(PREFIX_GIFT, gift_id),
        "streamer_id": user(gift.streamer_id),
        "amount_fen": page.outcome.amount_fen,
        "balances": balances(page.posted),
    }
    subject = user(gift.streamer_id)
    return [Told("income.settled.v1", subject, data, (gift.streamer_id,))]


def _expired(page: Page) -> list[Told]:
    subject = show(PREFIX_ORDER, page.command.order_id)
    # The first posting takes the coins from the person who had them.
    user_id = page.posted[0].debit[:16]
    coins = page.outcome.taken.bonus
    data = {"order_id": subject, "user_id": user(user_id), "coins": coins}
    return [Told("coins.expired.v1", subject, data, (user_id,))]


def _asked_refund(page: Page) -> list[Told]:
    """Tell of a refund; one to the balance has arrived when it is asked for."""
    told = returning(page, page.outcome)
    if page.outcome.attempt_id:
        return told
    return [*told, _refund_told("succeeded", page.command.refund_id, page, 0)]


_REFUND_WORDS: Final = {
    RefundStage.SUCCESS: "succeeded",
    RefundStage.CLOSED: "closed",
    RefundStage.ABNORMAL: "abnormal",
}


def _noted_refund(page: Page) -> list[Told]:
    outcome = page.outcome
    word = "contradicted" if outcome.differs else _REFUND_WORDS.get(outcome.stage)
    if word is None:
        return []  # still on its way: nobody need act
    refund_id = page.command.refund_id
    told = [_refund_told(word, refund_id, page, outcome.fee_back_fen)]
    return [*told, *returning(page, outcome.next)]


def _refund_told(word: str, refund_id: bytes, page: Page, fee_back_fen: int) -> Told:
    refund = page.facts.refund(refund_id)
    subject = show(PREFIX_REFUND, refund_id)
    data = {
        "refund_id": subject,
        "order_id": show(PREFIX_ORDER, refund.order_id) if refund.order_id else None,
        "user_id": user(refund.user_id) if refund.user_id else None,
        "amount_fen": refund.amount_fen,
        "fee_back_fen": fee_back_fen,
        "balances": balances(page.posted),
    }
    return Told(f"refund.{word}.v1", subject, data, owner(refund))


def _redirected(page: Page) -> list[Told]:
    command = page.command
    refund = page.facts.refund(command.refund_id)
    subject = show(PREFIX_REFUND, command.refund_id)
    data = {
        "refund_id": subject,
        "order_id": show(PREFIX_ORDER, refund.order_id) if refund.order_id else None,
        "user_id": user(refund.user_id) if refund.user_id else None,
        "amount_fen": refund.amount_fen,
        "way": Way(command.way).name.lower(),
        "decided_by": command.by,
    }
    return [Told("refund.redirected.v1", subject, data, owner(refund))]


def _payout_told(word: str, payout_id: bytes, row: Any, page: Page) -> Told:  # noqa: ANN401 - command or row
    subject = show(PREFIX_PAYOUT, payout_id)
    data = {
        "payout_id": subject,
        "user_id": user(row.user_id),
        "amount_fen": row.amount_fen,
        "account": row.account,
        "balances": balances(page.posted),
    }
    return Told(f"payout.{word}.v1", subject, data, (row.user_id,))


def asked_payout(page: Page) -> list[Told]:
    """Tell that money is set aside to be paid out, or held; nothing of one that was stopped."""
    command, outcome = page.command, page.outcome
    if page.record.code:
        return []
    word = "held" if outcome.stage == PayoutStage.HELD else "asked"
    return [_payout_told(word, command.payout_id, command, page)]


_PAYOUT_WORDS: Final = {
    PayoutStage.SUCCESS: "succeeded",
    PayoutStage.FAILED: "failed",
    PayoutStage.CANCELLED: "cancelled",
}


def _moved_payout(page: Page) -> list[Told]:
    outcome, payout_id = page.outcome, page.command.payout_id
    word = "contradicted" if outcome.differs else _PAYOUT_WORDS.get(outcome.stage)
    if word is None:
        return []  # under way: nobody need act
    return [_payout_told(word, payout_id, page.facts.payout(payout_id), page)]


def payout_reviewed(payout_id: bytes, page: Page, *, is_released: bool) -> Told:
    """Tell of a payout whose case has ended."""
    word = "asked" if is_released else "refused"
    return _payout_told(word, payout_id, page.facts.payout(payout_id), page)


TELLERS: Final[dict[type, Callable[[Page], list[Told]]]] = {
    SendGift: _gift,
    SettleGift: _income,
    ExpireCoins: _expired,
    AskRefund: _asked_refund,
    NoteRefund: _noted_refund,
    RedirectRefund: _redirected,
    BeginPayout: _moved_payout,
    CancelPayout: _moved_payout,
    NotePayout: _moved_payout,
}
