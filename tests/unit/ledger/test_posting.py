"""Postings: the only arithmetic on balances, and the floor beneath it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel.bound import BALANCE_FEN_MAX
from lingqian.ledger.account import Account, available_fen, balance_fen
from lingqian.ledger.chart import (
    ACCOUNT_BYTES,
    CHART,
    DEBIT_NORMAL,
    Book,
    Tier,
    balance_account,
    bank_account,
    escrow_account,
    house_account,
    transit_account,
)
from lingqian.ledger.posting import Phase, Posting, apply, post

A, B, BANK = balance_account(b"a" * 16), balance_account(b"b" * 16), bank_account(0)


def rich(fen, held=0):
    """Return an account with money and perhaps a hold on it."""
    return Account(credits_posted=fen, debits_pending=held)


def test_post_moves_money_and_says_both_balances_after():
    """The journal keeps what each side had after it, so that a balance is one seek."""
    source, target = rich(100), rich(5)
    posted = post(A, source, B, target, Posting(Phase.POST, A, B, 30))
    assert (posted.debit_after_fen, posted.credit_after_fen) == (70, 35)
    assert (balance_fen(A, source), balance_fen(B, target)) == (70, 35)


def test_post_counts_the_bank_on_its_own_side():
    """What the bank holds grows with debits."""
    bank, target = Account(), Account()
    posted = post(BANK, bank, A, target, Posting(Phase.POST, BANK, A, 30))
    assert (posted.debit_after_fen, posted.credit_after_fen) == (30, 30)
    assert balance_fen(BANK, bank) == 30


def test_hold_leaves_the_balance_and_takes_from_what_is_available():
    """Held money is still its owner's, and no longer his to spend."""
    source, target = rich(100), Account()
    post(A, source, B, target, Posting(Phase.HOLD, A, B, 30))
    assert (balance_fen(A, source), available_fen(source)) == (100, 70)
    assert (balance_fen(B, target), available_fen(target)) == (0, 0)


def test_capture_pays_what_was_held_and_release_gives_it_back():
    """Each step of a hold undoes the hold; only the capture moves money."""
    source, target = rich(100), Account()
    for _ in range(2):
        post(A, source, B, target, Posting(Phase.HOLD, A, B, 30))
    post(A, source, B, target, Posting(Phase.CAPTURE, A, B, 30))
    assert (balance_fen(A, source), available_fen(source)) == (70, 40)
    post(A, source, B, target, Posting(Phase.RELEASE, A, B, 30))
    assert (balance_fen(A, source), available_fen(source)) == (70, 70)
    assert balance_fen(B, target) == 30


@pytest.mark.parametrize("fen", [0, -1])
def test_posting_of_nothing_is_a_bug(fen):
    """A negative amount would be a debit dressed as a credit."""
    with pytest.raises(AssertionError, match="moves something"):
        apply(Phase.POST, rich(100), Account(), fen)


def test_posting_below_the_floor_is_a_bug():
    """The ladder refuses before; if it ever does not, the lane stops here."""
    with pytest.raises(AssertionError, match="floor"):
        post(A, rich(29), B, Account(), Posting(Phase.POST, A, B, 30))


def test_posting_into_held_money_is_a_bug():
    """The floor of an account is what is set aside from it, not zero."""
    with pytest.raises(AssertionError, match="floor"):
        post(A, rich(100, held=71), B, Account(), Posting(Phase.POST, A, B, 30))


@pytest.mark.parametrize("phase", [Phase.CAPTURE, Phase.RELEASE])
@pytest.mark.parametrize("empty", ["debit", "credit"])
def test_more_cannot_come_out_of_a_hold_than_went_in(phase, empty):
    """On either side."""
    debit = rich(100, held=0 if empty == "debit" else 30)
    credit = Account(credits_pending=0 if empty == "credit" else 30)
    with pytest.raises(AssertionError, match="than was held"):
        apply(phase, debit, credit, 30)


def test_transit_has_no_floor():
    """One lane's transit owes what another lane's has."""
    posted = post(
        transit_account(0), Account(), A, Account(), Posting(Phase.POST, transit_account(0), A, 30)
    )
    assert posted.debit_after_fen == -30


@given(st.lists(st.tuples(st.sampled_from(Phase), st.integers(1, 100)), max_size=30))
def test_any_postings_keep_debits_equal_to_credits(steps):
    """Not by care at each step but by the shape of a posting."""
    source, target = rich(10**6), Account()
    for phase, fen in steps:
        if phase in {Phase.CAPTURE, Phase.RELEASE} and source.debits_pending < fen:
            continue
        post(A, source, B, target, Posting(phase, A, B, fen))
    assert source.debits_posted == target.credits_posted
    assert source.debits_pending == target.credits_pending
    assert balance_fen(A, source) + balance_fen(B, target) == 10**6


def test_accounts_name_their_owner_book_and_currency():
    """Eighteen bytes that nobody has to look up."""
    books = {
        A: Book.BALANCE,
        escrow_account(b"p" * 16): Book.ESCROW,
        transit_account(7): Book.TRANSIT,
        bank_account(7): Book.BANK,
    }
    for account, book in books.items():
        assert (len(account), account[16], account[17]) == (ACCOUNT_BYTES, book, 1)
    assert transit_account(7)[:2] == bank_account(7)[:2] == b"\0\7"


def test_chart_has_debit_normal_books_only_for_what_we_own_and_what_we_spend():
    """What is owed to users is never on the debit side; no reserve is on the credit side."""
    for book, row in CHART.items():
        assert (book in DEBIT_NORMAL) == row.is_debit_normal
        assert not (row.tier == Tier.USER and row.is_debit_normal)
        assert row.tier not in {Tier.RESERVE, Tier.CLEARING} or row.is_debit_normal
    assert all(row.floor_fen == 0 for book, row in CHART.items() if book <= Book.ESCROW)
    assert CHART[Book.BALANCE].ceiling_fen == BALANCE_FEN_MAX


def test_debit_normal_floor_stops_a_credit_below_zero():
    """A claim on a person cannot be paid back twice: the lane stops rather than owe it."""
    debt, bank = house_account(7, Book.ADVANCE), bank_account(7)
    one, two = Account(debits_posted=5), Account(debits_posted=9)
    post(bank, two, debt, one, Posting(Phase.POST, bank, debt, 5))
    with pytest.raises(AssertionError, match="below the floor"):
        post(bank, two, debt, one, Posting(Phase.POST, bank, debt, 1))
