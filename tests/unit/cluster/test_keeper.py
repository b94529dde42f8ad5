"""The keeper: what it tells its holder, over a register in memory and a clock that is real."""

import threading
import time
from concurrent.futures import wait

import pytest

from lingqian.cluster.keeper import Keeper, Timing
from lingqian.cluster.lease import Lease, Member, Picture
from lingqian.kernel.fault import Unsent

PATIENCE_S = 20
NAMES = ["jobs/tick", *[f"lane/{lane:05d}" for lane in range(4)]]
ROLES = frozenset(("lane", "jobs"))


class Board:
    """What registers share: members and leases, by one clock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.members = {}
        self.leases = {}
        self.is_down = False
        self.silent_s = 0
        self.beats = 0
        self.released = []
        self.now_us = lambda: time.monotonic_ns() // 1_000


class Register:
    """A register in memory, with the verbs of the real one."""

    def __init__(self, board, life_s):
        self._board = board
        self._life_us = int(life_s * 1_000_000)

    def _check(self):
        if self._board.is_down:
            time.sleep(self._board.silent_s)
            raise Unsent("no database")

    def open(self, names):
        """Make leases."""
        self._check()
        with self._board.lock:
            for name in names:
                self._board.leases.setdefault(name, Lease(name, "", 0))

    def beat(self, me):
        """Renew."""
        self._check()
        self._board.beats += 1
        until_us = self._board.now_us() + self._life_us
        self._board.members[me.name] = me._replace(until_us=until_us)
        return self.look()

    def look(self):
        """Look."""
        self._check()
        with self._board.lock:
            members, leases = self._board.members, self._board.leases
            return Picture(
                self._board.now_us(), tuple(members.values()), tuple(sorted(leases.values()))
            )

    def take(self, leases, owner):
        """Compare and set."""
        self._check()
        with self._board.lock:
            taken = []
            for lease in leases:
                if self._board.leases[lease.name] == lease:
                    taken.append(lease._replace(owner=owner, epoch=lease.epoch + 1))
                    self._board.leases[lease.name] = taken[-1]
            return taken

    def release(self, names, owner):
        """Let go what is one's own."""
        self._check()
        self._board.released.append(names)
        with self._board.lock:
            for name in names:
                if self._board.leases[name].owner == owner:
                    self._board.leases[name] = self._board.leases[name]._replace(owner="")

    def leave(self, owner):
        """Go."""
        self.release(list(self._board.leases), owner)
        self._board.members.pop(owner, None)

    def close(self):
        """Release nothing."""


class Holder:
    """Remembers what it was told, and what it holds by that."""

    def __init__(self):
        self.held = set()
        self.greeted, self.told = [], []
        self.pictures = 0
        self.gains = 0
        self.is_slow = False

    def gain(self, names):
        """Begin."""
        assert not self.held & set(names), "begun twice"
        self.gains += 1
        self.held |= set(names)

    def lose(self, names):
        """End, sooner or later."""
        self.held -= set(names)
        if self.is_slow:
            raise TimeoutError("not ended yet")

    def see(self, picture):
        """Count."""
        self.pictures += 1
        self.picture = picture

    def greet(self, members):
        """Remember for whom something is made ready."""
        self.greeted += [member.name for member in members]

    def tell(self, members):
        """Remember whom."""
        self.told += [member.name for member in members]


@pytest.fixture
def crew():
    """Start members over one board by name; all are stopped in the end."""
    board, started = Board(), {}

    def start(name, life_s=5.0, beat_s=0.05):
        holder = Holder()
        me = Member(name, f"{name}:1", ROLES, 1, 0)
        timing = Timing(life_s, beat_s)
        keeper = Keeper(lambda: Register(board, life_s), me, holder, NAMES, timing)
        keeper.start()
        started[name] = keeper
        return keeper, holder

    start.board = board
    yield start
    board.is_down = False
    for keeper in started.values():
        keeper.stop()


def until(is_so):
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "never"
        time.sleep(0.005)


def test_who_is_alone_has_everything_when_it_has_started(crew):
    """Nothing waits for a second look."""
    keeper, holder = crew("a")
    assert holder.held == set(NAMES) == keeper.held
    assert keeper.is_fresh


def test_second_one_gets_its_share_and_nothing_is_held_twice(crew):
    """The first lets go before the second takes, and tells it."""
    _, first = crew("a")
    _, second = crew("b")
    until(lambda: len(first.held) == 3 and len(second.held) == 2)
    assert first.held | second.held == set(NAMES)
    assert "b" in first.told


def test_hand_over_gives_everything_to_the_others(crew):
    """It ends when all of it is given, and the member stays until it leaves."""
    keeper, first = crew("a")
    _, second = crew("b")
    until(lambda: len(second.held) == 2)
    done = wait([keeper.hand_over()], PATIENCE_S)
    assert done.done
    assert first.held == set()
    until(lambda: second.held == set(NAMES))
    assert "a" in crew.board.members
    keeper.stop()
    assert "a" not in crew.board.members


def test_hand_over_lets_lanes_go_before_timers_end(crew):
    """A timer that takes its time must not keep those waiting who ask a lane."""
    keeper, holder = crew("a", beat_s=1.0)
    _, other = crew("b", beat_s=1.0)
    keeper.nudge()
    until(lambda: len(other.held) == 2)
    before = len(crew.board.released)
    keeper.hand_over().result(PATIENCE_S)
    lanes, posts = crew.board.released[before:]
    assert {name.partition("/")[0] for name in lanes} == {"lane"}
    assert posts == ["jobs/tick"]
    assert holder.greeted.count("b") == 2, "once a hand-over, before anything is put down"


def test_looks_that_others_ask_for_renew_nothing(crew):
    """While lanes change hands there are many; each renewal is a commit that lanes wait for."""
    keeper, holder = crew("a", beat_s=30.0, life_s=90.0)
    beats, seen = crew.board.beats, [holder.pictures]
    for _ in range(3):
        keeper.nudge()
        until(lambda: holder.pictures > seen[-1])
        seen.append(holder.pictures)
    assert crew.board.beats == beats
    keeper.hand_over().result(PATIENCE_S)
    assert crew.board.beats == beats + 1, "that we go is said at once"


def test_nudges_keep_no_renewal_from_its_time(crew):
    """Whoever is asked to look again and again still says that it lives."""
    keeper, _ = crew("a", beat_s=0.1, life_s=0.5)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        keeper.nudge()
        assert keeper.is_fresh
        time.sleep(0.005)


def test_hand_over_without_anybody_keeps_all_until_it_stops(crew):
    """The last one answers what waits before it lets go."""
    keeper, holder = crew("a")
    assert wait([keeper.hand_over()], PATIENCE_S).done
    assert holder.held == set(NAMES)
    keeper.stop()
    assert holder.held == set()
    assert {lease.owner for lease in crew.board.leases.values()} == {""}


def test_renewal_that_is_missed_puts_everything_down(crew):
    """By its own clock, while the database does not answer; and it takes up what nobody took."""
    keeper, holder = crew("a", life_s=0.3)
    crew.board.is_down = True
    until(lambda: not holder.held)
    assert not keeper.is_fresh
    crew.board.is_down = False
    until(lambda: holder.held == set(NAMES))
    assert keeper.is_fresh


def test_work_that_does_not_end_in_time_stops_no_keeper(crew):
    """A commit hangs at a server that was killed; when it is there again, so are we."""
    keeper, holder = crew("a", life_s=0.3)
    crew.board.silent_s = 0.4
    holder.is_slow = crew.board.is_down = True
    until(lambda: not holder.held)
    holder.is_slow = crew.board.is_down = False
    until(lambda: holder.held == set(NAMES))
    assert keeper.is_fresh


def test_one_missed_renewal_changes_nothing(crew):
    """That is why a life is longer than two of them."""
    _, holder = crew("a", life_s=30)
    crew.board.is_down = True
    time.sleep(0.2)
    crew.board.is_down = False
    seen = holder.pictures
    until(lambda: holder.pictures > seen)
    assert (holder.held, holder.gains) == (set(NAMES), 1)


def test_what_somebody_else_has_taken_is_put_down(crew):
    """The register says so: we were thought dead, and another has it."""
    _, holder = crew("a")
    lease = crew.board.leases[NAMES[1]]
    until_us = crew.board.now_us() + 60_000_000
    crew.board.members["x"] = Member("x", "x:1", ROLES, 1, until_us)
    crew.board.leases[NAMES[1]] = lease._replace(owner="x", epoch=lease.epoch + 1)
    until(lambda: NAMES[1] not in holder.held)


def test_dead_members_work_is_taken_when_its_time_is_over(crew):
    """And not a moment before."""
    now_us = crew.board.now_us()
    crew.board.members["x"] = Member("x", "x:1", ROLES, 1, now_us + 400_000)
    crew.board.leases = {name: Lease(name, "x", 3) for name in NAMES}
    _, holder = crew("a")
    assert holder.held == set()
    until(lambda: holder.held == set(NAMES))
    assert crew.board.now_us() >= now_us + 400_000
    assert {lease.epoch for lease in crew.board.leases.values()} == {4}


def test_doubted_work_is_begun_anew(crew):
    """A lane that was fenced, or could not be taken: it is still ours by the register."""
    keeper, holder = crew("a")
    holder.held.discard(NAMES[1])
    keeper.doubt([NAMES[1]])
    until(lambda: holder.held == set(NAMES))


def test_database_that_is_not_there_is_told_at_the_start(crew):
    """Whoever starts a process sees why it does not start."""
    crew.board.is_down = True
    with pytest.raises(Unsent, match="no database"):
        crew("a")
