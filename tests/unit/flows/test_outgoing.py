"""What no scenario of money out can show: one batch, a bug that stops the lane, stale evidence."""

import pytest

from law import all_laws
from lingqian.channels.port import PayoutState, RefundState, TradeState
from lingqian.flows.decision import Record
from lingqian.flows.payout import PayoutMoved, fold_note
from lingqian.flows.refund import RefundNoted
from lingqian.flows.view import View
from lingqian.kernel.code import Code
from lingqian.kernel.id import lane_of
from lingqian.storage import purse
from lingqian.storage.movement import movement
from lingqian.topup.grant import grant
from lingqian.topup.order import OrderKind
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import next_id
from world import World


@pytest.fixture(params=[1, 4])
def world(request):
    """Four people, in one lane or in four."""
    made = World(request.param)
    made.batch(*[made.register(name) for name in "abcd"])
    yield made
    all_laws(made.connection)
    made.close()


def codes(answers):
    """Return the codes of answers."""
    return [answer.code for answer in answers]


def paid(world, name, user, amount_fen, lots=(0, 0)):
    """Return the commands that order and pay."""
    coins, bonus = lots
    kind = OrderKind.COINS if coins else OrderKind.BALANCE
    order = world.order(name, user, kind, amount_fen, coins, bonus)
    attempt = world.attempt(f"{name}/a", name)
    return [order, attempt, world.observe(f"{name}/a", TradeState.PAID, amount_fen)]


def test_coins_bought_given_settled_and_asked_back_in_one_batch(world):
    """A command may need what a neighbour before it has made; no row of it was known before."""
    commands = [
        *paid(world, "o", "a", 1_000, (90, 10)),
        world.gift("g", "a", "b", 50),
        world.settle_gift("g"),
        world.gift("h", "a", "c", 10),
        world.settle_gift("h"),
        world.ask_refund("r", "o", 400),
    ]
    commands.append(world.note_refund("r", RefundState.SUCCESS, 400))
    assert codes(world.batch(*commands)) == [Code.OK] * len(commands)
    world.pump()
    assert (world.balance("b"), world.balance("c")) == (250, 50)
    found = purse.coins(world.connection, world.ids["a"])
    assert (found.paid, found.bonus, found.frozen, found.worth_fen) == (0, 0, 0, 0)


def test_refund_asked_and_given_up_and_payout_paid_in_one_batch(world):
    """The same of money that comes back and of money that leaves."""
    commands = [*paid(world, "o", "a", 1_000), world.ask_refund("r", "o", 400)]
    commands += [
        world.note_refund("r", RefundState.CLOSED),
        world.ask_payout("w", "a", 700),
        world.begin_payout("w"),
    ]
    commands.append(world.note_payout("w", PayoutState.SUCCESS, 700))
    assert codes(world.batch(*commands)) == [Code.OK] * len(commands)
    assert world.balance("a") == 300


def test_a_purse_is_read_once_and_knows_what_came_after(world):
    """A gift sees the coins of an order credited before it in the very same batch."""
    world.batch(*paid(world, "o", "a", 100, (10, 0)))
    answers = world.batch(
        world.gift("g", "a", "b", 10),
        *paid(world, "q", "a", 100, (10, 0)),
        world.gift("h", "a", "b", 10),
    )
    assert codes(answers) == [Code.OK] * 5
    assert world.batch(world.gift("i", "a", "b", 1))[0].code == Code.EXCEEDS_COINS


def test_each_order_of_evidence_ends_the_same(world):
    """A cancel by us and a success of the channel: whoever is first, the money is in one place."""
    world.do(world.fund("a", 2_000))
    for name in ("w", "v"):
        world.do(world.ask_payout(name, "a", 1_000))
        world.do(world.begin_payout(name))
    for state in (PayoutState.SUCCESS, PayoutState.CANCELLED, PayoutState.FAILED):
        world.do(world.note_payout("w", state))
        world.do(world.note_payout("v", state if state != PayoutState.SUCCESS else 0))
    stages = [world.row("payouts", world.ids[name], "stage")[0] for name in "wv"]
    assert stages == [PayoutStage.SUCCESS, PayoutStage.CANCELLED]
    assert world.balance("a") == 1_000


def test_a_reading_that_was_decided_otherwise_stops_the_lane(world):
    """The last line of defence: a row whose outcome does not follow cannot be folded."""
    world.do(world.fund("a", 100))
    world.do(world.ask_payout("w", "a", 100))
    world.do(world.begin_payout("w"))
    view = world.writer.lanes[lane_of(world.ids["w"])].view
    command = world.note_payout("w", PayoutState.FAILED)
    outcome = PayoutMoved(PayoutStage.SUCCESS, 0)
    with pytest.raises(AssertionError, match="leads where"):
        fold_note(view, Record(9, 9, 27, 0, command, outcome, (), ()))
    view.payouts.rows.clear()


def test_the_number_that_follows_is_always_the_same_and_of_the_same_lane():
    """A crash between deciding and answering must not make a second refund."""
    first = b"\0\3" + b"r" * 14
    assert next_id(first) == next_id(first) != next_id(next_id(first))
    assert lane_of(next_id(first)) == 3


def test_audit_sees_what_a_fold_would_believe(world):
    """Movements are told apart from the decisions: a false fee or a false share is an assertion."""
    world.batch(*paid(world, "o", "a", 1_000, (90, 10)))
    world.do(world.ask_refund("r", "o", 400))
    view = world.writer.lanes[lane_of(world.ids["o"])].view
    command = world.note_refund("r", RefundState.SUCCESS)
    false = Record(9, 9, 22, 0, command, RefundNoted(5, 0, 99), (), ())
    with pytest.raises(AssertionError, match="the fee gives back"):
        movement(view, false)
    answer = world.batch(world.gift("g", "a", "b", 10))[0]
    view.grants.rows[world.ids["o"]] = grant(world.ids["a"], (90, 10), 1_000, (1, 0))
    false = answer.outcome._replace(streamer_fen=answer.outcome.streamer_fen + 1)
    with pytest.raises(AssertionError, match=r"earns|whole"):
        movement(view, Record(9, 9, 23, 0, answer.command, false, (), ()))
    view.grants.rows.clear()


def test_a_grant_joins_only_a_purse_that_is_open():
    """A purse nobody has read would hold this order alone."""
    view = View(0, None, None)
    view.add_grant(b"o", grant(b"u" * 16, (1, 0), 1, (1, 0)))
    assert view.purses == {}
    view.purses[b"u" * 16] = []
    view.add_grant(b"p", grant(b"u" * 16, (1, 0), 1, (1, 0)))
    assert view.purses == {b"u" * 16: [b"p"]}


def test_reads_page_through_everything_newest_first(world):
    """A page never moves under its reader."""
    world.batch(*paid(world, "o", "a", 1_000, (100, 0)))
    for place in range(5):
        world.wait(1_000_000)
        world.do(world.gift(f"g{place}", "a", "b", 1, after_us=10))
        world.do(world.fund("a", 10))
        world.do(world.ask_payout(f"w{place}", "a", 10))
    connection, user_id = world.connection, world.ids["a"]
    first = purse.gifts_sent(connection, user_id, 3)
    rest = purse.gifts_sent(connection, user_id, 3, first[-1][0])
    made = [world.ids[f"g{place}"] for place in (4, 3, 2, 1, 0)]
    assert [key for key, _ in first + rest] == made
    got = purse.gifts_received(connection, world.ids["b"], 4)
    last = (got[-1][1].at_us, got[-1][0])
    assert [
        key for key, _ in got + purse.gifts_received(connection, world.ids["b"], 4, last)
    ] == made
    assert purse.income(connection, world.ids["b"]).pending_fen == sum(
        row.streamer_fen for _, row in first + rest
    )
    outs = purse.payouts(connection, user_id, 9)
    assert [key for key, _ in outs] == [world.ids[f"w{place}"] for place in (4, 3, 2, 1, 0)]
    assert len(purse.payouts_due(connection, world.clock.us, 9)) == 5
    assert purse.refunds(connection, user_id, 9) == purse.refunds_due(connection, 2**60, 9) == []
    ((order_id, lot),) = purse.grants(connection, user_id, 9)
    assert (order_id, lot.paid_left) == (world.ids["o"], 95)
