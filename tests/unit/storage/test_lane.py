"""The lane: order, time, neighbours, memory; what the contract of the store cannot show."""

import pytest

from law import all_laws
from lingqian.channels.port import TradeState
from lingqian.flows.command import Fund
from lingqian.kernel.bound import STORY_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.ledger.chart import STORY_BOOKS, Book
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.lane import Submission
from lingqian.storage.port import Personal
from lingqian.topup.order import OrderKind
from world import World


@pytest.fixture(params=[1, 4])
def world(request):
    """Eight people with ten yuan each."""
    made = World(request.param)
    made.batch(*[made.register(name) for name in "abcdefgh"])
    made.batch(*[made.fund(name, 1_000) for name in "abcdefgh"])
    yield made
    all_laws(made.connection)
    made.close()


def times(world):
    """Return the journal's times by lane."""
    rows = world.connection.execute("SELECT lane, at_us FROM journal ORDER BY lane, seq")
    by_lane = {}
    for lane, at_us in rows:
        by_lane.setdefault(lane, []).append(at_us)
    return by_lane


def test_answers_come_in_the_order_of_the_questions(world):
    """However the lanes share the work."""
    commands = [world.fund(name, 1) for name in "hgfedcba"]
    answers = world.batch(*commands)
    assert [answer.command for answer in answers] == commands


def test_refused_command_spoils_none_of_its_neighbours(world):
    """One of three is refused; the others are as if it had never been asked."""
    answers = world.batch(
        world.transfer("a", "b", 400),
        world.transfer("a", "b", 700),
        world.transfer("a", "b", 600),
    )
    assert [answer.code for answer in answers] == [Code.OK, Code.EXCEEDS_AVAILABLE, Code.OK]
    world.pump()
    assert (world.balance("a"), world.balance("b")) == (0, 2_000)


def test_later_command_of_a_batch_sees_the_earlier_ones(world):
    """Send, claim, claim again and finish, all in one batch."""
    answers = world.batch(
        world.send("p", "a", PacketKind.EQUAL, 200, 2),
        world.claim("p", "a"),
        world.claim("p", "a"),
        world.claim("p", "b"),
        world.claim("p", "c"),
        world.close_packet("p"),
    )
    codes = [Code.OK, Code.OK, Code.OK, Code.OK, Code.PACKET_FINISHED, Code.ALREADY_SETTLED]
    assert [answer.code for answer in answers] == codes
    assert answers[2].first is not None


def test_an_advance_may_follow_on_one_that_ends_in_the_same_batch(world):
    """Rows are written by key, not in the order of events: no index may mind the state between."""
    world.batch(world.fund_line("a", 100_000), world.set_mode("a", "degrade"))
    for name in ("later", "earlier"):
        world.batch(world.order(name, "a", OrderKind.COINS, 2_000, coins=200))
    first, second = sorted(("later", "earlier"), key=world.ids.get, reverse=True)
    world.batch(world.attempt("t", first), world.advance(first))
    paid = world.observe("t", TradeState.PAID, amount_fen=2_000)
    answers = world.batch(paid, world.advance(second))
    assert [answer.code for answer in answers] == [Code.OK, Code.OK]


def test_same_key_twice_in_one_batch_is_one_command(world):
    """The double click that arrives together."""
    command = world.transfer("a", "b", 100)
    first, second = world.batch(command, command)
    assert (first.code, second.code) == (Code.OK, Code.OK)
    assert (first.first, second.seq) == (None, 0)
    assert second.first.seq == first.seq
    world.pump()
    assert world.balance("b") == 1_100


def test_time_rises_when_the_clock_stands_or_jumps_back(world):
    """Ledger time is strictly increasing, whatever the machine says."""
    for step in (0, -5 * SECOND_US, 0, SECOND_US, -3_600 * SECOND_US):
        world.clock.us += step
        world.batch(*[world.fund(name, 1) for name in "abcdefgh"])
    for rising in times(world).values():
        assert rising == sorted(set(rising))


def test_time_is_the_clock_where_the_clock_is_ahead(world):
    """A lane does not drift: it follows as soon as it can."""
    world.clock.us += 3_600 * SECOND_US
    assert world.batch(world.fund("a", 1))[0].at_us == world.clock.us


def test_lane_row_carries_the_time_of_its_last_command(world):
    """So that n commands take n microseconds, in one batch or in n."""
    world.clock.us += SECOND_US
    answers = world.batch(world.fund("a", 1), world.fund("a", 1))
    assert world.writer.lanes[world.lane_of("a")].row.at_us == answers[-1].at_us


def test_batch_that_writes_nothing_leaves_no_trace(world):
    """Reading a refusal must not cost a commit, nor move the chain."""
    before = [lane.row for lane in world.writer.lanes.values()]
    answers = world.batch(*[world.claim(world.ids.setdefault("x", bytes(16)) and "x", "a")])
    assert [answer.code for answer in answers] == [Code.PACKET_UNKNOWN]
    assert [lane.row for lane in world.writer.lanes.values()] == before


def test_personal_data_of_a_refused_command_is_not_kept(world):
    """Nobody agreed to keep it; the refusal itself is journalled without it."""
    row = Personal(world.ids["a"], 3, b"cipher", b"mac")
    command = world.transfer("a", "b", 99_999)
    answer = world.writer.apply([Submission(command, (row,))])[0]
    assert (answer.code, answer.seq > 0) == (Code.EXCEEDS_AVAILABLE, True)
    assert world.connection.execute("SELECT count(*) FROM personal").fetchone() == (0,)


def test_memory_is_bounded(world, monkeypatch):
    """Rows that nobody needs now are read again when somebody does."""
    monkeypatch.setattr("lingqian.storage.lane.CACHE_ROWS_MAX", 3)
    for _ in range(3):
        world.batch(*[world.fund(name, 1) for name in "abcdefgh"])
    for lane in world.writer.lanes.values():
        assert len(lane.view.accounts.rows) <= 3
        assert len(lane.view.users.rows) <= 3
        assert len(lane.view.seen) <= 3
    assert world.balance("h") == 1_003


def test_stories_that_end_leave_memory(world):
    """A packet is asked for for minutes, its people for years: an hour of packets must not stay."""
    for name in "pqrs":
        world.do(world.send(name, "a", PacketKind.EQUAL, 4, 2))
        world.do(world.claim(name, "b"))
    lanes = world.writer.lanes.values()
    known = [lane.view.users.rows.keys() | set() for lane in lanes]
    assert sum(len(lane.view.packets.rows) for lane in lanes) == 4
    held = [account for lane in lanes for account in lane.view.accounts.rows]
    assert sum(account[16] == Book.ESCROW for account in held) == 4
    world.wait(STORY_S * SECOND_US)
    world.batch(*[world.fund(name, 1) for name in "abcdefgh"])
    for lane, users in zip(lanes, known, strict=True):
        stories = (lane.view.packets, lane.view.progress, lane.view.claims)
        assert [len(each.rows) for each in stories] == [0, 0, 0]
        assert lane.view.secrets == {}
        assert not any(account[16] in STORY_BOOKS for account in lane.view.accounts.rows)
        assert lane.view.users.rows.keys() >= users
    assert world.do(world.claim("p", "b")).first is not None
    assert world.do(world.claim("p", "c")).code == Code.OK
    assert world.balance("b") == 1_009


def test_bug_in_a_decision_is_not_swallowed(world):
    """An assertion stops the lane; nothing of its batch is stored."""
    before = world.connection.execute("SELECT count(*) FROM journal").fetchone()
    good, bad = world.fund("a", 1), world.fund("b", 0)
    assert isinstance(bad, Fund)
    with pytest.raises(AssertionError, match="moves something"):
        world.batch(good, bad)
    assert world.connection.execute("SELECT count(*) FROM journal").fetchone() == before
    world.writer = world.open_writer()
