"""The crowd of a festival: everybody sends, everybody opens, and whoever hears nothing asks again.

Run as a program it reads its job from the first line of its input, from each other line how many
more may be opened, and writes every definite answer down. An answer that was lost is asked for
again, with the same key, at the next process.
"""

import asyncio
import json
import random
import sys
import time
from itertools import count
from pathlib import Path

import aiohttp

sys.path.append(str(Path(__file__).parent.parent))

from festival.memory import Again, Notebook, Open, Packet, Person, raw
from festival.size import OPENERS, SHARES
from lingqian.kernel.id import PREFIX_PACKET, PREFIX_USER

PURSE_FEN = 4_000_000
SHARE_FEN = (2, 60)
AT_ONCE = 128
AGAIN_S = 0.1
CALL_S = 30
# Not definite: nobody listens, or whoever listens cannot say now.
LATER = (0, 429, 503)
# One opening in so many is made twice at once, as by a thumb that does not trust the glass.
DOUBLED = 20


class Told:
    """One definite answer, and what it took to hear it."""

    def __init__(self, status, body, tries, took_s):
        self.is_good = 200 <= status < 300
        self.body = body
        self._cost = tries, round(took_s * 1_000)

    @property
    def row(self):
        """Return what is written down of an opening."""
        code = "ok" if self.is_good else self.body.get("code", "unnamed")
        return code, self.body.get("index", 0), self.body.get("amount_fen", 0), *self._cost


class Crowd:
    """Everybody, the ways in, and what was told."""

    def __init__(self, session, job, notebook):
        self.session = session
        self.job = job
        self.notebook = notebook
        self.chance = random.Random(job["seed"])
        self.gate = asyncio.Semaphore(0)
        self.people = []
        self._turns = count()

    async def ask(self, path, fields, key):
        """Ask until there is a definite answer, always with the same key."""
        began_s, tries, status = time.monotonic(), 0, 0
        while status in LATER:
            if tries:
                await asyncio.sleep(AGAIN_S)
            tries += 1
            status, body = await self.once(path, fields, key)
        return Told(status, body, tries, time.monotonic() - began_s)

    async def once(self, path, fields, key):
        """Ask the next process; 0, when nothing can be heard from it."""
        urls = self.job["urls"]
        url = urls[next(self._turns) % len(urls)] + path
        try:
            call = self.session.post(url, json=fields, headers={"Idempotency-Key": key})
            async with call as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return 0, {}

    async def good(self, path, fields, key):
        """Ask what nobody may refuse; return the answer's fields."""
        told = await self.ask(path, fields, key)
        assert told.is_good, (path, told.body)
        return told.body

    async def listen(self):
        """Hear how many more may be opened, until nothing more is said."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            for _ in range(int(line)):
                self.gate.release()

    async def live(self):
        """Come, send and open until everything is opened."""
        await each_of(self.come, range(self.job["people"]))
        numbers = range(self.job["packets"])
        plan = [(number, self.chance.sample(self.people, OPENERS + 1)) for number in numbers]
        await each_of(self.play, plan, AT_ONCE // OPENERS + 1)

    async def come(self, number):
        """Register somebody and give him money."""
        name = f"guest {number}"
        person = await self.good("/v1/users", {"external_id": name}, f"come {number}")
        purse = {"user_id": person["id"], "amount_fen": PURSE_FEN}
        await self.good("/v1/sandbox/funding", purse, f"fund {number}")
        self.people.append(person["id"])
        self.notebook.note(Person(raw(PREFIX_USER, person["id"]), PURSE_FEN))

    async def play(self, packet):
        """Send one packet, and let everybody who is meant open it."""
        number, (sender, *openers) = packet
        each_fen = self.chance.randint(*SHARE_FEN)
        kind, name = self.chance.choice((("lucky", "total_fen"), ("equal", "each_fen")))
        fen = SHARES * each_fen if kind == "lucky" else each_fen
        wish = {"sender_id": sender, "kind": kind, "count": SHARES, name: fen}
        sent = await self.good("/v1/packets", wish, f"packet {number}")
        who = raw(PREFIX_PACKET, sent["id"]), raw(PREFIX_USER, sender)
        self.notebook.note(Packet(*who, SHARES * each_fen, SHARES))
        await asyncio.gather(*[self.open(sent["id"], each) for each in openers])

    async def open(self, packet, user):
        """Open, some of them twice at the same time: both have to be told the same."""
        await self.gate.acquire()
        hands = 2 if self.chance.randrange(DOUBLED) == 0 else 1
        wish = f"/v1/packets/{packet}/claims", {"user_id": user}, f"{packet} {user}"
        told = await asyncio.gather(*[self.ask(*wish) for _ in range(hands)])
        who = raw(PREFIX_PACKET, packet), raw(PREFIX_USER, user)
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
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=CALL_S)
    headers = {"Authorization": f"Bearer {job['key']}"}
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers
    ) as session:
        crowd = Crowd(session, job, notebook)
        listening = asyncio.create_task(crowd.listen())
        await crowd.live()
        await listening
    notebook.close()


if __name__ == "__main__":
    asyncio.run(main())
