"""Accounts: four counters that only a fold may change; every balance is derived from them (账户).

Law: balance = credits − debits on the normal side; available = balance − open holds.
"""

from lingqian.ledger.chart import DEBIT_NORMAL


class Account:
    """Counters of one account in fen, and the journal sequence that last changed it.

    Mutable and slotted: the lane keeps thousands of these in memory and touches two per command.
    """

    __slots__ = ("credits_pending", "credits_posted", "debits_pending", "debits_posted", "seq")

    def __init__(
        self,
        debits_posted: int = 0,
        credits_posted: int = 0,
        debits_pending: int = 0,
        credits_pending: int = 0,
        seq: int = 0,
    ) -> None:
        self.debits_posted = debits_posted
        self.credits_posted = credits_posted
        self.debits_pending = debits_pending
        self.credits_pending = credits_pending
        self.seq = seq


def balance_fen(account: bytes, counters: Account) -> int:
    """Return the posted balance on the account's normal side."""
    signed = counters.credits_posted - counters.debits_posted
    return -signed if account[16] in DEBIT_NORMAL else signed


def available_fen(counters: Account) -> int:
    """Return what a credit-normal account may still pay: posted less open holds."""
    return counters.credits_posted - counters.debits_posted - counters.debits_pending
