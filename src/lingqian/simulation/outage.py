"""An evening with an outage of WeChat, with the degrade path and without it (晚高峰故障演练).

Success is what the target says: intentions that were credited, of all whose person tapped pay and
did not cancel. The real lane decides every order; people, hosts and the outage are scripted.
"""

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import Any, Final, NamedTuple

from lingqian.channels.faulty import CALM, Rates
from lingqian.channels.port import Product, Profile, Purchase
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import (
    AskAdvance,
    BeginAttempt,
    Command,
    Fund,
    FundLine,
    OpenOrder,
    RegisterUser,
    SetMode,
)
from lingqian.flows.view import Policy
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.fault import Unsent
from lingqian.kernel.id import mint, show
from lingqian.simulation.clerk import Clerk, purchase_of
from lingqian.simulation.disk import quiet
from lingqian.simulation.process import Process
from lingqian.simulation.street import Street
from lingqian.simulation.world import WorldClock
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.sweep import due
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.evidence import Source
from lingqian.topup.fee import FeePlan
from lingqian.topup.mode import SILENCE_S_MAX, STEADY_S_MIN
from lingqian.topup.order import OrderKind

ACCOUNTS: Final = ("wx-main", "wx-spare")
EVENING_S: Final = 4 * 3_600
# Whoever gets no pay sheet taps again after so many seconds, and then leaves.
_AGAIN_S: Final = (2, 5, 15)
_AMOUNTS: Final = (600, 1_000, 3_000, 3_000, 5_000, 5_000, 10_000)
_LIFE_US: Final = 900 * SECOND_US
_LINE_FEN: Final = 20_000_000


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
    """A channel account behind one host or two, either of which may be down."""

    def __init__(self, name: str, seed: bytes, clock: Callable[[], int], hosts: int) -> None:
        profile = Profile(
            name, "faulty", name, name, "CNY", frozenset((Product.JSAPI,)), 1, 10**8,
            can_refund_in_part=True, can_pay_out=True, refund_days_max=365, bill_hour=10,
        )  # fmt: skip
        super().__init__(profile, seed, clock)
        self.hosts = hosts

    def _before(self, *, is_read: bool) -> None:
        if self.down >= self.hosts:
            raise Unsent("no host answers")
        super()._before(is_read=is_read)


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
        self.channels = {name: Hosted(name, key, self.clock.now_us, hosts) for name in ACCOUNTS}
        self.clerk = Clerk(dict(self.channels), FeePlan())
        self.process = Process(self._chance, 1, self.clock, Policy(caps(DEFAULT)))
        self._calendar: dict[int, list[Callable[[], None]]] = {}
        self._asks: list[tuple[Command, Callable[[Answer], None] | None]] = []
        self._tapped_us: dict[bytes, int] = {}
        self._orders: dict[int, bytes] = {}
        self._had_us: dict[int, int] = {}
        self._is_degraded = False
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
        self._ask(FundLine(bytes(16), 0, _LINE_FEN, "house"))
        for number in range(self._script.taps):
            user = self._id()
            mac = sha256(user).digest()
            tap = _Tap(
                number, user, chance.choice(_AMOUNTS), chance.randrange(100) < 40,
                chance.randrange(100) < 30,
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
            asks, self._asks = self._asks, []
            answers = self.process.ask([Submission(command) for command, _ in asks])
            assert answers is not None, "nothing happens to this machine"
            self.clerk.delivered()
            for (_, then), answer in zip(asks, answers, strict=True):
                if then is not None:
                    then(answer)

    def _ask(self, command: Command, then: Callable[[Answer], None] | None = None) -> None:
        self._asks.append((command, then))

    # --- the outage -----------------------------------------------------------------------------

    def _fail(self, phase: Phase) -> None:
        main, spare = (self.channels[name] for name in ACCOUNTS)
        if phase.what == "host":
            main.down = 1
        elif phase.what == "account":
            main.down = 2
        elif phase.what == "everything":
            main.down = spare.down = 2
            # Twenty calls, half of them failed: both breakers are open within ten seconds.
            self.at(self._second() + 10, lambda: self._switch("degrade", "every route open"))
        else:
            self._silence(CALM._replace(stale=1_000, notice_late=1_000))
            silent_s = self._second() + SILENCE_S_MAX + 1
            self.at(silent_s, lambda: self._switch("degrade", "no evidence"))

    def _heal(self, phase: Phase) -> None:
        for channel in self.channels.values():
            channel.down = 0
        self._silence(CALM)
        if phase.what in ("everything", "evidence"):
            steady_s = self._second() + STEADY_S_MIN
            self.at(steady_s, lambda: self._switch("recover", "steady"))
            self.at(steady_s + 60, lambda: self._switch("finish", "all asked"))

    def _silence(self, rates: Rates) -> None:
        for channel in self.channels.values():
            channel.rates = rates

    def _switch(self, event: str, why: str) -> None:
        if "advance" in self._script.steps:
            self._is_degraded = event == "degrade"
            for name in ACCOUNTS:
                self._ask(SetMode(0, name, event, "degrade", why))

    # --- people ---------------------------------------------------------------------------------

    def _tap(self, tap: _Tap, tries: int = 0) -> None:
        order_id = self._orders.get(tap.number)
        if order_id is None:
            order_id = self._orders[tap.number] = self._id()
            self._tapped_us[order_id] = self.clock.at_us
            self._ask(self._order(tap, order_id, is_from_balance=False))
        self._attempt(tap, order_id, tries, 0)

    def _order(self, tap: _Tap, order_id: bytes, *, is_from_balance: bool) -> OpenOrder:
        key = b"\0\0" + sha256(order_id).digest()[:14]
        return OpenOrder(
            key, order_id, tap.user, OrderKind.COINS, b"", "", tap.amount_fen,
            tap.amount_fen // 10, 0, 0, "", _LIFE_US, "app", is_from_balance,
        )  # fmt: skip

    def _attempt(self, tap: _Tap, order_id: bytes, tries: int, route: int) -> None:
        account = ACCOUNTS[route]
        attempt_id = self._id()
        command = BeginAttempt(attempt_id, order_id, account, Product.JSAPI, b"")
        until_us = self.clock.at_us + _LIFE_US
        purchase = purchase_of(attempt_id, tap.amount_fen, until_us, show("us", tap.user))

        def begun(answer: Answer) -> None:
            if not answer.code:
                self._prepay(tap, command, purchase, tries)

        self._ask(command, begun)

    def _prepay(self, tap: _Tap, command: BeginAttempt, purchase: Purchase, tries: int) -> None:
        noted = self.clerk.prepay(command.account, purchase, command.attempt_id)
        if noted.result == PrepayResult.PAYABLE:
            self._ask(noted)
            pays_s = self._second() + self._chance.randrange(3, 10)
            self.at(pays_s, lambda: self._pay(tap, command))
            return
        is_last = command.account == ACCOUNTS[-1] or "account" not in self._script.steps

        def failed(answer: Answer) -> None:
            del answer
            if not is_last:
                self._attempt(tap, command.order_id, tries, 1)
            else:
                self._without_channel(tap, command, tries)

        self._ask(noted, failed)

    def _without_channel(self, tap: _Tap, command: BeginAttempt, tries: int) -> None:
        """Go down the last steps: the person's own wallet, an advance, or another tap."""
        if "wallet" in self._script.steps and tap.has_wallet:
            order_id = self._id()
            order = self._order(tap, order_id, is_from_balance=True)
            self._ask(order, lambda answer: self._has(tap, "wallet", answer))
        elif self._is_degraded and tap.is_known:
            self._advance(tap, command, tries)
        else:
            self._again(tap, tries)

    def _advance(self, tap: _Tap, command: BeginAttempt, tries: int) -> None:
        first_at_us = self.clock.at_us - 60 * DAY_US
        asked = AskAdvance(command.order_id, command.account, 5, first_at_us, 40_000, "app")

        def answered(answer: Answer) -> None:
            if answer.code:
                self._again(tap, tries)
            else:
                self._has(tap, "advance", answer)

        self._ask(asked, answered)

    def _again(self, tap: _Tap, tries: int) -> None:
        if tries < len(_AGAIN_S):
            self.at(self._second() + _AGAIN_S[tries], lambda: self._tap(tap, tries + 1))
        else:
            self.by["left without a pay sheet"] += 1

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
        if state[0] == 0 and self._is_degraded and tap.is_known:
            first_at_us = self.clock.at_us - 60 * DAY_US
            asked = AskAdvance(command.order_id, command.account, 5, first_at_us, 40_000, "app")
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
