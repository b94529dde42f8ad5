"""Markets from seeds: every order explained, one seed the same bytes, a broken guard shows.

The suite lives through the same ones each time, a search through new ones; a failure prints the
line that repeats it.
"""

from collections import Counter
from functools import cache

import pytest

from drawn import world_seed
from lingqian.channels.faulty import CALM
from lingqian.channels.faulty import ROUGH as ROUGH_CHANNEL
from lingqian.cli import market as command
from lingqian.flows import advance, credit, evidence, kind
from lingqian.flows.command import AskAdvance, Observe
from lingqian.kernel.code import Code
from lingqian.simulation.market import Market
from lingqian.simulation.ordinary import Ordinary, Paid
from lingqian.simulation.process import PEACE, ROUGH
from lingqian.simulation.property import PROPERTIES
from lingqian.simulation.rehearsal import add, faults, missed, ratios
from lingqian.simulation.town import Setting
from lingqian.simulation.verdict import explain
from lingqian.simulation.weather import FAIR, STORMY
from lingqian.topup import coin
from lingqian.topup.order import CreditState, PayState

SEED = world_seed()


def live(seed, lanes, orders, rates=ROUGH_CHANNEL, hardship=ROUGH):
    """Run a market and name its seed when it fails."""
    weather = FAIR if rates == CALM else STORMY
    try:
        return Market(seed, Setting(orders, lanes, rates, hardship, weather=weather)).run()
    except Exception as error:
        error.add_note(f"lingqian simulate --seed {seed} --lanes {lanes} --orders {orders}")
        raise


@cache
def evening():
    """Live through one evening that several tests look at."""
    return live(SEED, 1, 300)


@pytest.mark.parametrize("lanes", [1, 4])
def test_market_explains_every_order(lanes):
    """The whole of it, small: faults, crashes, an outage; every fen where the books say."""
    report = live(SEED + lanes, lanes, 200)
    assert sum(report.ends.values()) == report.orders > 150
    assert report.restarts > 1
    assert report.ends["paid and credited"] > 100


def test_market_is_the_same_bytes_for_the_same_seed():
    """What failed once can be looked at again."""
    first, again = (live(SEED, 4, 60).heads for _ in range(2))
    assert first == again
    assert live(SEED + 1, 4, 60).heads != first


def test_calm_market_has_no_exceptions_but_its_outage():
    """The control of the exceptions: where nothing fails, nothing is out of the ordinary."""
    report = live(SEED, 1, 60, CALM, PEACE)
    assert set(report.exceptions) <= {
        "callback late or lost",
        "paid after the order's end",
        "paid twice for one order",
    }
    assert not report.events["parked"]
    assert report.restarts == 1


def test_exceptions_are_settled_without_a_person():
    """Ours against an ordinary merchant: 1.27 times, or nearly all that was possible."""
    found = add([evening()])
    assert found.unsolved["exceptions"] > 25
    for each in ratios(found.unsolved):
        is_near = each.percent_max - each.percent <= max(8, each.percent_max // 8)
        assert each.percent >= 127 or is_near, each


def test_every_property_and_every_fault_is_counted():
    """A run says how often each fault struck and each property was looked at, by name."""
    found = add([evening()])
    assert {name for name, count in found.checked.items() if count} == set(PROPERTIES)
    struck = faults(found)
    often = ("lost notices", "reordered notices", "host down", "slow", "time-out after acceptance")
    assert all(struck[name] for name in often), struck


def test_list_says_what_a_run_has_not_met():
    """An empty run is told everything it missed."""
    told = missed(add([]))
    expected = {"crash", "advanced", "fault: slow", "end: closed and unpaid"}
    assert expected <= set(told)
    assert any(each.startswith("P9: ") for each in told)


def test_orders_are_divided_among_markets():
    """All orders are opened, and seeds stand in a row."""
    evenings = command.plan(7, 2_500, 0)
    assert [each.orders for each in evenings] == [834, 833, 833]
    assert [(each.seed, each.lanes) for each in evenings] == [(7, 4), (8, 1), (9, 4)]


def test_a_run_that_is_stopped_tells_what_it_has_met(monkeypatch):
    """Nobody waits a quarter of an hour to be told nothing."""
    waiting = [evening()]

    def live_on(each, stop):
        del each, stop
        if not waiting:
            raise KeyboardInterrupt
        return waiting.pop()

    monkeypatch.setattr(command, "_evening", live_on)
    summary = command.run(7, 3_000, 1)
    assert (summary["markets"], summary["asked_for"]) == (1, 3_000)
    assert command.words(summary).startswith("Stopped by hand, of 3,000 orders asked for:")
    with pytest.raises(KeyboardInterrupt):
        command.run(7, 3_000, 1)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((PayState.NONE, CreditState.NONE, 0, 0, 0), ""),
        ((PayState.PAYING, CreditState.ADVANCED, 0, 0, 0), ""),
        ((PayState.CLOSED, CreditState.NONE, 0, 0, 0), "closed and unpaid"),
        ((PayState.CLOSED, CreditState.CLAWED_BACK, 0, 0, 0), "closed and unpaid"),
        ((PayState.PAID, CreditState.CREDITED, 5, 0, 0), "paid and credited"),
        ((PayState.PAID, CreditState.HELD, 5, 0, 0), "paid and held by a person"),
        ((PayState.PAID, CreditState.REJECTED, 5, 5, 0), "paid and sent back"),
        ((PayState.PAID, CreditState.NONE, 6, 0, 0), "paid and held by a person"),
        # Closed, and money has come: nobody may leave it so.
        ((PayState.CLOSED, CreditState.NONE, 5, 0, 0), ""),
        ((PayState.PAID, CreditState.REJECTED, 5, 0, 0), ""),
    ],
)
def test_explain_knows_four_ends(columns, expected):
    """Any other end is no end."""
    assert explain(*columns) == expected


# --- the ordinary merchant ------------------------------------------------------------------------


def test_ordinary_merchant_credits_what_it_hears_and_what_the_bill_shows():
    """It is a fair rival: callbacks, the bill, and a person for what does not fit."""
    rival = Ordinary(closes_by_clock=False)
    for number, order in (("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"3")):
        rival.open(number, order, 100, 10)
    rival.hear(Paid("a", "t1", 100), 5)
    rival.hear(Paid("b", "t2", 101), 5)
    rows = [Paid("a", "t1", 100), Paid("b", "t2", 101), Paid("c", "t3", 100), Paid("d", "t4", 100)]
    rival.read_bill([*rows, Paid("a", "t5", 100)], 50)
    assert rival.needs == {
        b"1": "paid twice under one number",
        b"2": "another amount",
        b"3": "paid twice for one order",
    }
    assert rival.credited_at_us == {b"1": 5, b"3": 50}


def test_plain_merchant_means_closed():
    """Late callbacks are dropped, and the bill can only call a person."""
    rival = Ordinary(closes_by_clock=True)
    rival.open("a", b"1", 100, 10)
    rival.hear(Paid("a", "t1", 100), 10)
    rival.read_bill([Paid("a", "t1", 100)], 50)
    assert rival.needs == {b"1": "money for a closed order"}


# --- the assessor against a broken product ------------------------------------------------------


def replaced(patch, command_type, **parts):
    """Put another function into the table of commands."""
    row = kind.KINDS[command_type]._replace(**parts)
    patch.setitem(kind.KINDS, command_type, row)
    patch.setitem(kind.BY_NUMBER, row.number, row)


def forget_transactions(patch):
    """Book a payment again each time it is told."""
    real = evidence.decide_observe

    def decide(view, told, at_us):
        view.transactions.rows = dict.fromkeys(view.transactions.rows)
        return real(view, told, at_us)

    replaced(patch, Observe, decide=decide)


def credit_any_amount(patch):
    """Credit an order whose payment is of another amount."""
    patch.setattr(evidence, "_unplaced", lambda *_: evidence.Reason.NONE)


def drop_late_money(patch):
    """Ignore money for attempts that we have closed."""
    real = evidence.decide_observe

    def decide(view, told, at_us):
        attempt = view.attempts.get(told.attempt_id)
        if attempt is not None and attempt.state in evidence.DEAD_STATES:
            return evidence.Decision(Code.OK)
        return real(view, told, at_us)

    replaced(patch, Observe, decide=decide)


def forget_fees(patch):
    """Book no fee."""
    real = evidence.receipt
    patch.setattr(
        evidence, "receipt", lambda lane, told, target: real(lane, told._replace(fee_fen=0), target)
    )


def review_nobody(patch):
    """Credit any sum of a day."""
    patch.setattr(evidence, "is_reviewed", lambda *_: False)


def advance_without_end(patch):
    """Advance beyond the line, to anybody, in any mode."""
    patch.setattr(advance, "_check_means", lambda *_: Code.OK)
    patch.setattr(advance, "check_person", lambda *_: Code.OK)
    replaced(patch, AskAdvance, decide=advance.decide_advance)
    patch.setattr(advance, "LIMIT_FEN_MAX", 10**15)


def forget_devices(patch):
    """Advance twice to whoever asks from the same phone."""
    patch.setattr(advance, "check_askers", lambda *_: Code.OK)


def refund_without_subsidy(patch):
    """Let the coins that stay pay for what goes back at full price."""
    real = coin._at_full_price

    def back(grant, amount_fen, price):
        found = real(grant, amount_fen, price)
        return found and found._replace(value_fen=min(amount_fen, coin.worth_fen(grant)))

    patch.setattr(coin, "_at_full_price", back)


def keep_advances_open(patch):
    """Credit a proven order that was advanced once more."""
    patch.setattr(evidence, "BRIDGED_STATES", ())


def credit_half(patch):
    """Give less than was paid for."""
    real = credit.credit

    def give(view, order, source, at_us):
        credited, moves = real(view, order, source, at_us)
        return credited, [each._replace(amount_fen=max(1, each.amount_fen // 2)) for each in moves]

    patch.setattr(evidence, "credit", give)


BROKEN = (
    forget_transactions,
    credit_any_amount,
    drop_late_money,
    forget_fees,
    review_nobody,
    advance_without_end,
    forget_devices,
    refund_without_subsidy,
    keep_advances_open,
    credit_half,
)


# Few people with large orders meet the review; many in an outage meet each other's advances.
TOWNS = (
    Setting(300, 1, ROUGH_CHANNEL, ROUGH, people=12, large_one_in=8),
    Setting(600, 1, ROUGH_CHANNEL, ROUGH, weather=STORMY),
)
# The rarest is met by 15 of 24 markets of the second town and 7 of 40 of the first: all these miss
# it once in a million.
BROKEN_MARKETS = 24


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda each: each.__name__)
def test_assessor_finds(break_it, monkeypatch):
    """Books that agree with a broken product are no books."""
    break_it(monkeypatch)
    for place in range(BROKEN_MARKETS):
        try:
            Market(SEED + place, TOWNS[place % 2]).run()
        except Exception:  # noqa: BLE001 - asserts and the engine notice some first
            return
    pytest.fail(f"{BROKEN_MARKETS} markets did not notice: {break_it.__doc__}")


def test_counters_add_up():
    """Several markets are one sum."""
    one = live(SEED, 1, 20, CALM, PEACE)
    both = add([one, one])
    assert both.orders == 2 * one.orders
    assert both.ends == one.ends + one.ends
    assert isinstance(both.events, Counter)
