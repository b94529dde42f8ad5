"""A world of orders from one seed: people who pay, channels that fail, a process that dies (集市).

Law: whatever happens, the assessor's books are the ledger's after every batch; and once the faults
have stopped, within one bill day every order is credited, sent back, held by a person, or closed
and unpaid.
"""

from collections import Counter
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.channels.faulty import CALM, Rates
from lingqian.channels.port import (
    AbnormalRefund,
)
from lingqian.clearing.day import DayState
from lingqian.flows.command import (
    AllocateParked,
    Fund,
    FundLine,
    RegisterUser,
    SetMode,
    SettleCase,
)
from lingqian.kernel.clock import SECOND_US, business_day, day_start_us
from lingqian.kernel.id import show
from lingqian.simulation import weather
from lingqian.simulation.auditor import Violation
from lingqian.simulation.clerk import finish
from lingqian.simulation.crowd import LIFE_US, Crowd
from lingqian.simulation.disk import quiet
from lingqian.simulation.process import PEACE, Hardship
from lingqian.simulation.town import ACCOUNTS, Setting, Town, done
from lingqian.simulation.verdict import Verdict

_RUSH_US: Final = 3_600 * SECOND_US
_NEXT_US: Final = 26 * 3_600 * SECOND_US
# A bill is there at ten; one that is not, or will not close, is looked at again half-hourly.
_BILL_US: Final = 34 * 3_600 * SECOND_US
_BILL_AGAIN_US: Final = 1_800 * SECOND_US
# The first runs of a day are cut off by whatever befalls the machine.
_CUT_RUNS: Final = 2
_CUTTING: Final = Hardship(disk=12, line=6, silence=6)
_QUIET_STEPS_MAX: Final = 4_000
# The line of each lane, so short that its pace is met, and an outage of evidence in the evening.
_LINE_FEN: Final = 100_000
_OUTAGE_AT_US: Final = 1_200 * SECOND_US
_OUTAGE_US: Final = 600 * SECOND_US
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


class Market:
    """One world; `run` may be called once."""

    def __init__(self, seed: int, setting: Setting) -> None:
        self.town = Town(seed, setting)
        self.crowd = Crowd(self.town)
        self.verdict = Verdict(self.town, self.crowd)
        self._last_day = 0
        # The day each account closes next, and how often each has been run.
        self._next_day: dict[str, int] = {}
        self._runs: Counter[tuple[str, int]] = Counter()
        self._bill_again_us: dict[str, int] = {}
        # What the channels were like before an outage; empty when there is none.
        self._rates: dict[str, Rates] = {}

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
                self.verdict.check()
                return self._report()
            finally:
                self.town.process.close()

    def _open(self) -> None:
        chance = self.town.chance
        for number in range(self.town.setting.people):
            user = self.town.new_id(number % self.town.setting.lanes)
            self.crowd.people.append(user)
            mac = sha256(user).digest()
            self.town.ask(RegisterUser(user[:2] + mac[:14], user, mac, b"", 3))
            if number % 3 == 0:
                key = user[:2] + mac[14:28]
                self.town.ask(Fund(key, self.town.new_id(user[0] << 8 | user[1]), user, 200_000))
        for lane in range(self.town.setting.lanes):
            key = lane.to_bytes(2, "big") + bytes(14)
            self.town.ask(FundLine(key, lane, _LINE_FEN, "house"))
        self.town.submit()
        self.town.at(_OUTAGE_AT_US, self._begin_outage)
        for number in range(self.town.setting.orders):
            buy = self.crowd.wish(number)
            # A few come again the next evening: what is owed of advances is repaid first.
            after_us = _NEXT_US if number % 12 == 0 else 0
            self.town.at(after_us + chance.randrange(_RUSH_US), partial(self.crowd.come, buy))
        self.town.process.hardship = self.town.setting.hardship
        for channel in self.town.channels.values():
            channel.rates = self.town.setting.rates
            weather.set_out(channel, chance, self.town.setting.weather)
        for spell in weather.spells(chance, ACCOUNTS, self.town.setting.weather):
            street = self.town.channels[spell.account]
            self.town.at(spell.at_s * SECOND_US, partial(weather.begin, street, spell))
            ends_s = spell.at_s + spell.lasts_s
            self.town.at(ends_s * SECOND_US, partial(weather.end, street, spell))

    def _rush(self) -> None:
        """Let people come, with all that goes wrong."""
        ends_us = self.town.clock.at_us + _RUSH_US + LIFE_US
        # The evening's own bill, and that of the next one, on which a few come again.
        self._last_day = business_day(ends_us) + 1
        self.town.calm_from_us = ends_us
        while self.town.clock.at_us < ends_us:
            self.town.clock.at_us += self.town.chance.randrange(1, 12) * SECOND_US
            self.town.step()

    def _calm(self) -> None:
        """Let faults stop, and go on until nothing waits and every day's bill has been read."""
        self.town.process.hardship = PEACE
        for channel in self.town.channels.values():
            # The bill may still be late: it is asked for until it is there.
            channel.rates = CALM._replace(bill_late=self.town.setting.rates.bill_late)
            weather.clear(channel)
        self.town.own_skew_us = 0
        for _ in range(_QUIET_STEPS_MAX):
            self.town.clock.at_us = self.town.next_us()
            self.town.step()
            self._bills()
            if self._is_at_rest():
                return
        raise Violation("the world does not come to rest")

    def _is_at_rest(self) -> bool:
        if self.town.rows(_SELECT_OPEN)[0][0] or self.town.rows(_SELECT_LEAVING)[0][0]:
            return False
        is_closed = [self._next_day.get(name, 0) > self._last_day for name in ACCOUNTS]
        return all(is_closed) and self.town.is_idle

    def _begin_outage(self) -> None:
        """Nothing is heard of payments any more, though sheets can be had: the line opens."""
        self._rates = {name: channel.rates for name, channel in self.town.channels.items()}
        for channel in self.town.channels.values():
            channel.rates = channel.rates._replace(stale=1_000, notice_late=1_000)
        self.town.is_silent = True
        self._switch("degrade", "no evidence")
        self.town.at(_OUTAGE_US, self._end_outage)

    def _end_outage(self) -> None:
        for name, channel in self.town.channels.items():
            channel.rates = self._rates[name]
        self._rates = {}
        self.town.is_silent = False
        self._switch("recover", "evidence again")
        self.town.at(60 * SECOND_US, lambda: self._switch("finish", "all asked"))

    def _switch(self, event: str, why: str) -> None:
        for lane in range(self.town.setting.lanes):
            for name in ACCOUNTS:
                self.town.ask(SetMode(lane, name, event, "degrade", why), done)

    def _bills(self) -> None:
        """Close the next day of each account, once its bills are there."""
        for name in ACCOUNTS:
            if self.town.clock.at_us < self._bill_again_us.get(name, 0):
                continue
            day = self.town.office.next_day(name)
            # A close whose answer was lost is a close: the others read along all the same.
            for closed in range(self._next_day.get(name, day), day):
                self.crowd.read_along(self.town.channels[name].payments(closed))
            self._next_day[name] = day
            if min(self._next_day.get(each, 0) for each in ACCOUNTS) == self._last_day:
                self.verdict.explained_in_time()
            is_there_us = day_start_us(day) + _BILL_US
            if self.town.clock.at_us < is_there_us:
                self._bill_again_us[name] = is_there_us
            elif day <= self._last_day:
                self._close_day(name, day)

    def _close_day(self, name: str, day: int) -> None:
        """Run a day; the machine fails under the first runs, and they are run again."""
        self._runs[name, day] += 1
        is_cut = self.town.setting.hardship != PEACE and self._runs[name, day] <= _CUT_RUNS
        self.town.process.hardship = _CUTTING if is_cut else PEACE
        run = self.town.office.close(name, day)
        self.town.process.hardship = PEACE
        if run is not None and run.state != DayState.CLOSED:
            self._bill_again_us[name] = self.town.clock.at_us + _BILL_AGAIN_US

    def person_decides(self) -> None:
        """Let a person end what waits for one: held money, and money that is parked."""
        for (case_id,) in self.town.rows(_SELECT_CASES):
            event = self.town.chance.choice(("release", "refuse"))
            self.town.ask(SettleCase(case_id, event, "amy"), done)
        for key, attempt_id, reason in self.town.rows(_SELECT_PARKED):
            known = self.town.assessor.tries.get(attempt_id)
            if reason == 2 and self._has_so_much(attempt_id) and self.town.chance.randrange(2):
                self.town.ask(AllocateParked(key, "refund", b"", "amy"), done)
            elif known is not None:
                user = self.town.assessor.deals[known.order].user
                self.town.ask(AllocateParked(key, "credit", user, "amy"), done)
        for refund_id, account in self.town.rows(_SELECT_STUCK):
            number = show("rf", refund_id)
            order = AbnormalRefund(number, "", True, "", "", "")  # noqa: FBT003 - a field of it
            reading = finish(self.town.channels[account].refund_abnormal(order))
            self.town.ask(self.town.clerk.noted(refund_id, reading), done)
        self.town.submit()

    def _has_so_much(self, attempt_id: bytes) -> bool:
        """Say whether the channel has what we have parked: a person looks before sending it back.

        A notice may have told another amount; then the difference is the reconciliation's.
        """
        known = self.town.assessor.tries[attempt_id]
        order = self.town.channels[known.account].truth.orders[show("pa", attempt_id)]
        return order.payments[0].amount_fen == known.amount

    def _report(self) -> Report:
        faults: Counter[str] = Counter()
        for channel in self.town.channels.values():
            faults += Counter(channel.happened)
        lanes = self.town.process.writer.lanes.values()
        heads = sha256(b"".join([lane.row.head for lane in lanes])).hexdigest()
        return Report(
            self.town.seed,
            len(self.town.assessor.deals),
            self.town.process.commands,
            self.town.process.batches,
            self.town.process.restarts,
            self.town.process.disk.points,
            self.town.events
            + self.town.process.events
            + self.town.clerk.counts
            + self.town.assessor.counts
            + self.town.office.counts,
            faults,
            self.verdict.ends,
            self.verdict.unsolved,
            Counter([why for each in self.crowd.exceptions.values() for why in each]),
            self.town.checked,
            heads,
        )
