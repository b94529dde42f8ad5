"""Fees: rounded half up once, and never more given back than was taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.topup.fee import PPM, FeePlan, Fees, fee_back, fees, share_of

OPEN = FeePlan(subsidy_until_us=10)


@pytest.mark.parametrize(
    ("amount_fen", "expected"),
    [
        (8_437, Fees(51, 17, 8)),
        (100, Fees(1, 0, 0)),
        (83, Fees(0, 0, 0)),
        (84, Fees(1, 0, 0)),
        (1, Fees(0, 0, 0)),
    ],
)
def test_fees_of_the_reference(amount_fen, expected):
    """Worked examples, to the fen."""
    assert fees(OPEN, amount_fen, amount_fen, 9) == expected


def test_subsidy_ends_with_its_window():
    """By the channel's success time, so that a late notice books what was true."""
    assert [fees(OPEN, 8_437, 8_437, at_us).rebate_fen for at_us in (9, 10)] == [8, 0]


def test_base_fee_is_on_what_is_settled():
    """A coupon that is not prefunded lowers it."""
    assert fees(OPEN, 10_000, 5_000, 0) == Fees(30, 20, 10)


def test_fee_comes_back_as_the_reference_says():
    """51 before, 22 on what remains: 29 comes back."""
    assert fee_back(6_000, 8_437, 0, 4_732) == 29


@given(
    st.integers(1, 10**9),
    st.integers(0, PPM),
    st.lists(st.integers(1, 10**8), max_size=12),
)
def test_parts_of_a_refund_give_back_what_the_whole_would(paid_fen, ppm, parts):
    """However it is cut: the sum is the fee when all goes back, and never more."""
    gone_fen = back_fen = 0
    for part in parts:
        part_fen = min(part, paid_fen - gone_fen)
        back_fen += fee_back(ppm, paid_fen, gone_fen, part_fen)
        gone_fen += part_fen
    rest_fen = paid_fen - gone_fen
    back_fen += fee_back(ppm, paid_fen, gone_fen, rest_fen)
    assert back_fen == share_of(paid_fen, ppm, PPM)


@given(st.integers(0, 10**12), st.integers(0, 10**6), st.integers(1, 10**6))
def test_share_is_rounded_half_up(amount_fen, parts, whole):
    """Nearest, and the half goes up; in integers only."""
    share = share_of(amount_fen, parts, whole)
    exact = amount_fen * parts
    assert 2 * exact - whole < 2 * share * whole <= 2 * exact + whole


def test_more_than_was_paid_never_goes_back():
    """A bug of the caller must stop him."""
    with pytest.raises(AssertionError, match="no more"):
        fee_back(6_000, 100, 60, 41)
