"""Postings: a debit, a credit and a positive amount; they cannot be unbalanced (分录).

A posting has a phase: posted at once, or held first and then captured or released. Each phase is a
record of its own in the journal; nothing is ever rewritten.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.ledger.account import Account
from lingqian.ledger.chart import DEBIT_NORMAL, FLOORED, FLOORED_DEBIT


class Phase(IntEnum):
    """What a posting does to the counters."""

    POST = 0
    HOLD = 1
    CAPTURE = 2
    RELEASE = 3


class Posting(NamedTuple):
    """Money decided to move; `amount_fen` is positive."""

    phase: int
    debit: bytes
    credit: bytes
    amount_fen: int


class Posted(NamedTuple):
    """A posting as the journal keeps it, with both balances after it, and as it is read back."""

    phase: int
    debit: bytes
    credit: bytes
    amount_fen: int
    debit_after_fen: int
    credit_after_fen: int


# One side of a posting as an account's history shows it: account, seq, leg, signed amount, balance
# after it. A plain tuple, for the lane makes two of them for every command.
Entry = tuple[bytes, int, int, int, int]


# Half the time of Posted(…): every posting makes one.
_new: Final = tuple.__new__

# Looked up once: a member of an enum costs more to reach than the addition it decides about.
_POST: Final = Phase.POST
_HOLD: Final = Phase.HOLD
_CAPTURE: Final = Phase.CAPTURE


def apply(phase: int, debit: Account, credit: Account, amount_fen: int) -> None:
    """Move the counters of both accounts for one posting: the only arithmetic on balances."""
    assert amount_fen > 0, "a posting moves something"
    if phase == _POST:
        debit.debits_posted += amount_fen
        credit.credits_posted += amount_fen
    elif phase == _HOLD:
        debit.debits_pending += amount_fen
        credit.credits_pending += amount_fen
    else:
        debit.debits_pending -= amount_fen
        credit.credits_pending -= amount_fen
        assert debit.debits_pending >= 0, "more captured or released than was held"
        assert credit.credits_pending >= 0, "more captured or released than was held"
        if phase == _CAPTURE:
            debit.debits_posted += amount_fen
            credit.credits_posted += amount_fen


def post(
    debit_account: bytes, debit: Account, credit_account: bytes, credit: Account, posting: Posting
) -> Posted:
    """Apply a posting and return its journal form with the balances after it."""
    phase, _, _, amount_fen = posting
    apply(phase, debit, credit, amount_fen)
    debit_after = debit.credits_posted - debit.debits_posted
    credit_after = credit.credits_posted - credit.debits_posted
    book = debit_account[16]
    # A floored account is checked when money is held or leaves; a bug here must stop the lane.
    assert book not in FLOORED or debit_after >= debit.debits_pending, "below the floor"
    if book in DEBIT_NORMAL:
        debit_after = -debit_after
    book = credit_account[16]
    if book in DEBIT_NORMAL:
        credit_after = -credit_after
        is_floored = book in FLOORED_DEBIT
        assert not is_floored or credit_after >= credit.credits_pending, "below the floor"
    after = (phase, debit_account, credit_account, amount_fen, debit_after, credit_after)
    return _new(Posted, after)
