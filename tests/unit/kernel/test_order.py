"""Sorting in pieces is sorting."""

from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel import order
from lingqian.kernel.order import ordered


@given(st.lists(st.tuples(st.integers(0, 9), st.integers())), st.integers(1, 5))
def test_pieces_come_out_in_the_order_of_sorted(rows, size):
    """Also of equal rows, or a sheet's digest would follow the size of a piece."""
    whole, order.RUN_ROWS_MAX = order.RUN_ROWS_MAX, size
    try:
        assert ordered(rows, lambda row: row[0]) == sorted(rows, key=lambda row: row[0])
    finally:
        order.RUN_ROWS_MAX = whole
