"""The judge of a festival is worth what it finds: books that are right, and one fault at a time."""

import pytest

from festival.judge import judge
from festival.memory import Again, Memory, Notebook, Open, Packet, Person, remembered
from world import World

FEN, SHARES = 10_000, 4
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
    made = World(2)
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
    return Memory(people, [Packet(ids["packet"], ids["a"], 400, SHARES)], opens, [])


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
