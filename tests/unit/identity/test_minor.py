"""Who is under eighteen, by the number that was verified: to the day."""

from datetime import date

import pytest

from lingqian.identity.real_name import is_minor


@pytest.mark.parametrize(
    ("born", "today", "expected"),
    [
        ("20081126", date(2026, 11, 25), True),
        ("20081126", date(2026, 11, 26), False),
        ("20080229", date(2026, 2, 28), True),
        ("20080229", date(2026, 3, 1), False),
        ("19900101", date(2026, 1, 1), False),
    ],
)
def test_a_person_is_a_minor_until_the_eighteenth_birthday(born, today, expected):
    """A day too early lends to a child; a day too late is only unkind."""
    assert is_minor(f"110101{born}0011", today) is expected
