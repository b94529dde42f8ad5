"""People whose money goes over a line to a database server, and what they should have by now."""

import random
from collections import Counter

from law import all_laws
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Unknown, Unsent
from lingqian.storage.mysql.opening import Options
from lingqian.storage.mysql.store import MysqlStore
from world import World

LANES, PEOPLE, START_FEN = 4, 8, 100_000
PATIENT_S = 30.0


class Line:
    """A world over a server; every batch has keys of its own, so that it may be asked again."""

    def __init__(self, address, answer_s=PATIENT_S):
        self.store = MysqlStore(address, Options(answer_s=answer_s))
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

    def ask(self, fate):
        """Ask a batch while something happens; count what was told, and see that it is the truth.

        Told that nothing was written, whoever asks again must be the first; told that it is done,
        he must be the second.
        """
        commands = self.commands()
        try:
            answers = self.world.batch(*commands)
            told = "done"
        except Unsent:
            answers = self.world.batch(*commands)
            told = "not done"
        self.fates[fate, told] += 1
        assert all(answer.code == Code.OK and answer.first is None for answer in answers), told
        again = self.world.batch(*commands)
        assert all(answer.first is not None for answer in again), "it is there once, for ever"

    def insist(self, mend):
        """Ask a batch until it is answered; whenever it is not, let `mend` put the world right."""
        commands = self.commands()
        while True:
            try:
                answers = self.world.batch(*commands)
            except (Unsent, Unknown) as fault:
                self.fates[type(fault)] += 1
                mend()
            else:
                assert all(answer.code == Code.OK for answer in answers)
                return

    def check(self):
        """Compare what is stored with what people were told."""
        assert {name: self.world.balance(name) for name in self.names} == self.expected
        all_laws(self.world.connection)
