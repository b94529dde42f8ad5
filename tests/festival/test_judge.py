"""The judge of a festival is worth what it finds: books that are right, and one fault at a time."""

import pytest

from festival.judge import judge
from festival.listener import heard
from festival.memory import Again, Memory, Notebook, Open, Packet, Person, remembered
from lingqian.events.bus import EVENTS
from lingqian.events.egress import Egress
from lingqian.events.local import LocalBus
from lingqian.events.tail import Journal
from lingqian.events.tally import Tally
from lingqian.kit.follow import Follower, Mark
from world import World

FEN, SHARES, LANES = 10_000, 4, 2
CREDIT = "UPDATE accounts SET credits_posted = credits_posted + 7 WHERE account = ?"
FAULTS = {
    "doubled credit": (CREDIT, "should have"),
    "lost claim": ("DELETE FROM claims WHERE share = 2", "lost: "),
    "changed claim": ("UPDATE claims SET amount_fen = amount_fen + 1 WHERE share = 1", "changed: "),
    "share too many": ("UPDATE claims SET share = 9 WHERE share = 1", "of 4 shares"),
    "cut middle": ("DELETE FROM journal WHERE lane = 1 AND seq = 2", "lane 1 has"),
    "cut tail": ("DELETE FROM journal WHERE lane = 0 AND seq = 5", "lane 0 has"),
    "lost lane": ("DELETE FROM journal WHERE lane = 1", "lane 1 has no rows"),
    "lost relay": ("UPDATE relay_marks SET value = value - 1", "have arrived"),
    "edited row": ("UPDATE journal SET at_us = at_us + 1 WHERE seq = 3", "is_dense_and_sealed"),
}


@pytest.fixture
def world():
    """Two lanes, four people who open, and one who comes too late."""
    made = World(LANES)
    for name in "abcdef":
        made.do(made.register(name))
        made.do(made.fund(name, FEN))
    made.do(made.send("packet", "a", total_fen=400, count=SHARES))
    yield made
    made.close()


@pytest.fixture
def memory(world):
    """What they were told."""
    ids = {name: key.hex() for name, key in world.ids.items()}
    opens = []
    for name in "bcdef":
        answer = world.do(world.claim("packet", name))
        share, fen = answer.outcome[:2] if answer.outcome else (0, 0)
        code = "ok" if share else "packet_finished"
        opens.append(Open(ids["packet"], ids[name], code, share, fen, 1, 1))
    people = [Person(ids[name], FEN) for name in "abcdef"]
    sent = [Packet(ids["packet"], ids["a"], 400, SHARES)]
    return Memory(people, sent, opens, [], listened(world.connection))


def listened(connection):
    """Tell everything on a bus, and return what somebody heard who followed."""
    bus, lanes = LocalBus(), range(LANES)
    bus.create(EVENTS, LANES)
    teller = Egress(bus, Journal(connection, "urn:somewhere"), lambda: lanes, Tally("events_out"))
    follower = Follower(bus, dict.fromkeys(lanes, Mark()))
    while teller.round():
        pass
    return [*map(heard, follower.take(0))]


def test_right_books_are_right(world, memory):
    """Four were told of a share, one that it was over, and all of that is so."""
    assert len(memory.won) == SHARES
    assert judge(memory, world.connection) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(world, memory, name):
    """One row is not as it was, and the judge says which."""
    text, words = FAULTS[name]
    values = (world.ids["b"] + b"\1\1",) if "?" in text else ()
    world.connection.execute(text, values)
    assert any(words in each for each in judge(memory, world.connection))


def test_answer_that_nobody_got_is_found(world, memory):
    """A share was taken and the person was told nothing, or something else the second time."""
    untold = memory._replace(opens=memory.opens[1:])
    assert any("untold" in each for each in judge(untold, world.connection))
    other = memory.opens[0]._replace(fen=memory.opens[0].fen + 1)
    doubled = memory._replace(agains=[Again(*other)])
    assert any("two answers" in each for each in judge(doubled, world.connection))
    odd = memory._replace(agains=[Again(*other._replace(share=0, code="unavailable"))])
    assert any("unavailable" in each for each in judge(odd, world.connection))


def first_of_a_lane(events):
    """Return an event that another one of its lane follows at once, and where it is."""
    return next(at for at, each in enumerate(events) if each.lane == events[at + 1].lane)


LIES = {
    "one is missing": (lambda all_, at: [*all_[:at], *all_[at + 1 :]], "never heard"),
    "the last is missing": (lambda all_, _: all_[:-1], "never heard"),
    "one came twice": (lambda all_, at: [*all_, all_[at]], "heard 2 times"),
    "two changed places": (
        lambda all_, at: [*all_[:at], all_[at + 1], all_[at], *all_[at + 2 :]],
        "heard too late",
    ),
    "one was made up": (
        lambda all_, at: [*all_, all_[at]._replace(seq=99)],
        "heard of nothing",
    ),
    "one said something else": (
        lambda all_, at: [*all_[:at], all_[at]._replace(digest="0"), *all_[at + 1 :]],
        "heard otherwise",
    ),
    "no balance was told": (
        lambda all_, _: [each._replace(balances=[]) for each in all_],
        "None was heard",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_each_lie_of_a_follower_is_found(world, memory, name):
    """One event is not as the journal tells it, and the judge says which."""
    lie, words = LIES[name]
    told = memory._replace(heard=lie(memory.heard, first_of_a_lane(memory.heard)))
    wrong = judge(told, world.connection)
    assert any(words in each for each in wrong), wrong


def test_balance_that_was_heard_otherwise_is_found(world, memory):
    """Bus and ledger tell of each person's money alike, or the judge says whose they do not."""
    at, odd = [(at, each) for at, each in enumerate(memory.heard) if each.balances][-1]
    user_id, fen = odd.balances[0]
    told = [*memory.heard]
    told[at] = odd._replace(balances=[[user_id, fen + 7]])
    wrong = judge(memory._replace(heard=told), world.connection)
    assert wrong == [f"{user_id} has {fen}, and {fen + 7} was heard"]


def test_notebook_is_read_as_it_was_written(tmp_path, memory):
    """A line that was cut off by the writer's death is left out."""
    path = tmp_path / "notebook"
    notebook = Notebook(path)
    for told in memory:
        notebook.note(*told)
    notebook.close()
    with path.open("a") as end:
        end.write('["Open", "a')
    assert remembered(path) == memory
