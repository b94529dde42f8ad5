"""The crowd of a festival: everybody sends, everybody opens, and whoever hears nothing asks again.

Run as a program it reads its job from the first line of its input, from each other line how many
more may be opened, and writes every definite answer down. An answer that was lost is asked for
again, with the same key, by another way in.
"""

import asyncio
import json
import random
import sys
import time
from itertools import count
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

from cluster import member
from festival.memory import Again, Notebook, Open, Packet, Person
from festival.size import LANES, OPENERS, SHARES
from lingqian.cluster.keeper import Timing
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.lane import Submission
from lingqian.storage.mysql.address import parse
from world import World

PURSE_FEN = 4_000_000
SHARE_FEN = (2, 60)
AT_ONCE = 128
AGAIN_S = 0.1
# One opening in so many is made twice at once, as by a thumb that does not trust the glass.
DOUBLED = 20


class Told:
    """One definite answer, and what it took to hear it."""

    def __init__(self, answer, tries, took_s):
        self.code = Code(answer.code)
        self._found = answer.first or answer.outcome
        self._cost = tries, round(took_s * 1_000)

    @property
    def row(self):
        """Return what is written down of an opening."""
        share, fen = (self._found.share, self._found.amount_fen) if self._found else (0, 0)
        return self.code.name.lower(), share, fen, *self._cost


class Crowd:
    """Everybody, the ways in, and what was told."""

    def __init__(self, job, ways, notebook):
        self.chance = random.Random(job["seed"])
        self.world = World(LANES)
        self.ways = ways
        self.notebook = notebook
        self.job = job
        self.gate = asyncio.Semaphore(0)
        self._turns = count()

    async def ask(self, command):
        """Ask until there is an answer, always with the same key."""
        began_s, tries, answer = time.monotonic(), 0, None
        while answer is None:
            tries += 1
            answer = await self.once(command)
        return Told(answer, tries, time.monotonic() - began_s)

    async def once(self, command):
        """Ask by the next way in; nothing, when what became of it is not known."""
        way = self.ways[next(self._turns) % len(self.ways)]
        try:
            return await way.node.ask(Submission(command))
        except Fault:
            await asyncio.sleep(AGAIN_S)
            return None

    async def good(self, command):
        """Ask what nobody may refuse."""
        told = await self.ask(command)
        assert told.code == Code.OK, (command, told.code)
        return told

    async def listen(self):
        """Hear how many more may be opened, until nothing more is said."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            for _ in range(int(line)):
                self.gate.release()

    async def live(self):
        """Come, send and open until everything is opened."""
        names = [f"p{number}" for number in range(self.job["people"])]
        await each_of(self.come, names)
        numbers = range(self.job["packets"])
        plan = [(number, self.chance.sample(names, OPENERS + 1)) for number in numbers]
        await each_of(self.play, plan, AT_ONCE // OPENERS + 1)

    async def come(self, name):
        """Register somebody and give him money."""
        await self.good(self.world.register(name))
        await self.good(self.world.fund(name, PURSE_FEN, key=f"fund {name}"))
        self.notebook.note(Person(self.world.ids[name].hex(), PURSE_FEN))

    async def play(self, packet):
        """Send one packet, and let everybody who is meant open it."""
        number, (sender, *openers) = packet
        name = f"packet {number}"
        total_fen = SHARES * self.chance.randint(*SHARE_FEN)
        kind = self.chance.choice((PacketKind.LUCKY, PacketKind.EQUAL))
        await self.good(self.world.send(name, sender, kind, total_fen, SHARES))
        ids = self.world.ids
        self.notebook.note(Packet(ids[name].hex(), ids[sender].hex(), total_fen, SHARES))
        await asyncio.gather(*[self.open(name, each) for each in openers])

    async def open(self, packet, user):
        """Open, some of them twice at the same time: both have to be told the same."""
        await self.gate.acquire()
        hands = 2 if self.chance.randrange(DOUBLED) == 0 else 1
        command = self.world.claim(packet, user)
        told = await asyncio.gather(*[self.ask(command) for _ in range(hands)])
        who = self.world.ids[packet].hex(), self.world.ids[user].hex()
        self.notebook.note(Open(*who, *told[0].row), *[Again(*who, *each.row) for each in told[1:]])


async def each_of(act, things, at_once=AT_ONCE):
    """Do something with each, so many at a time."""
    waiting = iter(things)

    async def hand():
        for thing in waiting:
            await act(thing)

    await asyncio.gather(*[hand() for _ in range(at_once)])


async def main():
    """Do one job."""
    job = json.loads(sys.stdin.readline())
    notebook = Notebook(Path(job["notebook"]))
    timing = Timing(*job["timing"])
    ways = [member.Crew(parse(job["database"]), ["edge"], timing) for _ in range(job["ways"])]
    for each in ways:
        await each.start()
    crowd = Crowd(job, ways, notebook)
    listening = asyncio.create_task(crowd.listen())
    await crowd.live()
    await listening
    for each in ways:
        await each.stop()
    notebook.close()


if __name__ == "__main__":
    asyncio.run(main())
