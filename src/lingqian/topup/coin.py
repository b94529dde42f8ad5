"""Coins: which lots a spend takes, what of their price it earns, what a refund takes back (虚拟币).

Law: after k of a grant's N coins are spent, floor(cash · k / N) of its price is earned: nothing is
left over, and k = N earns everything. Coins set aside for a refund are not among the N, and their
price is not in the cash; so a refund, whatever becomes of it, moves no fen between earned and owed.
Units: coins; fen; µs.   Source: top-up reference 12.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.kernel.clock import DAY_US
from lingqian.topup.grant import Grant

# Value that one person could hand to another and take out again: only what was paid for.
PAID_ONLY_SCENES: Final = frozenset({"packet", "transfer", "withdrawal"})
# Coins given before their money was proven buy only what is not settled sooner than this.
ADVANCED_LOCK_US: Final = 7 * DAY_US


class Use(NamedTuple):
    """What a spend may take: paid coins only; coins that were advanced as well."""

    is_paid_only: bool
    takes_advanced: bool


class Taken(NamedTuple):
    """What a spend takes of one order's grant, and what of its price that earns."""

    order_id: bytes
    paid: int
    bonus: int
    released_fen: int


class Basis(IntEnum):
    """What coins are worth when they go back.

    BLENDED: what is left of the price, over paid and bonus coins alike. PAID_ONLY: the unspent paid
    coins at full price; the bonus is forfeited, and the house bears the difference.
    Source: top-up reference 12; which one, the operator chooses (18).
    """

    BLENDED = 0
    PAID_ONLY = 1


class Part(NamedTuple):
    """Coins of one grant, paid and bonus apart."""

    paid: int
    bonus: int


class Price(NamedTuple):
    """What an order asked for how many paid coins: the full price of a coin is their ratio."""

    amount_fen: int
    coins: int


class Back(NamedTuple):
    """Coins that go back, and what of their grant's price goes with them."""

    part: Part
    value_fen: int


def use_of(scene: str, locked_us: int) -> Use:
    """Return what a spend in a scene may take, when its receiver is paid after `locked_us`."""
    return Use(scene in PAID_ONLY_SCENES, locked_us >= ADVANCED_LOCK_US)


def worth_fen(grant: Grant) -> int:
    """Return what is still owed in service for a grant: the price of its coins not yet spent."""
    return grant.cash_fen - grant.released_fen


def free(grant: Grant) -> Part:
    """Return the coins that can be spent or taken back: what is left and not set aside."""
    return Part(grant.paid_left - grant.paid_frozen, grant.bonus_left - grant.bonus_frozen)


def is_expired(grant: Grant, at_us: int) -> bool:
    """Say whether the bonus of a grant is over; paid coins never are."""
    return 0 < grant.bonus_expires_at_us <= at_us


def released_fen(grant: Grant, coins: int) -> int:
    """Return what spending that many more of a grant's coins earns."""
    frozen = grant.paid_frozen + grant.bonus_frozen
    left = grant.paid_left + grant.bonus_left
    whole = grant.paid_coins + grant.bonus_coins - frozen
    assert 0 < coins <= left - frozen, "a spend takes coins that are there"
    gone = whole + frozen - left + coins
    return grant.cash_fen * gone // whole - grant.released_fen


def take(
    grants: Iterable[tuple[bytes, Grant]], coins: int, use: Use, at_us: int
) -> tuple[Taken, ...]:
    """Choose the lots of a spend: bonus that expires, by expiry; other bonus; paid, by age.

    Returns nothing when the coins do not suffice.
    """
    by_order = {order_id: grant for order_id, grant in grants if not _is_barred(grant, use)}
    lots = sorted(
        lot for order_id in by_order for lot in _lots(order_id, by_order[order_id], at_us)
    )
    parts: dict[bytes, Part] = {}
    for rank, _, _, order_id, count in lots:
        if rank != _PAID and use.is_paid_only:
            continue
        some = min(count, coins)
        paid, bonus = parts.get(order_id, _NONE)
        parts[order_id] = Part(paid + some, bonus) if rank == _PAID else Part(paid, bonus + some)
        coins -= some
        if not coins:
            return tuple([_taken(each, by_order[each], part) for each, part in parts.items()])
    return ()


_EXPIRING, _BONUS, _PAID = range(3)
_NONE: Final = Part(0, 0)

# Rank, expiry, age, order, coins: sorted, this is the order in which lots are spent.
_Lot = tuple[int, int, int, bytes, int]


def _is_barred(grant: Grant, use: Use) -> bool:
    return bool(grant.is_advance) and (use.is_paid_only or not use.takes_advanced)


def _lots(order_id: bytes, grant: Grant, at_us: int) -> list[_Lot]:
    paid, bonus = free(grant)
    lots: list[_Lot] = []
    if paid:
        lots.append((_PAID, 0, grant.created_at_us, order_id, paid))
    if bonus and not is_expired(grant, at_us):
        rank = _EXPIRING if grant.bonus_expires_at_us else _BONUS
        lots.append((rank, grant.bonus_expires_at_us, grant.created_at_us, order_id, bonus))
    return lots


def _taken(order_id: bytes, grant: Grant, part: Part) -> Taken:
    return Taken(order_id, part.paid, part.bonus, released_fen(grant, part.paid + part.bonus))


def expired(order_id: bytes, grant: Grant) -> Taken:
    """Return what the end of a grant's bonus takes: all of it that is not set aside."""
    return _taken(order_id, grant, Part(0, free(grant).bonus))


def spend(grant: Grant, taken: Taken) -> None:
    """Take coins from a grant and count what they have earned."""
    grant.paid_left -= taken.paid
    grant.bonus_left -= taken.bonus
    grant.released_fen += taken.released_fen
    _plan(grant)


def most_fen(grant: Grant, price: Price, basis: Basis) -> int:
    """Return the most that a grant's coins bring back."""
    if basis == Basis.BLENDED:
        return worth_fen(grant)
    return free(grant).paid * price.amount_fen // price.coins


def back_for(grant: Grant, amount_fen: int, price: Price, basis: Basis) -> Back | None:
    """Return what goes back with an amount, or None when a rest would be left without coins."""
    assert 0 < amount_fen <= most_fen(grant, price, basis), "no more goes back than there is"
    if basis == Basis.PAID_ONLY:
        return _at_full_price(grant, amount_fen, price)
    part = part_for(grant, amount_fen)
    return None if part is None else Back(part, amount_fen)


def part_for(grant: Grant, amount_fen: int) -> Part | None:
    """Return the coins that go back with an amount: unspent bonus first, then paid.

    They are worth the amount or, by less than one coin, more; the whole worth takes all of them.
    None when the amount would take every coin and yet leave money behind.
    """
    worth, (paid, bonus) = worth_fen(grant), free(grant)
    assert 0 < amount_fen <= worth, "no more goes back than is owed in service"
    coins = -(-amount_fen * (paid + bonus) // worth)
    if coins == paid + bonus and amount_fen < worth:
        return None
    some = min(bonus, coins)
    return Part(coins - some, some)


def _at_full_price(grant: Grant, amount_fen: int, price: Price) -> Back | None:
    """Take back all unspent bonus, then paid coins for the amount.

    What stays keeps its share of the grant's price: a coin spent later earns what it would have.
    """
    paid, bonus = free(grant)
    some = -(-amount_fen * price.coins // price.amount_fen)
    if some == paid and amount_fen < most_fen(grant, price, Basis.PAID_ONLY):
        return None
    worth = worth_fen(grant)
    return Back(Part(some, bonus), worth - worth * (paid - some) // (paid + bonus))


def freeze(grant: Grant, part: Part, amount_fen: int) -> None:
    """Set coins aside for a refund and let their price go; what stays is counted anew."""
    _rebase(grant, worth_fen(grant) - amount_fen)
    grant.paid_frozen += part.paid
    grant.bonus_frozen += part.bonus
    _plan(grant)


def thaw(grant: Grant, part: Part, amount_fen: int) -> None:
    """Give coins back that were set aside, with their price: the refund has failed."""
    _rebase(grant, worth_fen(grant) + amount_fen)
    grant.paid_frozen -= part.paid
    grant.bonus_frozen -= part.bonus
    _plan(grant)


def destroy(grant: Grant, part: Part) -> None:
    """Take away coins that were set aside: the refund has arrived."""
    grant.paid_frozen -= part.paid
    grant.paid_left -= part.paid
    grant.paid_coins -= part.paid
    grant.bonus_frozen -= part.bonus
    grant.bonus_left -= part.bonus
    grant.bonus_coins -= part.bonus


def _rebase(grant: Grant, cash_fen: int) -> None:
    grant.paid_coins = grant.paid_left
    grant.bonus_coins = grant.bonus_left
    grant.cash_fen = cash_fen
    grant.released_fen = 0


def _plan(grant: Grant) -> None:
    """Keep the date of expiry for as long as there is bonus that can expire."""
    grant.due_at_us = grant.bonus_expires_at_us if free(grant).bonus else 0
