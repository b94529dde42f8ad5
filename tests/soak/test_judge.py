"""The judges of a soak, judged: a leak is found, noise is not one, and no loss gets past."""

import subprocess
import sys
import time
from random import Random

import pytest

from lingqian.events.tail import ALL, Event
from soak import truth
from soak.judge import Sample, after, flat, paces, rise, rss
from soak.size import FULL_S, MIB, QUICK_S, size_of

# A process that keeps so many MiB of each line it reads, and says when it has them.
KEEPER = """
import sys
kept = []
for line in sys.stdin:
    kept.append(bytearray(int(line) << 20))
    print(len(kept), flush=True)
"""
STEPS = 24


def grown(leak_mib):
    """Sample a real process that keeps so much more at every step."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    samples, began_s = [], time.monotonic()
    try:
        for _ in range(STEPS):
            process.stdin.write(f"{leak_mib}\n")
            process.stdin.flush()
            process.stdout.readline()
            samples.append(Sample(time.monotonic() - began_s, rss(process.pid)))
    finally:
        process.kill()
        process.communicate()
    return samples


def test_a_leak_of_a_real_process_is_found():
    """Control: two MiB a step are forty in the end, and the judge of the soak says so."""
    assert flat("it", grown(2), 8 * MIB) != []


def test_a_process_that_keeps_nothing_is_flat():
    """The same process and the same judge, without the leak."""
    assert flat("it", grown(0), 8 * MIB) == []


def test_collections_early_and_late_are_no_leak():
    """A heap is a saw: what counts is where its teeth stand, not which of them was last."""
    chance = Random(1)
    saw = [Sample(at, 100 * MIB + chance.randrange(20 * MIB)) for at in range(0, 3_000, 15)]
    assert flat("it", saw, 4 * MIB) == []
    leak = [Sample(each.at_s, each.held + int(each.at_s * MIB / 300)) for each in saw]
    assert flat("it", leak, 4 * MIB) != []
    assert 8 * MIB < rise(leak) < 12 * MIB


def test_warming_up_is_not_judged():
    """Caches fill at first; what comes after must be flat."""
    filling = [Sample(at, min(at, 60) * MIB) for at in range(240)]
    assert flat("it", filling, MIB) != []
    assert flat("it", after(filling, 60), MIB) == []


def test_a_leak_that_begins_late_is_found():
    """Most of an hour may be flat before whatever leaks is used for the first time."""
    late = [Sample(at, max(0, at - 200) * MIB) for at in range(240)]
    assert flat("it", late, 8 * MIB) != []


def test_answers_that_get_slower_show_in_their_stretch():
    """A mean over an hour hides its last minute."""
    timed = [(at, 5.0) for at in range(100)] + [(at, 500.0) for at in range(100, 110)]
    rows = paces(timed, 10)
    assert [row.count for row in rows] == [10] * 11
    assert [row.p99_ms for row in rows[:10]] == [5.0] * 10
    assert rows[10].p50_ms == 500.0


def event(lane, seq, number=0):
    """Return an event of which only its place counts."""
    return Event(lane, seq, number, "user.changed.v1", (), b"", b"")


EVENTS = [event(0, 1), event(1, 1), event(0, 2), event(0, 2, 1), event(1, 2), event(0, 3)]
IDS = [each.id for each in EVENTS]


def test_a_whole_stream_is_right_in_any_order_of_lanes():
    """Lanes run beside each other; only within one there is an earlier and a later."""
    assert truth.wrong(sorted(IDS), IDS, is_whole=True) == []
    assert truth.out_of_order(sorted(IDS), EVENTS) == []


@pytest.mark.parametrize(
    "heard",
    [
        [*IDS[:2], *IDS[3:]],  # one is lost
        [*IDS[:3], IDS[2], *IDS[3:]],  # one comes twice
        [*IDS[:2], IDS[3], IDS[2], *IDS[4:]],  # two change places
        IDS[:-1],  # the last is lost
    ],
)
def test_each_way_to_lose_an_event_is_found(heard):
    """Control: a comparison that passes everything would pass a soak."""
    assert truth.wrong(heard, IDS, is_whole=True) != []


def test_a_life_that_ended_may_end_early_but_not_skip():
    """A page that was reloaded heard a beginning of what it was due, and all of that."""
    assert truth.wrong(IDS[:3], IDS, is_whole=False) == []
    assert truth.wrong([IDS[0], IDS[3]], IDS, is_whole=False) != []


def test_a_stream_begins_where_it_said():
    """Also in the middle of a row, and before the first row of a lane it did not know."""
    want = truth.wanted("/v1/events?types=user.changed.v1")
    assert truth.due(EVENTS, {0: (2, 1), 1: (1, ALL)}, want) == ["0:2:1", "1:2:0", "0:3:0"]
    assert truth.due(EVENTS, {0: (3, ALL)}, want) == ["1:1:0", "1:2:0"]


def test_a_frame_that_was_cut_off_was_not_heard():
    """What came of it comes again with the next connection."""
    text = 'retry: 1\nid: kA\n\nid: x\ndata: {"id":"0:1:0"}\n\nid: y\ndata: {"id":"0:2'
    assert truth.heard([text]) == truth.Heard({}, ["0:1:0"])


def test_the_length_is_what_was_asked_for():
    """A misspelt length must not quietly be a minute."""
    assert [size_of(word).live_s for word in ("", "full", "minutes:3")] == [QUICK_S, FULL_S, 180]
    for word in ("ful", "minutes", "minutes:0", "minutes:x"):
        with pytest.raises(AssertionError):
            size_of(word)
