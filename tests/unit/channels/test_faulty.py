"""The faulty channel: deterministic, and true underneath whatever it answers."""

import asyncio

import pytest

from lingqian.channels.faulty import CALM, ROUGH, Faulty, Rates
from lingqian.channels.port import (
    PAID_STATES,
    BillKind,
    BillSide,
    PayoutOrder,
    PayoutState,
    Product,
    Profile,
    Purchase,
    RefundOrder,
    RefundState,
    TradeState,
)
from lingqian.kernel.clock import DAY_US, SECOND_US, business_day
from lingqian.kernel.fault import BadSignature, Fault, Rejected, Unknown, Unsent

START_US = 20_000 * DAY_US
PROFILE = Profile(
    *("main", "faulty", "模拟", "Faulty", "CNY", frozenset(Product), 1, 10**9),
    can_refund_in_part=True,
    can_pay_out=True,
    refund_days_max=365,
    bill_hour=10,
)
ALWAYS = 1_000


class World:
    """A channel and its clock."""

    def __init__(self, seed=b"s", rates=CALM):
        self.at_us = START_US
        self.channel = Faulty(PROFILE, seed.ljust(32), lambda: self.at_us, rates)

    def do(self, verb):
        """Drive a verb to its end; it waits for nothing, so one step is enough."""
        try:
            verb.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("a verb has waited")

    def order(self, number="pa_1"):
        """Order 50 yuan."""
        life_us = 900 * SECOND_US
        purchase = Purchase(
            number, Product.JSAPI, "x", 5_000, "CNY", START_US + life_us, "o", "", ""
        )
        return self.do(self.channel.prepay(purchase))

    def notices(self):
        """Parse what has come."""
        return [self.parsed(*letter) for letter in self.channel.letters()]

    def parsed(self, headers, body):
        """Parse one notice; the class of a fault when it is refused."""
        try:
            return self.channel.parse_notice(headers, body, self.at_us)
        except Fault as fault:
            return type(fault)


def life(seed, rates, steps=150):
    """Live a life of orders, refunds and transfers; return all that was heard, and the world."""
    world = World(seed, rates)
    heard = []
    for step in range(steps):
        number = f"pa_{step}"
        refund = RefundOrder(f"rf_{step}", number, 1_000, 5_000, "CNY", "")
        payout = PayoutOrder(f"po_{step}", "o", 300, "", "")
        verbs = (
            lambda number=number: world.order(number),
            lambda number=number: world.channel.pay(number),
            lambda number=number: world.do(world.channel.query(number)),
            lambda refund=refund: world.do(world.channel.refund(refund)),
            lambda payout=payout: world.do(world.channel.pay_out(payout)),
            lambda payout=payout: world.channel.confirm(payout.payout_no),
            world.notices,
        )
        for verb in verbs:
            try:
                heard.append(verb())
            except Fault as fault:
                heard.append(repr(fault))
        world.at_us += SECOND_US
    return heard, world


def test_one_seed_is_one_world():
    """A failure found at night is found again in the morning."""
    heard, world = life(b"a", ROUGH)
    again, _ = life(b"a", ROUGH)
    other, _ = life(b"b", ROUGH)
    assert heard == again
    assert heard != other
    assert len(world.channel.happened) >= 12


def test_a_calm_channel_refuses_nothing_and_has_no_faults():
    """The control of everything below."""
    heard, world = life(b"a", CALM, 20)
    assert world.channel.happened == {}
    assert not [each for each in heard if isinstance(each, str)]


@pytest.mark.parametrize("seed", range(5))
def test_bills_agree_with_the_money_whatever_was_answered(seed):
    """When faults have ended, a day's bill is the truth to the fen."""
    _, world = life(bytes([seed + 1]), ROUGH)
    world.channel.rates = CALM
    day = business_day(START_US)
    world.at_us += 3 * DAY_US
    world.notices()
    bill = world.do(world.channel.fetch_bill(BillKind.TRADE, day))
    truth = world.channel.truth
    paid = [row for row in bill.rows if row.side is BillSide.PAYMENT]
    assert sum(row.amount_fen for row in paid) == sum(
        payment.amount_fen for order in truth.orders.values() for payment in order.payments
    )
    for order in truth.orders.values():
        gone_fen = order.refunded_fen(world.at_us)
        assert gone_fen <= sum(payment.amount_fen for payment in order.payments)
    balance_fen = 0
    for number in range(day, day + 4):
        world.at_us = START_US + 9 * DAY_US
        for row in world.do(world.channel.fetch_bill(BillKind.FUND, number)).rows:
            balance_fen += row.amount_fen
            assert row.balance_fen == balance_fen


@pytest.mark.parametrize(
    ("name", "fault", "is_done"),
    [
        ("unsent", Unsent, False),
        ("lost_before", Unknown, False),
        ("lost_after", Unknown, True),
        ("refused", Rejected, False),
        ("forged", Unknown, True),
    ],
)
def test_each_fault_of_a_call_does_or_does_not_do_it(name, fault, is_done):
    """What the caller hears and what is true are two things."""
    world = World(rates=Rates(**{name: ALWAYS}))
    with pytest.raises(fault):
        world.order()
    assert ("pa_1" in world.channel.truth.orders) is is_done
    assert world.channel.happened == {name: 1}


def test_a_stale_query_never_invents_a_payment_and_never_denies_an_order():
    """It knows less than the truth; ABSENT would let a number be sent twice."""
    world = World()
    world.order()
    assert world.channel.pay("pa_1")
    world.channel.rates = Rates(stale=ALWAYS)
    found = {world.do(world.channel.query("pa_1")).state for _ in range(20)}
    assert found == {TradeState.UNKNOWN, TradeState.NOT_PAID}


def test_late_double_and_wrong_payments_happen_on_demand():
    """Each of them is money that somebody has really paid."""
    world = World()
    world.order()
    world.do(world.channel.close("pa_1"))
    assert not world.channel.pay("pa_1")
    world.channel.rates = Rates(late=ALWAYS, double=ALWAYS, wrong_amount=ALWAYS)
    assert world.channel.pay("pa_1")
    notices = world.notices()
    assert len({each.reading.transaction_id for each in notices}) == 2
    assert all(each.reading.amount_fen > 5_000 for each in notices)
    world.channel.rates = CALM
    assert world.do(world.channel.query("pa_1")).state in PAID_STATES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("notice_lost", []),
        ("notice_forged", [BadSignature]),
        ("notice_elsewhere", [Rejected]),
    ],
)
def test_each_fault_of_a_notice_is_heard_as_what_it_is(name, expected):
    """None of them looks like a payment."""
    world = World(rates=Rates(**{name: ALWAYS}))
    world.order()
    world.channel.pay("pa_1")
    assert world.notices() == expected


def test_doubled_and_late_notices_say_the_same_and_are_signed_anew():
    """Both are genuine."""
    world = World(rates=Rates(notice_doubled=ALWAYS, notice_late=ALWAYS))
    world.order()
    world.channel.pay("pa_1")
    assert world.notices() == []
    assert world.channel.next_letter_us() > START_US
    world.at_us += DAY_US
    first, second = world.notices()
    assert first == second
    assert first.reading == world.do(world.channel.query("pa_1"))


@pytest.mark.parametrize(
    ("name", "state"),
    [("refund_abnormal", RefundState.ABNORMAL), ("refund_closed", RefundState.CLOSED)],
)
def test_refunds_end_badly_on_demand_and_a_closed_one_frees_the_money(name, state):
    """A closed refund is sent again under a new number, an abnormal one elsewhere."""
    world = World(rates=Rates(**{name: ALWAYS}))
    world.order()
    world.channel.pay("pa_1")
    order = RefundOrder("rf_1", "pa_1", 5_000, 5_000, "CNY", "")
    assert world.do(world.channel.refund(order)).state is RefundState.PROCESSING
    world.at_us += DAY_US
    assert world.notices()[-1].reading.state is state
    again = order._replace(refund_no="rf_2")
    if state is RefundState.CLOSED:
        assert world.do(world.channel.refund(again)).state is RefundState.PROCESSING
        return
    with pytest.raises(Rejected):
        world.do(world.channel.refund(again))


def test_a_transfer_nobody_confirms_comes_back_after_a_day():
    """And can no longer be confirmed then."""
    world = World()
    world.do(world.channel.pay_out(PayoutOrder("po_1", "o", 300, "", "")))
    world.at_us += DAY_US
    assert not world.channel.confirm("po_1")
    reading = world.do(world.channel.query_payout("po_1"))
    assert (reading.state, reading.fail_reason) == (PayoutState.FAILED, "OVERDUE_CLOSE")


def test_bills_can_be_late_and_wrong_on_demand():
    """The net below the net has holes too."""
    world = World()
    for number in range(20):
        world.order(f"pa_{number}")
        world.channel.pay(f"pa_{number}")
    day = business_day(START_US)
    world.at_us = START_US + 2 * DAY_US
    for name in ("bill_line_lost", "bill_line_wrong"):
        world.channel.rates = Rates(**{name: 300})
        bill = world.do(world.channel.fetch_bill(BillKind.TRADE, day))
        assert sum(row.amount_fen for row in bill.rows) != 100_000
    world.channel.rates = Rates(bill_late=ALWAYS)
    with pytest.raises(Rejected, match="bill_creating"):
        world.do(world.channel.fetch_bill(BillKind.TRADE, day))


def test_verbs_run_on_a_loop_as_well():
    """The same channel stands in the place of a real one."""
    world = World()
    assert asyncio.run(world.channel.query("pa_1")).state is TradeState.ABSENT
