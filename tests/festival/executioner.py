"""The executioner: kills what the product stands on, one after another, and starts it again.

Law: what is killed gets no word of warning. Its moments are shares of the work, drawn from a seed,
so that it strikes while there is work, however fast a machine is.   Units: seconds.
"""

import asyncio
import random
import time
from typing import NamedTuple

from festival.size import SIZE
from lingqian.cluster.node import RELAY_POST

DOWN_S = (0.2, 2.0)


class Death(NamedTuple):
    """What was killed, after how many answers, how long until all went on as before."""

    what: str
    answers: int
    healed_s: float


async def owner(stage, chance):
    """Kill a process that owns lanes; healed is, when somebody who lives owns each of them."""
    del chance
    return await bereave(stage, stage.owner())


async def relay(stage, chance):
    """Kill the process that carries the relay."""
    del chance
    await stage.until(lambda: stage.holder(RELAY_POST), "somebody carries the relay")
    return await bereave(stage, stage.holder(RELAY_POST))


async def bereave(stage, process):
    """Kill a process, wait until the others have what it had, and start another."""
    stage.processes.remove(process)
    process.kill()
    healed_s = await stage.until(stage.is_held, "the living hold every lease")
    await stage.grow()
    return healed_s


async def database(stage, chance):
    """Kill the database server and start it again after a while; healed is, when it answers."""
    stage.database.kill()
    before, began_s = stage.crowd.answers, time.monotonic()
    await asyncio.sleep(chance.uniform(*DOWN_S))
    stage.database.start()
    await stage.until(lambda: stage.crowd.answers > before or stage.crowd.is_done, "an answer")
    healed_s = time.monotonic() - began_s
    await stage.until(stage.is_held, "the living hold every lease")
    return healed_s


WAYS = {"lane owner": owner, "relay": relay, "database": database}


def plan(seed, opens, turns):
    """Return what is to be killed and after how many answers: each in its turn, evenly spread."""
    chance = random.Random(seed)
    names = [name for _ in range(turns) for name in WAYS]
    step = opens / (len(names) + 1)
    return [
        (name, round(step * (place + chance.uniform(0.5, 1.0)))) for place, name in enumerate(names)
    ]


async def strike(stage, seed):
    """Kill everything in turn while the crowd opens; return every death."""
    chance = random.Random(seed)
    quiet = SIZE.people + SIZE.packets
    deaths = []
    for name, opens in plan(seed, SIZE.opens, SIZE.turns):
        await stage.until(lambda at=opens: stage.crowd.answers >= quiet + at, f"{opens} opens")
        answers = stage.crowd.answers
        healed_s = await WAYS[name](stage, chance)
        deaths.append(Death(name, answers, healed_s))
    return deaths
