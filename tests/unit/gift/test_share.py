"""Shares of a gift, the gifts there are, and when income is settled."""

from hypothesis import given
from hypothesis import strategies as st

from lingqian.gift.catalogue import CATALOGUE
from lingqian.gift.gift import MACHINE, GiftState, income_owner
from lingqian.gift.income import DEFAULT_SCENE, INCOME, income_row, settle_after_us
from lingqian.gift.share import PPM, parts, split
from lingqian.kernel.clock import DAY_US
from lingqian.kernel.id import lane_of


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_parts_are_the_whole_and_none_is_off_by_a_fen(value, weights):
    """The largest remainders get what flooring leaves: nobody is off by a whole fen."""
    shared = parts(value, weights)
    whole = sum(weights)
    assert sum(shared) == value
    assert all(
        abs(share * whole - value * weight) < whole
        for share, weight in zip(shared, weights, strict=True)
    )


def test_the_odd_fen_goes_to_the_larger_remainder_and_a_tie_to_the_streamer():
    """1 fen at 30 %: the platform's remainder is larger; at a half the streamer has it."""
    assert split(1, 300_000) == (0, 1)
    assert split(1, 500_000) == (1, 0)
    assert split(3_705, 500_000) == (1_853, 1_852)
    assert split(100, 0) == (0, 100)
    assert split(100, PPM) == (100, 0)


def test_gifts_have_a_price_two_names_and_a_code_of_their_own():
    """A code stands in the journal for ever."""
    assert len(CATALOGUE) >= 8
    for code, row in CATALOGUE.items():
        assert code == row.code
        assert row.coins > 0
        assert row.zh
        assert row.en


def test_income_of_a_live_stream_is_locked_for_a_week():
    """Advanced coins may be spent there, and their money is proven or clawed back before that."""
    assert settle_after_us(INCOME[DEFAULT_SCENE]) == 7 * DAY_US
    assert income_row("a scene of somebody else") == INCOME[DEFAULT_SCENE]
    assert settle_after_us(income_row("chat")) == DAY_US


def test_income_waits_in_the_lane_that_earned_it():
    """At home that is the streamer's own id."""
    streamer = b"\0\2" + bytes(range(14))
    assert income_owner(2, streamer) == streamer
    assert lane_of(income_owner(1, streamer)) == 1
    assert income_owner(1, streamer)[2:] == streamer[2:]


def test_a_gift_is_settled_once():
    """Nothing leaves the settled state."""
    assert MACHINE.final == {GiftState.SETTLED}
