"""What every bus promises those who speak through it: one suite, run on each adapter (总线契约)."""

import time

import pytest

from bus import KINDS, PLACES, WAIT_S
from lingqian.events.bus import ABSENT, EVENTS, Message, OutOfSpan, Span, first, last
from lingqian.kernel.fault import Unsent

LANES = 3


@pytest.fixture(params=KINDS)
def place(request):
    """Each kind of bus, empty, in a place of its own."""
    made = PLACES[request.param](LANES)
    yield made
    made.done()


@pytest.fixture
def bus(place):
    """The bus of one process."""
    return place.open()


def said(*words):
    """Return a message per word."""
    return [Message(b"key", word.encode(), (("word", word[:9].encode()),)) for word in words]


def put(bus, lane, *words):
    """Put words on a line; return their places."""
    return bus.append(EVENTS, [(lane, each) for each in said(*words)])


def read(bus, places, count):
    """Read as many messages as are expected, as (lane, place, word)."""
    reader, found, until = bus.reader(EVENTS), [], time.monotonic() + WAIT_S
    reader.seek(places)
    try:
        while len(found) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} messages came"
            found += reader.take(count - len(found), 0.5)
        assert not reader.take(1, 0.05), "and nothing else"
    finally:
        reader.close()
    return [(each.lane, each.place, each.message.value.decode()) for each in found]


def test_a_line_keeps_its_order(bus):
    """A lane's events and commands make sense in one order only."""
    assert put(bus, 1, "a", "b", "c") == [0, 1, 2]
    assert put(bus, 1, "d") == [3]
    assert read(bus, {1: 0}, 4) == [(1, at, word) for at, word in enumerate("abcd")]


def test_a_message_comes_as_it_was_put(bus):
    """Keys and headers are read by people and by other systems."""
    put(bus, 0, "红包")
    found = last(bus, EVENTS, 0, WAIT_S)
    assert found.message == said("红包")[0]
    assert found.header("word") == "红包".encode()
    assert found.header("nothing") == b""


def test_lines_are_apart(bus):
    """One lane's trouble is nobody else's, and a reader gets the lanes it asked for."""
    bus.append(EVENTS, [(lane, said(f"{lane}")[0]) for lane in (0, 1, 2, 1)])
    assert [bus.span(EVENTS, lane) for lane in range(LANES)] == [(0, 1), (0, 2), (0, 1)]
    assert sorted(read(bus, {0: 0, 1: 1}, 2)) == [(0, 0, "0"), (1, 1, "1")]


def test_reading_goes_on_where_the_reader_says(place, bus):
    """A reader's place is kept with what it did, never by the bus; a restart replays from there."""
    put(bus, 2, *"abcdef")
    reader = bus.reader(EVENTS)
    reader.seek({2: 1})
    assert reader.take(2, WAIT_S)[0].place == 1
    reader.close()
    assert read(place.open(), {2: 3}, 3) == [(2, 3, "d"), (2, 4, "e"), (2, 5, "f")]


def test_a_reader_may_seek_again(bus):
    """A batch that was not committed is read again from the place that is stored."""
    put(bus, 0, *"abc")
    reader = bus.reader(EVENTS)
    for _ in range(2):
        reader.seek({0: 1})
        found = reader.take(1, WAIT_S)
        assert [each.message.value for each in found] == [b"b"]
    reader.close()


def test_what_comes_later_wakes_a_reader(bus):
    """Nobody polls a line that is silent."""
    reader = bus.reader(EVENTS)
    reader.seek({1: 0})
    assert reader.take(8, 0.01) == []
    put(bus, 1, "late")
    assert [each.message.value for each in reader.take(8, WAIT_S)] == [b"late"]
    reader.close()


def test_a_place_that_is_not_there_is_said(bus):
    """A place beyond the line means another line than it was: guessing would skip messages."""
    put(bus, 0, "a")
    put(bus, 1, "b")
    reader = bus.reader(EVENTS)
    reader.seek({1: 7})
    with pytest.raises(OutOfSpan) as caught:
        reader.take(8, WAIT_S)
    assert caught.value.lane == 1
    reader.seek({0: 0})
    assert [each.message.value for each in reader.take(8, WAIT_S)] == [b"a"]
    reader.close()


def test_the_ends_of_a_line_can_be_seen(bus):
    """Who writes goes on behind what is there, and keeps no place of his own."""
    assert (first(bus, EVENTS, 0, WAIT_S), last(bus, EVENTS, 0, WAIT_S)) == (None, None)
    put(bus, 0, *"abc")
    assert first(bus, EVENTS, 0, WAIT_S).message.value == b"a"
    assert last(bus, EVENTS, 0, WAIT_S).message.value == b"c"
    assert last(bus, EVENTS, 0, WAIT_S).place == 2


def test_a_topic_made_again_is_another_one(place, bus):
    """A place is a place of one topic; under the same name there may be a new one tomorrow."""
    before = bus.identity(EVENTS)
    put(bus, 0, *"abc")
    place.lose(EVENTS)
    assert bus.identity(EVENTS) == ABSENT
    place.make(EVENTS)
    assert bus.identity(EVENTS) not in {ABSENT, before}
    assert len(bus.identity(EVENTS)) == 16
    assert bus.span(EVENTS, 0) == Span(0, 0)
    assert put(bus, 0, "d") == [0]
    assert read(bus, {0: 0}, 1) == [(0, 0, "d")]


def test_a_topic_that_is_not_there_takes_nothing(place, bus):
    """Nothing may be believed to be out that is not."""
    place.lose(EVENTS)
    with pytest.raises(Unsent):
        put(bus, 0, "a")
    with pytest.raises(Unsent):
        bus.span(EVENTS, 0)


def test_a_message_may_be_large_and_many(bus):
    """A batch of events is hundreds of messages, and one may be a draw with all its winners."""
    word = "x" * 500_000
    put(bus, 0, word)
    assert len(last(bus, EVENTS, 0, WAIT_S).message.value) == 500_000
    assert put(bus, 1, *[str(at) for at in range(2_000)]) == list(range(2_000))
    assert read(bus, {1: 0}, 2_000)[-1] == (1, 1_999, "1999")
