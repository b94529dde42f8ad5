"""Every state of an order has its sentence, and only impossible states contradict themselves."""

from itertools import product

import pytest

from lingqian.topup.attempt import AttemptState, Mark
from lingqian.topup.order import CreditState, OrderKind, PayState, ReturnState
from lingqian.topup.sentence import (
    CONTRADICTION,
    DOUBTED,
    NO_ATTEMPT,
    TABLE,
    WRONG_AMOUNT,
    Situation,
    say,
    sentence,
    yuan,
)

PAID = (PayState.PAID, PayState.OVERPAID)
UNPAID_CREDIT = (CreditState.NONE, CreditState.ADVANCED, CreditState.CLAWED_BACK)
EVERYTHING = [
    Situation(*axes)
    for axes in product(PayState, CreditState, ReturnState, [NO_ATTEMPT, *AttemptState], Mark)
]


def is_possible(situation):
    """Say, from the laws and not from the table, whether an order can be like this."""
    pay, credit, back, attempt, mark, _ = situation
    is_apart = mark == Mark.WRONG_AMOUNT and credit == CreditState.NONE
    if is_apart or credit == CreditState.WRITTEN_OFF:
        return True
    if pay not in PAID:
        # Nothing was proven: nothing goes back, and only an advance gives anything.
        if back != ReturnState.NONE or credit not in UNPAID_CREDIT:
            return False
        if pay == PayState.CLOSED or credit != CreditState.NONE:
            return True
        # An order that nobody has tried to pay has no attempt; a tried one has one.
        is_untried = attempt == NO_ATTEMPT and pay == PayState.NONE
        return is_untried or attempt not in (NO_ATTEMPT, AttemptState.SUCCEEDED)
    # Evidence decides in the same command: paid is never left without a verdict.
    return credit not in (CreditState.NONE, CreditState.ADVANCED)


def test_every_possible_state_has_a_sentence_and_no_other_has():
    """A person who asks must be told something true; only broken books may say they are broken."""
    for situation in EVERYTHING:
        found = sentence(situation)
        assert (found is not CONTRADICTION) == is_possible(situation), situation


def test_every_row_is_reached():
    """A row that nothing reaches is a sentence nobody will ever read, and hides a mistake."""
    told = {sentence(each).name for each in EVERYTHING}
    assert told == {row.sentence.name for row in TABLE} | {
        CONTRADICTION.name, DOUBTED.name, WRONG_AMOUNT.name,
    }  # fmt: skip


@pytest.mark.parametrize("kind", list(OrderKind))
def test_every_sentence_can_be_said_of_every_kind(kind):
    """A name between braces that nobody fills in would stand on the page."""
    for row in (*TABLE,):
        told = say(row.sentence, kind, 5_000)
        assert "{" not in told.zh + told.en
        assert told.zh.endswith("。")
        assert told.en.endswith(".")


def test_what_is_credited_is_said_to_be():
    """The first word people look for must agree with the state."""
    for situation in EVERYTHING:
        if situation.credit in (CreditState.CREDITED, CreditState.CONFIRMED):
            found = sentence(situation)
            assert found.is_credited or found is CONTRADICTION


def test_an_amount_is_written_without_floats():
    """Five yuan and five fen are not five yuan fifty."""
    assert [yuan(5), yuan(505), yuan(100_000)] == ["0.05", "5.05", "1000.00"]
