"""The line to a database server is cut around COMMIT: nothing is lost, nothing happens twice."""

import random
from collections import Counter

import pytest

import mariadb
from crash.size import BOUND_S, sized
from law import all_laws
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Unsent
from lingqian.storage.mysql.store import MysqlStore, Options
from wire import Cut, Wire
from world import World

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]
CUTS = sized(30, 1_000)
SILENCES = sized(4, 60)
LANES, PEOPLE, START_FEN = 4, 8, 100_000
# A line that says nothing for so long is given up; a busy machine answers sooner.
ANSWER_S = 1.0


class Line:
    """A world over a server, through a line that can be cut, and what its people should have."""

    def __init__(self, wire, address, answer_s=30.0):
        self.wire = wire
        far = address._replace(port=wire.port)
        self.store = MysqlStore(far, Options(answer_s=answer_s))
        self.world = World(LANES, store=self.store)
        self.chance = random.Random(2026)
        self.fates = Counter()
        self.names = [f"p{place}" for place in range(PEOPLE)]
        self.world.batch(*[self.world.register(name) for name in self.names])
        self.world.batch(*[self.world.fund(name, START_FEN) for name in self.names])
        self.expected = dict.fromkeys(self.names, START_FEN)
        self._number = 0

    def commands(self):
        """Return some commands of one batch, and remember what they will have done."""
        made = []
        for _ in range(self.chance.randint(1, 6)):
            self._number += 1
            name, fen = self.chance.choice(self.names), self.chance.randint(1, 9)
            made.append((name, fen, self.world.fund(name, fen, key=f"k{self._number}")))
        for name, fen, _ in made:
            self.expected[name] += fen
        return [command for *_, command in made]

    def ask(self, cut):
        """Ask a batch while the line is cut; asked again, every command has happened once."""
        commands = self.commands()
        self.wire.cut = cut
        try:
            answers = self.world.batch(*commands)
            assert all(answer.code == Code.OK and answer.first is None for answer in answers)
            self.fates[cut, "done"] += 1
        except Unsent:
            self.fates[cut, "not done"] += 1
            answers = self.world.batch(*commands)
            assert all(answer.code == Code.OK and answer.first is None for answer in answers), cut
        again = self.world.batch(*commands)
        assert all(answer.first is not None for answer in again), "it is there once, for ever"

    def check(self):
        """Compare what is stored with what people were told."""
        assert {name: self.world.balance(name) for name in self.names} == self.expected
        all_laws(self.world.connection)


@pytest.fixture
def address():
    """An empty database on the tests' own server."""
    with mariadb.database() as place:
        yield place


def test_commit_that_is_cut_is_neither_lost_nor_doubled(address):
    """Before, after, or on its way: whoever asked has a definite answer, and it is the truth."""
    with Wire("127.0.0.1", address.port) as wire:
        line = Line(wire, address)
        for place in range(CUTS):
            line.ask((Cut.BEFORE, Cut.AFTER, Cut.RACING)[place % 3])
        assert wire.cuts == CUTS, "every cut was made"
        assert line.fates[Cut.BEFORE, "not done"] == len(range(0, CUTS, 3))
        assert line.fates[Cut.AFTER, "done"] == len(range(1, CUTS, 3))
        line.check()
        line.store.close()


@pytest.mark.parametrize("cut", [Cut.SILENT_BEFORE, Cut.SILENT_AFTER])
def test_line_that_falls_silent_does_not_keep_the_lane(address, cut):
    """The server still holds the old connection, and with it the lane's row: it is ended first."""
    with Wire("127.0.0.1", address.port) as wire:
        line = Line(wire, address, ANSWER_S)
        for _ in range(SILENCES):
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
        line = Line(wire, address, ANSWER_S)
        wire.word = word
        line.ask(cut)
        assert wire.cuts == 1
        assert line.fates == {(cut, "done"): 1}
        line.check()
        line.store.close()
