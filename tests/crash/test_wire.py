"""The line to a database server is cut around COMMIT: nothing is lost, nothing happens twice."""

import pytest

import mariadb
from crash.line import Line
from crash.size import BOUND_S, sized
from wire import Cut, Wire

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]
CUTS = sized(30, 1_000)
SILENCES = sized(2, 40)
# A line that says nothing for so long is given up; a busy machine answers sooner.
ANSWER_S = 3.0


@pytest.fixture
def address():
    """An empty database on the tests' own server."""
    with mariadb.database() as place:
        yield place


def through(wire, address, **options):
    """Return people whose line to the server goes through the wire."""
    return Line(address._replace(port=wire.port), **options)


def test_commit_that_is_cut_is_neither_lost_nor_doubled(address):
    """Before, after, or on its way: whoever asked has a definite answer, and it is the truth."""
    with Wire("127.0.0.1", address.port) as wire:
        line = through(wire, address)
        for place in range(CUTS):
            wire.cut = (Cut.BEFORE, Cut.AFTER, Cut.RACING)[place % 3]
            line.ask(wire.cut)
        assert wire.cuts == CUTS, "every cut was made"
        assert line.fates[Cut.BEFORE, "not done"] == len(range(0, CUTS, 3))
        assert line.fates[Cut.AFTER, "done"] == len(range(1, CUTS, 3))
        line.check()
        line.store.close()


@pytest.mark.parametrize("cut", [Cut.SILENT_BEFORE, Cut.SILENT_AFTER])
def test_line_that_falls_silent_does_not_keep_the_lane(address, cut):
    """The server still holds the old connection, and with it the lane's row: it is ended first."""
    with Wire("127.0.0.1", address.port) as wire:
        line = through(wire, address, answer_s=ANSWER_S)
        for _ in range(SILENCES):
            wire.cut = cut
            line.ask(cut)
        assert wire.cuts == SILENCES
        is_done = "done" if cut is Cut.SILENT_AFTER else "not done"
        assert line.fates == {(cut, is_done): SILENCES}
        line.check()
        line.store.close()


@pytest.mark.parametrize("word", [b"\x03UPDATE lanes SET next_seq", b'\x03INSERT INTO "journal"'])
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER, Cut.SILENT_AFTER])
def test_line_cut_before_commit_is_mended_in_passing(address, word, cut):
    """Nothing can have been written, so the batch goes out again at once and nobody notices."""
    with Wire("127.0.0.1", address.port) as wire:
        line = through(wire, address, answer_s=ANSWER_S)
        wire.word, wire.cut = word, cut
        line.ask(cut)
        assert wire.cuts == 1
        assert line.fates == {(cut, "done"): 1}
        line.check()
        line.store.close()
