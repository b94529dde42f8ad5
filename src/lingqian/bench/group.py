"""Callers in front of lane groups: one process or two, one lane or several, a writer each (分组).

Law: where money does not cross, a transfer is one command; where it does, the relay makes a second
one behind the batch, and whoever paid has had his answer by then.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

from lingqian.bench.caller import crowd, run_loop
from lingqian.bench.report import Crowd
from lingqian.bench.world import Mint, Place, World
from lingqian.compose import KEYS
from lingqian.flows.kind import home_lane
from lingqian.storage.collector import calm_collector
from lingqian.storage.desk import Desk
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.vault import open_vault


class Group(NamedTuple):
    """The callers of one process, and what they ask.

    `writers` are the lanes of each writer of the process. Everybody pays `target_id`, or, where it
    is empty, somebody of the own lane, or of any lane when money `crosses`.
    """

    place: Place
    writers: tuple[tuple[int, ...], ...]
    people: Sequence[bytes]
    callers: int
    calls: int
    target_id: bytes = b""
    crosses: bool = False


class Lap(NamedTuple):
    """A group's callers, and when they began by the clock that all processes share."""

    began_s: float
    crowd: Crowd


def lane_of(person: bytes) -> int:
    """Return the lane that somebody lives in."""
    return int.from_bytes(person[:2], "big")


def by_lane(people: Sequence[bytes]) -> dict[int, list[bytes]]:
    """Return the people of each lane."""
    homes: dict[int, list[bytes]] = defaultdict(list)
    for each in people:
        homes[lane_of(each)].append(each)
    return homes


def grouped(world: World, writers: tuple[tuple[int, ...], ...], callers: int, calls: int) -> Group:
    """Return a group over some of a world's lanes, and the people who live there."""
    homes = by_lane(world.people)
    people = [each for lanes in writers for lane in lanes for each in homes[lane]]
    return Group(world.place, writers, people, callers, calls)


def pairs(mint: Mint, group: Group) -> list[tuple[bytes, bytes]]:
    """Choose who pays whom, before the clock runs."""
    if group.target_id or group.crosses:
        return [mint.pair(group.target_id or None) for _ in range(group.calls)]
    homes = by_lane(group.people)
    payers = mint.chance.choices(group.people, k=group.calls)
    return [(payer, _other(mint, homes[lane_of(payer)], payer)) for payer in payers]


def _other(mint: Mint, people: Sequence[bytes], payer: bytes) -> bytes:
    one, two = mint.chance.sample(people, 2)
    return two if one == payer else one


def run(group: Group) -> Lap:
    """Open the writers, let the callers pay, and close; may run in a process of its own."""
    calm_collector()
    vault = open_vault(group.place.folder / KEYS)
    mint = Mint(Desk(vault, group.place.lanes), group.people)
    chosen = pairs(mint, group)
    intakes = {
        lanes: Intake(partial(group.place.open_writer, vault, lanes)) for lanes in group.writers
    }
    routes = {lane: intake for lanes, intake in intakes.items() for lane in lanes}

    def ask(submission: Submission) -> Awaitable[Answer]:
        return routes[home_lane(submission.command)].ask(submission)

    async def main() -> Lap:
        for intake in intakes.values():
            await asyncio.to_thread(intake.start)
        began_s = time.monotonic()
        made = await crowd(ask, lambda: mint.pay(*chosen.pop()), group.callers, group.calls)
        return Lap(began_s, made)

    try:
        return run_loop(main())
    finally:
        for intake in intakes.values():
            intake.stop()


def together(pool: Executor, groups: Sequence[Group]) -> Crowd:
    """Run groups at once, each in a process of the pool; return them as one crowd."""
    laps = list(pool.map(run, groups))
    began_s = min(lap.began_s for lap in laps)
    ended_s = max(lap.began_s + lap.crowd.took_s for lap in laps)
    return Crowd(ended_s - began_s, [wait for lap in laps for wait in lap.crowd.waits_s])
