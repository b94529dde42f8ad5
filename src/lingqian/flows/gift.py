"""Gifts: coins given to a streamer, their price parted; income settled; bonus expired (送礼、结算).

Law: what the coins of a gift had cost is the streamer's part and the platform's, to the fen; the
platform's part leaves customers' money in the same command.
"""

from typing import NamedTuple

from lingqian.compliance.limit import count_gift
from lingqian.flows.command import ExpireCoins, SendGift, SettleGift
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import may_pay
from lingqian.flows.transfer import check_proof, edit_usage, landing, want_landing
from lingqian.flows.view import View, Wanted
from lingqian.gift.gift import MACHINE, Gift, GiftState, income_owner
from lingqian.gift.share import split
from lingqian.kernel.clock import business_day
from lingqian.kernel.code import OK, Code
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import (
    Book,
    bank_account,
    cash_account,
    coin_account,
    coin_issued_account,
    coin_value_account,
    house_account,
    income_account,
)
from lingqian.ledger.posting import Phase, Posting
from lingqian.topup.coin import Taken, expired, spend, take, use_of


class GiftDone(NamedTuple):
    """A gift was given: when its income is settled, how its price was parted, from which lots.

    `is_counted`: the giver's day counts it; not in rows from before a day counted gifts.
    """

    settles_at_us: int
    streamer_fen: int
    platform_fen: int
    taken: tuple[Taken, ...]
    is_counted: bool = False


class IncomeDone(NamedTuple):
    """The income of a gift has become the streamer's balance."""

    amount_fen: int


class ExpireDone(NamedTuple):
    """The bonus of an order is over; what was left of it, and what that had cost."""

    taken: Taken


def _want_house(lane: int, wanted: Wanted) -> None:
    """Name the lane's books that coins move through when they are spent or expire."""
    wanted.accounts.update(
        (
            coin_issued_account(lane),
            coin_value_account(lane),
            house_account(lane, Book.COIN_REVENUE),
            cash_account(lane),
            bank_account(lane),
        )
    )


def need_gift(command: SendGift, wanted: Wanted) -> None:
    """Name the rows a gift touches: the giver, the giver's lots, and the books of coins."""
    lane = lane_of(command.user_id)
    wanted.users.add(command.user_id)
    wanted.usages.add(command.user_id)
    wanted.purses.add(command.user_id)
    wanted.accounts.add(coin_account(command.user_id))
    wanted.accounts.add(income_account(income_owner(lane, command.streamer_id)))
    _want_house(lane, wanted)


def decide_gift(view: View, command: SendGift, at_us: int) -> Decision:
    """Give coins to a streamer.

    Refuses: same_user, user_unknown, real_name_required, account_frozen, exceeds_coins,
    exceeds_factors.
    """
    code = _check_people(view, command)
    if code:
        return refused(code)
    coins = command.coins * command.count
    assert coins > 0, "a gift has a price"
    grants = [(each, view.grants.have(each)) for each in view.purses[command.user_id]]
    taken = take(grants, coins, use_of(command.scene, command.settle_after_us), at_us)
    if not taken:
        return refused(Code.EXCEEDS_COINS)
    value_fen = sum(each.released_fen for each in taken)
    code = _check_proof(view, command, value_fen, at_us)
    if code:
        return refused(code)
    # From here it must succeed.
    streamer_fen, platform_fen = split(value_fen, command.streamer_ppm)
    income = income_account(income_owner(view.lane, command.streamer_id))
    postings = _spent(view.lane, command.user_id, coins)
    if streamer_fen:
        postings.append(Posting(Phase.POST, coin_value_account(view.lane), income, streamer_fen))
    postings += _earned(view.lane, platform_fen)
    settles_at_us = at_us + command.settle_after_us
    outcome = GiftDone(settles_at_us, streamer_fen, platform_fen, taken, is_counted=True)
    return Decision(Code.OK, outcome, tuple(postings))


def _check_proof(view: View, command: SendGift, value_fen: int, at_us: int) -> Code:
    usage = view.usages.get(command.user_id)
    return check_proof(view.policy, usage, value_fen, business_day(at_us), command.factors)


def _check_people(view: View, command: SendGift) -> Code:
    if command.user_id == command.streamer_id:
        return Code.SAME_USER
    user = view.users.get(command.user_id)
    if user is None:
        return Code.USER_UNKNOWN
    code = may_pay(user.account_class, user.state)
    return code or may_pay(command.streamer_class, command.streamer_state) or OK


def _spent(lane: int, user_id: bytes, coins: int) -> list[Posting]:
    return [Posting(Phase.POST, coin_account(user_id), coin_issued_account(lane), coins)]


def _earned(lane: int, fen: int) -> list[Posting]:
    """Make a part of the coins' price the platform's own, and move its money out of the reserve."""
    if not fen:
        return []
    revenue = house_account(lane, Book.COIN_REVENUE)
    return [
        Posting(Phase.POST, coin_value_account(lane), revenue, fen),
        Posting(Phase.POST, cash_account(lane), bank_account(lane), fen),
    ]


def fold_gift(view: View, record: Record) -> None:
    """Write the gift, take its coins from their lots, and count what they had cost."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, SendGift), "the journal names its kind"
    assert isinstance(outcome, GiftDone), "the journal names its kind"
    for taken in outcome.taken:
        spend(view.grants.edit(taken.order_id), taken)
    gift = Gift(
        at_us=record.at_us,
        code=command.code,
        coins=command.coins * command.count,
        count=command.count,
        platform_fen=outcome.platform_fen,
        scene=command.scene,
        settles_at_us=outcome.settles_at_us,
        state=MACHINE.step(GiftState.GIVEN, "wait"),
        streamer_fen=outcome.streamer_fen,
        streamer_id=command.streamer_id,
        user_id=command.user_id,
        value_fen=outcome.streamer_fen + outcome.platform_fen,
    )
    view.gifts.put(command.gift_id, gift)
    if outcome.is_counted and gift.value_fen:
        count_gift(edit_usage(view, command.user_id), gift.value_fen, record.at_us)
    view.trail(record.seq, command.gift_id, *[taken.order_id for taken in outcome.taken])


def need_income(command: SettleGift, wanted: Wanted) -> None:
    """Name the gift; its streamer follows from it."""
    wanted.gifts.add(command.gift_id)


def deepen_income(view: View, command: SettleGift, wanted: Wanted) -> None:
    """Name where the income waits and where it goes."""
    gift = view.gifts.get(command.gift_id)
    if gift is not None:
        wanted.accounts.add(income_account(income_owner(view.lane, gift.streamer_id)))
        want_landing(view.lane, gift.streamer_id, wanted)


def decide_income(view: View, command: SettleGift, at_us: int) -> Decision:
    """Settle the income of a gift that is due; a streamer of another lane gets it by the relay.

    Refuses: gift_unknown, already_settled, not_due.
    """
    gift = view.gifts.get(command.gift_id)
    if gift is None:
        return refused(Code.GIFT_UNKNOWN)
    if gift.state != GiftState.PENDING:
        return refused(Code.ALREADY_SETTLED)
    if at_us < gift.settles_at_us:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    outcome = IncomeDone(gift.streamer_fen)
    if not gift.streamer_fen:
        return Decision(Code.OK, outcome)
    account, relayed = landing(view.lane, gift.streamer_id, gift.streamer_fen)
    income = income_account(income_owner(view.lane, gift.streamer_id))
    posting = Posting(Phase.POST, income, account, gift.streamer_fen)
    return Decision(Code.OK, outcome, (posting,), relayed)


def fold_income(view: View, record: Record) -> None:
    """Write that a gift's income is settled."""
    command = record.command
    assert isinstance(command, SettleGift), "the journal names its kind"
    gift = view.gifts.edit(command.gift_id)
    gift.state = MACHINE.step(gift.state, "settle")
    view.trail(record.seq, command.gift_id)


def need_expiry(command: ExpireCoins, wanted: Wanted) -> None:
    """Name the grant and the books of coins; the person follows from it."""
    wanted.grants.add(command.order_id)
    _want_house(lane_of(command.order_id), wanted)


def deepen_expiry(view: View, command: ExpireCoins, wanted: Wanted) -> None:
    """Name the person's coins."""
    grant = view.grants.get(command.order_id)
    if grant is not None:
        wanted.accounts.add(coin_account(grant.user_id))


def decide_expiry(view: View, command: ExpireCoins, at_us: int) -> Decision:
    """End the bonus of an order whose time is over; what it had cost is earned by the platform.

    Coins set aside for a refund stay; should the refund fail, they are due at once.
    Refuses: order_unknown, already_settled, not_due.
    """
    grant = view.grants.get(command.order_id)
    if grant is None:
        return refused(Code.ORDER_UNKNOWN)
    if not grant.due_at_us:
        return refused(Code.ALREADY_SETTLED)
    if at_us < grant.due_at_us:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    taken = expired(command.order_id, grant)
    postings = _spent(view.lane, grant.user_id, taken.bonus)
    postings += _earned(view.lane, taken.released_fen)
    return Decision(Code.OK, ExpireDone(taken), tuple(postings))


def fold_expiry(view: View, record: Record) -> None:
    """Take what is over from the grant."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ExpireCoins), "the journal names its kind"
    assert isinstance(outcome, ExpireDone), "the journal names its kind"
    spend(view.grants.edit(command.order_id), outcome.taken)
    view.trail(record.seq, command.order_id)
