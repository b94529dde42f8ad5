"""What a watcher is shown: how commits ended, what waits between lanes and for webhooks."""

import pytest

from lingqian.kernel.fault import Fenced, Unknown, Unsent
from lingqian.storage.backlog import Backlog, backlog
from lingqian.storage.endpoint import Endpoint, add_endpoint, disable_endpoint
from world import World


@pytest.fixture
def world():
    """Two people with ten yuan each, in two lanes."""
    made = World(2)
    made.batch(made.register("a"), made.register("b"))
    made.batch(made.fund("a", 1_000), made.fund("b", 1_000))
    yield made
    made.close()


def waits(world):
    """Return what waits now."""
    return world.writer.read(backlog)


def test_money_between_lanes_waits_until_it_is_taken(world):
    """Three amounts, the oldest by the time of its own row; nothing once they are there."""
    assert waits(world) == Backlog(0, 0, {}, 0)
    first, *_ = world.batch(world.transfer("a", "b", 1), world.transfer("a", "b", 2))
    world.clock.us += 5_000_000
    world.batch(world.transfer("b", "a", 3))
    assert waits(world)[:2] == (3, first.at_us)
    world.pump()
    assert waits(world)[:2] == (0, 0)


def test_a_webhook_is_behind_by_the_rows_it_has_not_had(world):
    """The one that is served least counts; one that was given up does not."""
    rows = {lane.row.lane: lane.row.next_seq - 1 for lane in world.writer.lanes.values()}
    ends = {"even": rows, "late": {0: rows[0] - 2, 1: rows[1]}, "gone": {0: 0, 1: 0}}

    def write(connection):
        for name, at in ends.items():
            add_endpoint(connection, Endpoint(name, "https://a.example", (), b"", 0, 0), at)
        disable_endpoint(connection, "gone", 1)

    world.writer.chore(write)
    assert waits(world).behind == {0: 2, 1: 0}


def cut(world, *, is_late):
    """Cut the next commit, before or after it is done."""
    real = world.store.commit

    def commit(batches):
        world.store.commit = real
        if is_late:
            real(batches)
        raise Unknown("cut")

    world.store.commit = commit


def test_commits_are_counted_by_how_they_ended(world):
    """An engineer on call sees cut commits and lost lanes before anybody complains."""
    outcomes = world.writer.outcomes
    before = outcomes["committed"]
    cut(world, is_late=True)
    world.batch(world.fund("a", 1))
    assert (outcomes["unknown"], outcomes["found_committed"]) == (1, 1)
    cut(world, is_late=False)
    with pytest.raises(Unsent):
        world.batch(world.fund("a", 1))
    assert (outcomes["unknown"], outcomes["found_missing"]) == (2, 1)
    world.batch(world.fund("a", 1))
    assert outcomes["committed"] == before + 1
    older, world.writer = world.writer, world.open_writer()
    newer, world.writer = world.writer, older
    with pytest.raises(Fenced):
        world.batch(world.fund("a", 1))
    world.writer = newer
    assert (outcomes["fenced"], newer.outcomes["fenced"]) == (1, 0)


def test_errors_of_the_engine_are_counted_by_its_own_words(world):
    """A full disk has its own word, and an alert of its own."""
    world.connection.execute("PRAGMA query_only = 1")
    with pytest.raises(Unsent):
        world.batch(world.fund("a", 1))
    world.connection.execute("PRAGMA query_only = 0")
    assert set(world.store.errors) == {"readonly"}
