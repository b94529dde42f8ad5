"""Grants: the coins one order gave, paid and bonus apart, with what they cost (发币).

Law: released(k) = floor(cash · k / N) after k of N coins; all coins gone, all cash released.
Units: coins; fen; µs.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Grant:
    """Both lots of one order: what was given, what is left, what of that is frozen.

    `cash_fen` is what was paid for all of it and `released_fen` what has been earned so far.
    Paid coins never expire; bonus coins do at `bonus_expires_at_us`, 0 for never.
    """

    bonus_coins: int
    bonus_expires_at_us: int
    bonus_frozen: int
    bonus_left: int
    cash_fen: int
    created_at_us: int
    due_at_us: int
    is_advance: int
    paid_coins: int
    paid_frozen: int
    paid_left: int
    released_fen: int
    user_id: bytes


def grant(
    order_user: bytes, coins: tuple[int, int], cash_fen: int, times: tuple[int, int]
) -> Grant:
    """Make the grant of an order: `coins` paid and bonus, `times` now and when the bonus ends."""
    paid, bonus = coins
    at_us, bonus_expires_at_us = times
    return Grant(
        bonus_coins=bonus,
        bonus_expires_at_us=bonus_expires_at_us,
        bonus_frozen=0,
        bonus_left=bonus,
        cash_fen=cash_fen,
        created_at_us=at_us,
        due_at_us=bonus_expires_at_us,
        is_advance=0,
        paid_coins=paid,
        paid_frozen=0,
        paid_left=paid,
        released_fen=0,
        user_id=order_user,
    )
