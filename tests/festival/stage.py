"""The stage of a festival: a durable database server, four processes, and the crowd outside.

The processes are `lingqian serve`, each with a folder of its own and the same keys, and each is
there for everything. All but the crowd are there to be killed.   Units: seconds.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from acceptance.server import Server, run
from festival import crowd
from festival.size import LANES, SIZE
from lingqian.cluster.lease import lane_of_lease
from lingqian.kernel.fault import Fault
from lingqian.storage.mysql.store import MysqlStore
from mariadb import Server as Database
from mariadb import free_port, url

PROCESSES = 4
KEYS = "keys"
LOOK_S = 0.02
BUFFER = "--innodb-buffer-pool-size=256M"
# More than a lease, a renewal and a start on a machine that has other work.
PATIENCE_S = 180
COMMAND_S = 1_800
SETTING = """database = "{database}"
lanes = {lanes}
roles = ["all"]

[peers]
port = {port}
lease_s = {lease_s}
beat_s = {beat_s}
"""
SELECT_WAY = (
    "SELECT COUNT(*) FROM relay_heads h LEFT JOIN relay_marks m "
    "ON m.target = h.target AND m.source = h.source WHERE h.value > COALESCE(m.value, 0)"
)


class Crowd:
    """The crowd's process, and how many openings it has written down."""

    def __init__(self, folder, processes):
        self.notebook = folder / "notebook.jsonl"
        self.notebook.touch()
        job = {"urls": [each.url for each in processes], "key": processes[0].key, "seed": 1}
        job |= {"notebook": str(self.notebook), "people": SIZE.people, "packets": SIZE.packets}
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
        self._process.stdin.close()


class Process(Server):
    """One `lingqian serve`; the others know it by the address that it keeps."""

    def __init__(self, folder, database):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        life_s, beat_s = SIZE.timing
        values = {"lanes": LANES, "port": port, "lease_s": life_s, "beat_s": beat_s}
        super().__init__(folder, settings=SETTING.format(database=database, **values))


class Stage:
    """What there is, and how to look at it from outside."""

    def __init__(self, folder):
        self.folder = folder
        self.database = Database(BUFFER)
        self.at = self.database.fresh()
        places = [folder / f"process-{number}" for number in range(PROCESSES)]
        self.processes = [Process(each, url(self.at)) for each in places]
        self.crowd = None
        # Names of members that were killed: nothing of theirs is held by anybody who lives.
        self.gone = set()
        self._eye = None

    async def start(self):
        """Start everything; the first one makes the keys that all have."""
        first, *others = self.processes
        await asyncio.to_thread(first.start)
        for each in others:
            shutil.copytree(first.folder / KEYS, each.folder / KEYS)
            each.key = first.key
        self._eye = MysqlStore(self.at)
        await asyncio.gather(*[asyncio.to_thread(each.start) for each in others])
        await self.until(self.is_level, "the lanes are shared out")
        self.crowd = Crowd(self.folder, self.processes)

    def read(self, query):
        """Ask the database; nothing, while it cannot be asked."""
        try:
            return self._eye.read(lambda link: link.execute(query).fetchall())
        except Fault:
            return []

    def owners(self):
        """Return who holds each lease."""
        return dict(self.read("SELECT name, owner FROM leases"))

    def holder(self, lease):
        """Return the process that holds a lease, and its name; nobody, while it changes hands."""
        name = self.owners().get(lease, "")
        address = dict(self.read("SELECT member, address FROM members")).get(name)
        found = [each for each in self.processes if each.address == address]
        return (found[0], name) if found and name not in self.gone else None

    def is_held(self):
        """Say whether every lease is with somebody who lives."""
        owners = set(self.owners().values())
        return bool(owners) and not owners & {"", *self.gone}

    def is_level(self):
        """Say whether everybody has a share of the lanes, and the same."""
        owners = self.owners()
        lanes = [owner for name, owner in owners.items() if lane_of_lease(name) is not None]
        counts = [lanes.count(name) for name in {*lanes}]
        return self.is_held() and counts == [LANES // PROCESSES] * PROCESSES

    def is_drained(self):
        """Say whether no money is on its way from lane to lane."""
        return self.read(SELECT_WAY) == [(0,)]

    def judged(self, rules):
        """Hold what is stored to rules; return what they say."""
        return self._eye.read(rules)

    async def until(self, is_so, what, patience_s=PATIENCE_S):
        """Wait until something is so; return how long that took."""
        began_s = time.monotonic()
        while not is_so():
            assert time.monotonic() < began_s + patience_s, f"never: {what}; {self.words()}"
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - began_s

    def words(self):
        """Return the last that each process has said."""
        return "\n".join(each.words()[-2_000:] for each in self.processes if each.log.exists())

    async def leave(self):
        """Stop the processes as an operator would; the database stays."""
        codes = await asyncio.gather(*[asyncio.to_thread(each.stop) for each in self.processes])
        assert codes == [0] * PROCESSES, self.words()

    def commands(self):
        """Run the product's own judges on what is there; return what they found wrong."""
        folder = str(self.processes[0].folder)
        wrong = []
        for words in (("audit",), ("rebuild", "--check")):
            done = run(*words, "--data", folder, timeout_s=COMMAND_S)
            if done.returncode:
                wrong.append(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return wrong

    def end(self):
        """End everything that is still there."""
        if self.crowd is not None:
            self.crowd.end()
        for each in self.processes:
            each.end()
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
