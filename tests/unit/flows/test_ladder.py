"""What no table of commands can show: bugs that must stop the lane, and what must not leak."""

import pytest

from law import all_laws
from lingqian.flows.claim import fold_claim
from lingqian.flows.close import fold_draw
from lingqian.flows.command import DrawPacket
from lingqian.flows.decision import Record
from lingqian.flows.view import Table
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.redpacket.packet import PacketKind
from lingqian.risk.rule import Action, Rule, Verdict
from world import World


@pytest.fixture
def world():
    """Three people with money in one lane."""
    made = World()
    made.batch(*[made.register(name) for name in "abc"])
    made.batch(*[made.fund(name, 10_000) for name in "abc"])
    yield made
    all_laws(made.connection)
    made.close()


def test_minted_id_that_is_taken_stops_the_lane(world):
    """An id of 64 random bits met twice is a broken source of chance, not a refusal."""
    command = world.register("a")._replace(key=world.key(0, "another key"))
    with pytest.raises(AssertionError, match="minted"):
        world.batch(command)


def test_change_raises_the_version_of_the_status(world):
    """A stale status is noticed by its version."""
    before = world.status("a")[0]
    world.do(world.change("a", state=2))
    assert world.status("a")[0] == before + 1
    assert world.writer.lanes[0].view.users.have(world.ids["a"]).version == before + 1


def test_claim_at_the_very_instant_of_the_draw_is_too_late(world):
    """Entries close when the draw is due; a microsecond decides, not the order of arrival."""
    draw_at_us = world.clock.us + SECOND_US
    for name, shift in (("p", 0), ("q", -1)):
        world.do(world.send(name, "a", PacketKind.DRAW, 100, 1, draw_at_us=draw_at_us - shift))
    world.clock.us = draw_at_us
    assert world.batch(world.claim("p", "b"))[0].code == Code.PACKET_FINISHED
    world.clock.us = draw_at_us
    assert world.batch(world.claim("q", "b"))[0].code == Code.OK


def test_rules_see_the_average_and_never_the_share(world):
    """What a refusal says must tell nothing about the amount that waits."""
    world.policy = world.policy._replace(rules=(Rule("big", Action.CLAIM, 300, Verdict.BLOCK),))
    world.writer = world.open_writer()
    world.do(world.send("p", "a", PacketKind.LUCKY, 299 * 3, 3))
    world.do(world.send("q", "a", PacketKind.LUCKY, 300 * 3, 3))
    shares = []
    for name in "abc":
        answer = world.do(world.claim("p", name))
        shares.append(answer.outcome.amount_fen)
        assert world.do(world.claim("q", name)).code == Code.BLOCKED
    assert max(shares) >= 300, "a share of this packet is beyond the rule, and nobody was told"


def test_more_claims_than_shares_stop_the_lane(world):
    """The last line of defence behind the ladder: a record that says so cannot be folded."""
    world.do(world.send("p", "a", PacketKind.EQUAL, 200, 2))
    first = world.do(world.claim("p", "b"))
    view = world.writer.lanes[0].view
    outcome = first.outcome._replace(amount_fen=50)
    command = world.claim("p", "c")
    with pytest.raises(AssertionError, match="total"):
        fold_claim(view, Record(9, 9, 8, 0, command, outcome, (), ()))
    view.progress.have(world.ids["p"]).claimed_count = 2
    with pytest.raises(AssertionError, match="never more"):
        fold_claim(view, Record(9, 9, 8, 0, command, first.outcome, (), ()))


def test_ticket_that_wins_twice_stops_the_lane(world):
    """A draw that names a ticket twice would take one person's share from another."""
    world.do(world.send("p", "a", PacketKind.DRAW, 100, 2, draw_at_us=world.clock.us + SECOND_US))
    world.do(world.claim("p", "b"))
    world.do(world.claim("p", "c"))
    world.wait(2 * SECOND_US)
    answer = world.batch(world.draw("p"))[0]
    view = world.writer.lanes[0].view
    view.tickets[world.ids["p"]] = [
        (world.ids[name], view.claims.have(world.ids["p"] + world.ids[name])) for name in "bc"
    ]
    for name in "bc":
        view.claims.have(world.ids["p"] + world.ids[name]).share = 0
    twice = answer.outcome._replace(tickets=(0, 0))
    with pytest.raises(AssertionError, match="wins once"):
        fold_draw(view, Record(9, 9, 9, 0, DrawPacket(world.ids["p"]), twice, (), ()))


def test_released_packet_is_swept_at_its_new_expiry(world):
    """Its life starts at the release, and so does the time at which a job must look at it."""
    world.policy = world.policy._replace(rules=(Rule("all", Action.SEND, 1, Verdict.REVIEW),))
    world.writer = world.open_writer()
    world.do(world.send("p", "a", PacketKind.EQUAL, 200, 2, lifetime_us=60 * SECOND_US))
    assert world.row("progress", world.ids["p"], "due_at_us", "expires_at_us") == (0, 0)
    world.wait(3_600 * SECOND_US)
    answer = world.do(world.settle(world.case_of("p"), "release"))
    expires_at_us = answer.at_us + 60 * SECOND_US
    times = world.row("progress", world.ids["p"], "due_at_us", "expires_at_us")
    assert times == (expires_at_us, expires_at_us)


def test_row_that_was_not_loaded_is_a_bug_and_not_an_absence():
    """Mistaking the two would open an account twice."""
    table = Table()
    with pytest.raises(KeyError):
        table.get(b"key")
    table.rows[b"key"] = None
    assert table.get(b"key") is None
    with pytest.raises(AssertionError, match="exist"):
        table.edit(b"key")


def test_claim_of_a_stranger_to_the_lane_goes_by_the_relay():
    """The money waits in transit, durable, until the claimer's lane has credited it."""
    world = World(2)
    world.batch(*[world.register(name) for name in "ab"])
    world.do(world.fund("a", 100))
    world.do(world.send("p", "a", PacketKind.EQUAL, 100, 1))
    world.batch(world.claim("p", "b"))
    assert world.balance("b") == 0
    all_laws(world.connection)
    world.pump()
    assert world.balance("b") == 100
    all_laws(world.connection)
    world.close()
