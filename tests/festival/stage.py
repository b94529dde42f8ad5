"""The stage of a festival: a durable database server, four processes, and the crowd outside.

Each is a process of its own, and each but the crowd is there to be killed. Units: seconds.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from cluster.fleet import Process
from festival import crowd
from festival.size import LANES, SIZE
from lingqian.cluster.lease import lane_of_lease
from lingqian.cluster.node import RELAY_POST
from lingqian.kernel.fault import Fault
from lingqian.storage.mysql.store import MysqlStore
from mariadb import Server

PROCESSES = 4
ROLES = ("lane", "relay")
LOOK_S = 0.02
BUFFER = "--innodb-buffer-pool-size=256M"
# More than a lease, a renewal and a start on a machine that has other work.
PATIENCE_S = 120
SELECT_WAY = (
    "SELECT COUNT(*) FROM relay_heads h LEFT JOIN relay_marks m "
    "ON m.target = h.target AND m.source = h.source WHERE h.value > COALESCE(m.value, 0)"
)


class Crowd:
    """The crowd's process, and how many openings it has written down."""

    def __init__(self, folder, database):
        self.notebook = folder / "notebook.jsonl"
        self.notebook.touch()
        job = {"database": database, "notebook": str(self.notebook), "seed": 1, "ways": 2}
        job |= {"people": SIZE.people, "packets": SIZE.packets, "timing": SIZE.timing}
        line = [sys.executable, str(Path(crowd.__file__))]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, text=True)
        self._say(json.dumps(job))
        self._read = 0
        self._opens = 0

    def _say(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def allow(self, count):
        """Let so many more be opened."""
        self._say(count)

    def allow_no_more(self):
        """Say that everything is allowed by now."""
        self._process.stdin.close()

    @property
    def opens(self):
        """How many openings have a definite answer by now."""
        with self.notebook.open("rb") as lines:
            lines.seek(self._read)
            piece = lines.read()
        self._read += len(piece)
        self._opens += piece.count(b'["Open"')
        return self._opens

    @property
    def is_done(self):
        """Whether everybody has opened everything."""
        code = self._process.poll()
        assert code in (None, 0), f"the crowd has ended with {code}"
        return code == 0

    def end(self):
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()


class Stage:
    """What there is, and how to look at it from outside."""

    def __init__(self, folder):
        self.database = Server(BUFFER)
        self.address = self.database.fresh()
        self.folder = folder
        self.processes = []
        self.crowd = None
        self._eye = None

    async def start(self):
        """Start everything."""
        self._eye = MysqlStore(self.address)
        await self.grow(PROCESSES)
        await self.until(self.is_level, "the lanes are shared out")
        at = self.address
        place = f"mysql://{at.user}@{at.host}:{at.port}/{at.name}"
        self.crowd = Crowd(self.folder, place)

    async def grow(self, count=1):
        """Start processes."""
        fresh = [Process(self.address, ROLES, SIZE.timing) for _ in range(count)]
        self.processes += fresh
        await asyncio.gather(*[each.ready() for each in fresh])

    def read(self, query):
        """Ask the database; nothing, while it cannot be asked."""
        try:
            return self._eye.read(lambda link: link.execute(query).fetchall())
        except Fault:
            return []

    def owners(self):
        """Return who holds each lease that a process of ours may hold."""
        leases = self.read("SELECT name, owner FROM leases")
        return {name: owner for name, owner in leases if name.partition("/")[0] in ROLES}

    def holder(self, lease):
        """Return the process that holds a lease; nobody, while it changes hands."""
        name = self.owners().get(lease)
        return next((each for each in self.processes if each.name == name), None)

    def is_held(self):
        """Say whether every lease is with somebody who lives."""
        names = {each.name for each in self.processes}
        owners = self.owners()
        return bool(owners) and set(owners.values()) <= names

    def is_level(self):
        """Say whether everybody has a share of the lanes, and the same."""
        owners = self.owners()
        lanes = [owner for name, owner in owners.items() if lane_of_lease(name) is not None]
        counts = [lanes.count(each.name) for each in self.processes]
        return sum(counts) == LANES and max(counts) - min(counts) <= 1

    def owner(self):
        """Return a process that owns lanes and does not carry the relay."""
        relay = self.holder(RELAY_POST)
        return next(each for each in self.processes if each is not relay)

    def is_drained(self):
        """Say whether no money is on its way from lane to lane."""
        return self.read(SELECT_WAY) == [(0,)]

    def judged(self, rules):
        """Hold what is stored, as one snapshot, to rules; return what they say."""
        return self._eye.read(rules)

    async def until(self, is_so, what, patience_s=PATIENCE_S):
        """Wait until something is so; return how long that took."""
        began_s = time.monotonic()
        while not is_so():
            assert time.monotonic() < began_s + patience_s, f"never: {what}"
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - began_s

    async def leave(self):
        """Stop the processes as an operator would; the database stays."""
        for each in self.processes:
            each.signal(15)
        for each in self.processes:
            words, code = await each.said()
            assert (words[-1:], code) == (["gone"], 0), (words, code)

    def end(self):
        """End everything that is still there."""
        if self.crowd is not None:
            self.crowd.end()
        for each in self.processes:
            each.kill()
        if self._eye is not None:
            self._eye.close()
        self.database.stop()


@asynccontextmanager
async def staged(folder):
    """Have a stage for the length of a block."""
    stage = Stage(folder)
    try:
        await stage.start()
        yield stage
    finally:
        stage.end()
