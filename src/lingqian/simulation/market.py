"""A world of orders from one seed: people who pay, channels that fail, a process that dies (集市).

Law: whatever happens, the assessor's books are the ledger's after every batch; and once the faults
have stopped, within one bill day every order is credited, sent back, held by a person, or closed
and unpaid.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, NamedTuple

from lingqian.channels.faulty import CALM, Rates
from lingqian.channels.faulty import ROUGH as ROUGH_CHANNEL
from lingqian.channels.faulty.truth import Payment
from lingqian.channels.port import (
    AbnormalRefund,
    PayoutState,
    Product,
    Profile,
    Reading,
    RefundState,
)
from lingqian.clearing.day import DayState
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import (
    AllocateParked,
    AskAdvance,
    AskPayout,
    AskRefund,
    BeginAttempt,
    BeginClose,
    Command,
    DeliverRelay,
    ExpireOrder,
    Fund,
    FundLine,
    Observe,
    OpenOrder,
    RegisterUser,
    SendGift,
    SetMode,
    SettleCase,
)
from lingqian.flows.view import Policy
from lingqian.kernel.clock import DAY_US, SECOND_US, business_day, day_start_us
from lingqian.kernel.code import Code
from lingqian.kernel.id import mint, show
from lingqian.simulation import property as law
from lingqian.simulation import weather
from lingqian.simulation.assessor import Assessor
from lingqian.simulation.auditor import Violation
from lingqian.simulation.clerk import Clerk, finish, purchase_of
from lingqian.simulation.disk import quiet
from lingqian.simulation.office import Office, Reach
from lingqian.simulation.ordinary import Ordinary, Paid
from lingqian.simulation.process import PEACE, ROUGH, Hardship, Process
from lingqian.simulation.proof import audited, rebuilt
from lingqian.simulation.street import Street
from lingqian.simulation.weather import FAIR, STORMY, Weather
from lingqian.simulation.world import WorldClock
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.relay import waiting
from lingqian.storage.sweep import due
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.coin import Basis
from lingqian.topup.evidence import Source
from lingqian.topup.fee import FeePlan
from lingqian.topup.order import CreditState, OrderKind, PayState
from lingqian.topup.refund import Origin

ACCOUNTS: Final = ("wx-main", "wx-spare")
PLAN: Final = FeePlan(subsidy_until_us=2**62)
# Some five hundred orders an hour, in the evening: 19:00 in Shanghai.
_EVENING_US: Final = 11 * 3_600 * SECOND_US
_RUSH_US: Final = 3_600 * SECOND_US
_NEXT_US: Final = 26 * 3_600 * SECOND_US
_STEP_US_MAX: Final = 1_800 * SECOND_US
# A bill is there at ten; one that is not, or will not close, is looked at again half-hourly.
_BILL_US: Final = 34 * 3_600 * SECOND_US
_BILL_AGAIN_US: Final = 1_800 * SECOND_US
# The first runs of a day are cut off by whatever befalls the machine.
_CUT_RUNS: Final = 2
_CUTTING: Final = Hardship(disk=12, line=6, silence=6)
_QUIET_STEPS_MAX: Final = 4_000
_SWEEP_ROWS: Final = 200
_AMOUNTS: Final = (600, 1_000, 3_000, 5_000, 10_000, 50_000)
_LARGE_FEN: Final = 2_000_000
# The line of each lane, so short that its pace is met, and an outage of evidence in the evening.
_LINE_FEN: Final = 100_000
_OUTAGE_AT_US: Final = 1_200 * SECOND_US
_OUTAGE_US: Final = 600 * SECOND_US
# A callback is expected within a minute.
_HEARD_US: Final = 60 * SECOND_US
# Whoever has paid and has nothing after so long asks a person.
_PATIENCE_US: Final = 600 * SECOND_US
_LIFE_US: Final = 15 * 60 * SECOND_US
_BONUS_LIFE_US: Final = 1_800 * SECOND_US
# Income of a gift is settled soon, or late enough for coins that were advanced.
_SETTLE_US: Final = (3_600 * SECOND_US, 7 * DAY_US)
_ATTEMPTS_MAX: Final = 4
# What holds at every moment is looked at so often; and so far off our own clock may be.
_SNAPSHOT_EVERY: Final = 50
_OWN_SKEW_S: Final = 20
# The audit replays every journal; so many have theirs folded into another file as well.
_FOLDED_ONE_IN: Final = 4
_SELECT_ORDERS: Final = (
    "SELECT order_id, pay_state, credit_state, received_fen, refunding_fen, refunded_fen "
    "FROM orders"
)
_SELECT_EARLY: Final = (
    "SELECT order_id, pay_state, credit_state, received_fen, refunding_fen, refunded_fen "
    "FROM orders WHERE created_at_us < ?"
)
_SELECT_OWNED: Final = "SELECT number FROM differences WHERE state = 2"
_SELECT_GAPS: Final = (
    "SELECT COALESCE(sum(gap_fen - fee_gap_fen), 0) FROM differences "
    "WHERE account = ? AND state = 2 AND is_booked = 0"
)
_SELECT_OPEN: Final = "SELECT count(*) FROM advances WHERE state = 1"
_SELECT_CASES: Final = "SELECT case_id FROM cases WHERE action = 4 AND state IN (1, 2, 3)"
_SELECT_LEAVING: Final = (
    "SELECT (SELECT count(*) FROM refunds WHERE due_at_us > 0) "
    "+ (SELECT count(*) FROM payouts WHERE due_at_us > 0)"
)
_SELECT_STUCK: Final = (
    "SELECT r.refund_id, a.account FROM refunds r "
    "JOIN attempts a ON a.attempt_id = r.attempt_id WHERE r.stage = 7 ORDER BY r.refund_id"
)
_SELECT_PARKED: Final = (
    "SELECT transaction_key, attempt_id, reason FROM transactions WHERE parked_fen > 0"
)
_SELECT_NEXT: Final = (
    "SELECT min(query_due_at_us) FROM attempts WHERE query_due_at_us > 0",
    "SELECT min(due_at_us) FROM orders WHERE due_at_us > 0",
    "SELECT min(due_at_us) FROM cases WHERE state IN (1, 2, 3)",
    "SELECT min(due_at_us) FROM advances WHERE due_at_us > 0",
    "SELECT min(due_at_us) FROM refunds WHERE due_at_us > 0",
    "SELECT min(due_at_us) FROM payouts WHERE due_at_us > 0",
    "SELECT min(due_at_us) FROM grants WHERE due_at_us > 0",
    "SELECT min(settles_at_us) FROM gifts WHERE state = 1",
)


class Setting(NamedTuple):
    """What a world is like: how many orders, what its channels do, what its machine does.

    One order in `large_one_in` is large; a few people make them all.
    """

    orders: int = 500
    lanes: int = 1
    rates: Rates = CALM
    hardship: Hardship = ROUGH
    people: int = 40
    large_one_in: int = 50
    weather: Weather = FAIR


def rough(orders: int, lanes: int) -> Setting:
    """Return the world that everything happens in."""
    people = max(40, orders // 25)
    return Setting(orders, lanes, ROUGH_CHANNEL, ROUGH, people=people, weather=STORMY)


class Buy(NamedTuple):
    """What a person wants: made when the world begins, so that faults do not change the people."""

    number: int
    user: bytes
    kind: OrderKind
    amount_fen: int
    coins: int
    bonus_coins: int
    is_from_balance: bool
    mood: str
    delay_us: int


class Report(NamedTuple):
    """What became of a world."""

    seed: int
    orders: int
    commands: int
    batches: int
    restarts: int
    points: int
    events: Counter[str]
    faults: Counter[str]
    ends: Counter[str]
    unsolved: Counter[str]
    exceptions: Counter[str]
    checked: Counter[str]
    heads: str


Then = Callable[[Answer], None]


class _Ask(NamedTuple):
    """A command, and what its answer leads to; asked again until there is one."""

    command: Command
    then: Then | None


class Market:
    """One world; `run` may be called once."""

    def __init__(self, seed: int, setting: Setting) -> None:
        self.seed = seed
        self.setting = setting
        self._chance = Random(seed)  # noqa: S311 - whoever knows the seed may know the world
        day = 20_500 + self._chance.randrange(300)
        self.clock = WorldClock(day * DAY_US + _EVENING_US)
        key = sha256(b"market" + seed.to_bytes(8, "big")).digest()
        self.channels = {name: Street(_profile(name), key, self.clock.now_us) for name in ACCOUNTS}
        self.clerk = Clerk(self.channels, PLAN)
        self.assessor = Assessor()
        # The process's own clock: after a crash it may be wrong by a little, either way.
        self._own_clock = WorldClock(self.clock.at_us)
        self._own_skew_us = 0
        self.process = Process(self._chance, setting.lanes, self._own_clock, Policy(caps(DEFAULT)))
        self.events: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.rivals = {
            "plain": Ordinary(closes_by_clock=True),
            "careful": Ordinary(closes_by_clock=False),
        }
        self.clerk.overhears = self._overhear
        reach = Reach(lambda: self.process.connection, self._put, self.clock, setting.lanes)
        self.office = Office(key, reach, self.channels, PLAN)
        # Orders that did not go the straight way, and why.
        self.exceptions: dict[bytes, set[str]] = {}
        self._last_day = 0
        self._calm_from_us = 0
        # The day each account closes next, and how often each has been run.
        self._next_day: dict[str, int] = {}
        self._runs: Counter[tuple[str, int]] = Counter()
        self._bill_again_us: dict[str, int] = {}
        self._heard: set[str] = set()
        self._orders: dict[str, bytes] = {}
        # What the channels were like before an outage; empty when there is none.
        self._rates: dict[str, Rates] = {}
        self._calendar: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = 0
        self._asks: list[_Ask] = []
        self._people: list[bytes] = []
        # Who has opened a sheet: order, attempt and account of every attempt that was begun.
        self._sheets: dict[bytes, list[tuple[bytes, str]]] = {}

    def run(self) -> Report:
        """Live through the evening and the days after, and check what must hold.

        Raises: Violation.
        """
        with quiet():
            try:
                self._open()
                self._rush()
                self._calm()
                self.person_decides()
                self._calm()
                self._check()
                return self._report()
            finally:
                self.process.close()

    # --- time -----------------------------------------------------------------------------------

    def at(self, after_us: int, work: Callable[[], None]) -> None:
        """Put something on the calendar."""
        self._numbers += 1
        heappush(self._calendar, (self.clock.at_us + after_us, self._numbers, work))

    def _open(self) -> None:
        chance = self._chance
        for number in range(self.setting.people):
            user = self._id(number % self.setting.lanes)
            self._people.append(user)
            mac = sha256(user).digest()
            self._ask(RegisterUser(user[:2] + mac[:14], user, mac, b"", 3))
            if number % 3 == 0:
                key = user[:2] + mac[14:28]
                self._ask(Fund(key, self._id(user[0] << 8 | user[1]), user, 200_000))
        for lane in range(self.setting.lanes):
            key = lane.to_bytes(2, "big") + bytes(14)
            self._ask(FundLine(key, lane, _LINE_FEN, "house"))
        self._submit()
        self.at(_OUTAGE_AT_US, self._begin_outage)
        for number in range(self.setting.orders):
            buy = self._wish(number)
            # A few come again the next evening: what is owed of advances is repaid first.
            after_us = _NEXT_US if number % 12 == 0 else 0
            self.at(after_us + chance.randrange(_RUSH_US), lambda buy=buy: self._order(buy))  # type: ignore[misc]  # a loop variable, bound
        self.process.hardship = self.setting.hardship
        for channel in self.channels.values():
            channel.rates = self.setting.rates
            weather.set_out(channel, chance, self.setting.weather)
        for spell in weather.spells(chance, ACCOUNTS, self.setting.weather):
            street = self.channels[spell.account]
            self.at(spell.at_s * SECOND_US, partial(weather.begin, street, spell))
            ends_s = spell.at_s + spell.lasts_s
            self.at(ends_s * SECOND_US, partial(weather.end, street, spell))

    def _rush(self) -> None:
        """Let people come, with all that goes wrong."""
        ends_us = self.clock.at_us + _RUSH_US + _LIFE_US
        # The evening's own bill, and that of the next one, on which a few come again.
        self._last_day = business_day(ends_us) + 1
        self._calm_from_us = ends_us
        while self.clock.at_us < ends_us:
            self.clock.at_us += self._chance.randrange(1, 12) * SECOND_US
            self._step()

    def _calm(self) -> None:
        """Let faults stop, and go on until nothing waits and every day's bill has been read."""
        self.process.hardship = PEACE
        for channel in self.channels.values():
            # The bill may still be late: it is asked for until it is there.
            channel.rates = CALM._replace(bill_late=self.setting.rates.bill_late)
            weather.clear(channel)
        self._own_skew_us = 0
        for _ in range(_QUIET_STEPS_MAX):
            self.clock.at_us = self._next_us()
            self._step()
            self._bills()
            if self._is_at_rest():
                return
        raise Violation("the world does not come to rest")

    def _next_us(self) -> int:
        """Return when something happens next: at least a second from now, at most half an hour."""
        now_us = self.clock.at_us
        moments = [channel.next_letter_us() for channel in self.channels.values()]
        moments += [self._calendar[0][0]] if self._calendar else []
        for statement in _SELECT_NEXT:
            row: Any = self.process.connection.execute(statement).fetchone()
            moments.append(row[0] or 0)
        following = min([each for each in moments if each], default=now_us + _STEP_US_MAX)
        return min(max(following, now_us + SECOND_US), now_us + _STEP_US_MAX)

    def _is_at_rest(self) -> bool:
        if self._rows(_SELECT_OPEN)[0][0] or self._rows(_SELECT_LEAVING)[0][0]:
            return False
        is_closed = [self._next_day.get(name, 0) > self._last_day for name in ACCOUNTS]
        return all(is_closed) and not self._asks and not self._calendar

    # --- one step -------------------------------------------------------------------------------

    def _step(self) -> None:
        now_us, connection = self.clock.at_us, self.process.connection
        while self._calendar and self._calendar[0][0] <= now_us:
            heappop(self._calendar)[2]()
        received = self.clerk.receive(now_us)
        rows: list[Command] = [*received, *self.clerk.observe_notices(connection)]
        rows += self._in_time(self.clerk.due(connection, now_us))
        rows += self.clerk.refunds(connection, now_us)
        rows += self.clerk.payouts(connection, now_us)
        rows += due(connection, now_us, _SWEEP_ROWS)
        rows += self._delivered()
        self._asks = [_Ask(each, None) for each in rows] + self._asks
        self._submit()

    def _in_time(self, answers: list[Observe]) -> list[Observe]:
        """Return the answers that come at once; the others arrive later, whatever happens first."""
        prompt = []
        for each in answers:
            delay_us = self.channels[each.account].delay_us()
            if delay_us:
                self.at(delay_us, partial(self._ask, each))
            else:
                prompt.append(each)
        return prompt

    def _delivered(self) -> list[DeliverRelay]:
        return list(waiting(self.process.connection)) if self.setting.lanes > 1 else []

    def _rows(self, statement: str, *words: int | str) -> list[Any]:
        return self.process.connection.execute(statement, words).fetchall()

    def _ask(self, command: Command, then: Then | None = None) -> None:
        self._asks.append(_Ask(command, then))

    def _submit(self) -> None:
        """Ask everything that waits; what is not answered and is nobody's row is asked again."""
        asks, self._asks = self._asks, []
        if not asks:
            return
        answers = self._put([Submission(each.command) for each in asks])
        if answers is None:
            self._asks = [each for each in asks if each.then is not None or _is_keyed(each)]
            return
        self.clerk.delivered()
        for ask, answer in zip(asks, answers, strict=True):
            self.events[f"answered {Code(answer.code).name.lower()}"] += 1
            if ask.then is not None:
                ask.then(answer)

    def _put(self, batch: list[Submission]) -> list[Answer] | None:
        """Put a batch to the process, and look at what it has done; None when no answer came."""
        self._own_clock.at_us = self.clock.at_us + self._own_skew_us
        answers = self.process.ask(batch)
        for lane, record in self.process.news():
            self.assessor.follow(lane, record)
        self.assessor.agree(self.process.connection)
        if self.process.batches % _SNAPSHOT_EVERY == 0:
            law.snapshot(self.process.connection, self.checked)
        if answers is None:
            self._started_again()
        return answers

    def _started_again(self) -> None:
        """Compare all books after a crash (P12); the machine's clock may have moved."""
        self.assessor.agree_wholly(self.process.connection)
        self.checked["P12"] += 1
        if self.setting.weather.clocks and self.clock.at_us < self._calm_from_us:
            self._own_skew_us = self._chance.randrange(-_OWN_SKEW_S, _OWN_SKEW_S) * SECOND_US
            self.events["own clock moved"] += 1

    # --- people ---------------------------------------------------------------------------------

    def _id(self, lane: int) -> bytes:
        return mint(lane, self.clock.at_us // 1_000, self._chance.getrandbits(64))

    def _wish(self, number: int) -> Buy:
        chance = self._chance
        user = chance.choice(self._people)
        kind = chance.choice((OrderKind.BALANCE, OrderKind.COINS))
        is_large = chance.randrange(self.setting.large_one_in) == 0
        fen = _LARGE_FEN if is_large else chance.choice(_AMOUNTS)
        if is_large:
            # A few people top up a great deal in one day: that is what a person reviews.
            user = self._people[number % 4]
        coins, bonus = (fen // 10, fen // 200) if kind == OrderKind.COINS else (0, 0)
        from_balance = kind == OrderKind.COINS and chance.randrange(10) == 0
        mood = chance.choice(("pays",) * 16 + ("leaves", "cancels", "dawdles", "switches"))
        delay_us = chance.randrange(2, 30) * SECOND_US
        return Buy(number, user, kind, fen, coins, bonus, from_balance, mood, delay_us)

    def _order(self, buy: Buy) -> None:
        lane = buy.user[0] << 8 | buy.user[1]
        key = buy.user[:2] + sha256(f"{self.seed}:{buy.number}".encode()).digest()[:14]
        command = OpenOrder(
            key,
            self._id(lane),
            buy.user,
            buy.kind,
            b"",
            "",
            buy.amount_fen,
            buy.coins,
            buy.bonus_coins,
            _BONUS_LIFE_US if buy.bonus_coins and buy.number % 2 else 0,
            "",
            _LIFE_US,
            "app",
            buy.is_from_balance,
        )
        self._ask(command, lambda answer: self._ordered(buy, answer))

    def _ordered(self, buy: Buy, answer: Answer) -> None:
        if answer.code:
            return
        record: Any = answer if answer.first is None else answer.first
        order_id = record.command.order_id
        if buy.is_from_balance:
            self._live_on(buy, order_id)
            return
        self._sheets[order_id] = []
        self._try(buy, order_id)

    def _try(self, buy: Buy, order_id: bytes) -> None:
        """Begin an attempt at the account whose turn it is."""
        begun = self._sheets[order_id]
        if len(begun) >= _ATTEMPTS_MAX:
            self.events["gave up after four attempts"] += 1
            return
        account = ACCOUNTS[len(begun) % len(ACCOUNTS)]
        attempt_id = self._id(order_id[0] << 8 | order_id[1])
        begun.append((attempt_id, account))
        self._orders[show("pa", attempt_id)] = order_id
        command = BeginAttempt(attempt_id, order_id, account, Product.JSAPI, b"")
        self._ask(command, lambda answer: self._begun(buy, command, answer))

    def _begun(self, buy: Buy, command: BeginAttempt, answer: Answer) -> None:
        if answer.code:
            self.events["attempt refused"] += 1
            return
        self._prepay(buy, command)

    def _prepay(self, buy: Buy, command: BeginAttempt) -> None:
        attempt: Any = self.process.connection.execute(
            "SELECT amount_fen, created_at_us FROM attempts WHERE attempt_id = ?",
            (command.attempt_id,),
        ).fetchone()
        expires_at_us = attempt[1] + _LIFE_US
        payer = show("us", buy.user)
        purchase = purchase_of(command.attempt_id, attempt[0], expires_at_us, payer)
        for rival in self.rivals.values():
            rival.open(purchase.attempt_no, command.order_id, attempt[0], expires_at_us)
        noted = self.clerk.prepay(command.account, purchase, command.attempt_id)
        if noted.result == PrepayResult.UNKNOWN:
            self._except(command.order_id, "no answer to the call for a sheet")
        then = partial(self._sheet, buy, command, noted.result)
        self.at(self.channels[command.account].delay_us(), lambda: self._ask(noted, then))

    def _sheet(self, buy: Buy, command: BeginAttempt, result: int, answer: Answer) -> None:
        del answer
        if result == PrepayResult.FAILED:
            self.at(SECOND_US, lambda: self._try(buy, command.order_id))
        elif result == PrepayResult.UNKNOWN:
            # The person taps again: the same number is asked for a sheet once more.
            if self._chance.randrange(4):
                self.at(2 * SECOND_US, lambda: self._prepay(buy, command))
        else:
            self._decide(buy, command)

    def _decide(self, buy: Buy, command: BeginAttempt) -> None:
        """Do what the person's mood says, with the sheet open."""
        if self._rates and buy.kind == OrderKind.COINS:
            self.at(30 * SECOND_US, lambda: self._want_advance(buy, command))
        if buy.mood == "leaves":
            return
        if buy.mood == "cancels":
            self.at(buy.delay_us, lambda: self._ask(ExpireOrder(command.order_id, "person"), _done))
            return
        if buy.mood == "switches" and len(self._sheets[command.order_id]) == 1:
            # Tries another way; the first sheet is still in the other window, and is paid too.
            self.at(buy.delay_us, lambda: self._ask(BeginClose(command.attempt_id), _done))
            self.at(buy.delay_us + 20 * SECOND_US, lambda: self._try(buy, command.order_id))
            self.at(buy.delay_us + 60 * SECOND_US, lambda: self._pay(buy, command))
            return
        delay_us = buy.delay_us
        if buy.mood == "dawdles":
            delay_us += self._chance.randrange(20 * 60) * SECOND_US
        self.at(delay_us, lambda: self._pay(buy, command))

    def _pay(self, buy: Buy, command: BeginAttempt) -> None:
        number = show("pa", command.attempt_id)
        if not self.channels[command.account].pay(number):
            self.events["too late to pay"] += 1
            return
        self.events["paid"] += 1
        self._paid(command, number)
        self._live_on(buy, command.order_id)
        # Who has dawdled has often left the page; the others nearly all come back to it.
        if self._chance.randrange(2 if buy.mood == "dawdles" else 20):
            for after_us in (0, SECOND_US, 3 * SECOND_US):
                self.at(SECOND_US // 2 + after_us, lambda: self._came_back(command))

    # --- what people do with what they have -----------------------------------------------------

    def _live_on(self, buy: Buy, order_id: bytes) -> None:
        """Plan what a person does after paying: gives, takes money out, wants money back."""
        chance = self._chance
        if buy.kind == OrderKind.COINS and chance.randrange(2):
            for _ in range(chance.randrange(1, 4)):
                self.at(chance.randrange(60, 600) * SECOND_US, lambda: self._give(buy.user))
        if chance.randrange(8) == 0:
            self.at(chance.randrange(60, 900) * SECOND_US, lambda: self._refund(buy, order_id))
        if buy.kind == OrderKind.BALANCE and chance.randrange(6) == 0:
            self.at(chance.randrange(60, 900) * SECOND_US, lambda: self._take_out(buy))

    def _key(self, identity: bytes) -> bytes:
        return identity[:2] + sha256(identity).digest()[:14]

    def _give(self, user: bytes) -> None:
        chance = self._chance
        gift_id = self._id(user[0] << 8 | user[1])
        streamer = chance.choice(self._people)
        count, ppm = chance.choice((1, 3, 7)), chance.choice((500_000, 333_333))
        is_packet = chance.randrange(6) == 0
        command = SendGift(
            self._key(gift_id), gift_id, user, streamer, "rose", 9, count, ppm,
            chance.choice(_SETTLE_US), "packet" if is_packet else "", 3, 1,
        )  # fmt: skip
        self._ask(command, _done)

    def _refund(self, buy: Buy, order_id: bytes) -> None:
        refund_id = self._id(buy.user[0] << 8 | buy.user[1])
        sizes = (buy.amount_fen, buy.amount_fen // 3, 1 + buy.number % 99)
        command = AskRefund(
            self._key(refund_id), refund_id, order_id, self._chance.choice(sizes), b"",
            Origin.PERSON, "app", Basis.PAID_ONLY if buy.number % 3 else Basis.BLENDED,
        )  # fmt: skip
        self._ask(command, _done)

    def _take_out(self, buy: Buy) -> None:
        payout_id = self._id(buy.user[0] << 8 | buy.user[1])
        command = AskPayout(
            self._key(payout_id), payout_id, buy.user, self._chance.choice(ACCOUNTS),
            buy.amount_fen // 2, b"", self._chance.choice((0, 60)) * SECOND_US, "app",
        )  # fmt: skip
        self._ask(command, lambda answer: self._taken_out(command, answer))

    def _taken_out(self, command: AskPayout, answer: Answer) -> None:
        if not answer.code and self._chance.randrange(5):
            number = show("po", command.payout_id)
            self.at(300 * SECOND_US, lambda: self._confirm(command.account, number))

    def _confirm(self, account: str, number: str) -> None:
        """The person confirms a transfer, once the channel has it; another day it lapses."""
        if number not in self.channels[account].truth.payouts:
            self.at(600 * SECOND_US, lambda: self._confirm(account, number))
        else:
            self.channels[account].confirm(number)

    def _paid(self, command: BeginAttempt, number: str) -> None:
        """Note what is out of the ordinary about a payment that has just been made."""
        payments = self.channels[command.account].truth.orders[number].payments
        deal = self.assessor.deals[command.order_id]
        if len(payments) > 1:
            self._except(command.order_id, "paid twice under one number")
        if payments[0].amount_fen != deal.amount:
            self._except(command.order_id, "another amount")
        if self.clock.at_us >= deal.expires:
            self._except(command.order_id, "paid after the order's end")
        sheets = self._sheets[command.order_id]
        if deal.is_paid or sum([self._is_paid(each) for each in sheets]) > 1:
            self._except(command.order_id, "paid twice for one order")
        self.at(_HEARD_US, lambda: self._was_heard(command.order_id, number))

    def _is_paid(self, sheet: tuple[bytes, str]) -> bool:
        order = self.channels[sheet[1]].truth.orders.get(show("pa", sheet[0]))
        return order is not None and bool(order.payments)

    def _was_heard(self, order_id: bytes, number: str) -> None:
        """A minute after a payment: its callback has come, or is late, or was lost."""
        if number not in self._heard:
            self._except(order_id, "callback late or lost")

    def _except(self, order_id: bytes, why: str) -> None:
        self.exceptions.setdefault(order_id, set()).add(why)

    def _overhear(self, reading: Reading) -> None:
        self._heard.add(reading.attempt_no)
        order = self._orders.get(reading.attempt_no)
        paid = Paid(reading.attempt_no, reading.transaction_id, reading.amount_fen)
        if order is not None and self.assessor.deals[order].amount != reading.amount_fen:
            self._except(order, "another amount")
        for rival in self.rivals.values():
            rival.hear(paid, self.clock.at_us)

    def _read_along(self, rows: list[Payment]) -> None:
        paid = [Paid(row.attempt_no, row.transaction_id, row.amount_fen) for row in rows]
        for rival in self.rivals.values():
            rival.read_bill(paid, self.clock.at_us)

    def _came_back(self, command: BeginAttempt) -> None:
        """The person is back from the sheet: the channel is asked at once."""
        observed = self.clerk.query(command.attempt_id, command.account, Source.CLIENT)
        for each in self._in_time([observed]):
            self._ask(each, _done)

    # --- an outage ------------------------------------------------------------------------------

    def _begin_outage(self) -> None:
        """Nothing is heard of payments any more, though sheets can be had: the line opens."""
        self._rates = {name: channel.rates for name, channel in self.channels.items()}
        for channel in self.channels.values():
            channel.rates = channel.rates._replace(stale=1_000, notice_late=1_000)
        self._switch("degrade", "no evidence")
        self.at(_OUTAGE_US, self._end_outage)

    def _end_outage(self) -> None:
        for name, channel in self.channels.items():
            channel.rates = self._rates[name]
        self._rates = {}
        self._switch("recover", "evidence again")
        self.at(60 * SECOND_US, lambda: self._switch("finish", "all asked"))

    def _switch(self, event: str, why: str) -> None:
        for lane in range(self.setting.lanes):
            for name in ACCOUNTS:
                self._ask(SetMode(lane, name, event, "degrade", why), _done)

    def _want_advance(self, buy: Buy, command: BeginAttempt) -> None:
        """Ask for an advance, as the wallet's page does when nothing is heard of a payment."""
        is_known = buy.user[-1] % 4 > 0
        first_at_us = self.clock.at_us - (60 if is_known else 20) * DAY_US
        asked = AskAdvance(command.order_id, command.account, 5, first_at_us, 40_000, "app")
        self._ask(asked, _done)
        for after_s in (20, 60, 120):
            self.at(after_s * SECOND_US, lambda: self._give(buy.user))

    # --- the operator ---------------------------------------------------------------------------

    def _bills(self) -> None:
        """Close the next day of each account, once its bills are there."""
        for name in ACCOUNTS:
            if self.clock.at_us < self._bill_again_us.get(name, 0):
                continue
            day = self.office.next_day(name)
            # A close whose answer was lost is a close: the others read along all the same.
            for closed in range(self._next_day.get(name, day), day):
                self._read_along(self.channels[name].payments(closed))
            self._next_day[name] = day
            if min(self._next_day.get(each, 0) for each in ACCOUNTS) == self._last_day:
                self._explained_in_time()
            is_there_us = day_start_us(day) + _BILL_US
            if self.clock.at_us < is_there_us:
                self._bill_again_us[name] = is_there_us
            elif day <= self._last_day:
                self._close_day(name, day)

    def _close_day(self, name: str, day: int) -> None:
        """Run a day; the machine fails under the first runs, and they are run again."""
        self._runs[name, day] += 1
        is_cut = self.setting.hardship != PEACE and self._runs[name, day] <= _CUT_RUNS
        self.process.hardship = _CUTTING if is_cut else PEACE
        run = self.office.close(name, day)
        self.process.hardship = PEACE
        if run is not None and run.state != DayState.CLOSED:
            self._bill_again_us[name] = self.clock.at_us + _BILL_AGAIN_US

    def person_decides(self) -> None:
        """Let a person end what waits for one: held money, and money that is parked."""
        for (case_id,) in self._rows(_SELECT_CASES):
            event = self._chance.choice(("release", "refuse"))
            self._ask(SettleCase(case_id, event, "amy"), _done)
        for key, attempt_id, reason in self._rows(_SELECT_PARKED):
            known = self.assessor.tries.get(attempt_id)
            if reason == 2 and self._has_so_much(attempt_id) and self._chance.randrange(2):
                self._ask(AllocateParked(key, "refund", b"", "amy"), _done)
            elif known is not None:
                user = self.assessor.deals[known.order].user
                self._ask(AllocateParked(key, "credit", user, "amy"), _done)
        for refund_id, account in self._rows(_SELECT_STUCK):
            number = show("rf", refund_id)
            order = AbnormalRefund(number, "", True, "", "", "")  # noqa: FBT003 - a field of it
            reading = finish(self.channels[account].refund_abnormal(order))
            self._ask(self.clerk.noted(refund_id, reading), _done)
        self._submit()

    def _has_so_much(self, attempt_id: bytes) -> bool:
        """Say whether the channel has what we have parked: a person looks before sending it back.

        A notice may have told another amount; then the difference is the reconciliation's.
        """
        known = self.assessor.tries[attempt_id]
        order = self.channels[known.account].truth.orders[show("pa", attempt_id)]
        return order.payments[0].amount_fen == known.amount

    # --- the end --------------------------------------------------------------------------------

    def _check(self) -> None:
        """Check what must hold once the faults have stopped and the bills are read."""
        connection = self.process.connection
        self._explained()
        self._told_again()
        self.assessor.agree_wholly(connection)
        self._channel_money()
        law.snapshot(connection, self.checked)
        law.entries(connection, self.checked)
        self.office.derive_again(self.checked)
        self.checked["P8"] = self.assessor.counts["fees reckoned again"]
        audited(connection)
        if self.seed % _FOLDED_ONE_IN == 0:
            rebuilt(connection, f"market-{id(self):x}")

    def _explained(self) -> None:
        """Every order is credited, sent back, held by a person, or closed and unpaid (P10)."""
        ends: Counter[str] = Counter()
        # Money of another amount, which a person has given to its owner.
        by_person = self._parked_orders()
        for order_id, *columns in self._rows(_SELECT_ORDERS):
            end = explain(*columns)
            if not end and order_id in by_person:
                end = "paid and held by a person"
            if not end:
                raise Violation(f"order {show('tu', order_id)} is not explained: {columns}")
            if end == "closed and unpaid" and self._is_paid_there(order_id):
                raise Violation(f"order {show('tu', order_id)} is closed; its channel has money")
            if self.assessor.credits[order_id] > 1:
                raise Violation(f"order {show('tu', order_id)} was credited twice")
            ends[end] += 1
            self.checked["P2"] += 1
        self.ends = ends
        self.unsolved = self._unsolved()

    def _explained_in_time(self) -> None:
        """When the evening's bills are closed, every order of it is explained (P10).

        An advance is a loan with a day of its own: it may still be open, and is counted apart.
        """
        if self.checked["P10"]:
            return
        by_person = self._parked_orders()
        for order_id, *columns in self._rows(_SELECT_EARLY, self._calm_from_us):
            if explain(*columns) or order_id in by_person:
                self.checked["P10"] += 1
            elif columns[1] == CreditState.ADVANCED:
                self.events["advance open when the bill was closed"] += 1
            else:
                raise Violation(f"P10: {show('tu', order_id)} after its bill day: {columns}")

    def _parked_orders(self) -> set[bytes]:
        """Return the orders some of whose money could not be placed by itself."""
        return {
            self.assessor.tries[attempt_id].order
            for attempt_id in self.assessor.parked_attempts()
            if attempt_id in self.assessor.tries
        }

    def _owned_orders(self) -> set[bytes]:
        """Return the orders of differences that a bill has shown and a person has to end."""
        numbers = [number for (number,) in self._rows(_SELECT_OWNED)]
        self.events["difference left to a person"] += len(numbers)
        return {self._orders[number] for number in numbers if number in self._orders}

    def _unsolved(self) -> Counter[str]:
        """Count exceptions, and those that needed a person: here and at ordinary merchants."""
        parked = self._parked_orders()
        rows = self._rows("SELECT order_id, credited_at_us FROM orders WHERE credited_at_us > 0")
        found = Counter({"exceptions": len(self.exceptions)})
        ours = (parked | self._owned_orders()) & self.exceptions.keys()
        found["ours"] = len(ours)
        found["ours, in ten minutes"] = len(self._impatient(dict(rows)) | ours)
        for name, rival in self.rivals.items():
            needs = rival.needs.keys() & self.exceptions.keys()
            found[name] = len(needs)
            late = self._impatient(rival.credited_at_us)
            found[f"{name}, in ten minutes"] = len(late | needs)
        return found

    def _impatient(self, credited_at_us: dict[bytes, int]) -> set[bytes]:
        """Return exceptions whose person has paid, and has nothing ten minutes later.

        Whoever pays an order that is held for review, or sent back, is told so at once.
        """
        late = set()
        for order_id in self.exceptions:
            paid_at_us = self._paid_at_us(order_id)
            at_us = credited_at_us.get(order_id, 2**62)
            is_awaited = self.assessor.deals[order_id].end == "credited"
            if paid_at_us and is_awaited and at_us > paid_at_us + _PATIENCE_US:
                late.add(order_id)
        return late

    def _paid_at_us(self, order_id: bytes) -> int:
        moments = [
            payment.at_us
            for attempt_id, account in self._sheets.get(order_id, ())
            if (number := show("pa", attempt_id)) in self.channels[account].truth.orders
            for payment in self.channels[account].truth.orders[number].payments
        ]
        return min(moments, default=0)

    def _is_paid_there(self, order_id: bytes) -> bool:
        return any(
            self.channels[account].truth.orders[number].payments
            for attempt_id, account in self._sheets.get(order_id, ())
            if (number := show("pa", attempt_id)) in self.channels[account].truth.orders
        )

    def _told_again(self) -> None:
        """Bring every notice twice more: nothing but evidence may change (P9)."""
        before = law.unmoved(self.process.connection)
        for key, letter in list(self.clerk.raw.items()):
            reading: Any = letter.notice.reading
            again = self.clerk.observed(letter.account, reading, Source.NOTICE, key)
            self._asks += [_Ask(again, _done)] * 2
        self._submit()
        self.assessor.agree_wholly(self.process.connection)
        after = law.unmoved(self.process.connection)
        moved = [table for table in before if before[table] != after[table]]
        if moved:
            raise Violation(f"P9: telling the same truth again has changed {moved}")
        self.checked["P9"] += len(self.clerk.raw)

    def _channel_money(self) -> None:
        """What a channel account owes us is what it says it has: every payment, less its fees (P1).

        So too where a notice told another amount: what is booked is what the channel has.
        """
        for name, channel in self.channels.items():
            law.booked(self.process.connection, name, _paid_numbers(channel), self.checked)
            there = _owed_by(channel)
            here = -sum(
                [
                    fen
                    for (owner, book, _), fen in self.assessor.books.items()
                    if book == 11 and owner[2:] == sha256(name.encode()).digest()[:14]
                ]
            )
            # What a bill has shown and nobody has booked yet has an owner, and is told apart.
            owned = self._rows(_SELECT_GAPS, name)[0][0]
            if there != here + owned:
                raise Violation(f"{name} has {there} fen for us, our books say {here} and {owned}")

    def _report(self) -> Report:
        faults: Counter[str] = Counter()
        for channel in self.channels.values():
            faults += Counter(channel.happened)
        lanes = self.process.writer.lanes.values()
        heads = sha256(b"".join([lane.row.head for lane in lanes])).hexdigest()
        return Report(
            self.seed,
            len(self.assessor.deals),
            self.process.commands,
            self.process.batches,
            self.process.restarts,
            self.process.disk.points,
            self.events
            + self.process.events
            + self.clerk.counts
            + self.assessor.counts
            + self.office.counts,
            faults,
            self.ends,
            self.unsolved,
            Counter([why for each in self.exceptions.values() for why in each]),
            self.checked,
            heads,
        )


def _paid_numbers(channel: Street) -> list[str]:
    orders = channel.truth.orders.values()
    return [payment.transaction_id for order in orders for payment in order.payments]


def _owed_by(channel: Street) -> int:
    """Reckon from a channel's own truth what it owes: settled and not sent on, less its fees."""
    truth, owed = channel.truth, 0
    back: Counter[str] = Counter()
    for refund in truth.refunds.values():
        if refund.end == RefundState.SUCCESS:
            back[refund.order.attempt_no] += refund.order.amount_fen
    for number, order in truth.orders.items():
        for place, payment in enumerate(order.payments):
            gone = back[number] if place == 0 else 0
            rest = payment.settle_fen - payment.settle_fen * gone // payment.amount_fen
            owed += rest - (2 * rest * 6_000 + 1_000_000) // 2_000_000
    for payout in truth.payouts.values():
        if payout.state == PayoutState.SUCCESS:
            owed -= payout.order.amount_fen
    return owed


def explain(pay: int, credit: int, received: int, refunding: int, refunded: int) -> str:
    """Say in one word how an order ended; empty when it has not."""
    if pay in (PayState.NONE, PayState.PAYING):
        return ""
    if pay == PayState.CLOSED:
        return "closed and unpaid" if not received else ""
    if credit in (CreditState.CREDITED, CreditState.CONFIRMED):
        return "paid and credited"
    if credit == CreditState.HELD:
        return "paid and held by a person"
    if refunding + refunded or credit in (CreditState.CLAWED_BACK, CreditState.WRITTEN_OFF):
        return "paid and sent back"
    # Another amount came: it is parked, and a person decides about it.
    return "paid and held by a person" if credit == CreditState.NONE else ""


def _done(answer: Answer) -> None:
    """Want nothing more of an answer."""
    del answer


def _is_keyed(ask: _Ask) -> bool:
    return isinstance(ask.command, RegisterUser | Fund | FundLine)


def _profile(account: str) -> Profile:
    return Profile(
        account, "faulty", "模拟渠道", "Simulated channel", "CNY", frozenset((Product.JSAPI,)),
        1, 100_000_000, can_refund_in_part=True, can_pay_out=True, refund_days_max=365,
        bill_hour=10,
    )  # fmt: skip
