"""Limits: the table of rows, how rows fold into caps, and which refusal is given first."""

import pytest

from lingqian.compliance.limit import (
    DEFAULT,
    Caps,
    Limit,
    Span,
    Usage,
    caps,
    check_packet,
    check_payment,
    count_payment,
)
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.clock import business_day, from_rfc3339
from lingqian.kernel.code import Code

NOON = from_rfc3339("2026-03-01T12:00:00+08:00")
TODAY = business_day(NOON)


def test_every_row_says_where_it_comes_from():
    """A limit without a source is an opinion."""
    assert all(row.source and row.cap > 0 for row in DEFAULT)


def test_law_is_in_the_table():
    """1,000 yuan for life in class I, 100,000 and 200,000 a year in II and III; 200 a share."""
    one, two, three = (caps(DEFAULT)[each] for each in AccountClass if each)
    assert (one.life_fen, two.year_fen, three.year_fen) == (100_000, 10_000_000, 20_000_000)
    assert {one.share_fen, two.share_fen, three.share_fen} == {20_000}


@pytest.mark.parametrize("order", [1, -1])
def test_where_rows_overlap_the_stricter_binds(order):
    """Whichever is written first."""
    rows = [Limit(AccountClass.CLASS_I, Span.DAY, cap, "test") for cap in (5, 7)][::order]
    assert caps(rows)[AccountClass.CLASS_I] == Caps(day_fen=5)


def test_every_class_has_caps_even_without_rows():
    """No row means no bound; it never means a missing key."""
    assert caps(()) == {each: Caps() for each in AccountClass}


@pytest.mark.parametrize(
    ("cap", "code"),
    [
        (
            Caps(payment_fen=9, day_count=0, day_fen=0, year_fen=0, life_fen=0),
            Code.EXCEEDS_PACKET_MAX,
        ),
        (Caps(day_count=0, day_fen=0, year_fen=0, life_fen=0), Code.EXCEEDS_DAY_COUNT),
        (Caps(day_fen=9, year_fen=0, life_fen=0), Code.EXCEEDS_DAY),
        (Caps(year_fen=9, life_fen=0), Code.EXCEEDS_YEAR),
        (Caps(life_fen=9), Code.EXCEEDS_LIFE),
        (Caps(10, 10, 10, 1, 10, 10, 10), Code.OK),
        (Caps(), Code.OK),
    ],
)
def test_check_payment_gives_the_first_refusal_that_is_true(cap, code):
    """In the order of the codes, also for somebody who has never paid."""
    assert check_payment(cap, None, 10, TODAY) == code
    assert check_payment(cap, Usage(), 10, TODAY) == code


def test_check_packet_looks_at_the_count_before_the_share():
    """Both may be wrong at once; the answer must not depend on chance."""
    cap = Caps(share_fen=5, count=5)
    assert check_packet(cap, count=6, share_fen=6) == Code.EXCEEDS_COUNT_MAX
    assert check_packet(cap, count=5, share_fen=6) == Code.EXCEEDS_SHARE_MAX
    assert check_packet(cap, count=5, share_fen=5) == Code.OK


def test_count_payment_starts_anew_where_a_day_or_year_begins():
    """The life never starts anew."""
    usage = Usage()
    for text, expected in (
        ("2026-12-31T12:00:00+08:00", (1, 10, 10, 10)),
        ("2026-12-31T23:59:59+08:00", (2, 20, 20, 20)),
        ("2027-01-01T00:00:00+08:00", (1, 10, 10, 30)),
        ("2027-01-02T00:00:00+08:00", (1, 10, 20, 40)),
    ):
        count_payment(usage, 10, from_rfc3339(text))
        assert (usage.day_count, usage.day_fen, usage.year_fen, usage.life_fen) == expected
