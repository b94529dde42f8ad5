"""Accounts: four counters that only a fold may change; every balance is derived from them (账户).

Law: balance = credits − debits on the normal side; available = balance − open holds.
"""

from dataclasses import dataclass

from lingqian.ledger.chart import DEBIT_NORMAL


@dataclass(slots=True)
class Account:
    """Counters of one account in fen, and the journal sequence that last changed it.

    Mutable and slotted: the lane keeps thousands of these in memory and touches two per command.
    """

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0
    seq: int = 0


def balance_fen(account: bytes, counters: Account) -> int:
    """Return the posted balance on the account's normal side."""
    signed = counters.credits_posted - counters.debits_posted
    return -signed if account[16] in DEBIT_NORMAL else signed


def available_fen(counters: Account) -> int:
    """Return what a credit-normal account may still pay: posted less open holds."""
    return counters.credits_posted - counters.debits_posted - counters.debits_pending
