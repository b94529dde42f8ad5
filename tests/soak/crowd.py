"""The crowd of a soak: forty people who send, open, top up, give, withdraw and take back (人群).

Run as a program, it reads its job from the first line of its input, says on which port its broken
line listens, lives until it reads `quiet`, and at `end` tells what it saw. Units: fen; s; ms.
"""

import asyncio
import contextlib
import json
import random
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp

sys.path.append(str(Path(__file__).parent.parent))

from soak.line import Line
from soak.listener import Listener

PAUSE_S = (0.5, 2.5)
OPEN_AFTER_S = (0.3, 3.0)
OPENERS = 7
PAY_AFTER_S = (0.3, 1.5)
CUT_LINE_S = (8.0, 25.0)
ABANDONS = 0.1
LOOK_S = 0.5
LOOKS_MAX = 40
OWN_ORDERS_MAX = 20
PLANS = ("coins-6", "coins-30", None)
GIFTS = ("candle", "rose", "rose", "tea")
ACTS = (
    ("send", 20),
    ("transfer", 15),
    ("top_up", 18),
    ("give", 18),
    ("withdraw", 6),
    ("take_back", 8),
    ("look", 15),
)


class Crowd:
    """Everybody, and what they were told."""

    def __init__(self, session, job):
        self.session = session
        self.job = job
        self.chance = random.Random(job["seed"])
        self.began_s = time.monotonic()
        self.told = Counter()
        self.timed = []
        self.faults = []
        self.orders = {each: [] for each in job["people"]}
        self.openings = set()
        self.is_living = True

    async def ask(self, name, method, path, fields=None):
        """Ask once; note how long it took and what was said; return the fields, or nothing."""
        headers = {"Idempotency-Key": secrets.token_hex(16)} if method == "POST" else {}
        asked_s = time.monotonic()
        call = self.session.request(method, self.job["url"] + path, json=fields, headers=headers)
        async with call as answer:
            said = await answer.json(content_type=None)
        ended_s = time.monotonic()
        self.timed.append((asked_s - self.began_s, (ended_s - asked_s) * 1_000))
        self.told[name, answer.status, said.get("code", "")] += 1
        if answer.status >= 500:
            self.faults.append([name, answer.status, said])
        return said if answer.status < 300 else {}

    async def press(self, path):
        """Press a button on the person's own phone, at the platform."""
        async with self.session.post(f"{self.job['control']}/control/{path}", json={}) as answer:
            self.told["press", answer.status, path.partition("/")[0]] += 1

    async def live(self, user_id):
        """Do one thing after another."""
        names, weights = zip(*ACTS, strict=True)
        while self.is_living:
            (name,) = self.chance.choices(names, weights)
            await getattr(self, name)(user_id)
            await asyncio.sleep(self.chance.uniform(*PAUSE_S))

    async def send(self, user_id):
        """Send a lucky packet into the group."""
        count = self.chance.randint(4, 9)
        fields = {"sender_id": user_id, "kind": "lucky", "count": count, "total_fen": 20 * count}
        await self.ask("send", "POST", "/v1/packets", {**fields, "conversation_id": "festival"})

    def notice(self, event):
        """Let some people see a new packet and open it after a while."""
        if not self.is_living or event["type"] != "packet.sent.v1":
            return
        for user_id in self.chance.sample(self.job["people"], OPENERS):
            task = asyncio.create_task(self._open(event["data"]["packet_id"], user_id))
            self.openings.add(task)
            task.add_done_callback(self.openings.discard)

    async def _open(self, packet_id, user_id):
        await asyncio.sleep(self.chance.uniform(*OPEN_AFTER_S))
        await self.ask("open", "POST", f"/v1/packets/{packet_id}/claims", {"user_id": user_id})

    async def transfer(self, user_id):
        """Give somebody a little, now and then one who has a phone here."""
        others = self.job["people"] + 4 * self.job["phones"]
        target = self.chance.choice([each for each in others if each != user_id])
        fields = {
            "source_id": user_id,
            "target_id": target,
            "amount_fen": self.chance.randint(1, 9),
        }
        await self.ask("transfer", "POST", "/v1/transfers", fields)

    async def top_up(self, user_id):
        """Open a top-up and pay it, or walk away from the sheet."""
        plan = self.chance.choice(PLANS)
        what = {"plan_id": plan} if plan else {"amount_fen": self.chance.randint(100, 900)}
        way = {"product": "jsapi", "payer": {"openid": f"oSoak{user_id[-8:]}"}}
        fields = {"user_id": user_id, **what, **way}
        order = await self.ask("top_up", "POST", "/v1/top-ups", fields)
        if not order.get("attempts") or self.chance.random() < ABANDONS:
            return
        await asyncio.sleep(self.chance.uniform(*PAY_AFTER_S))
        await self.press(f"orders/{order['attempts'][-1]['id']}/pay")
        await self.ask("return", "POST", f"/v1/top-ups/{order['id']}/return")
        self.orders[user_id] = [*self.orders[user_id], order["id"]][-OWN_ORDERS_MAX:]

    async def give(self, user_id):
        """Give a streamer something; who has too few coins is told so."""
        fields = {"user_id": user_id, "streamer_id": self.chance.choice(self.job["streamers"])}
        fields |= {"code": self.chance.choice(GIFTS), "count": 1}
        await self.ask("give", "POST", "/v1/gifts", fields)

    async def withdraw(self, user_id):
        """Take money out, and confirm it on the platform's sheet when it is there."""
        fields = {"user_id": user_id, "amount_fen": self.chance.randint(30, 300)}
        fields["payee"] = {"openid": f"oSoak{user_id[-8:]}"}
        payout = await self.ask("withdraw", "POST", "/v1/payouts", fields)
        for _ in range(LOOKS_MAX if payout else 0):
            await asyncio.sleep(LOOK_S)
            payout = await self.ask("look", "GET", f"/v1/payouts/{payout['id']}") or payout
            if payout.get("confirmation"):
                await self.press(f"transfers/{payout['id'].replace('_', '')}/confirm")
                return

    async def take_back(self, user_id):
        """Ask for a part of an earlier top-up; one that was just spent or asked for is refused."""
        if self.orders[user_id]:
            path = f"/v1/top-ups/{self.chance.choice(self.orders[user_id])}/refunds"
            await self.ask("take_back", "POST", path, {"amount_fen": self.chance.randint(10, 90)})

    async def look(self, user_id):
        """Look at what one has, or had."""
        what = self.chance.choice(("balances", "coins", "statement", "packets?role=claimed"))
        await self.ask("look", "GET", f"/v1/users/{user_id}/{what}")

    def summary(self):
        """Return what everybody was told."""
        rows = [[*key, count] for key, count in sorted(self.told.items())]
        return {"told": rows, "timed": self.timed, "faults": self.faults}


async def break_line(line, chance):
    """Cut the line again and again until cancelled."""
    while True:
        await asyncio.sleep(chance.uniform(*CUT_LINE_S))
        line.cut()


async def read():
    """Return the next line of the input."""
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def say(**words):
    """Write one line."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def main():
    """Live, be quiet when told, end when told."""
    job = json.loads(await read())
    headers = {"Authorization": f"Bearer {job['key']}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        crowd = Crowd(session, job)
        heard = Path(job["heard"])
        listener = Listener(session, job["url"], crowd.chance, heard, crowd.notice)
        line = Line(job["port"])
        say(port=await line.start())
        listening = asyncio.create_task(listener.run())
        assert await read() == "live\n"
        breaking = asyncio.create_task(break_line(line, crowd.chance))
        lives = [asyncio.create_task(crowd.live(each)) for each in job["people"]]
        assert await read() == "quiet\n"
        crowd.is_living = listener.is_cut = False
        breaking.cancel()
        await asyncio.gather(*lives, *crowd.openings)
        say(is_quiet=True)
        assert await read() == "end\n"
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        say(**crowd.summary(), listener_cuts=listener.cuts, line_cuts=line.cuts)
        await line.stop()


if __name__ == "__main__":
    asyncio.run(main())
