"""Reconciling against a channel that keeps the truth: what was lost comes home, and days close."""

import asyncio
from dataclasses import replace
from hashlib import sha256

import apsw
import msgspec
import pytest

from law import all_laws
from lingqian.channels.faulty import CALM, Faulty, Rates
from lingqian.channels.port import (
    PayoutOrder,
    Product,
    Profile,
    Purchase,
    RefundOrder,
)
from lingqian.clearing.day import Blocker, DayState
from lingqian.clearing.difference import DifferenceState, day_id
from lingqian.events.reconcile import Means, Reconciler
from lingqian.flows.command import NotePrepay
from lingqian.kernel.clock import SECOND_US, business_day, day_start_us
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_REFUND, show
from lingqian.kernel.order import RUN_ROWS_MAX
from lingqian.storage import reconciliation as books
from lingqian.storage.bill_line import Shelf
from lingqian.storage.cashier import Cashier
from lingqian.storage.desk import Desk
from lingqian.storage.kept_bill import FIELD_SHEET, FIELD_TRADE_BILL, opened, sealed, unpacked
from lingqian.storage.lane import Submission
from lingqian.storage.rederive import faults
from lingqian.storage.sheet import Sheet, derive, read_sheet, result_digest, shown_in, write_sheet
from lingqian.storage.story import story
from lingqian.storage.vault import Vault
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.evidence import Source
from lingqian.topup.fee import FeePlan
from unit.clearing.lines import paid
from world import World

ACCOUNT = "wx"
PROFILE = Profile(
    ACCOUNT, "wechatpay", "微信支付", "WeChat Pay", "CNY", frozenset(Product), 1, 10**9,
    can_refund_in_part=True, can_pay_out=True, refund_days_max=365, bill_hour=10,
)  # fmt: skip
MORNING_US = 11 * 3_600 * SECOND_US


class Here:
    """What would be done in a thread of its own, done here: the world is in one connection."""

    def __init__(self, connection):
        self.connection = connection

    async def do(self, work):
        """Do it."""
        return work(self.connection)


class House:
    """A world with a channel, and a reconciler over both."""

    def __init__(self, lanes=1, rates=CALM):
        self.world = World(lanes)
        clock = self.world.clock
        self.channel = Faulty(PROFILE, bytes(32), clock.now_us, rates)
        plan = FeePlan(service_ppm=0)
        self.vault = Vault({1: bytes(32)})
        self.cashier = Cashier(self.vault, {ACCOUNT: plan})
        self.desk = Desk(self.vault, lanes)
        self.reconciler = Reconciler(
            Means(
                self.world.connection, self.vault, self.ask, self.desk, self.cashier,
                {ACCOUNT: self.channel}, {ACCOUNT: plan}, clock, Here(self.world.connection),
            )
        )  # fmt: skip
        for name in "ab":
            assert self.do(self.world.register(name)).code == Code.OK
        self.day = business_day(clock.us)

    async def ask(self, submission):
        """Put one command to the lane; a delivery of the relay may follow."""
        answer = self.world.writer.apply([submission])[0]
        self.world.clock.us += 1
        return answer

    def do(self, command):
        """Put a command without anything sealed."""
        return asyncio.run(self.ask(Submission(command)))

    def begin(self, name, user="a", amount_fen=5_000):
        """Open an order, and an attempt that can be paid."""
        order = self.world.order(f"o {name}", user, amount_fen=amount_fen)
        assert self.do(order).code == Code.OK
        begin = self.world.attempt(name, f"o {name}", ACCOUNT)
        assert self.do(begin).code == Code.OK
        until_us = self.world.clock.us + 900 * SECOND_US
        purchase = Purchase(
            self.no(name), Product.JSAPI, "", amount_fen, "CNY", until_us, "", "", ""
        )
        asyncio.run(self.channel.prepay(purchase))
        assert self.do(NotePrepay(begin.attempt_id, PrepayResult.PAYABLE, until_us, "")).code == 0

    def no(self, name):
        """Return an attempt's number."""
        return show(PREFIX_ATTEMPT, self.world.ids[name])

    def pay(self, name, *, is_seen=True):
        """Let the person pay; we see it, or the callback is lost."""
        assert self.channel.pay(self.no(name))
        if is_seen:
            self.see(name)

    def see(self, name):
        """Bring the channel's answer home."""
        reading = asyncio.run(self.channel.query(self.no(name)))
        identity = self.world.ids[name]
        submission = self.cashier.observe(identity, ACCOUNT, Source.QUERY, reading)
        assert asyncio.run(self.ask(submission)).code == Code.OK

    def refund(self, name, amount_fen):
        """Give money back at the channel's own counter, past us."""
        number = f"counter-{name}-{amount_fen}"
        order = RefundOrder(number, self.no(name), amount_fen, 5_000, "CNY", "")
        asyncio.run(self.channel.refund(order))
        self.world.clock.us += 3_600 * SECOND_US

    def morning(self, after=1):
        """Let it be eleven o'clock, some days after the first."""
        self.world.clock.us = day_start_us(self.day + after) + MORNING_US

    def run(self, after=0):
        """Run a day."""
        return asyncio.run(self.reconciler.reconcile(ACCOUNT, self.day + after))

    def found(self):
        """Return class → state of every difference, and check the laws."""
        all_laws(self.world.connection)
        rows = self.world.connection.execute("SELECT class_code, state FROM differences")
        return sorted((found, DifferenceState(state).name) for found, state in rows)

    def balance(self, name):
        """Return what a person has."""
        return self.world.balance(name)


@pytest.fixture(params=[1, 4], ids=["one lane", "four lanes"])
def house(request):
    """A house with one lane, and one with four."""
    made = House(request.param)
    yield made
    made.world.close()


def test_an_empty_day_is_closed(house):
    """No traffic is no reason to leave a day open."""
    house.morning()
    assert house.run().state == DayState.CLOSED
    assert house.run().state == DayState.CLOSED, "and again is no news"


def test_a_day_whose_sides_agree_is_closed(house):
    """Both sums hold, with fees, in every lane."""
    for name in ("p1", "p2", "p3"):
        house.begin(name, user="ab"[len(name) % 2])
        house.pay(name)
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    row = books.day_row(house.world.connection, ACCOUNT, house.day)
    assert (row.ours_fen, row.theirs_fen, row.items) == (15_000, 15_000, 3)
    assert row.closing_fen == 15_000 - 3 * 30
    assert house.found() == []


def test_a_lost_callback_comes_home_with_the_bill(house):
    """L1: the last net; the person has the money within a day whatever was lost."""
    house.begin("p1")
    house.pay("p1", is_seen=False)
    assert house.balance("a") == 0
    house.morning()
    assert house.run().state == DayState.CLOSED
    assert house.balance("a") == 5_000
    assert house.found() == [("L1", "REPAIRED")]


def test_money_of_nobody_is_booked_and_waits_for_a_person(house):
    """L4: it is in the books the same morning, and the day can be closed over it."""
    until_us = house.world.clock.us + 900 * SECOND_US
    stranger = Purchase("from-elsewhere-1", Product.NATIVE, "", 700, "CNY", until_us, "", "", "")
    asyncio.run(house.channel.prepay(stranger))
    assert house.channel.pay("from-elsewhere-1")
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    assert house.found() == [("L4", "OWNED")]


def test_money_of_nobody_with_a_coupon_does_not_keep_the_day_open(house):
    """What is settled is less than what was paid; of a stranger too it is the settled money."""
    until_us = house.world.clock.us + 900 * SECOND_US
    stranger = Purchase("from-elsewhere-2", Product.NATIVE, "", 7_000, "CNY", until_us, "", "", "")
    asyncio.run(house.channel.prepay(stranger))
    house.channel.rates = Rates(coupon=1_000)
    assert house.channel.pay("from-elsewhere-2")
    house.channel.rates = CALM
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    assert ("L4", "OWNED") in house.found()
    house.morning(after=2)
    assert house.run(after=1).state == DayState.CLOSED, "and the next day starts where it ended"


def test_an_account_that_was_not_empty_may_begin_with_a_day_without_traffic(house):
    """What lay in it is known by the first fund bill there is, not by the first day."""
    today_us = house.world.clock.us
    house.world.clock.us -= 5 * 86_400 * SECOND_US
    until_us = house.world.clock.us + 900 * SECOND_US
    before_us = Purchase("long-ago", Product.NATIVE, "", 7_000, "CNY", until_us, "", "", "")
    asyncio.run(house.channel.prepay(before_us))
    assert house.channel.pay("long-ago")
    house.world.clock.us = today_us
    house.begin("p1")
    house.pay("p1")
    house.morning()
    assert house.run(after=-1).state == DayState.CLOSED
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    row = books.day_row(house.world.connection, ACCOUNT, house.day)
    assert (row.opening_fen, row.closing_fen) == (7_000 - 42, 7_000 - 42 + 5_000 - 30)


def test_a_second_payment_with_a_coupon_does_not_keep_the_day_open(house):
    """Two payments of one number: the second goes back whole, and both bills tie."""
    house.begin("p1")
    house.channel.rates = Rates(double=1_000, coupon=1_000)
    house.pay("p1")
    house.channel.rates = CALM
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED


def test_a_refund_past_us_is_made_ours(house):
    """S3: somebody gave money back at the merchant console; the balance follows."""
    house.begin("p1")
    house.pay("p1")
    house.refund("p1", 2_000)
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    assert house.balance("a") == 3_000
    assert house.found() == [("S3", "REPAIRED")]


def test_money_the_channel_denies_stops_the_person_and_has_an_owner(house):
    """S1: the day closes over it, for it is owned; the account is frozen, not emptied."""
    house.begin("p1")
    forged = house.cashier.observe(
        house.world.ids["p1"], ACCOUNT, Source.OPERATOR,
        asyncio.run(house.channel.query(house.no("p1")))._replace(
            state=4, amount_fen=5_000, settle_fen=5_000, transaction_id="T-forged",
            success_at_us=house.world.clock.us,
        ),
    )  # fmt: skip
    assert asyncio.run(house.ask(forged)).code == Code.OK
    assert house.balance("a") == 5_000
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    assert house.found() == [("S1", "OWNED")]
    assert house.world.status("a")[2] == 2


def test_bills_that_are_not_there_are_waited_for(house):
    """Half-hourly, and the day stays open."""
    house.channel.rates = Rates(bill_late=1_000)
    house.morning()
    ended = house.run()
    assert (ended.state, ended.blockers, ended.waits) == (
        DayState.OPEN,
        (Blocker.BILL_MISSING,),
        "bill_creating",
    )
    asyncio.run(house.reconciler._catch_up(ACCOUNT))
    assert house.reconciler.due(ACCOUNT) is None
    house.channel.rates = CALM
    house.world.clock.us += 1_801 * SECOND_US
    asyncio.run(house.reconciler._catch_up(ACCOUNT))
    assert house.reconciler.next_day(ACCOUNT) == house.day + 1


def test_days_are_caught_up_in_their_order(house):
    """A house that was off for a week closes the week, and never today."""
    house.begin("p1")
    house.pay("p1")
    house.morning(after=7)
    asyncio.run(house.reconciler._catch_up(ACCOUNT))
    days = books.days(house.world.connection, ACCOUNT)
    assert [row.day for row in days] == [house.day + each for each in range(7)]
    assert {row.state for row in days} == {DayState.CLOSED}
    assert {row.closing_fen for row in days} == {4_970} or days[0].closing_fen == 4_970


def test_a_day_run_by_hand_runs_the_days_before_it_that_nobody_has(house):
    """Begun out of its order it would take what lies in the account for its opening, and the day
    before it would book the same money again."""
    house.morning()
    assert house.run().state == DayState.CLOSED
    house.begin("p1")
    house.pay("p1")
    house.morning(after=4)
    house.channel.rates = Rates(bill_late=1_000)
    ended = house.run(after=3)
    assert (ended.state, ended.blockers) == (DayState.OPEN, (Blocker.DAY_BEFORE_OPEN,))
    house.channel.rates = CALM
    assert house.run(after=3).state == DayState.CLOSED
    days = books.days(house.world.connection, ACCOUNT)
    assert [row.day - house.day for row in days] == [0, 1, 2, 3]
    assert [row.opening_fen for row in days] == [0, 0, 4_970, 4_970]
    assert house.found() == []
    assert house.run(after=-1).blockers == (Blocker.DAY_BEFORE_OPEN,)
    assert len(books.days(house.world.connection, ACCOUNT)) == len(days)


def test_a_spoilt_line_is_classified_and_keeps_the_day_open(house):
    """The control: one line of the bill broken on purpose is found, and two bills disagree."""
    house.begin("p1")
    house.pay("p1")
    house.channel.rates = Rates(bill_line_lost=1_000)
    house.morning()
    ended = house.run()
    assert Blocker.BILLS_DISAGREE in ended.blockers
    assert house.found() == [("B1", "OWNED"), ("T1", "CARRIED")]
    house.channel.rates = CALM
    assert house.run().state == DayState.CLOSED
    assert ("B1", "REPAIRED") in house.found()


def test_a_fund_bill_that_contradicts_itself_moves_nothing(house):
    """What only a broken bill tells is not booked: the better one that follows is, and once."""
    house.begin("p1")
    house.pay("p1")
    asyncio.run(house.channel.pay_out(PayoutOrder("elsewhere", "payee", 700, "", "")))
    true = house.channel.fetch_bill

    async def spoilt(kind, day):
        bill = await true(kind, day)
        rows = [
            row._replace(amount_fen=row.amount_fen - 1) if row.amount_fen == -700 else row
            for row in bill.rows
        ]
        return bill._replace(raw=bill.raw + b"1", digest=bytes(32), rows=tuple(rows))

    house.channel.fetch_bill = spoilt
    house.morning()
    assert Blocker.CHAIN_BROKEN in house.run().blockers
    house.channel.fetch_bill = true
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    row = books.day_row(house.world.connection, ACCOUNT, house.day)
    assert row.closing_fen == 5_000 - 30 - 700


def test_a_first_day_cannot_open_below_nothing(house):
    """A bill that lost its first line is not taken for an account that began with a debt."""
    asyncio.run(house.channel.pay_out(PayoutOrder("elsewhere", "payee", 700, "", "")))
    house.world.clock.us += 60 * SECOND_US
    house.begin("p1")
    house.pay("p1")
    true = house.channel.fetch_bill

    async def beheaded(kind, day):
        bill = await true(kind, day)
        rows = [row for row in bill.rows if row.amount_fen != -700]
        return bill._replace(raw=bill.raw + b"1", digest=bytes(32), rows=tuple(rows))

    house.channel.fetch_bill = beheaded
    house.morning()
    assert Blocker.CHAIN_BROKEN in house.run().blockers
    house.channel.fetch_bill = true
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED


@pytest.mark.parametrize("back_fen", [1_999, 5_000])
def test_a_refund_of_a_payment_with_a_coupon_ties(house, back_fen):
    """The channel takes back what it settled; the coupon's part was the house's all along."""
    house.channel.rates = Rates(coupon=1_000)
    house.begin("p1")
    house.pay("p1")
    house.channel.rates = CALM
    house.refund("p1", back_fen)
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    assert house.balance("a") == 5_000 - back_fen
    assert house.found() == [("S3", "REPAIRED")]


def test_money_of_nobody_with_a_coupon_ties(house):
    """What is parked is compared as it was settled, and its fee as it was booked."""
    until_us = house.world.clock.us + 900 * SECOND_US
    stranger = Purchase("from-elsewhere-1", Product.NATIVE, "", 7_000, "CNY", until_us, "", "", "")
    asyncio.run(house.channel.prepay(stranger))
    house.channel.rates = Rates(coupon=1_000)
    assert house.channel.pay("from-elsewhere-1")
    house.channel.rates = CALM
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    assert house.found() == [("L4", "OWNED")]


def test_a_refund_that_closes_on_its_own_day_ties(house):
    """Its money and its fee have gone and come back before the bill was made of it."""
    house.begin("p1")
    house.pay("p1")
    asked = house.cashier.ask_refund(house.world.ids["o p1"], 2_000, "", ("back", "app"))
    assert asyncio.run(house.ask(asked)).code == Code.OK
    identity = asked.command.refund_id
    number = show(PREFIX_REFUND, identity)
    house.channel.rates = Rates(refund_closed=1_000)
    order = RefundOrder(number, house.no("p1"), 2_000, 5_000, "CNY", "")
    asyncio.run(house.channel.refund(order))
    house.world.clock.us += 3_600 * SECOND_US
    reading = asyncio.run(house.channel.query_refund(number))
    noted = house.cashier.note_refund(identity, ACCOUNT, Source.QUERY, reading)
    assert asyncio.run(house.ask(noted)).code == Code.OK
    house.channel.rates = CALM
    house.morning()
    ended = house.run()
    assert ended.blockers == ()
    assert ended.state == DayState.CLOSED
    row = books.day_row(house.world.connection, ACCOUNT, house.day)
    assert row.closing_fen == 5_000 - 30


def test_a_closed_day_cannot_be_changed_in_the_database(house):
    """The trigger stands behind the refusal."""
    house.morning()
    assert house.run().state == DayState.CLOSED
    for statement in (
        "UPDATE days SET items = 9",
        "DELETE FROM days",
        "INSERT OR REPLACE INTO days SELECT * FROM days",
        "REPLACE INTO days SELECT * FROM days LIMIT 1",
    ):
        with pytest.raises(apsw.ConstraintError, match="never"):
            house.world.connection.execute(statement)


def test_a_closed_day_is_derived_again_from_its_inputs(house):
    """P11: raw bills and the sheet give the same result, and any change in them another one."""
    house.begin("p1")
    house.pay("p1", is_seen=False)
    house.morning()
    assert house.run().state == DayState.CLOSED
    row = books.day_row(house.world.connection, ACCOUNT, house.day)
    identity = day_id(ACCOUNT, house.day)
    plain = opened(house.world.connection, house.vault, identity, FIELD_SHEET)
    assert sha256(plain).digest() == row.sheet_digest
    raw = asyncio.run(house.reconciler._fetch(house.reconciler._frame(ACCOUNT, house.day)))
    again = derive(house.day, read_sheet(plain), raw.lines, raw.flows)
    assert result_digest(again) == row.result_digest
    broken = [raw.lines[0]._replace(amount_fen=4_999)]
    other = derive(house.day, read_sheet(plain), broken, raw.flows)
    assert result_digest(other) != row.result_digest


def test_a_sheet_in_pieces_is_read_as_it_was_written():
    """Also one of more rows than a piece has; and one written before there were pieces."""
    number = RUN_ROWS_MAX * 2 + 3
    sheet = Sheet(
        tuple(paid(f"p{place:05d}") for place in range(number)),
        None,
        tuple(f"r{place:05d}" for place in range(5)),
        tuple((1, f"n{place:05d}") for place in range(number)),
    )
    plain = write_sheet(sheet)
    assert read_sheet(plain) == sheet
    assert list(shown_in(plain)) == list(sheet.shown)
    shuffled = sheet._replace(booked=sheet.booked[::-1])
    assert write_sheet(shuffled) == plain
    whole = msgspec.msgpack.encode(sheet)
    assert read_sheet(whole) == sheet
    assert list(shown_in(whole)) == list(sheet.shown)


def test_a_bill_is_kept_packed_and_opened_as_it_came():
    """Years of bills lie in the file; one that was kept before they were packed is still read."""
    vault, plain = Vault({1: bytes(32)}), "交易时间,".encode() * 1_000
    row = sealed(vault, bytes(16), FIELD_TRADE_BILL, plain)
    assert len(row.cipher) < len(plain) // 10
    kept = vault.open("personal", bytes(16) + bytes((FIELD_TRADE_BILL,)), row.cipher)
    assert unpacked(kept) == plain
    assert unpacked(plain) == plain
    assert row.mac == sha256(plain).digest()
    with pytest.raises(Damaged):
        unpacked(kept[:-2])


def test_a_day_that_no_longer_follows_from_its_inputs_is_told_in_words(house):
    """P11 with its controls: a bill exchanged, keys of another house, a figure, a finding."""
    house.begin("p1")
    house.pay("p1", is_seen=False)
    house.morning()
    assert house.run().state == DayState.CLOSED
    connection, vault = house.world.connection, house.vault
    row = books.day_row(connection, ACCOUNT, house.day)

    def told(row, vault=vault):
        return list(faults(connection, vault, row, house.channel.read_bill))

    assert told(row) == []
    assert told(replace(row, items=9)) == ["items was closed as 9, the inputs make it 1"]
    assert told(replace(row, closing_fen=1)) == [
        "the closing balance was closed as 1, the inputs make it 4970"
    ]
    words = "the findings are not those the day was closed with"
    assert told(replace(row, result_digest=bytes(32))) == [words]
    assert "cannot be opened" in told(row, Vault({1: b"x" * 32}))[0]
    identity = day_id(ACCOUNT, house.day)
    other = sealed(vault, identity, FIELD_TRADE_BILL, b"[]")
    connection.execute(
        "UPDATE personal SET cipher = ? WHERE owner_id = ? AND field = ?",
        (other.cipher, identity, FIELD_TRADE_BILL),
    )
    assert told(row) == ["input 20 is not what the day was closed with"]
    connection.execute("DELETE FROM personal WHERE owner_id = ?", (identity,))
    assert told(row) == ["input 20 is not what the day was closed with"]


def test_a_number_that_only_a_bill_has_is_told_as_that(house):
    """A refund past us of a payment that is none of ours: a line, a difference, and an owner."""
    until_us = house.world.clock.us + 900 * SECOND_US
    stranger = Purchase("elsewhere", Product.NATIVE, "", 900, "CNY", until_us, "", "", "")
    asyncio.run(house.channel.prepay(stranger))
    assert house.channel.pay("elsewhere")
    order = RefundOrder("counter-1", "elsewhere", 400, 900, "CNY", "")
    asyncio.run(house.channel.refund(order))
    house.morning()
    house.run()
    shelf = Shelf(house.vault, lambda _: house.channel.read_bill)
    told = story(house.world.connection, "counter-1", shelf)
    assert told.sentence.name == "only_billed"
    assert {each.facts.get("class_code") for each in told.entries} >= {"S3"}
    lines = [each.facts["refund_no"] for each in told.entries if each.kind == "bill_line"]
    assert lines[:1] == ["counter-1"]
