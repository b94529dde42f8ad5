"""A cluster for a test: processes on one database, and an edge in the test's own loop."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from cluster import member
from lingqian.cluster.keeper import Timing
from lingqian.cluster.lease import lane_of_lease
from lingqian.kernel.fault import Busy, Unknown, Unsent
from lingqian.storage.lane import Submission
from lingqian.storage.mysql.server import MysqlServer
from lingqian.storage.mysql.store import MysqlStore
from world import World

START_S = 60
REST_S = 120
TIMING = Timing(life_s=2.0, beat_s=0.5)


class Process:
    """A member as a process of its own."""

    def __init__(self, address, roles, timing):
        line = [sys.executable, str(Path(member.__file__)), str(address.port), address.name]
        line += [",".join(roles), str(timing.life_s), str(timing.beat_s)]
        # It needs the tests' own modules too.
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=env)
        self.name = ""

    async def ready(self):
        """Wait until it is one of them."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(START_S):
            while not self.name:
                words = (await loop.run_in_executor(None, self._process.stdout.readline)).split()
                assert words, "it ended before it had begun"
                self.name = words[1] if words[0] == "ready" else ""
        return self

    def signal(self, number):
        """Send a signal."""
        self._process.send_signal(number)

    async def said(self):
        """Return what it still says until it ends, and how it ended."""
        loop = asyncio.get_running_loop()
        rest, _ = await loop.run_in_executor(None, self._process.communicate)
        return rest.split(), self._process.returncode

    def kill(self):
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Fleet:
    """The processes, the people they serve, and the edge that asks for these."""

    def __init__(self, address, timing):
        self.address = address
        self.timing = timing
        self.world = World(len(member.LANES), store=MysqlStore(address))
        # It mends itself when the server was killed; the world's own connection does not.
        self.reader = MysqlServer(address).reader()
        self.processes = []
        self.edge = None
        self._started = []

    async def grow(self, roles=("lane", "relay", "jobs"), count=1):
        """Start more processes."""
        fresh = [Process(self.address, roles, self.timing) for _ in range(count)]
        self.processes += fresh
        self._started += fresh
        await asyncio.gather(*[each.ready() for each in fresh])
        return fresh

    async def ask(self, command):
        """Ask as an edge asks: whoever owns the lane answers."""
        return await self.edge.node.ask(Submission(command))

    async def insist(self, command):
        """Ask as a caller does who comes again with the same key until there is an answer."""
        async with asyncio.timeout(REST_S):
            while True:
                try:
                    return await self.ask(command)
                except (Unsent, Unknown, Busy):
                    await asyncio.sleep(0.1)

    async def ask_all(self, commands, at_once=64):
        """Ask many, so many at a time, each until it is answered; return the answers in order."""
        gate = asyncio.Semaphore(at_once)

        async def one(command):
            async with gate:
                return await self.insist(command)

        return await asyncio.gather(*[one(each) for each in commands])

    def owners(self):
        """Return which member holds each lease."""
        rows = self.reader.execute("SELECT name, owner FROM leases").fetchall()
        return dict(rows)

    def lanes_of(self, process):
        """Return the lanes of a process."""
        held = [name for name, owner in self.owners().items() if owner == process.name]
        return [lane for name in held if (lane := lane_of_lease(name)) is not None]

    async def until(self, is_so, what):
        """Wait until something is so; return how long it took in seconds."""
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() < began + REST_S, f"never: {what}"
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def level(self):
        """Wait until every process has its share of the lanes."""
        names = {each.name for each in self.processes}

        def is_level():
            owners = self.owners()
            counts = [
                sum(o == name for n, o in owners.items() if n[:5] == "lane/") for name in names
            ]
            return sum(counts) == len(member.LANES) and max(counts) - min(counts) <= 1

        return await self.until(is_level, "the lanes are shared out")

    async def drained(self):
        """Wait until no money is on its way."""
        query = (
            "SELECT COUNT(*) FROM relay_heads h LEFT JOIN relay_marks m "
            "ON m.target = h.target AND m.source = h.source WHERE h.value > COALESCE(m.value, 0)"
        )
        return await self.until(
            lambda: self.reader.execute(query).fetchone() == (0,), "the money arrives"
        )

    async def stop(self):
        """End everything, those that a test has lost sight of too."""
        for each in self._started:
            each.kill()
        await self.edge.stop()
        self.reader.close()
        self.world.close()


@asynccontextmanager
async def fleet(address, count, timing=TIMING):
    """Run a cluster of so many processes; all of them end with it."""
    ships = Fleet(address, timing)
    ships.edge = member.Crew(address, ["edge"], timing)
    try:
        await ships.edge.start()
        await ships.grow(count=count)
        await ships.level()
        yield ships
    finally:
        await ships.stop()
