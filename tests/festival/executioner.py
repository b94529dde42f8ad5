"""The executioner: kills what the product stands on, one after another, and starts it again.

Law: what is killed gets no word of warning. The moments are shares of the work, drawn from a seed,
so that they fall into the work however fast a machine is.   Units: seconds.
"""

import asyncio
import random
import time
from typing import NamedTuple

from festival.kafka import Newcomer
from festival.size import LANES, SIZE
from lingqian.cluster.lease import lane_lease

DOWN_S = (0.2, 4.0)
EARLY = (0.1, 0.5)


class Death(NamedTuple):
    """What was killed, after how many openings, for how long; how long until all was as before."""

    what: str
    opens: int
    down_s: float
    healed_s: float


async def owner(stage, chance):
    """Kill a process that owns lanes and does not carry the relay, where there is such a one."""
    carriers = stage.carriers()
    owners = [each for lane in range(LANES) if (each := stage.holder(lane_lease(lane)))]
    return await bereave(stage, chance.choice([o for o in owners if o not in carriers] or owners))


async def relay(stage, chance):
    """Kill a process that carries money between lanes, while there is some to be carried."""
    found = []
    await stage.until(lambda: found.extend(stage.carriers()) or found, "somebody carries the relay")
    return await bereave(stage, chance.choice(found))


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


async def broker(stage, chance):
    """Kill the broker and start it again after a while.

    Healed is, when somebody who follows has heard an event of a row newer than the kill.
    """
    stage.kafka.kill()
    began_s = time.monotonic()
    await stage.until(stage.ends, "the journal can be read")
    ends = stage.ends()
    await asyncio.sleep(chance.uniform(*DOWN_S))
    await asyncio.to_thread(stage.kafka.start)
    down_s = time.monotonic() - began_s

    def is_told():
        return any(seq > ends.get(lane, 0) for lane, (seq, _) in stage.listener.ends.items())

    await stage.until(is_told, "an event newer than the kill")
    return down_s, time.monotonic() - began_s


async def topics(stage, chance):
    """Delete every topic; after a while an operator makes them again.

    Healed is, when whoever begins to follow now hears all that was heard before, and money that was
    on its way between lanes has arrived.
    """
    ends, heads = stage.listener.ends, stage.heads()
    began_s = time.monotonic()
    await asyncio.to_thread(stage.kafka.lose)
    await asyncio.sleep(chance.uniform(*DOWN_S))
    await stage.make_topics()
    down_s = time.monotonic() - began_s
    newcomer = Newcomer(stage.kafka.row)
    await stage.until(lambda: newcomer.has_heard(ends), "the topic of events is whole again")
    newcomer.leave()

    def is_there():
        marks = stage.marks()
        return all(marks.get(pair, 0) >= value for pair, value in heads.items())

    await stage.until(is_there, "what was on its way has arrived")
    return down_s, time.monotonic() - began_s


WAYS = {
    "lane owner": owner,
    "relay": relay,
    "broker": broker,
    "database": database,
    "topics": topics,
}


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
