"""The stage of a festival: a durable database server, a broker, four processes, people outside.

The processes are `lingqian serve`, each with a folder of its own and the same keys, and each is
there for everything. All but those outside are there to be killed.   Units: seconds.
"""

import asyncio
import json
import shutil
import time
from contextlib import asynccontextmanager

from acceptance.server import Server, run
from festival.kafka import ONE_BROKER, Kafka
from festival.outside import Crowd, Listener
from festival.size import LANES, RELAY, SIZE
from lingqian.cluster.lease import lane_lease, lane_of_lease
from lingqian.cluster.post import RELAY_POST
from lingqian.events.tail import ALL, Journal
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
# A lane's last event is told by one of so many rows.
LAST_ROWS = 64
SELECT_WAY = (
    "SELECT h.source, h.target FROM relay_heads h LEFT JOIN relay_marks m "
    "ON m.target = h.target AND m.source = h.source WHERE h.value > COALESCE(m.value, 0)"
)
SELECT_HEADS = "SELECT source, target, value FROM relay_heads"
SELECT_MARKS = "SELECT source, target, value FROM relay_marks"
SELECT_ENDS = "SELECT lane, next_seq - 1 FROM lanes"


class Process(Server):
    """One `lingqian serve`; the others know it by the address that it keeps."""

    def __init__(self, folder, database, kafka):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        life_s, beat_s = SIZE.timing
        values = {"lanes": LANES, "port": port, "lease_s": life_s, "beat_s": beat_s}
        super().__init__(folder, settings=SETTING.format(database=database, **values) + kafka)


class Stage:
    """What there is, and how to look at it from outside."""

    def __init__(self, folder):
        self.folder = folder
        self.database = Database(BUFFER)
        self.at = self.database.fresh()
        self.kafka = Kafka()
        places = [folder / f"process-{number}" for number in range(PROCESSES)]
        self.processes = [Process(each, url(self.at), self.kafka.setting) for each in places]
        self.crowd = None
        self.listener = None
        # Names of members that were killed: nothing of theirs is held by anybody who lives.
        self.gone = set()
        self._eye = None

    async def start(self):
        """Start everything; the first one makes the keys that all have."""
        first, *others = self.processes
        await self.make_topics()
        await asyncio.to_thread(first.start)
        for each in others:
            shutil.copytree(first.folder / KEYS, each.folder / KEYS)
            each.key = first.key
        self._eye = MysqlStore(self.at)
        await asyncio.gather(*[asyncio.to_thread(each.start) for each in others])
        await self.until(self.is_level, "the lanes are shared out")
        self.listener = Listener(self.folder, self.kafka.job)
        self.crowd = Crowd(self.folder, self.processes)

    async def make_topics(self):
        """Make the topics that are missing as an operator does, who tries until it is done."""
        words = ("topic", "create", "--data", str(self.processes[0].folder))
        until_s = time.monotonic() + PATIENCE_S
        while (done := await asyncio.to_thread(run, *words)).returncode:
            assert time.monotonic() < until_s, done.stdout + done.stderr
            await asyncio.sleep(LOOK_S)

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

    def carriers(self):
        """Return who carries money between lanes now, where there is any; by name as `holder`."""
        if RELAY == "store":
            found = [self.holder(RELAY_POST)]
        else:
            lanes = {int.from_bytes(source, "big") for source, _ in self.read(SELECT_WAY)}
            found = [self.holder(lane_lease(lane)) for lane in sorted(lanes)]
        return [each for each in found if each]

    def ends(self):
        """Return the last row of each lane's journal."""
        return dict(self.read(SELECT_ENDS))

    def heads(self):
        """Return how much money each lane has let go for each other, in items."""
        return pairs(self.read(SELECT_HEADS))

    def marks(self):
        """Return how much of it has arrived."""
        return pairs(self.read(SELECT_MARKS))

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
        return bool(self.ends()) and not self.read(SELECT_WAY)

    def is_heard(self):
        """Say whether the listener has heard the last event that each lane tells."""
        heard = self.listener.ends
        return all(heard.get(lane, (0, 0)) >= end for lane, end in self.judged(last_told).items())

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
        self.listener.say_no_more()
        await self.until(lambda: self.listener.is_done, "the listener has gone")

    def commands(self):
        """Run the product's own judges on what is there; return what they found wrong."""
        folder = str(self.processes[0].folder)
        wrong = []
        for words in (("audit",), ("rebuild", "--check")):
            done = run(*words, "--data", folder, timeout_s=COMMAND_S)
            if done.returncode:
                wrong.append(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return wrong + self._topic_faults(folder)

    def _topic_faults(self, folder):
        """Return what is wrong with the topics beyond their being on one broker."""
        done = run("topic", "check", "--json", "--data", folder)
        if not done.stdout:
            return [f"topic check: {done.stderr}"]
        faults = json.loads(done.stdout)["faults"]
        return [each for each in faults if not any(words in each for words in ONE_BROKER)]

    def end(self):
        """End everything that is still there."""
        for each in (self.crowd, self.listener):
            if each is not None:
                each.end()
        for each in self.processes:
            each.end()
        if self._eye is not None:
            self._eye.close()
        self.kafka.end()
        self.database.stop()


def pairs(rows):
    """Return rows of two lanes and a value as a table."""
    return {(source, target): value for source, target, value in rows}


def last_told(connection):
    """Return the last event that each lane's journal tells: its row, and its number there."""
    ends = dict(connection.execute(SELECT_ENDS).fetchall())
    begins = {lane: (max(0, end - LAST_ROWS), ALL) for lane, end in ends.items()}
    events = Journal(connection, "").after(begins, LAST_ROWS).events
    return {each.lane: (each.seq, each.number) for each in events}


@asynccontextmanager
async def staged(folder):
    """Have a stage for the length of a block."""
    stage = Stage(folder)
    try:
        await stage.start()
        yield stage
    finally:
        stage.end()
