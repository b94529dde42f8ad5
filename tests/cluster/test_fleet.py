"""Several processes share the lanes: any of them goes, and nobody who asked is left without answer.

Small in the ordinary test command; LINGQIAN_CLUSTER=full: a hundred thousand opens.
"""

import asyncio
import os
import random
import signal

import pytest

import mariadb
from cluster.fleet import fleet
from cluster.member import LANES
from law import all_laws
from lingqian.redpacket.packet import PacketKind

FULL = os.environ.get("LINGQIAN_CLUSTER") == "full"
BOUND_S = 3_600 if FULL else 300
PEOPLE = 32
COMMANDS = 20_000 if FULL else 600
pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]


@pytest.fixture
def place():
    """A database without any table."""
    return mariadb.server().fresh()


def people(ships):
    """Return commands that make people over all the lanes, and their names."""
    names = [f"p{number}" for number in range(PEOPLE)]
    return names, [ships.world.register(name) for name in names]


async def settle(ships):
    """Make people with money."""
    names, commands = people(ships)
    answers = await ships.ask_all(commands)
    answers += await ships.ask_all([ships.world.fund(name, 100_000) for name in names])
    assert not any(answer.code for answer in answers)
    return names


def transfers(ships, names, count, seed):
    """Return transfers between people of all lanes."""
    chance = random.Random(seed)
    pairs = [chance.sample(names, 2) for _ in range(count)]
    return [ships.world.transfer(a, b, chance.randint(1, 50)) for a, b in pairs]


def check(ships):
    """All laws hold on what is stored, and everything adds up."""
    all_laws(ships.world.connection)
    connection = ships.world.connection
    for lane in LANES:
        row = connection.execute(
            "SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM journal WHERE lane = ?", (lane,)
        ).fetchone()
        assert row[0] == row[1], f"lane {lane} has a gap"


def test_any_lane_is_reached_through_any_process(place):
    """One edge, two owners; people of both pay each other and the relay carries it."""

    async def run():
        async with fleet(place, 2) as ships:
            names = await settle(ships)
            answers = await ships.ask_all(transfers(ships, names, 200, 1))
            assert not any(answer.code for answer in answers)
            await ships.drained()
            assert sum(ships.world.balance(name) for name in names) == PEOPLE * 100_000
            check(ships)

    asyncio.run(run())


def test_same_command_through_another_process_is_answered_again(place):
    """A caller whose connection broke asks the next edge, and is told what was answered first."""

    async def run():
        async with fleet(place, 2) as ships:
            names = await settle(ships)
            command = ships.world.transfer(names[0], names[1], 5)
            first = await ships.ask(command)
            again = await ships.ask(command)
            assert again.first.seq == first.seq
            assert again.first.outcome == first.outcome

    asyncio.run(run())


def test_planned_move_takes_a_moment_and_loses_nothing(place):
    """A process is added and another told to stop while people pay: each is answered."""

    async def run():
        async with fleet(place, 2) as ships:
            names = await settle(ships)
            commands = transfers(ships, names, COMMANDS, 2)
            asking = asyncio.create_task(ships.ask_all(commands, at_once=32))
            await ships.grow()
            await ships.level()
            first = ships.processes[0]
            lanes = ships.lanes_of(first)
            first.signal(signal.SIGTERM)
            moved_s = await ships.until(lambda: not ships.lanes_of(first), "they are let go")
            held_s = await ships.until(lambda: all(ships.owners().values()), "they are taken")
            words, code = await first.said()
            ships.processes.remove(first)
            assert (words[-1], code) == ("gone", 0)
            answers = await asking
            assert lanes
            assert [answer.command for answer in answers] == commands
            assert not any(answer.code for answer in answers)
            await ships.drained()
            check(ships)
            return moved_s, held_s

    asyncio.run(run())


def test_killed_owner_is_replaced_within_its_lease(place):
    """Nobody says goodbye for it; every command under way is answered all the same, once."""

    async def run():
        async with fleet(place, 3) as ships:
            names = await settle(ships)
            asking = asyncio.create_task(ships.ask_all(transfers(ships, names, COMMANDS, 3), 32))
            await asyncio.sleep(0.3)
            victim = ships.processes.pop(0)
            assert ships.lanes_of(victim)
            victim.kill()
            took_s = await ships.level()
            assert took_s < ships.timing.life_s + ships.timing.beat_s + 10
            answers = await asking
            assert not any(answer.code for answer in answers)
            await ships.drained()
            assert sum(ships.world.balance(name) for name in names) == PEOPLE * 100_000
            check(ships)

    asyncio.run(run())


def test_claims_of_a_packet_are_never_more_than_its_shares(place):
    """Everybody opens, while the owner of the packet's lane is killed."""

    async def run():
        async with fleet(place, 3) as ships:
            names = await settle(ships)
            world = ships.world
            sent = await ships.ask(world.send("packet", names[0], PacketKind.LUCKY, 2_000, 20))
            assert not sent.code
            lane = world.lane_of("packet")
            owner = next(each for each in ships.processes if lane in ships.lanes_of(each))
            ships.processes.remove(owner)
            claims = [world.claim("packet", name) for name in names[1:]]
            asking = asyncio.create_task(ships.ask_all(claims, 4))
            await asyncio.sleep(0.02)
            owner.kill()
            answers = await asking
            await ships.drained()
            won = [answer for answer in answers if not answer.code]
            assert len(won) == 20
            count, total = world.connection.execute(
                "SELECT COUNT(*), SUM(amount_fen) FROM claims WHERE share > 0"
            ).fetchone()
            assert (count, int(total)) == (20, 2_000)
            check(ships)

    asyncio.run(run())


def test_stopped_owner_commits_nothing_when_it_wakes(place):
    """It slept through its lease and believes that its lanes are its own; the database knows."""

    async def run():
        async with fleet(place, 2) as ships:
            names = await settle(ships)
            sleeper = ships.processes.pop(0)
            lanes = ships.lanes_of(sleeper)
            asking = asyncio.create_task(ships.ask_all(transfers(ships, names, COMMANDS, 4), 32))
            await asyncio.sleep(0.2)
            sleeper.signal(signal.SIGSTOP)
            await ships.level()
            epochs = {lane: epoch(ships, lane) for lane in lanes}
            sleeper.signal(signal.SIGCONT)
            answers = await asking
            assert not any(answer.code for answer in answers)
            await ships.drained()
            seals = ships.world.connection.execute("SELECT lane, epoch, last_seq FROM seals")
            by_lane = {}
            for lane, number, _ in sorted(seals.fetchall(), key=lambda row: (row[0], row[2])):
                by_lane.setdefault(lane, []).append(number)
            for lane in lanes:
                assert by_lane[lane] == sorted(by_lane[lane]), (
                    "the late one wrote after the new one"
                )
                assert by_lane[lane][-1] >= epochs[lane]
            check(ships)

    asyncio.run(run())


def epoch(ships, lane):
    """Return a lane's epoch."""
    return ships.world.connection.execute(
        "SELECT epoch FROM lanes WHERE lane = ?", (lane,)
    ).fetchone()[0]
