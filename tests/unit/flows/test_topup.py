"""What no scenario of top-up can show: bounds, neighbours in a batch, and evidence in any order."""

import itertools

import pytest

from law import all_laws
from lingqian.channels.port import TradeState
from lingqian.flows.case import case_id
from lingqian.kernel.bound import BALANCE_FEN_MAX
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.ledger.account import Account
from lingqian.redpacket.packet import PacketKind
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.evidence import Source, is_sound, notice_key, stranger_id, transaction_key
from lingqian.topup.order import OrderKind
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


def test_whole_life_of_an_order_fits_one_batch(world):
    """A command may need what a neighbour before it has made; no row of it was known before."""
    packet = world.send("p", "a", PacketKind.EQUAL, 200, 2, is_by_channel=1)
    order = world.order("o", "a", OrderKind.PACKET, 200, packet="p")
    attempt = world.attempt("t", "o")
    notice = world.notice("n", "t")
    paid = world.observe("t", TradeState.PAID, 200, 0, 2, notice="n")
    coins = world.order("q", "a", OrderKind.COINS, 300, coins=30)
    again = world.attempt("u", "q")
    wrong = world.observe("u", TradeState.PAID, 299, transaction="x")
    back = world.allocate("x", "refund")
    batch = (
        packet, order, attempt, notice, paid, world.claim("p", "b"),
        world.close_packet("p", by="amy"), coins, again, wrong, back,
    )  # fmt: skip
    assert codes(world.batch(*batch)) == [Code.OK] * len(batch)
    world.pump()
    assert world.balance("b") == 100
    back = world.connection.execute("SELECT sum(amount_fen), count(*) FROM refunds").fetchone()
    assert back == (100 + 299, 2)


def test_an_id_that_follows_from_another_is_opened_once_under_any_key(world):
    """Two taps on the same offer are two keys; the second is refused and the lane goes on."""
    first = world.order("o", "a", OrderKind.COINS, 300, coins=30, key="one")
    second = world.order("o", "a", OrderKind.COINS, 300, coins=30, key="two")
    assert codes(world.batch(first, second)) == [Code.OK, Code.ALREADY_SETTLED]


def test_held_money_can_be_decided_in_the_batch_that_held_it(world):
    """The case has an id before it is stored; whoever knows it may be quick."""
    world.do(world.order("o", "a", OrderKind.BALANCE, 5_000_001))
    world.do(world.attempt("t", "o"))
    paid = world.observe("t", TradeState.PAID, 5_000_001)
    release = world.settle(case_id(world.ids["o"]), "release")
    assert codes(world.batch(paid, release)) == [Code.OK, Code.OK]
    assert world.balance("a") == 5_000_001


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))], ids=str)
def test_evidence_in_any_order_ends_in_the_same_place(order):
    """Pay, close, pay again by query and by bill: credited once, whatever comes first (P2, P9)."""
    world = World()
    world.batch(world.register("a"))
    world.do(world.order("o", "a", OrderKind.BALANCE, 700))
    world.do(world.attempt("t", "o"))
    told = (
        world.observe("t", TradeState.PAID, 700, 0, 4, source=Source.NOTICE),
        world.observe("t", TradeState.PAID, 700, 0, 4, source=Source.QUERY),
        world.observe("t", TradeState.CLOSED, source=Source.QUERY),
        world.observe("t", TradeState.PAID, 700, 0, 4, source=Source.BILL),
    )
    for place in (*order, *order):
        assert world.do(told[place]).code == Code.OK
        all_laws(world.connection)
    row = world.row("orders", world.ids["o"], "pay_state", "credit_state", "received_fen")
    assert (world.balance("a"), row) == (700, (2, 2, 700))
    world.close()


def test_hundred_copies_of_one_notice_are_one_credit(world):
    """As a channel sends them: at once, over several connections, in one batch."""
    world.do(world.order("o", "a"))
    world.do(world.attempt("t", "o"))
    notices = [world.notice("n", "t") for _ in range(100)]
    seen = [world.observe("t", TradeState.PAID, 5_000, notice="n") for _ in range(100)]
    found = codes(world.batch(*notices, *seen))
    assert found == [Code.OK, *[Code.NOTICE_KNOWN] * 99, *[Code.OK] * 100]
    assert world.balance("a") == 5_000
    assert world.row("notices", world.ids["n"], "copies", "state") == (100, 1)


def test_money_that_would_overflow_a_counter_is_refused_before_it_is_paid(world):
    """A counter at its end would stop the lane; nobody may bring it there."""
    row = world.writer.lanes[0].view.accounts
    world.do(world.order("first", "a", OrderKind.BALANCE, 1))
    account = row.rows[world.ids["a"] + b"\1\1"]
    assert account is None
    row.rows[world.ids["a"] + b"\1\1"] = Account(credits_posted=BALANCE_FEN_MAX - 5)
    found = [world.batch(world.order(f"o{fen}", "a", amount_fen=fen))[0].code for fen in (5, 6)]
    row.rows[world.ids["a"] + b"\1\1"] = None
    assert found == [Code.OK, Code.EXCEEDS_BALANCE_MAX]


def test_questions_follow_the_schedule_and_outlive_a_restart(world):
    """After 5, 15, 30, 60 s, 2, 5, 10 min; a silent channel is asked on the same beat."""
    world.do(world.order("o", "a", life_us=3_600 * SECOND_US))
    begun = world.do(world.attempt("t", "o")).at_us
    due = []
    for state in (TradeState.NOT_PAID, TradeState.UNKNOWN) * 4:
        due.append(world.row("attempts", world.ids["t"], "query_due_at_us")[0] - begun)
        world.clock.us = begun + due[-1]
        world.writer = world.open_writer()
        world.do(world.observe("t", state))
    assert [us // SECOND_US for us in due] == [5, 15, 30, 60, 120, 300, 600, 1_200]


def test_unknown_attempt_is_asked_at_once_and_failed_one_never_again(world):
    """A prepay call that was cut may have reached the channel; one that was refused has not."""
    world.do(world.order("o", "a"))
    world.do(world.attempt("t", "o"))
    at_us = world.do(world.prepaid("t", PrepayResult.UNKNOWN)).at_us
    assert world.row("attempts", world.ids["t"], "query_due_at_us") == (at_us,)
    world.do(world.shut("t"))
    world.do(world.observe("t", TradeState.ABSENT))
    assert world.row("attempts", world.ids["t"], "query_due_at_us") == (0,)


def test_keys_of_evidence_are_told_apart():
    """Account and number are cut by length: no pair of them makes the key of another pair."""
    makers = (notice_key, transaction_key, stranger_id)
    pairs = (("wx", "1"), ("w", "x1"), ("wx1", ""), ("wx", "2"))
    keys = {maker(7, *pair) for maker in makers for pair in pairs}
    assert len(keys) == len(makers) * len(pairs)
    assert {key[:2] for key in keys} == {b"\0\7"}
    assert {len(key) for key in keys} == {16}


@pytest.mark.parametrize(
    ("amounts", "transaction", "at_us", "expected"),
    [
        ((5, 0), "x", 1, True),
        ((0, 0), "x", 1, False),
        ((5, -1), "x", 1, False),
        ((2**53, 0), "x", 1, False),
        ((5, 0), "", 1, False),
        ((5, 0), "x", 0, False),
    ],
)
def test_evidence_is_sound_only_when_it_can_be_booked(amounts, transaction, at_us, expected):
    """An amount of nothing, or a number past every reader's integers, is no payment."""
    assert is_sound(amounts, transaction, at_us) == expected
