"""Whether a database answers, from what its readers note."""

import pytest

from lingqian.storage import reach as module
from lingqian.storage.reach import Reach


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_away_counts_from_the_first_failure_and_one_answer_ends_it(clock):
    """Counted from the last failure it would stay young while everybody asks and nobody hears."""
    reach = Reach()
    assert reach.away_s == 0.0
    reach.failed()
    clock[0] += 2.0
    reach.failed()
    assert reach.away_s == 2.0
    reach.answered()
    assert reach.away_s == 0.0
    clock[0] += 5.0
    reach.failed()
    assert reach.away_s == 0.0, "an outage that is over is not counted in"
