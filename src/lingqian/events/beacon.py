"""Following the public beacon: rounds that packets were promised, brought in as commands (信标)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import aiohttp

from lingqian.kernel.clock import Clock
from lingqian.kernel.fault import Fault, Unsent
from lingqian.storage.beacon import Beacon, fetch_round, waiting
from lingqian.storage.clock import unix_ms
from lingqian.storage.port import Connection
from lingqian.storage.setback import Setback

_EVERY_S: Final = 1.0
_PACKETS_MAX: Final = 500
_log = logging.getLogger(__name__)

Mix = Callable[[bytes, bytes, bytes], Awaitable[object]]


class Follower(NamedTuple):
    """What following needs: the chain, a reader, the business clock, and how to mix a round in."""

    beacon: Beacon
    reader: Connection
    clock: Clock
    mix: Mix


async def follow(follower: Follower) -> None:
    """Bring published rounds to the packets that wait for them, until cancelled."""
    setback = Setback(_log, "beacon")
    async with aiohttp.ClientSession() as session:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await bring(follower, session)
            except Fault as error:
                # A silent beacon is no reason to stop: packets open without it and say so.
                setback.failed(error)
            else:
                setback.over()


async def bring(follower: Follower, session: aiohttp.ClientSession) -> int:
    """Fetch every round that is due and mix it in; return how many packets had theirs.

    Raises: Unsent when no mirror answers; Busy, Stopping from the intake.
    """
    published = follower.beacon.published(unix_ms())
    at_us = follower.clock.now_us()
    rows = waiting(follower.reader, published=published, at_us=at_us, rows_max=_PACKETS_MAX)
    rounds: dict[int, list[bytes]] = {}
    for packet_id, number in rows:
        rounds.setdefault(number, []).append(packet_id)
    failed: Unsent | None = None
    done = 0
    for number, packets in rounds.items():
        try:
            drawn = await fetch_round(session, follower.beacon, number)
        except Unsent as error:
            failed = error
            continue
        for packet_id in packets:
            await follower.mix(packet_id, drawn.randomness, drawn.signature)
            done += 1
    if failed is not None:
        raise failed
    return done
