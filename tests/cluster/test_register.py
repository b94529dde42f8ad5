"""The register on a real server: time is the server's, and a lease has one holder."""

import time

import pytest

import mariadb
from lingqian.cluster.lease import Lease, Member, lane_lease
from lingqian.cluster.register import Register
from lingqian.kernel.clock import SECOND_US
from lingqian.storage.mysql.store import MysqlStore

pytestmark = pytest.mark.needs("mariadb")
LIFE_S = 9
NAMES = [lane_lease(lane) for lane in range(3)]


@pytest.fixture
def place():
    """An empty database."""
    with mariadb.database() as address:
        yield address


@pytest.fixture
def join(place):
    """Open a register, as another process would; all are closed in the end."""
    opened = []

    def join(life_s=LIFE_S):
        opened.append(Register(MysqlStore(place), life_s))
        return opened[-1]

    yield join
    for each in opened:
        each.close()


def member(name):
    """Return a member as it names itself; how long it lives is for the server to say."""
    return Member(name, f"{name}:1", frozenset(("lane", "jobs")), 1, 0)


def test_member_lives_by_the_clock_of_the_server(join):
    """Its own clock may be hours off: only how long it lives is its own to say."""
    picture = join().beat(member("a"))
    (found,) = picture.members
    assert found._replace(until_us=0) == member("a")
    life_us = found.until_us - picture.now_us
    assert 0 < LIFE_S * SECOND_US - life_us < SECOND_US
    assert abs(picture.now_us - time.time_ns() // 1_000) < SECOND_US, "universal time"
    assert set(picture.living()) == {"a"}


def test_renewed_life_begins_anew_and_a_missed_renewal_ends_it(join):
    """Nobody has to do anything for a member that died to be gone."""
    brief = join(life_s=0.4)
    brief.beat(member("a"))
    time.sleep(0.25)
    assert set(brief.beat(member("a")).living()) == {"a"}
    time.sleep(0.25)
    assert set(brief.look().living()) == {"a"}, "renewed"
    time.sleep(0.25)
    assert set(brief.look().living()) == set(), "not renewed"


def test_lease_has_one_holder(join):
    """Two that saw the same free lease: one of them has it, and the other is told so."""
    ours, theirs = join(), join()
    ours.open(NAMES)
    free = theirs.look().leases
    assert [lease.name for lease in free] == NAMES
    assert ours.take(free[:2], "a") == [Lease(name, "a", 1) for name in NAMES[:2]]
    assert theirs.take(free, "b") == [Lease(NAMES[2], "b", 1)]
    assert [lease.owner for lease in ours.look().leases] == ["a", "a", "b"]


def test_lease_is_taken_only_as_it_was_seen(join):
    """Its holder let it go and took it again meanwhile: the epoch says so."""
    ours, theirs = join(), join()
    ours.open(NAMES[:1])
    seen = ours.take(ours.look().leases, "a")
    ours.release(NAMES[:1], "a")
    ours.take(ours.look().leases, "a")
    assert theirs.take(tuple(seen), "b") == []
    assert theirs.take(ours.look().leases, "b") == [Lease(NAMES[0], "b", 3)]


def test_release_lets_go_only_what_is_ones_own(join):
    """Who wakes up late must not free what his successor holds."""
    ours = join()
    ours.open(NAMES)
    ours.take(ours.look().leases, "b")
    ours.release(NAMES, "a")
    assert {lease.owner for lease in ours.look().leases} == {"b"}
    ours.release(NAMES[:1], "b")
    assert [lease.owner for lease in ours.look().leases] == ["", "b", "b"]


def test_who_leaves_is_gone_at_once(join):
    """Nobody waits for the time of somebody who said goodbye."""
    ours = join()
    ours.open(NAMES)
    ours.beat(member("a"))
    ours.take(ours.look().leases, "a")
    ours.leave("a")
    picture = ours.look()
    assert picture.members == ()
    assert {lease.owner for lease in picture.leases} == {""}


def test_opening_again_changes_nothing_and_forgets_the_long_gone(join):
    """Each process opens the register; a member that died a day ago is a row for nobody."""
    ours = join(life_s=-2 * 24 * 3_600)
    ours.open(NAMES)
    ours.beat(member("gone"))
    ours.take(ours.look().leases, "gone")
    ours.open([*NAMES, lane_lease(3)])
    picture = ours.look()
    assert picture.members == ()
    assert [(each.owner, each.epoch) for each in picture.leases] == [("", 1)] * 3 + [("", 0)]
