"""Ids: sixteen bytes that name their lane and survive every system they pass through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel.id import LANES_MAX, lane_of, mint, parse, show

identities = st.binary(min_size=16, max_size=16)


@given(identities)
def test_id_shown_is_read_back(identity):
    """What a person copies must be what we meant."""
    assert parse("rp", show("rp", identity)) == identity


@given(identities)
def test_id_shown_is_a_merchant_order_number(identity):
    """At most 32 of digits, letters, _ - | *: so the same id serves in a payment channel."""
    assert re.fullmatch(r"rp_[0-7][0-9A-HJKMNP-TV-Z]{25}", show("rp", identity))


@given(st.integers(0, LANES_MAX - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**64 - 1))
def test_id_names_its_home_lane(lane, at_ms, chance):
    """The lane is read from the id and from nowhere else."""
    identity = mint(lane, at_ms, chance)
    assert (len(identity), lane_of(identity)) == (16, lane)


@given(st.integers(0, 2**48 - 2), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_ids_of_a_lane_sort_by_time(at_ms, early, late):
    """New rows go to the end of a table, whatever chance says."""
    assert mint(3, at_ms, early) < mint(3, at_ms + 1, late)


@given(identities, identities)
def test_ids_sort_alike_as_bytes_and_as_text(one, two):
    """A page of ids in an answer is in the order of the table."""
    assert (one < two) == (show("us", one) < show("us", two))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rp_",
        "us_00000000000000000000000000",
        "rp_0000000000000000000000000",
        "rp_000000000000000000000000000",
        "rp_80000000000000000000000000",
        "rp_0000000000000000000000000I",
        "rp_0000000000000000000000000l",
        "rp_0000000000000000000000000a",
        "rp-00000000000000000000000000",
        "rp_0000000000000000000000000\u0660",
        " rp_0000000000000000000000000",
    ],
)
def test_parse_refuses_what_is_not_exactly_an_id(text):
    """One thing has one name: no lower case, no lookalikes, no bit beyond the 128th."""
    assert parse("rp", text) is None


@pytest.mark.parametrize("lane", [-1, LANES_MAX])
def test_mint_refuses_a_lane_that_does_not_fit(lane):
    """A lane beyond sixteen bits would land in somebody else's."""
    with pytest.raises(AssertionError, match="sixteen bits"):
        mint(lane, 0, 0)
