"""Lanes that several writers share: gained and lost between batches, answered by one at a time."""

import asyncio
import itertools
from types import SimpleNamespace

import pytest

from lingqian.flows.command import Transfer
from lingqian.kernel.fault import Busy, Fenced, Moved
from lingqian.kernel.id import mint
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.memory import memory_store
from world import World, open_seed

PATIENCE_S = 10
LANES = frozenset(range(2))
_numbers = itertools.count()


@pytest.fixture
def two():
    """Two intakes over one database of two lanes with a person in each; nobody owns any yet."""
    name = f"shared {next(_numbers)}"
    world = World(2, store=memory_store(name))
    world.batch(*[world.register(each) for each in "ab"])
    world.batch(*[world.fund(each, 1_000) for each in "ab"])
    made = [opened(name, world) for _ in range(2)]
    yield SimpleNamespace(world=world, one=made[0], other=made[1])
    for each in made:
        each.stop()
    world.close()


def opened(name, world):
    """Start an intake that shares the lanes and owns none."""
    chances = itertools.count(1_000 * next(_numbers))

    def writer():
        shell = Shell(world.clock, lambda size: next(chances).to_bytes(size, "big"), open_seed)
        return Writer(memory_store(name), [], world.policy, shell)

    intake = Intake(writer)
    intake.start()
    intake.share(LANES).result(PATIENCE_S)
    return intake


def own(intake, *lanes):
    """Let an intake own these lanes as well."""
    intake.take(lanes).result(PATIENCE_S)


def ask(intake, command):
    """Return the answer to a command; raises what the caller would be told."""
    return intake.ask_many([Submission(command)])[0].result(PATIENCE_S)


def test_command_for_a_lane_that_is_not_ours_is_told_to_look_again(two):
    """It is no refusal, and nothing was tried: somebody else answers it."""
    own(two.one, 0)
    assert not ask(two.one, two.world.fund("a", 1)).code
    with pytest.raises(Moved):
        ask(two.one, two.world.fund("b", 1))
    own(two.other, 1)
    assert not ask(two.other, two.world.fund("b", 1)).code


def test_neighbours_of_a_stray_are_answered(two):
    """One command came to the wrong door; those behind it did not."""
    own(two.one, 0)
    commands = [two.world.fund(name, 1) for name in "aba"]
    futures = two.one.ask_many([Submission(each) for each in commands])
    assert [isinstance(each.exception(PATIENCE_S), Moved) for each in futures] == [
        False,
        True,
        False,
    ]


def test_writer_without_lanes_answers_nothing(two):
    """An edge has a writer for its chores; a command that came here looks on."""
    with pytest.raises(Moved):
        ask(two.one, two.world.fund("a", 1))
    assert two.one.chore(lambda connection: connection.execute("SELECT 7").fetchone()).result(
        PATIENCE_S
    ) == (7,)


def test_lane_goes_from_one_to_the_other_with_everything_in_it(two):
    """What one answered the other knows: the key, the balance, the next number."""
    own(two.one, 0)
    command = two.world.fund("a", 5)
    first = ask(two.one, command)
    two.one.give([0]).result(PATIENCE_S)
    own(two.other, 0)
    with pytest.raises(Moved):
        ask(two.one, command)
    again = ask(two.other, command)
    assert again.first.seq == first.seq
    assert ask(two.other, two.world.fund("a", 5)).seq == first.seq + 1


def test_lane_taken_without_a_word_is_noticed_at_the_first_commit(two):
    """The database says it; then nothing that we believed about our lanes is true any more."""
    heard = []
    two.one.on_fenced = lambda: heard.append(1)
    own(two.one, 0, 1)
    ask(two.one, two.world.fund("a", 1))
    own(two.other, 0)
    with pytest.raises(Moved):
        ask(two.one, two.world.fund("a", 1))
    assert heard == [1]
    with pytest.raises(Moved):
        ask(two.one, two.world.fund("b", 1))
    own(two.one, 1)
    assert not ask(two.one, two.world.fund("b", 1)).code
    assert not ask(two.other, two.world.fund("a", 1)).code


def test_who_owns_all_lanes_alone_is_told_that_he_is_fenced(two):
    """Where lanes are not shared there is nobody to look for."""
    two.one.share(frozenset()).result(PATIENCE_S)
    own(two.one, 0, 1)
    own(two.other, 0)
    with pytest.raises(Fenced):
        ask(two.one, two.world.fund("a", 1))


def test_lane_that_never_was_is_anybodys(two):
    """Ids come from outside: nothing is there, and whoever is asked says so."""
    own(two.one, 1)
    nobody = mint(77, 1, 1)
    command = Transfer(nobody[:2] + bytes(14), mint(77, 1, 2), nobody, nobody, 1, b"", 3, 1)
    assert ask(two.one, command).code


def test_money_stays_on_its_way_to_a_lane_of_somebody_else(two):
    """The writer carries only between its own; what is left the relay finds."""
    own(two.one, 0)
    own(two.other, 1)
    assert not ask(two.one, two.world.transfer("a", "b", 300)).code
    assert two.world.balance("b") == 1_000
    two.other.give([1]).result(PATIENCE_S)
    own(two.one, 1)
    assert not ask(two.one, two.world.transfer("a", "b", 1)).code
    two.one.take([0]).result(PATIENCE_S)  # behind the relay of that batch
    assert two.world.balance("b") == 1_301


def test_command_whose_time_is_over_is_not_tried(two):
    """Whoever waited for it has given up, and would not hear the answer."""
    own(two.one, 0)

    async def late():
        with pytest.raises(Busy):
            await two.one.ask(Submission(two.world.fund("a", 1)), -1.0)
        return await two.one.ask(Submission(two.world.fund("a", 1)), PATIENCE_S)

    assert not asyncio.run(late()).code
    assert two.world.balance("a") == 1_001
