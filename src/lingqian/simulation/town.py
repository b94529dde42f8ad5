"""What a market stands on: clock, calendar, channels, the process, and books beside it (市镇).

Law: a command that gets no answer is asked again if it is somebody's; after every batch the
assessor's books are the ledger's.
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
from lingqian.channels.port import (
    Product,
    Profile,
)
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import (
    Command,
    DeliverRelay,
    Fund,
    FundLine,
    Observe,
    RegisterUser,
)
from lingqian.flows.view import Policy
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.id import mint
from lingqian.simulation import property as law
from lingqian.simulation.assessor import Assessor
from lingqian.simulation.clerk import Clerk
from lingqian.simulation.office import Office, Reach
from lingqian.simulation.process import ROUGH, Hardship, Process
from lingqian.simulation.street import Street
from lingqian.simulation.weather import FAIR, STORMY, Weather
from lingqian.simulation.world import WorldClock
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.relay import waiting
from lingqian.storage.sweep import due
from lingqian.topup.fee import FeePlan

ACCOUNTS: Final = ("wx-main", "wx-spare")
PLAN: Final = FeePlan(subsidy_until_us=2**62)
# Some five hundred orders an hour, in the evening: 19:00 in Shanghai.
_EVENING_US: Final = 11 * 3_600 * SECOND_US
_STEP_US_MAX: Final = 1_800 * SECOND_US
_SWEEP_ROWS: Final = 200
# What holds at every moment is looked at so often; and so far off our own clock may be.
_SNAPSHOT_EVERY: Final = 50
_OWN_SKEW_S: Final = 20
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


Then = Callable[[Answer], None]


class Ask(NamedTuple):
    """A command, and what its answer leads to; asked again until there is one."""

    command: Command
    then: Then | None


class Town:
    """A world without people: what is asked of it is put to the process, whatever befalls that."""

    def __init__(self, seed: int, setting: Setting) -> None:
        self.seed = seed
        self.setting = setting
        self.chance = Random(seed)  # noqa: S311 - whoever knows the seed may know the world
        day = 20_500 + self.chance.randrange(300)
        self.clock = WorldClock(day * DAY_US + _EVENING_US)
        key = sha256(b"market" + seed.to_bytes(8, "big")).digest()
        self.channels = {name: Street(_profile(name), key, self.clock.now_us) for name in ACCOUNTS}
        self.clerk = Clerk(self.channels, PLAN)
        self.assessor = Assessor()
        # The process's own clock: after a crash it may be wrong by a little, either way.
        self._own_clock = WorldClock(self.clock.at_us)
        self.own_skew_us = 0
        self.process = Process(self.chance, setting.lanes, self._own_clock, Policy(caps(DEFAULT)))
        self.events: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        reach = Reach(lambda: self.process.connection, self.put, self.clock, setting.lanes)
        self.office = Office(key, reach, self.channels, PLAN)
        # Whether nothing is heard of payments now, though sheets can be had.
        self.is_silent = False
        # When faults stop; until then it is not known.
        self.calm_from_us = 0
        self.asks: list[Ask] = []
        self._calendar: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = 0

    def at(self, after_us: int, work: Callable[[], None]) -> None:
        """Put something on the calendar."""
        self._numbers += 1
        heappush(self._calendar, (self.clock.at_us + after_us, self._numbers, work))

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be asked, or stands on the calendar."""
        return not self.asks and not self._calendar

    def next_us(self) -> int:
        """Return when something happens next: at least a second from now, at most half an hour."""
        now_us = self.clock.at_us
        moments = [channel.next_letter_us() for channel in self.channels.values()]
        moments += [self._calendar[0][0]] if self._calendar else []
        for statement in _SELECT_NEXT:
            row: Any = self.process.connection.execute(statement).fetchone()
            moments.append(row[0] or 0)
        following = min([each for each in moments if each], default=now_us + _STEP_US_MAX)
        return min(max(following, now_us + SECOND_US), now_us + _STEP_US_MAX)

    def step(self) -> None:
        """Do what is due: the calendar, what channels say, and what is to be asked of them."""
        now_us, connection = self.clock.at_us, self.process.connection
        while self._calendar and self._calendar[0][0] <= now_us:
            heappop(self._calendar)[2]()
        received = self.clerk.receive(now_us)
        rows: list[Command] = [*received, *self.clerk.observe_notices(connection)]
        rows += self.in_time(self.clerk.due(connection, now_us))
        rows += self.clerk.refunds(connection, now_us)
        rows += self.clerk.payouts(connection, now_us)
        rows += due(connection, now_us, _SWEEP_ROWS)
        rows += self._delivered()
        self.asks = [Ask(each, None) for each in rows] + self.asks
        self.submit()

    def in_time(self, answers: list[Observe]) -> list[Observe]:
        """Return the answers that come at once; the others arrive later, whatever happens first."""
        prompt = []
        for each in answers:
            delay_us = self.channels[each.account].delay_us()
            if delay_us:
                self.at(delay_us, partial(self.ask, each))
            else:
                prompt.append(each)
        return prompt

    def _delivered(self) -> list[DeliverRelay]:
        return list(waiting(self.process.connection)) if self.setting.lanes > 1 else []

    def rows(self, statement: str, *words: int | str) -> list[Any]:
        """Return what the process's file says."""
        return self.process.connection.execute(statement, words).fetchall()

    def ask(self, command: Command, then: Then | None = None) -> None:
        """Put a command to those that wait for the next batch."""
        self.asks.append(Ask(command, then))

    def submit(self) -> None:
        """Ask everything that waits; what is not answered and is nobody's row is asked again."""
        asks, self.asks = self.asks, []
        if not asks:
            return
        answers = self.put([Submission(each.command) for each in asks])
        if answers is None:
            self.asks = [each for each in asks if each.then is not None or _is_keyed(each)]
            return
        self.clerk.delivered()
        for ask, answer in zip(asks, answers, strict=True):
            self.events[f"answered {Code(answer.code).name.lower()}"] += 1
            if ask.then is not None:
                ask.then(answer)

    def put(self, batch: list[Submission]) -> list[Answer] | None:
        """Put a batch to the process, and look at what it has done; None when no answer came."""
        self._own_clock.at_us = self.clock.at_us + self.own_skew_us
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
        if self.setting.weather.clocks and self.clock.at_us < self.calm_from_us:
            self.own_skew_us = self.chance.randrange(-_OWN_SKEW_S, _OWN_SKEW_S) * SECOND_US
            self.events["own clock moved"] += 1

    def new_id(self, lane: int) -> bytes:
        """Mint an id of this moment."""
        return mint(lane, self.clock.at_us // 1_000, self.chance.getrandbits(64))


def done(answer: Answer) -> None:
    """Want nothing more of an answer."""
    del answer


def _is_keyed(ask: Ask) -> bool:
    return isinstance(ask.command, RegisterUser | Fund | FundLine)


def _profile(account: str) -> Profile:
    return Profile(
        account, "faulty", "模拟渠道", "Simulated channel", "CNY", frozenset((Product.JSAPI,)),
        1, 100_000_000, can_refund_in_part=True, can_pay_out=True, refund_days_max=365,
        bill_hour=10,
    )  # fmt: skip
