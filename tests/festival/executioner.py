"""The executioner: kills what the product stands on, one after another, and starts it again.

Law: what is killed gets no word of warning. The moments are shares of the work, drawn from a seed,
so that they fall into the work however fast a machine is.   Units: seconds.
"""

import asyncio
import random
import time
from typing import NamedTuple

from festival.size import LANES, SIZE
from lingqian.cluster.lease import lane_lease
from lingqian.cluster.post import RELAY_POST

DOWN_S = (0.2, 4.0)
EARLY = (0.1, 0.5)


class Death(NamedTuple):
    """What was killed, after how many openings, for how long; how long until all was as before."""

    what: str
    opens: int
    down_s: float
    healed_s: float


async def owner(stage, chance):
    """Kill a process that owns lanes and does not carry the relay."""
    relay = stage.holder(RELAY_POST)
    lanes = [stage.holder(lane_lease(lane)) for lane in range(LANES)]
    return await bereave(stage, chance.choice([each for each in lanes if each and each != relay]))


async def relay(stage, chance):
    """Kill the process that carries the relay."""
    del chance
    await stage.until(lambda: stage.holder(RELAY_POST), "somebody carries the relay")
    return await bereave(stage, stage.holder(RELAY_POST))


async def bereave(stage, held):
    """Kill a process, wait until the others have what it had, and start it again.

    Nothing of it is back before its heirs have all: that is how long it was gone.
    """
    process, name = held
    stage.gone.add(name)
    process.kill()
    healed_s = await stage.until(stage.is_held, "the living hold every lease")
    await asyncio.to_thread(process.start)
    return healed_s, healed_s


async def database(stage, chance):
    """Kill the database server and start it again after a while; healed is, when it answers."""
    stage.database.kill()
    before, began_s = stage.crowd.opens, time.monotonic()
    await asyncio.sleep(chance.uniform(*DOWN_S))
    await asyncio.to_thread(stage.database.start)
    down_s = time.monotonic() - began_s
    await stage.until(lambda: stage.crowd.opens > before, "an answer")
    healed_s = time.monotonic() - began_s
    await stage.until(stage.is_held, "the living hold every lease")
    return down_s, healed_s


WAYS = {"lane owner": owner, "relay": relay, "database": database}


async def strike(stage, seed):
    """Kill everything in turn while the crowd opens; return every death.

    The work is let go portion by portion, and each strikes early in one: so there is always work
    under way, and some left for when it is healed.
    """
    chance = random.Random(seed)
    names = [name for _ in range(SIZE.turns) for name in WAYS]
    portion = SIZE.opens // (len(names) + 1)
    deaths = []
    for place, name in enumerate(names):
        stage.crowd.allow(portion)
        early = round(portion * (place + chance.uniform(*EARLY)))
        await stage.until(lambda at=early: stage.crowd.opens >= at, f"{early} opens")
        opens = stage.crowd.opens
        deaths.append(Death(name, opens, *await WAYS[name](stage, chance)))
    stage.crowd.allow(SIZE.opens - portion * len(names))
    stage.crowd.allow_no_more()
    return deaths
