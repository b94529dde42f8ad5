"""The split law: exact to the fen, within its bounds, by the rung the rule gives."""

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.redpacket import split
from lingqian.redpacket.split import (
    COUNT_MAX,
    SLOTS,
    SPREAD_MAX,
    TOTAL_FEN_MAX,
    Terms,
    equal,
    feasible,
    lucky,
    spread_for,
)

KEY = bytes(range(32))


def terms(total, count, low, high, spread=2):
    """Return the terms of a lucky packet."""
    return Terms(
        version=1,
        packet_id=bytes(16),
        lucky=True,
        count=count,
        total_fen=total,
        share_fen_min=low,
        share_fen_max=high,
        spread=spread,
    )


@st.composite
def feasible_terms(draw):
    """Any packet of up to 40 shares that can be split, corners as likely as the middle."""
    count = draw(st.integers(1, 40))
    low = draw(st.sampled_from([0, 1, 7, 2**40]) | st.integers(0, 1000))
    cap = draw(st.sampled_from([0, 1, 2, 5, 2**40]) | st.integers(0, 20_000))
    least, most = count * low, count * (low + cap)
    total = draw(
        st.integers(least, most)
        | st.sampled_from([least, most, min(least + 1, most), max(most - 1, least)])
    )
    return terms(total, count, low, low + cap, draw(st.integers(1, SPREAD_MAX)))


@given(feasible_terms(), st.binary(min_size=32, max_size=32))
def test_lucky_sums_exactly_within_its_bounds(packet, key):
    """No fen is lost or made, and nobody gets less or more than was promised."""
    shares = lucky(packet, key)
    assert packet.count == len(shares)
    assert packet.total_fen == sum(shares)
    assert all(packet.share_fen_min <= share <= packet.share_fen_max for share in shares)


@given(feasible_terms())
def test_lucky_is_the_same_for_ever(packet):
    """A proof re-derives the shares: the same terms and key must give the same amounts."""
    assert lucky(packet, KEY) == lucky(packet, KEY)


@pytest.mark.parametrize("count", [1, 2, 500, COUNT_MAX])
@pytest.mark.parametrize("offset", ["nm", "nm+1", "nM-1", "nM", "half"])
def test_lucky_holds_at_the_corners(count, offset):
    """S1's corners: forced splits, one fen off them, and the middle, up to 5000 shares."""
    low, high = 1, 1001
    least, most = count * low, count * high
    total = {
        "nm": least,
        "nm+1": least + 1,
        "nM-1": most - 1,
        "nM": most,
        "half": (least + most) // 2,
    }[offset]
    shares = lucky(terms(total, count, low, high), KEY)
    assert (count, total) == (len(shares), sum(shares))
    assert low <= min(shares) <= max(shares) <= high


def test_lucky_of_equal_bounds_is_forced():
    """With m = M there is one split, and no draw can change it."""
    assert lucky(terms(50, 10, 5, 5), KEY) == (5,) * 10


def test_lucky_refuses_what_cannot_be_split():
    """Asking without checking `feasible` is a bug of the caller, never a wrong amount."""
    with pytest.raises(AssertionError):
        lucky(terms(9, 10, 1, 100), KEY)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((10, 10, 1, 1), True),
        ((9, 10, 1, 5), False),
        ((51, 10, 1, 5), False),
        ((50, 10, 1, 5), True),
        ((5, 0, 1, 5), False),
        ((-5, 1, -5, 5), False),
        ((5, 1, 6, 5), False),
        ((COUNT_MAX + 1, COUNT_MAX + 1, 1, 1), False),
        ((0, 3, 0, 5), True),
        ((TOTAL_FEN_MAX, 1, 1, TOTAL_FEN_MAX), True),
        ((TOTAL_FEN_MAX + 1, 1, 1, TOTAL_FEN_MAX + 1), False),
    ],
)
def test_feasible_says_whether_any_split_exists(row, expected):
    """n·m ≤ T ≤ n·M and the bounds of the format; everything else is refused at creation."""
    assert expected is feasible(*row)


@given(st.integers(1, 500), st.integers(0, 10**9))
def test_equal_differs_by_one_fen_at_most(count, total):
    """S10: the sum is exact, the first shares carry the rest, nothing is negative."""
    shares = equal(total, count)
    assert (count, total) == (len(shares), sum(shares))
    assert max(shares) - min(shares) <= 1
    assert sorted(shares, reverse=True) == list(shares)
    assert min(shares) >= 0


def test_equal_control_rounding_up_goes_negative():
    """S10's control, linux-do/credit issue 244: a rounded share times n leaves the last below 0."""
    share = -(-100 // 18)
    rival = [share] * 17 + [100 - 17 * share]
    assert rival[-1] == -2
    assert max(rival) - min(rival) > 1, "our own assertion must fail on it"


@pytest.mark.parametrize("spread", [1, 2, 3, 5])
@pytest.mark.parametrize("row", [(30, 10, 5), (30, 10, 6), (40, 10, 8), (100, 20, 12), (7, 3, 4)])
def test_rung_tail_is_the_exact_chance_rounded_up(row, spread):
    """The tail is compared with the plain count of all splits: never below it, and by a hair."""
    surplus, count, cap = row
    bars = count * spread - 1
    ways = sum(
        comb(y + spread - 1, spread - 1)
        * comb(surplus - y + spread * (count - 1) - 1, spread * (count - 1) - 1)
        for y in range(cap + 1, surplus + 1)
    )
    chance = Fraction(ways, comb(surplus + bars, bars))
    assert (1 - count * chance >= Fraction(1, 20)) is split._accepts(surplus, count, cap, spread)


def accepted(surplus, count, cap, spread):
    """Count, by adding up all bounded parts, how often a try keeps to the cap."""
    weights = [1]
    for _ in range(count):
        weights = [
            sum(
                weights[s - y] * comb(y + spread - 1, spread - 1)
                for y in range(min(cap, s) + 1)
                if s - y < len(weights)
            )
            for s in range(surplus + 1)
        ]
    return Fraction(weights[surplus], comb(surplus + count * spread - 1, count * spread - 1))


@pytest.mark.parametrize("count", [5, 12, 30])
@pytest.mark.parametrize("cap", [1, 2, 4, 9])
def test_rung_is_taken_only_when_one_try_in_twenty_succeeds(count, cap):
    """The bound is a proof: the exact acceptance of the rung used is never below 5 %."""
    for surplus in range(cap + 1, count * cap // 2 + 1):
        for spread in (1, 2):
            used = split._rung(surplus, count, cap, spread)
            assert used == SLOTS or accepted(surplus, count, cap, used) >= Fraction(1, 20)


def test_rung_stays_as_asked_for_small_packets():
    """Up to five shares the spread asked for always meets the cap: the law is the one named."""
    for count, total, low in product((3, 4, 5), range(9, 15), range(4)):
        for high in range(low, total + 1):
            if feasible(total, count, low, high):
                for spread in (1, 2, 3, 4):
                    assert spread == spread_for(total, count, low, high, spread)


def test_rung_is_the_same_seen_from_the_other_end():
    """Splitting what is missing to the cap is the same problem: the rung must agree."""
    for surplus in range(0, 50 * 30 + 1, 37):
        below = spread_for(50 + surplus, 50, 1, 31)
        above = spread_for(50 + 50 * 30 - surplus, 50, 1, 31)
        assert below == above


def test_rung_reaches_slots_where_no_spread_can():
    """With a cap of one fen above the minimum no rung ever meets it, and it still terminates."""
    assert spread_for(750, 500, 1, 2) == SLOTS
    shares = lucky(terms(750, 500, 1, 2), KEY)
    assert {amount: shares.count(amount) for amount in set(shares)} == {1: 250, 2: 250}


def test_terms_know_nothing_of_any_user():
    """S11, white box: what the split is made from names the packet and its money, and nobody."""
    assert Terms.__slots__ == (
        "version",
        "packet_id",
        "lucky",
        "count",
        "total_fen",
        "share_fen_min",
        "share_fen_max",
        "spread",
        "draw",
        "beacon_chain",
        "beacon_round",
    )
