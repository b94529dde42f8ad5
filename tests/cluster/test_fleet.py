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
from lingqian.cluster.keeper import Timing
from lingqian.cluster.post import RELAY_POST
from lingqian.redpacket.packet import PacketKind

FULL = os.environ.get("LINGQIAN_CLUSTER") == "full"
BOUND_S = 3 * 3_600 if FULL else 400
PEOPLE = 32 if FULL else 16
COMMANDS = 20_000 if FULL else 300
PACKETS = 3_226 if FULL else 16
# How long people open in peace before the next thing is killed.
SPELL_S = 30 if FULL else 0.4
pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]


@pytest.fixture
def server():
    """A server that nobody else uses: it is killed."""
    own = mariadb.Server()
    yield own
    own.stop()


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
    all_laws(ships.reader)
    for lane in LANES:
        row = ships.reader.execute(
            "SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM journal WHERE lane = ?", (lane,)
        ).fetchone()
        assert row[0] == row[1], f"lane {lane} has a gap"


def test_any_lane_is_reached_through_any_process(place):
    """One edge, two owners; people of both pay each other and the relay carries it."""

    async def run():
        async with fleet(place, 2) as ships:
            names = await settle(ships)
            commands = transfers(ships, names, 200, 1)
            answers = await ships.ask_all(commands)
            assert not any(answer.code for answer in answers)
            # Whoever asks again is told what was answered first, wherever it is asked.
            again = await ships.ask_all(commands[:20])
            assert [each.first.seq for each in again] == [each.seq for each in answers[:20]]
            await ships.drained()
            assert sum(ships.world.balance(name) for name in names) == PEOPLE * 100_000
            check(ships)

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


def test_everything_is_killed_in_turn_while_people_open(server):
    """A lane's owner, the relay's, the database itself; each open is answered, once."""
    place = server.fresh()

    async def run():
        async with fleet(place, 4, Timing(life_s=4.0, beat_s=1.0)) as ships:
            names = await settle(ships)
            claims = await send(ships, names)
            asking = asyncio.create_task(ships.ask_all(claims, 32))
            for kill in (kill_owner, kill_relay, lambda _: again(server)):
                await asyncio.sleep(SPELL_S)
                kill(ships)
            answers = await asking
            assert not any(answer.code for answer in answers)
            await ships.drained()
            rows = ships.reader.execute("SELECT COUNT(*), SUM(amount_fen) FROM claims").fetchone()
            assert [int(each) for each in rows] == [len(claims)] * 2
            check(ships)

    asyncio.run(run())


async def send(ships, names):
    """Send packets of one fen a share; return everybody's opening of each but their own."""
    world, commands = ships.world, []
    senders = [names[number % PEOPLE] for number in range(PACKETS)]
    shares = PEOPLE - 1
    for number, sender in enumerate(senders):
        packet = world.send(f"packet {number}", sender, PacketKind.EQUAL, shares, shares)
        commands.append(packet)
    answers = await ships.ask_all(commands)
    assert not any(answer.code for answer in answers)
    claims = [
        world.claim(f"packet {number}", name)
        for number, sender in enumerate(senders)
        for name in names
        if name != sender
    ]
    random.Random(7).shuffle(claims)
    return claims


def kill_owner(ships):
    """Take away a process that owns lanes and is not the relay's."""
    relay = ships.owners()[RELAY_POST]
    victim = next(each for each in ships.processes if each.name != relay)
    ships.processes.remove(victim)
    victim.kill()


def kill_relay(ships):
    """Take away the process that carries money between the others."""
    relay = ships.owners()[RELAY_POST]
    victim = next((each for each in ships.processes if each.name == relay), ships.processes[0])
    ships.processes.remove(victim)
    victim.kill()


def again(server):
    """Kill the database as a power cut does, and start it again."""
    server.kill()
    server.start()


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
            seals = ships.reader.execute("SELECT lane, epoch, last_seq FROM seals")
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
    return ships.reader.execute("SELECT epoch FROM lanes WHERE lane = ?", (lane,)).fetchone()[0]
