"""Who holds what is decided by everybody from the same picture, and everybody decides the same."""

import random

import pytest

from lingqian.cluster.lease import (
    Lease,
    Member,
    Picture,
    lane_lease,
    lane_of_lease,
    level,
    spread,
)
from lingqian.cluster.role import OURS, Role

NOW_US = 1_000
ALL = frozenset(OURS)


def member(name, *, roles=ALL, until_us=NOW_US + 1):
    """Return a member that lives just now."""
    return Member(name, f"{name}:1", frozenset(roles), 1, until_us)


def lanes(*owners):
    """Return a lease for each lane, held by these."""
    return tuple(Lease(lane_lease(lane), owner, 1) for lane, owner in enumerate(owners))


def picture(members, leases):
    """Return a picture of now."""
    return Picture(NOW_US, tuple(members), tuple(leases))


def settled(members, leases, rounds=10):
    """Let everybody do what they are told, in turn, until nobody has anything to do."""
    held = {each.name: each for each in leases}
    for _ in range(rounds):
        moved = 0
        for each in members:
            moves = spread(each.name, picture(members, held.values()))
            for gift in moves.give:
                held[gift.lease.name] = gift.lease._replace(owner="")
            for lease in moves.take:
                held[lease.name] = lease._replace(owner=each.name, epoch=lease.epoch + 1)
            moved += len(moves.give) + len(moves.take)
        if not moved:
            return held
    raise AssertionError("they never come to rest")


def counts(held, members, role=Role.LANE):
    """Return how many leases of a role each member has."""
    return [
        sum(each.owner == name and each.role == role for each in held.values())
        for name in (each.name for each in members)
    ]


TABLE = [
    # what it is, members, owners before, me → lanes to take, lanes to give and to whom
    ("alone, all are free", "a", ["", "", ""], "a", [0, 1, 2], []),
    ("alone, all are mine", "a", ["a", "a"], "a", [], []),
    ("a second one comes", "ab", ["a", "a", "a", "a"], "a", [], [(3, "b"), (2, "b")]),
    ("the second one waits for them", "ab", ["a", "a", "a", "a"], "b", [], []),
    ("let go, so they are taken", "ab", ["a", "a", "", ""], "b", [2, 3], []),
    ("an odd one stays where it is", "ab", ["a", "a", "b"], "a", [], []),
    ("an odd one stays there too", "ab", ["a", "b", "b"], "a", [], []),
    ("somebody is gone", "ac", ["a", "b", "c"], "a", [1], []),
    ("somebody is gone, not my share", "ac", ["a", "b", "c"], "c", [], []),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_table_of_moves(row):
    """Each row is a moment in the life of a cluster."""
    _, there, owners, me, take, give = row
    moves = spread(me, picture([member(each) for each in there], lanes(*owners)))
    assert [lane_of_lease(each.name) for each in moves.take] == take
    given = [(lane_of_lease(gift.lease.name), gift.to.name) for gift in moves.give]
    assert sorted(given) == sorted(give)


def test_member_whose_time_is_over_holds_nothing():
    """By the database's clock, to the microsecond; what it thinks itself does not count."""
    for until_us, taken in ((NOW_US, 1), (NOW_US + 1, 0)):
        late = member("a", until_us=until_us)
        moves = spread("b", picture([late, member("b")], lanes("a", "b")))
        assert len(moves.take) == taken


def test_member_that_leaves_gives_everything_away():
    """It has no role any more and is still there, so that each lease has somebody to go to."""
    there = [member("a", roles=()), member("b"), member("c")]
    moves = spread("a", picture(there, lanes("a", "a", "a", "b")))
    assert len(moves.give) == 3
    assert {gift.to.name for gift in moves.give} == {"b", "c"}


def test_last_member_that_leaves_has_nobody_to_give_to():
    """Then it says so, and lets go when it has finished."""
    moves = spread("a", picture([member("a", roles=())], lanes("a")))
    assert [gift.to for gift in moves.give] == [None]


def test_roles_are_shared_out_among_those_who_have_them():
    """An edge holds nothing; a relay holds no lane."""
    there = [
        member("e", roles=["edge"]),
        member("l", roles=[Role.LANE]),
        member("r", roles=[Role.RELAY]),
    ]
    leases = (*lanes("", ""), Lease("relay/all", "", 0), Lease("jobs/sweep", "", 0))
    held = settled(there, leases)
    assert counts(held, there) == [0, 2, 0]
    assert counts(held, there, Role.RELAY) == [0, 0, 1]
    assert counts(held, there, Role.JOBS) == [0, 0, 0], "nobody is there for it"


def test_any_cluster_comes_to_rest_with_equal_shares():
    """From whatever it was in, and no lease is given away that could have stayed."""
    chance = random.Random(5)
    for _ in range(300):
        names = [f"m{number}" for number in range(chance.randint(1, 6))]
        there = [member(name) for name in names]
        owners = chance.choices(["", "gone", *names], k=chance.randint(1, 40))
        held = settled(there, lanes(*owners))
        found = counts(held, there)
        assert sum(found) == len(owners)
        assert max(found) - min(found) <= 1
        again = settled(there, held.values())
        assert again == held, "what is level stays as it is"


def test_as_few_as_can_be_move():
    """A lane that moves has a cold memory: the third of three that come gets one third, no more."""
    leases = lanes(*"ab" * 6)
    shares = level(leases, ["a", "b", "c"])
    assert [len(shares[name]) for name in "abc"] == [4, 4, 4]
    stayed = sum(each.name in shares[each.owner] for each in leases)
    assert stayed == 8


def test_names_of_lanes_sort_as_lanes_do():
    """Everybody walks through them in one order, in text or in numbers."""
    names = [lane_lease(lane) for lane in (0, 9, 10, 255, 65_535)]
    assert names == sorted(names)
    assert [lane_of_lease(name) for name in names] == [0, 9, 10, 255, 65_535]
    assert lane_of_lease("jobs/sweep") is None
