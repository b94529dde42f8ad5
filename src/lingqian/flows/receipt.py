"""Receipts: the postings by which money of a channel enters the ledger, fees included (渠道入账).

Law: customers' money never pays the house's costs. What a channel keeps (fee) or leaves out
(coupon) is put back into the reserve from the operator's own cash, in the same command.
"""

from lingqian.flows.command import Observe
from lingqian.flows.view import Wanted
from lingqian.ledger.chart import (
    Book,
    bank_account,
    cash_account,
    channel_account,
    house_account,
)
from lingqian.ledger.posting import Phase, Posting

_COSTS = (
    Book.FEE_EXPENSE,
    Book.SERVICE_FEE,
    Book.PROVIDER,
    Book.FEE_REBATE,
    Book.COUPON_COST,
)


def want_receipt(lane: int, account: str, wanted: Wanted) -> None:
    """Name the accounts a receipt touches, but for where the money goes."""
    wanted.accounts.add(channel_account(lane, account))
    wanted.accounts.add(bank_account(lane))
    wanted.accounts.add(cash_account(lane))
    wanted.accounts.update([house_account(lane, book) for book in _COSTS])


def settled_fen(command: Observe) -> int:
    """Return what the channel settles of a payment; the whole where it has not said less."""
    is_less = 0 < command.settle_fen < command.amount_fen
    return command.settle_fen if is_less else command.amount_fen


def receipt(lane: int, command: Observe, target: bytes) -> list[Posting]:
    """Return the postings of one payment: the whole amount to `target`, its costs to the house."""
    channel = channel_account(lane, command.account)
    bank, cash = bank_account(lane), cash_account(lane)
    settle_fen = settled_fen(command)
    coupon_fen = command.amount_fen - settle_fen
    provider = house_account(lane, Book.PROVIDER)
    moves = (
        (channel, target, settle_fen),
        (bank, target, coupon_fen),
        (house_account(lane, Book.COUPON_COST), cash, coupon_fen),
        (house_account(lane, Book.FEE_EXPENSE), channel, command.fee_fen),
        (bank, cash, command.fee_fen),
        (house_account(lane, Book.SERVICE_FEE), provider, command.service_fee_fen),
        (provider, house_account(lane, Book.FEE_REBATE), command.rebate_fen),
    )
    return [Posting(Phase.POST, *move) for move in moves if move[2]]
