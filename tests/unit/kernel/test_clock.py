"""Time as integers, and business dates in Shanghai."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel.clock import (
    DAY_US,
    SECOND_US,
    business_day,
    business_year,
    from_rfc3339,
    rfc3339,
)

EPOCH = date(1970, 1, 1).toordinal()
# Shanghai has kept one offset since daylight saving ended in 1991.
instants = st.integers(from_rfc3339("1992-01-01T00:00:00Z"), from_rfc3339("2200-01-01T00:00:00Z"))


@given(instants)
def test_business_day_is_the_calendar_day_in_shanghai(at_us):
    """The time zone database is asked by the test, so that the code need not carry it."""
    moment = datetime.fromtimestamp(at_us // SECOND_US, ZoneInfo("Asia/Shanghai"))
    day = business_day(at_us)
    assert moment.date().toordinal() - EPOCH == day
    assert moment.year == business_year(day)


def test_business_day_turns_at_midnight_in_shanghai():
    """The last microsecond belongs to the day before, and the year turns with it."""
    midnight = from_rfc3339("2027-01-01T00:00:00+08:00")
    assert business_day(midnight) == business_day(midnight - 1) + 1
    assert business_day(midnight + DAY_US - 1) == business_day(midnight)
    assert business_year(business_day(midnight - 1)) == 2026
    assert business_year(business_day(midnight)) == 2027


@given(instants)
def test_rfc3339_is_read_back_to_the_millisecond(at_us):
    """Answers carry milliseconds; nothing is rounded up into the future."""
    assert from_rfc3339(rfc3339(at_us)) == at_us - at_us % 1_000


@given(instants)
def test_rfc3339_is_the_same_instant_in_utc(at_us):
    """A reader in any language must see the instant we meant."""
    moment = datetime.fromisoformat(rfc3339(at_us))
    assert moment.utcoffset().total_seconds() == 0
    assert int(moment.timestamp()) == at_us // SECOND_US


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z"]
)
def test_from_rfc3339_refuses_what_is_no_instant(text):
    """A time without an offset means a different instant to each reader."""
    assert from_rfc3339(text) is None


def test_from_rfc3339_honours_the_offset():
    """The same instant may be written in two zones."""
    assert from_rfc3339("2026-03-01T12:00:00+08:00") == from_rfc3339("2026-03-01T04:00:00Z")
    moment = datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert from_rfc3339("2026-03-01T04:00:00Z") == int(moment.timestamp()) * SECOND_US
