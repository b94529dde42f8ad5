"""Bridges: what a person may still do while no channel takes the payment (降级时的选择).

Law: an offer comes after every host and account has been tried; first the person's own wallet,
which is no credit, then an advance, and that only in an outage. An offer is a look at rows that may
have moved when it is taken up: the lane decides.
"""

from typing import Final, NamedTuple

from lingqian.channels.route import Candidate, Wish, fits, routes
from lingqian.flows.gate import may_pay
from lingqian.identity.real_name import is_minor as is_minor_by
from lingqian.kernel.clock import business_date, business_day
from lingqian.kernel.code import OK, Code
from lingqian.kernel.id import lane_of
from lingqian.storage import query, query_top_up, real_name, standing
from lingqian.topup.advance import check_age, check_history, check_line, check_person
from lingqian.topup.mode import ADVANCING
from lingqian.topup.order import CreditState, Order, OrderKind, PayState
from lingqian.web.door import Door

_AWAITED: Final = (PayState.NONE, PayState.PAYING)


class Offers(NamedTuple):
    """Which ways are open: the wallet, and the account whose outage an advance would bridge."""

    has_wallet: bool = False
    account: str = ""


def offers(door: Door, order_id: bytes, order: Order) -> Offers:
    """Return what may be offered for an order that has no pay sheet."""
    if not _is_bare(order):
        return Offers()
    has_wallet = not wallet_code(door, order)
    account = bridged_account(door, order_id, order)
    is_eligible = bool(account) and not advance_code(door, order)
    return Offers(has_wallet, account if is_eligible else "")


def _is_bare(order: Order) -> bool:
    """Say whether an order is for coins, its money awaited, and nothing given for it."""
    is_awaited = order.pay_state in _AWAITED and order.credit_state == CreditState.NONE
    return is_awaited and order.kind == OrderKind.COINS


def wallet_code(door: Door, order: Order) -> Code:
    """Say why a person's own wallet cannot pay in an order's place; OK when it can.

    Refuses: order_infeasible, order_paid, already_settled, attempt_open, exceeds_available.
    """
    if order.kind != OrderKind.COINS:
        return Code.ORDER_INFEASIBLE
    if order.pay_state in (PayState.PAID, PayState.OVERPAID):
        return Code.ORDER_PAID
    if order.credit_state != CreditState.NONE:
        return Code.ALREADY_SETTLED
    if has_sheet(door, order):
        return Code.ATTEMPT_OPEN
    balance = query.balance(door.reader, order.user_id)
    is_enough = balance.amount_fen - balance.held_fen >= order.amount_fen
    return OK if is_enough else Code.EXCEEDS_AVAILABLE


def has_sheet(door: Door, order: Order) -> bool:
    """Say whether a pay sheet was given out that may still be paid, or has been."""
    if not order.live_attempt:
        return False
    attempt = query.attempt(door.reader, order.live_attempt)
    return attempt is not None and attempt.prepaid_until_us > 0


def bridged_account(door: Door, order_id: bytes, order: Order) -> str:
    """Return the account whose outage keeps an order from being paid; empty while one is sound."""
    modes = standing.modes(door.reader)
    bridged = {account for account, row in modes.items() if row.mode in ADVANCING}
    if order.live_attempt:
        attempt = query.attempt(door.reader, order.live_attempt)
        account = "" if attempt is None else attempt.account
        return account if account in bridged else ""
    fitting = _fitting(door, order_id, order)
    health = door.wallet.health
    wish = _wish(fitting, order)
    sound = routes(health.state, fitting, wish, health.now_us())
    if any(each.account not in bridged for each in sound):
        return ""
    return next((each.account for each in fitting if each.account in bridged), "")


def _fitting(door: Door, order_id: bytes, order: Order) -> list[Candidate]:
    """Return the ways that would fit an order, by the product it was last tried with."""
    candidates = door.wallet.candidates
    tried = query_top_up.attempts(door.reader, order_id)
    if tried:
        candidates = tuple([each for each in candidates if each.product == tried[-1].row.product])
    wish = _wish(candidates, order)
    return [each for each in candidates if fits(each, wish)]


def _wish(candidates: tuple[Candidate, ...] | list[Candidate], order: Order) -> Wish:
    products = frozenset([each.product for each in candidates])
    return Wish(products, order.amount_fen, order.scene)


def is_minor(door: Door, user_id: bytes) -> bool:
    """Say whether a person's verified ID number says under eighteen; not where there is none."""
    row = real_name.find(door.reader, user_id)
    if row is None or not row.number_sealed:
        return False
    told = real_name.open_told(door.wallet.vault, user_id, row)
    return is_minor_by(told.number, business_date(business_day(door.wallet.clock.now_us())))


def advance_code(door: Door, order: Order) -> Code:
    """Say why an order would not be advanced by its person, history or line; OK when it would."""
    reader, now_us = door.reader, door.wallet.clock.now_us()
    user = query.user(reader, order.user_id)
    assert user is not None, "an order has its person"
    borrower = standing.borrower(reader, order.user_id)
    history = standing.history(reader, order.user_id, now_us)
    line = standing.line(reader, lane_of(order.user_id))
    return (
        may_pay(user.account_class, user.state)
        or check_person(user.account_class, borrower, standing.debt_fen(reader, order.user_id))
        or check_age(is_minor=is_minor(door, order.user_id))
        or check_history(history, now_us)
        or check_line(line, history, order.amount_fen, now_us)
    )
