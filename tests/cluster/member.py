"""A process of a cluster, small: lanes, the relay, a timer, and nothing that speaks to people.

Run as a script with the database's port and name, its roles and the lease's timing. It says
`ready` with its name once it is one of them, and goes as `serve` goes when it is told to stop: it
hands over what it holds, answers what waits, and leaves.
"""

import asyncio
import contextlib
import secrets
import signal
import sys
import time

from lingqian.cluster.courier import Courier
from lingqian.cluster.keeper import Timing
from lingqian.cluster.line import Key, Trust
from lingqian.cluster.node import Node, Setting
from lingqian.cluster.post import RELAY_POST, job
from lingqian.cluster.register import Register
from lingqian.compliance.factor import factor_caps
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.view import Policy
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Shell, Writer
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.store import MysqlStore
from world import open_seed

KEY = Trust(Key(b"the key of the tests' clusters"))
LANES = tuple(range(16))
TIMER = "tick"
HAND_OVER_S = 10


class Clock:
    """The real time."""

    def now_us(self):
        """Return it."""
        return time.time_ns() // 1_000


class Crew:
    """An intake and a node over one database, started and stopped as a process does it."""

    def __init__(self, address, roles, timing):
        self.address = address
        self.intake = Intake(self.writer)
        self.intake.start()
        setting = Setting(frozenset(roles), LANES, (TIMER,), timing=timing)
        self.node = Node(self.intake, self.register, setting, KEY)
        self.courier = Courier(self.store, self.node.ask)
        self.works = []

    def store(self):
        """Open a store."""
        return MysqlStore(self.address)

    def writer(self):
        """Open a writer that owns nothing yet."""
        policy = Policy(caps(DEFAULT), factor_caps=factor_caps("sandbox"))
        return Writer(self.store(), [], policy, Shell(Clock(), secrets.token_bytes, open_seed))

    def register(self, life_s):
        """Open the register."""
        return Register(self.store(), life_s)

    async def start(self):
        """Become one of them."""
        await self.node.start()
        posts = self.node.posts
        self.works = [
            asyncio.create_task(posts.run(RELAY_POST, self.courier.run)),
            asyncio.create_task(posts.run(job(TIMER), tick)),
        ]

    async def stop(self):
        """Hand over, and leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER_S):
                await self.node.hand_over()
        for work in self.works:
            work.cancel()
        await asyncio.gather(*self.works, return_exceptions=True)
        await self.node.stop()
        self.intake.stop()


async def tick():
    """Say that the timer is ours, as long as it is."""
    while True:
        say("tick")
        await asyncio.sleep(0.05)


def say(word):
    """Say a word so that it is heard even if this process ends now."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(port, database, roles, life_s, beat_s):
    """Take part until a signal comes."""
    place = Address("root", "", "127.0.0.1", int(port), database)
    crew = Crew(place, roles.split(","), Timing(float(life_s), float(beat_s)))
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await crew.start()
    say(f"ready {crew.node.name}")
    await told.wait()
    await crew.stop()
    say("gone")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
