"""Movements of coins, gifts, refunds and payouts, told apart from the decisions that made them.

As storage.movement, whose table takes these in: a row moves exactly what its command and outcome
say, between exactly the accounts they name. Units: fen; coins.
"""

from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any, Final

from lingqian.flows.command import (
    AskPayout,
    AskRefund,
    CancelPayout,
    ExpireCoins,
    NotePayout,
    NoteRefund,
    SendGift,
    SettleGift,
)
from lingqian.flows.gift import ExpireDone, GiftDone, IncomeDone
from lingqian.flows.payout import PayoutAsked, PayoutMoved
from lingqian.flows.refund import Opened, RefundNoted
from lingqian.flows.view import View
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
    income_account,
    payable_account,
    transit_account,
    unallocated_account,
)
from lingqian.ledger.posting import Phase
from lingqian.topup.coin import Basis, Taken
from lingqian.topup.order import OrderKind
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import Origin, Refund, RefundStage, Way

_POST: Final = int(Phase.POST)
_PPM: Final = 1_000_000

# A movement as storage.movement has it: what a row moves, and what goes on to other lanes.
Step = tuple[int, bytes, bytes, int]
Movement = tuple[tuple[Step, ...], tuple[tuple[bytes, int], ...]]

NOTHING: Final[Movement] = ((), ())


def _house(view: View, book: Book) -> bytes:
    return house_account(view.lane, book)


def _ask_refund(view: View, command: AskRefund, opened: Opened) -> Movement:
    order = view.orders.have(command.order_id)
    assert opened.user_id == order.user_id, "a refund is its order's person's"
    payable = payable_account(command.refund_id)
    if order.kind == OrderKind.BALANCE:
        return ((_POST, balance_account(order.user_id), payable, command.amount_fen),), ()
    coins = opened.coins_paid + opened.coins_bonus
    person, issued = coin_account(order.user_id), coin_issued_account(view.lane)
    held, value = (Phase.HOLD, person, issued, coins), coin_value_account(view.lane)
    raised = _raised(view, command, opened)
    if not order.paid_attempt:
        # The balance has paid for them, and has its money back at once.
        own = balance_account(order.user_id)
        destroyed = (Phase.CAPTURE, *held[1:])
        return (held, destroyed, *raised, (_POST, value, own, command.amount_fen)), ()
    return (held, *raised, (_POST, value, payable, command.amount_fen)), ()


def _raised(view: View, command: AskRefund, opened: Opened) -> tuple[Step, ...]:
    """Return what the house adds where only paid coins count, from the grant before it."""
    if command.basis != Basis.PAID_ONLY:
        assert opened.subsidy_fen == 0, "blended coins are worth what goes back for them"
        return ()
    order, lot = view.orders.have(command.order_id), view.grants.have(command.order_id)
    paid, bonus = lot.paid_left - lot.paid_frozen, lot.bonus_left - lot.bonus_frozen
    taken = ceil(Fraction(command.amount_fen * order.coins, order.amount_fen))
    assert (taken, bonus) == (opened.coins_paid, opened.coins_bonus), "bonus first, all of it"
    owed = lot.cash_fen - lot.released_fen
    stays = int(Fraction(owed * (paid - taken), paid + bonus))
    assert opened.subsidy_fen == command.amount_fen - (owed - stays), "full price, less the worth"
    return _subsidised(view, opened.subsidy_fen)


def _subsidised(view: View, fen: int) -> tuple[Step, ...]:
    value, bank = coin_value_account(view.lane), bank_account(view.lane)
    cost, cash = _house(view, Book.SUBSIDY), cash_account(view.lane)
    steps = ((_POST, bank, value, fen), (_POST, cost, cash, fen))
    turned = ((_POST, value, bank, -fen), (_POST, cash, cost, -fen))
    return steps if fen > 0 else turned if fen else ()


def _note_refund(view: View, command: NoteRefund, outcome: RefundNoted) -> Movement:
    refund = view.refunds.have(command.refund_id)
    if refund.stage in (RefundStage.SUCCESS, RefundStage.CLOSED):
        return NOTHING
    payable, amount_fen = payable_account(command.refund_id), refund.amount_fen
    coins = refund.coins_paid + refund.coins_bonus
    person, issued = coin_account(refund.user_id), coin_issued_account(view.lane)
    if outcome.stage == RefundStage.SUCCESS:
        assert command.amount_fen == amount_fen, "what arrived is what was sent"
        destroyed = ((Phase.CAPTURE, person, issued, coins),) if coins else ()
        return (*_arrival(view, command, refund, outcome.fee_back_fen), *destroyed), ()
    if outcome.stage != RefundStage.CLOSED:
        return NOTHING
    if outcome.next is not None:
        return ((_POST, payable, payable_account(outcome.next.refund_id), amount_fen),), ()
    assert refund.origin in (Origin.PERSON, Origin.BILL), "closed money has nowhere else to go"
    if not coins:
        return ((_POST, payable, balance_account(refund.user_id), amount_fen),), ()
    steps = (
        (_POST, payable, coin_value_account(view.lane), amount_fen),
        *_subsidised(view, -refund.subsidy_fen),
        (Phase.RELEASE, person, issued, coins),
    )
    return steps, ()


def _arrival(view: View, command: NoteRefund, refund: Refund, fee_fen: int) -> tuple[Step, ...]:
    """Return how a refund leaves: by the channel what it settles, the rest by the operator."""
    account, ratio, settle_fen, gone_fen = _paid(view, refund)
    before, after = int(gone_fen * ratio), int((gone_fen + refund.amount_fen) * ratio)
    rate = Fraction(command.fee_ppm, _PPM)
    kept, keeps = (int((settle_fen - gone) * rate + Fraction(1, 2)) for gone in (before, after))
    assert fee_fen == kept - keeps, f"the fee gives back {kept - keeps}, the row says {fee_fen}"
    payable, channel = (
        payable_account(command.refund_id),
        channel_account(view.lane, account),
    )
    bank, cash = bank_account(view.lane), cash_account(view.lane)
    coupon_fen = refund.amount_fen - (after - before)
    left: tuple[Step, ...] = ((_POST, payable, channel, after - before),)
    if refund.way == Way.MERCHANT:
        # The channel pays the merchant's bank, and what it pays is owed as before.
        left = (
            (_POST, bank, channel, after - before),
            (_POST, payable, unallocated_account(view.lane), after - before),
        )
    steps = (
        *left,
        (_POST, payable, bank, coupon_fen),
        (_POST, cash, _house(view, Book.COUPON_COST), coupon_fen),
        (_POST, channel, _house(view, Book.FEE_EXPENSE), fee_fen),
        (_POST, cash, bank, fee_fen),
    )
    return tuple([step for step in steps if step[3]])


def _paid(view: View, refund: Refund) -> tuple[str, Fraction, int, int]:
    """Return what a refund is of: account, settled share, settled fen, and what has gone back."""
    if refund.origin == Origin.UNASKED:
        payment = view.transactions.have(refund.transaction_key)
        assert refund.amount_fen == payment.amount_fen, "what nobody asked for goes back whole"
        share = Fraction(payment.settle_fen, payment.amount_fen)
        return payment.account, share, payment.settle_fen, 0
    attempt = view.attempts.have(refund.attempt_id)
    share = Fraction(attempt.settle_fen, attempt.paid_fen)
    return attempt.account, share, attempt.settle_fen, attempt.refunded_fen


def _coins(view: View, user_id: bytes, taken: tuple[Taken, ...]) -> Step:
    """Return the step that takes coins; each lot earns by the floor of its running total."""
    for each in taken:
        grant = view.grants.have(each.order_id)
        assert grant.user_id == user_id, "nobody spends another's coins"
        frozen = grant.paid_frozen + grant.bonus_frozen
        whole = grant.paid_coins + grant.bonus_coins - frozen
        gone = whole - (grant.paid_left + grant.bonus_left - frozen) + each.paid + each.bonus
        earned = int(Fraction(grant.cash_fen * gone, whole)) - grant.released_fen
        assert earned == each.released_fen, (
            f"a lot earns {earned}, the row says {each.released_fen}"
        )
    coins = sum(each.paid + each.bonus for each in taken)
    return _POST, coin_account(user_id), coin_issued_account(view.lane), coins


def _revenue(view: View, fen: int) -> tuple[Step, ...]:
    if not fen:
        return ()
    return (
        (_POST, coin_value_account(view.lane), _house(view, Book.COIN_REVENUE), fen),
        (_POST, cash_account(view.lane), bank_account(view.lane), fen),
    )


def _income_of(view: View, streamer_id: bytes) -> bytes:
    return income_account(view.lane.to_bytes(2, "big") + streamer_id[2:])


def _gift(view: View, command: SendGift, outcome: GiftDone) -> Movement:
    step = _coins(view, command.user_id, outcome.taken)
    assert step[3] == command.coins * command.count, "a gift costs its price"
    value_fen = sum(each.released_fen for each in outcome.taken)
    assert outcome.streamer_fen + outcome.platform_fen == value_fen, "the parts are the whole"
    exact = Fraction(value_fen * command.streamer_ppm, _PPM)
    assert abs(outcome.streamer_fen - exact) < 1, "the streamer's part is off by a fen"
    waits = (
        _POST,
        coin_value_account(view.lane),
        _income_of(view, command.streamer_id),
        outcome.streamer_fen,
    )
    earned = _revenue(view, outcome.platform_fen)
    return (step, *((waits,) if outcome.streamer_fen else ()), *earned), ()


def _income(view: View, command: SettleGift, outcome: IncomeDone) -> Movement:
    gift = view.gifts.have(command.gift_id)
    assert outcome.amount_fen == gift.streamer_fen, "what waited is settled"
    if not outcome.amount_fen:
        return NOTHING
    source, target = _income_of(view, gift.streamer_id), balance_account(gift.streamer_id)
    if gift.streamer_id[0] << 8 | gift.streamer_id[1] == view.lane:
        return ((_POST, source, target, outcome.amount_fen),), ()
    steps = ((_POST, source, transit_account(view.lane), outcome.amount_fen),)
    return steps, ((target, outcome.amount_fen),)


def _expiry(view: View, command: ExpireCoins, outcome: ExpireDone) -> Movement:
    assert outcome.taken.order_id == command.order_id, "coins expire in their own order"
    assert not outcome.taken.paid, "paid coins never expire"
    user_id = view.grants.have(command.order_id).user_id
    step = _coins(view, user_id, (outcome.taken,))
    return (step, *_revenue(view, outcome.taken.released_fen)), ()


def _ask_payout(view: View, command: AskPayout, outcome: PayoutAsked) -> Movement:
    del view
    phase = Phase.HOLD if outcome.stage == PayoutStage.HELD else Phase.POST
    source, target = balance_account(command.user_id), payable_account(command.payout_id)
    return ((int(phase), source, target, command.amount_fen),), ()


_BACK: Final = (PayoutStage.FAILED, PayoutStage.CANCELLED)


def _payout(view: View, command: NotePayout | CancelPayout, outcome: PayoutMoved) -> Movement:
    payout = view.payouts.have(command.payout_id)
    payable = payable_account(command.payout_id)
    if payout.stage == outcome.stage:
        return NOTHING
    if outcome.stage == PayoutStage.SUCCESS:
        by_bank = bank_account(view.lane)
        source = channel_account(view.lane, payout.account) if payout.account else by_bank
        return ((_POST, payable, source, payout.amount_fen),), ()
    if outcome.stage in _BACK:
        return ((_POST, payable, balance_account(payout.user_id), payout.amount_fen),), ()
    return NOTHING


MOVES: Final[dict[type, Callable[[View, Any, Any], Movement]]] = {
    AskRefund: _ask_refund,
    NoteRefund: _note_refund,
    SendGift: _gift,
    SettleGift: _income,
    ExpireCoins: _expiry,
    AskPayout: _ask_payout,
    NotePayout: _payout,
    CancelPayout: _payout,
}
