"""The pace before a server: halved by what hurts, raised little by little by what does not."""

import random

import pytest

from lingqian.kernel.bound import BATCH_COMMANDS_MAX, BATCH_COMMANDS_MIN, LINGER_MS_MAX
from lingqian.storage.pace import BATCH_STEP, LOOK_BACK, SLOW_MS, Pace, Pacer, Seen, adapt

FINE, SLOW, FAILED = Seen(SLOW_MS, 0), Seen(SLOW_MS + 1, 0), Seen(0, 1)
TABLE = [
    # pace, what was seen → the next pace
    (Pace(64, 0), FINE, Pace(64 + BATCH_STEP, 0)),
    (Pace(64, 5), FINE, Pace(64 + BATCH_STEP, 4)),
    (Pace(BATCH_COMMANDS_MAX, 0), FINE, Pace(BATCH_COMMANDS_MAX, 0)),
    (Pace(64, 5), SLOW, Pace(32, 5)),
    (Pace(64, 0), FAILED, Pace(32, 1)),
    (Pace(64, 3), FAILED, Pace(32, 7)),
    (Pace(64, 3), Seen(SLOW_MS + 1, 2), Pace(32, 7)),
    (Pace(BATCH_COMMANDS_MIN, LINGER_MS_MAX), FAILED, Pace(BATCH_COMMANDS_MIN, LINGER_MS_MAX)),
    (Pace(BATCH_COMMANDS_MIN + 1, 40), FAILED, Pace(BATCH_COMMANDS_MIN, LINGER_MS_MAX)),
]


@pytest.mark.parametrize("row", TABLE)
def test_table_of_paces(row):
    """Each row is what was, what was seen, and what follows."""
    pace, seen, following = row
    assert adapt(pace, seen) == following


def test_pace_keeps_to_its_bounds_whatever_is_seen():
    """And to what the operator allows."""
    chance, pace = random.Random(5), Pace(100)
    for _ in range(5_000):
        pace = adapt(pace, chance.choice((FINE, FINE, FINE, SLOW, FAILED)), 100)
        assert BATCH_COMMANDS_MIN <= pace.batch_max <= 100
        assert 0 <= pace.linger_ms <= LINGER_MS_MAX


def test_server_that_recovers_is_given_everything_again():
    """The way down is steep, the way up is long, and it ends at the top."""
    pacer = Pacer(BATCH_COMMANDS_MAX)
    for _ in range(20):
        pacer.failed()
    assert pacer.pace == Pace(BATCH_COMMANDS_MIN, LINGER_MS_MAX)
    turns = 0
    while pacer.pace != Pace(BATCH_COMMANDS_MAX):
        pacer.took(0.001)
        turns += 1
    assert turns <= LOOK_BACK * (BATCH_COMMANDS_MAX // BATCH_STEP + 1)


def test_one_slow_batch_of_many_is_chance():
    """Only what one in twenty has is looked at."""
    pacer = Pacer(64)
    for number in range(LOOK_BACK):
        pacer.took(9.0 if number == 7 else 0.001)
    assert pacer.pace.batch_max == 64
    for number in range(LOOK_BACK):
        pacer.took(9.0 if number % 8 == 7 else 0.001)
    assert pacer.pace.batch_max == 32
