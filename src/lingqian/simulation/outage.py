"""An evening with an outage of WeChat, with the degrade path and without it (晚高峰故障演练).

Success is what the target says: intentions that were credited, of all whose person tapped pay and
did not cancel. The real lane decides every order, the real breakers and scores choose the way, and
the real watch switches modes and catches up; people, hosts and the outage are scripted.
Source: top-up reference 2, 7 and 8.
"""

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import Any, Final, NamedTuple

from lingqian.channels.port import Prepaid, Product, Profile, Purchase, Reading, TradeState
from lingqian.channels.route import CREATION, Candidate, Wish, routes
from lingqian.channels.watch import Board
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.events.degrade import Errand, Surroundings, Watch
from lingqian.flows.command import (
    AskAdvance,
    BeginAttempt,
    Command,
    Fund,
    FundLine,
    NotePrepay,
    Observe,
    OpenOrder,
    RegisterUser,
)
from lingqian.flows.view import Policy
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Unknown, Unsent
from lingqian.kernel.id import mint, show
from lingqian.simulation.clerk import Clerk, finish, purchase_of
from lingqian.simulation.disk import quiet
from lingqian.simulation.process import Process
from lingqian.simulation.street import Street
from lingqian.simulation.world import WorldClock
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.sweep import due
from lingqian.topup.advance import ADVANCE_FEN_MAX
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.evidence import Source
from lingqian.topup.fee import FeePlan
from lingqian.topup.mode import SILENCE_S_MAX
from lingqian.topup.order import OrderKind

ACCOUNTS: Final = ("wx-main", "wx-spare")
EVENING_S: Final = 4 * 3_600
# Whoever gets no pay sheet taps again after so many seconds, and then leaves.
_AGAIN_S: Final = (2, 5, 15)
_AMOUNTS: Final = (600, 1_000, 3_000, 3_000, 5_000, 5_000, 10_000)
_HOSTS: Final = ("api", "api2")
_CALL_US: Final = SECOND_US
_LIFE_US: Final = 900 * SECOND_US
# The reference's own load and line: twenty taps a second, and 200,000 yuan.
_LOAD_TAPS: Final = 20 * EVENING_S
_LINE_FEN: Final = 20_000_000
_LINE_FEN_MIN: Final = 200_000
# Of a hundred people: whose wallet holds the amount, and who is known well enough for an advance.
_WALLET_PERCENT: Final = 40
_KNOWN_PERCENT: Final = 30


# How many hosts a phase takes down, and which phases befall every account.
_DOWN: Final = {"host": 1, "account": 2, "everything": 2, "evidence": 0}
_WHOLE: Final = ("everything", "evidence")
_TOGETHER_MAX: Final = 5_000


class Phase(NamedTuple):
    """A part of the outage: from when, for how long (s), and what does not work."""

    starts_s: int
    lasts_s: int
    what: str


class Script(NamedTuple):
    """An evening: how many taps, what fails when, and how much of the degrade path there is.

    `steps` are those of the design's order that are there: host, account, wallet, advance.
    """

    taps: int
    phases: tuple[Phase, ...]
    steps: frozenset[str]


ALL_STEPS: Final = frozenset(("host", "account", "wallet", "advance"))


def evening(taps: int, blackout_s: int, steps: frozenset[str] = ALL_STEPS) -> Script:
    """Return the drill: a host, an account, then everything, then all evidence fails."""
    phases = (
        Phase(3_600, 600, "host"),
        Phase(5_400, 600, "account"),
        Phase(7_200, blackout_s, "everything"),
        Phase(9_000, 600, "evidence"),
    )
    return Script(taps, phases, steps)


def ceiling_ppm(blackout_s: int) -> int:
    """Return the success that can be expected of a blackout, however well everything works.

    Who taps while nothing answers, later than the last of the taps that still reach its end, and
    has neither the amount in the wallet nor an advance to hope for, is lost. Parts of a million.
    """
    allowed = len([fen for fen in _AMOUNTS if fen <= ADVANCE_FEN_MAX])
    left = (100 - _WALLET_PERCENT) * (100 * len(_AMOUNTS) - _KNOWN_PERCENT * allowed)
    lost_s = max(0, blackout_s - sum(_AGAIN_S))
    return 1_000_000 - 100 * lost_s * left // (EVENING_S * len(_AMOUNTS))


class Outcome(NamedTuple):
    """How an evening went; parts of a million of all who tapped and did not cancel."""

    taps: int
    succeeded: int
    in_two_minutes: int
    by: Counter[str]

    @property
    def success_ppm(self) -> int:
        """Intentions that were credited at all."""
        return self.succeeded * 1_000_000 // max(self.taps, 1)

    @property
    def prompt_ppm(self) -> int:
        """Intentions whose person had it within two minutes of the tap."""
        return self.in_two_minutes * 1_000_000 // max(self.taps, 1)


class Hosted(Street):
    """A channel account behind one host or two, some of which are down; or one that is silent."""

    def __init__(self, name: str, seed: bytes, board: Board, hosts: int) -> None:
        profile = Profile(
            name, "faulty", name, name, "CNY", frozenset((Product.JSAPI,)), 1, 10**8,
            can_refund_in_part=True, can_pay_out=True, refund_days_max=365, bill_hour=10,
        )  # fmt: skip
        super().__init__(profile, seed, board.now_us)
        self.hosts = _HOSTS[:hosts]
        self.is_silent = False
        self.way = Candidate(name, Product.JSAPI, self.hosts, 6_000, 1, 10**8)
        self._watch = board.of(name)

    def _reach(self, verb: str) -> None:
        """Go to the first host that its breaker lets through and that answers, as a client does.

        Raises: Unsent when there is none.
        """
        for host in self._watch.hosts(verb, self.hosts):
            self._watch.begin(host, verb)
            is_down = self.hosts.index(host) < self.down
            self._watch.note(host, verb, _CALL_US if is_down else _CALL_US // 10, is_down)
            if not is_down:
                return
        raise Unsent("no host answers")

    def _before(self, *, is_read: bool) -> None:
        """Let pass what has found a host."""
        del is_read

    async def prepay(self, purchase: Purchase) -> Prepaid:
        """Ask for a pay sheet over a host that answers."""
        self._reach(CREATION)
        return await super().prepay(purchase)

    async def query(self, attempt_no: str) -> Reading:
        """Ask what became of an attempt; a silent channel says nothing."""
        self._reach("query")
        if self.is_silent:
            raise Unknown("no answer")
        return await super().query(attempt_no)

    def letters(self) -> list[tuple[dict[str, str], bytes]]:
        """Take what has arrived; what a silent or unreachable channel has to say waits."""
        return [] if self.is_silent or self.down >= len(self.hosts) else super().letters()


class _Tap(NamedTuple):
    """An intention: who wants how many coins, when, and what the person has."""

    number: int
    user: bytes
    amount_fen: int
    has_wallet: bool
    is_known: bool


class Evening:
    """One evening; `run` may be called once."""

    def __init__(self, seed: int, script: Script) -> None:
        self._script = script
        self._chance = Random(seed)  # noqa: S311 - whoever knows the seed may know the evening
        self.clock = WorldClock(20_600 * DAY_US + 11 * 3_600 * SECOND_US)
        self._began_us = self.clock.at_us
        key = sha256(b"outage" + seed.to_bytes(8, "big")).digest()
        hosts = 2 if "host" in script.steps else 1
        self.board = Board(self.clock.now_us)
        names = ACCOUNTS if "account" in script.steps else ACCOUNTS[:1]
        self.channels = {name: Hosted(name, key, self.board, hosts) for name in names}
        self.clerk = Clerk(dict(self.channels), FeePlan())
        self.process = Process(self._chance, 1, self.clock, Policy(caps(DEFAULT)))
        hosts_of = {name: channel.hosts for name, channel in self.channels.items()}
        reader = self.process.connection
        self.watch = Watch(Surroundings(reader, self._put, (0,), self.clock, self.board, hosts_of))
        self._errand = Errand(self._query, self._query, self._shut)
        self._accounts: dict[bytes, str] = {}
        self._calendar: dict[int, list[Callable[[], None]]] = {}
        self._asks: list[tuple[Command, Callable[[Answer], None] | None]] = []
        self._tapped_us: dict[bytes, int] = {}
        self._orders: dict[int, bytes] = {}
        self._had_us: dict[int, int] = {}
        self.by: Counter[str] = Counter()

    def run(self) -> Outcome:
        """Live through the evening and an hour after it."""
        with quiet():
            try:
                self._live()
                return self._outcome()
            finally:
                self.process.close()

    def _live(self) -> None:
        self._open()
        for second in range(EVENING_S + 3_600):
            self.clock.at_us = self._began_us + second * SECOND_US
            for work in self._calendar.pop(second, ()):
                work()
            self._step(second)

    # --- the evening ----------------------------------------------------------------------------

    def at(self, second: int, work: Callable[[], None]) -> None:
        """Put something on the calendar, by seconds from the evening's beginning."""
        self._calendar.setdefault(second, []).append(work)

    def _second(self) -> int:
        return (self.clock.at_us - self._began_us) // SECOND_US

    def _id(self) -> bytes:
        return mint(0, self.clock.at_us // 1_000, self._chance.getrandbits(64))

    def _open(self) -> None:
        chance = self._chance
        line_fen = max(_LINE_FEN_MIN, _LINE_FEN * self._script.taps // _LOAD_TAPS)
        self._ask(FundLine(bytes(16), 0, line_fen, "house"))
        for number in range(self._script.taps):
            user = self._id()
            mac = sha256(user).digest()
            tap = _Tap(
                number, user, chance.choice(_AMOUNTS), chance.randrange(100) < _WALLET_PERCENT,
                chance.randrange(100) < _KNOWN_PERCENT,
            )  # fmt: skip
            self._ask(RegisterUser(b"\0\0" + mac[:14], user, mac, b"", 3))
            if tap.has_wallet:
                self._ask(Fund(b"\0\0" + mac[14:28], self._id(), user, tap.amount_fen))
            self.at(chance.randrange(EVENING_S), lambda tap=tap: self._tap(tap))  # type: ignore[misc]  # a loop variable, bound
        for phase in self._script.phases:
            self.at(phase.starts_s, lambda phase=phase: self._fail(phase))  # type: ignore[misc]  # as above
            ends_s = phase.starts_s + phase.lasts_s
            self.at(ends_s, lambda phase=phase: self._heal(phase))  # type: ignore[misc]  # as above

    def _step(self, second: int) -> None:
        connection, now_us = self.process.connection, self.clock.at_us
        rows: list[Command] = [*self.clerk.receive(now_us), *self.clerk.observe_notices(connection)]
        rows += self.clerk.due(connection, now_us)
        if second % 30 == 0:
            rows += due(connection, now_us, 500)
        self._asks = [(each, None) for each in rows] + self._asks
        while self._asks:
            asks, self._asks = self._asks[:_TOGETHER_MAX], self._asks[_TOGETHER_MAX:]
            answers = self._answers([command for command, _ in asks])
            self.clerk.delivered()
            for (_, then), answer in zip(asks, answers, strict=True):
                if then is not None:
                    then(answer)
        if "advance" in self._script.steps:
            # As it does once a second: at breakers, at what is heard, and at who has to be asked.
            for name in self.channels:
                finish(self.watch.look_at(name, self._errand))
            finish(self.watch.chase(self._errand))

    def _answers(self, commands: list[Command]) -> list[Answer]:
        answers = self.process.ask([Submission(each) for each in commands])
        assert answers is not None, "nothing happens to this machine"
        for each in commands:
            if isinstance(each, Observe):
                self._heard(each)
            elif isinstance(each, NotePrepay):
                pulse = self.watch.pulse(self._accounts[each.attempt_id])
                is_answered = each.result == PrepayResult.PAYABLE
                pulse.created(each.attempt_id, is_answered=is_answered)
        return answers

    async def _put(self, submission: Submission) -> Answer:
        return self._answers([submission.command])[0]

    def _ask(self, command: Command, then: Callable[[Answer], None] | None = None) -> None:
        self._asks.append((command, then))

    # --- the watch ------------------------------------------------------------------------------

    async def _query(self, attempt_id: bytes) -> bool:
        account = self._accounts[attempt_id]
        observed = self.clerk.query(attempt_id, account, Source.QUERY)
        self._answers([observed])
        return observed.state != TradeState.UNKNOWN

    async def _shut(self, attempt_id: bytes) -> None:
        self._answers([self.clerk.shut(attempt_id, self._accounts[attempt_id])])

    def _heard(self, told: Observe) -> None:
        pulse = self.watch.pulse(told.account)
        if told.state == TradeState.UNKNOWN:
            pulse.missed()
        else:
            pulse.heard()

    # --- the outage -----------------------------------------------------------------------------

    def _fail(self, phase: Phase) -> None:
        struck = list(self.channels.values())
        for channel in struck if phase.what in _WHOLE else struck[:1]:
            channel.down = _DOWN[phase.what]
            channel.is_silent = phase.what == "evidence"

    def _heal(self, phase: Phase) -> None:
        del phase
        for channel in self.channels.values():
            channel.down, channel.is_silent = 0, False

    # --- people ---------------------------------------------------------------------------------

    def _tap(self, tap: _Tap, tries: int = 0) -> None:
        order_id = self._orders.get(tap.number)
        if order_id is None:
            order_id = self._orders[tap.number] = self._id()
            self._tapped_us[order_id] = self.clock.at_us
            self._ask(self._order(tap, order_id, is_from_balance=False))
        self._attempt(tap, order_id, tries)

    def _order(self, tap: _Tap, order_id: bytes, *, is_from_balance: bool) -> OpenOrder:
        key = b"\0\0" + sha256(order_id).digest()[:14]
        return OpenOrder(
            key, order_id, tap.user, OrderKind.COINS, b"", "", tap.amount_fen,
            tap.amount_fen // 10, 0, 0, "", _LIFE_US, "app", is_from_balance,
        )  # fmt: skip

    def _attempt(self, tap: _Tap, order_id: bytes, tries: int, tried: tuple[str, ...] = ()) -> None:
        """Try the best way that has not been tried for this tap; without one, go without."""
        ways = [channel.way for channel in self.channels.values()]
        wish = Wish(frozenset((Product.JSAPI,)), tap.amount_fen)
        found = routes(self.board.state, ways, wish, self.clock.at_us)
        left = [each.account for each in found if each.account not in tried]
        if not left:
            self._without_channel(tap, order_id, tries)
            return
        attempt_id = self._id()
        self._accounts[attempt_id] = left[0]
        command = BeginAttempt(attempt_id, order_id, left[0], Product.JSAPI, b"")
        until_us = self.clock.at_us + _LIFE_US
        purchase = purchase_of(attempt_id, tap.amount_fen, until_us, show("us", tap.user))

        def begun(answer: Answer) -> None:
            if answer.code:
                self.by[f"attempt {Code(answer.code).name.lower()}"] += 1
                return
            noted = self.clerk.prepay(command.account, purchase, attempt_id)
            if noted.result == PrepayResult.PAYABLE:
                pays_s = self._second() + self._chance.randrange(3, 10)
                self._ask(noted, lambda _: self.at(pays_s, lambda: self._pay(tap, command)))
            else:
                again = (*tried, command.account)
                self._ask(noted, lambda _: self._attempt(tap, order_id, tries, again))

        self._ask(command, begun)

    def _without_channel(self, tap: _Tap, order_id: bytes, tries: int) -> None:
        """Go down the last steps: the person's own wallet, an advance, or another tap."""
        if "wallet" in self._script.steps and tap.has_wallet:
            own_id = self._id()
            order = self._order(tap, own_id, is_from_balance=True)
            self._ask(order, lambda answer: self._has(tap, "wallet", answer))
        elif "advance" in self._script.steps:
            self._advance(tap, order_id, tries)
        else:
            self._again(tap, tries, "no degrade path")

    def _advance(self, tap: _Tap, order_id: bytes, tries: int) -> None:
        asked = self._asked(tap, order_id, ACCOUNTS[0])

        def answered(answer: Answer) -> None:
            if answer.code:
                self._again(tap, tries, Code(answer.code).name.lower())
            else:
                self._has(tap, "advance", answer)

        self._ask(asked, answered)

    def _asked(self, tap: _Tap, order_id: bytes, account: str) -> AskAdvance:
        """Ask for an advance: who is not known has topped up once, a week ago."""
        history = (5, 60) if tap.is_known else (1, 7)
        first_at_us = self.clock.at_us - history[1] * DAY_US
        return AskAdvance(order_id, account, history[0], first_at_us, 40_000, "app")

    def _again(self, tap: _Tap, tries: int, why: str) -> None:
        if tries < len(_AGAIN_S):
            self.at(self._second() + _AGAIN_S[tries], lambda: self._tap(tap, tries + 1))
        else:
            self.by["left without a pay sheet"] += 1
            self.by[f"left: {why}"] += 1

    def _has(self, tap: _Tap, how: str, answer: Answer) -> None:
        if not answer.code:
            self.by[how] += 1
            self._had_us.setdefault(tap.number, self.clock.at_us)

    def _pay(self, tap: _Tap, command: BeginAttempt) -> None:
        self.channels[command.account].pay(show("pa", command.attempt_id))
        self._come_back(command)
        if "advance" in self._script.steps:
            waits_s = self._second() + SILENCE_S_MAX
            self.at(waits_s, lambda: self._bridge(tap, command))

    def _come_back(self, command: BeginAttempt) -> None:
        observed = self.clerk.query(command.attempt_id, command.account, Source.CLIENT)
        self._ask(observed)

    def _bridge(self, tap: _Tap, command: BeginAttempt) -> None:
        """Ask for an advance when nothing has been heard of a payment for a minute."""
        state: Any = self.process.connection.execute(
            "SELECT credit_state FROM orders WHERE order_id = ?", (command.order_id,)
        ).fetchone()
        if state[0] == 0:
            asked = self._asked(tap, command.order_id, command.account)
            self._ask(asked, lambda answer: self._has(tap, "advance", answer))

    # --- what came of it --------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        rows: list[Any] = self.process.connection.execute(
            "SELECT order_id, credited_at_us FROM orders WHERE credited_at_us > 0"
        ).fetchall()
        credited = dict(rows)
        prompt = succeeded = 0
        for number, order_id in self._orders.items():
            had_us = self._had_us.get(number) or credited.get(order_id)
            if had_us is not None:
                succeeded += 1
                prompt += had_us <= self._tapped_us[order_id] + 120 * SECOND_US
        self.by["channel"] = succeeded - self.by["wallet"] - self.by["advance"]
        return Outcome(len(self._orders), succeeded, prompt, self.by)
