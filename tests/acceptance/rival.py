"""Rules as others have them, made again as controls: each must fail the check it stands for.

Run as a program it is a server of packets with one rule per path: `/stale/v1/packets`. Between
reading and writing lies the pause of a round trip to a busy database.
Source: the red-packet reference, sections 7.2 and 10.
"""

import asyncio
import itertools
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

ROUND_TRIP_S = 0.05
LOCK_WAIT_S_MAX = 0.2
SWEEP_EVERY_S = 0.05
AHEAD_S = 2


class Target(NamedTuple):
    """One rival rule as the crew sees it: a server like ours."""

    url: str
    key: str = "-"


@dataclass
class Packet:
    """A packet as a rival keeps it; `claims` is (person, amount, instant), `returned` amounts."""

    total_fen: int
    count: int
    expires_s: float
    left: int = 0
    left_fen: int = 0
    is_locked: bool = False
    is_over: bool = False
    claims: list = field(default_factory=list)
    returned: list = field(default_factory=list)

    def __post_init__(self):
        self.left, self.left_fen = self.count, self.total_fen

    def next_fen(self):
        """Return the next share; how it is drawn is not on trial here."""
        return self.left_fen if self.left == 1 else max(1, self.left_fen // self.left)

    def take(self, user):
        """Take a share in one step."""
        amount = self.next_fen()
        self.left -= 1
        self.left_fen -= amount
        self.claims.append((user, amount, time.time()))
        return claimed(amount, len(self.claims))


def claimed(amount_fen, index):
    """Say yes."""
    return 201, {"status": "claimed", "amount_fen": amount_fen, "index": index}


def refused(status, code):
    """Say no."""
    return status, {"code": code}


FINISHED = refused(409, "packet_finished")
EXPIRED = refused(409, "packet_expired")


async def stale(packet, user):
    """C1: the amount and the rest are computed from what was read, and written back."""
    left, amount, rest = packet.left, packet.next_fen(), packet.left_fen
    await asyncio.sleep(ROUND_TRIP_S)
    if left <= 0:
        return FINISHED
    packet.left, packet.left_fen = left - 1, rest - amount
    packet.claims.append((user, amount, time.time()))
    return claimed(amount, len(packet.claims))


async def nowait(packet, user):
    """C2: whoever finds the row locked is turned away, shares or not."""
    if packet.is_locked:
        return refused(503, "lock_not_available")
    packet.is_locked = True
    await asyncio.sleep(ROUND_TRIP_S)
    packet.is_locked = False
    return FINISHED if packet.left <= 0 else packet.take(user)


async def forgetful(packet, user):
    """C3: looks whether the person has a share, and only then writes one down."""
    for known, amount, _ in packet.claims:
        if known == user:
            return 200, claimed(amount, 1)[1]
    await asyncio.sleep(ROUND_TRIP_S)
    return FINISHED if packet.left <= 0 else packet.take(user)


async def unqueued(packet, user):
    """C4: everybody tries for the lock until it is free; who came first means nothing."""
    await asyncio.sleep(random.uniform(0, LOCK_WAIT_S_MAX))
    return FINISHED if packet.left <= 0 else packet.take(user)


async def overlapping(packet, user):
    """C5, C6: the refund pays what it once read to be left, without asking what it changed."""
    if time.time() >= packet.expires_s:
        return EXPIRED
    await asyncio.sleep(ROUND_TRIP_S)
    return FINISHED if packet.left <= 0 else packet.take(user)


async def ahead(packet, user):
    """C9: claims look at a clock that is behind the one of the refund job."""
    return await overlapping(packet, user)


async def refund(packet):
    """Return the rest by the unchecked rule: paid whether or not the row was still open."""
    if packet.is_over:
        return
    rest = packet.left_fen
    await asyncio.sleep(ROUND_TRIP_S)
    packet.is_over = True
    packet.returned.append(rest)


async def consuming(packet, user):
    """C11: the share is taken before the risk check says that it must wait."""
    packet.take(user)
    await asyncio.sleep(ROUND_TRIP_S)
    return refused(403, "claim_held")


RULES = {
    rule.__name__: rule
    for rule in (stale, nowait, forgetful, unqueued, overlapping, ahead, consuming)
}


class House:
    """Every rival's packets, and the job that returns what is left."""

    def __init__(self):
        self.packets = {}
        self.numbers = itertools.count()

    async def send(self, request):
        """Make a packet."""
        body = await request.json()
        expires_s = time.time() + body.get("expires_in_s", 86_400)
        identity = f"{request.match_info['rule']}-{next(self.numbers)}"
        self.packets[identity] = Packet(body["total_fen"], body["count"], expires_s)
        made = {"id": identity, "expires_at": datetime.fromtimestamp(expires_s, UTC).isoformat()}
        return web.json_response(made, status=201)

    async def claim(self, request):
        """Open a packet by its rule."""
        rule = RULES[request.match_info["rule"]]
        packet = self.packets[request.match_info["id"]]
        status, body = await rule(packet, (await request.json())["user_id"])
        return web.json_response(body, status=status)

    async def close(self, request):
        """Return a packet's rest now: the manual refund."""
        await refund(self.packets[request.match_info["id"]])
        return web.json_response({})

    async def show(self, request):
        """Show the books of a packet."""
        packet = self.packets[request.match_info["id"]]
        shown = {"remaining_count": packet.left, "total_fen": packet.total_fen}
        claims = [(user, fen, int(at_s * 1e6)) for user, fen, at_s in packet.claims]
        expires_us = int(packet.expires_s * 1e6)
        shown.update(claims=claims, returned=packet.returned, expires_us=expires_us)
        return web.json_response(shown)

    async def sweep(self):
        """Return what is left of expired packets, as a schedule does."""
        while True:
            now_s = time.time()
            due = [
                packet
                for name, packet in self.packets.items()
                if not packet.is_over
                and now_s + AHEAD_S * name.startswith("ahead") >= packet.expires_s
            ]
            await asyncio.gather(*[refund(packet) for packet in due])
            await asyncio.sleep(SWEEP_EVERY_S)


async def serve():
    """Serve until the input ends."""
    house = House()
    app = web.Application()
    at = "/{rule}/v1/packets"
    app.router.add_post(at, house.send)
    app.router.add_post(at + "/{id}/claims", house.claim)
    app.router.add_post(at + "/{id}/invalidation", house.close)
    app.router.add_get(at + "/{id}", house.show)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    sweeping = asyncio.create_task(house.sweep())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    sweeping.cancel()
    await runner.cleanup()


@contextmanager
def rivals():
    """Run the server of rivals for the length of a block; yields `target(rule)`."""
    line = [sys.executable, __file__]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        yield lambda rule: Target(f"{url}/{rule.__name__}")
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve())
