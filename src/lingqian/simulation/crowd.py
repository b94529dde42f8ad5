"""The people of a market: they order, pay or do not, come back, give, take out, want back (人群).

Law: what somebody wants is made before the first fault, so that faults do not change the people.
"""

from functools import partial
from hashlib import sha256
from typing import Any, Final, NamedTuple

from lingqian.channels.faulty.truth import Payment
from lingqian.channels.port import (
    Product,
    Reading,
)
from lingqian.flows.command import (
    AskAdvance,
    AskPayout,
    AskRefund,
    BeginAttempt,
    BeginClose,
    ExpireOrder,
    OpenOrder,
    SendGift,
)
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.id import show
from lingqian.simulation.clerk import purchase_of
from lingqian.simulation.ordinary import Ordinary, Paid
from lingqian.simulation.town import ACCOUNTS, Town, done
from lingqian.storage.lane import Answer
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.coin import Basis
from lingqian.topup.evidence import Source
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin

_AMOUNTS: Final = (600, 1_000, 3_000, 5_000, 10_000, 50_000)
_LARGE_FEN: Final = 2_000_000
# A callback is expected within a minute.
_HEARD_US: Final = 60 * SECOND_US
LIFE_US: Final = 15 * 60 * SECOND_US
_BONUS_LIFE_US: Final = 1_800 * SECOND_US
# Income of a gift is settled soon, or late enough for coins that were advanced.
_SETTLE_US: Final = (3_600 * SECOND_US, 7 * DAY_US)
_ATTEMPTS_MAX: Final = 4


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


class Crowd:
    """Everybody who orders, what became of it, and the other merchants they might have gone to."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.people: list[bytes] = []
        self.rivals = {
            "plain": Ordinary(closes_by_clock=True),
            "careful": Ordinary(closes_by_clock=False),
        }
        # Orders that did not go the straight way, and why.
        self.exceptions: dict[bytes, set[str]] = {}
        # The order of every number that was given out.
        self.orders: dict[str, bytes] = {}
        # Who has opened a sheet: order, attempt and account of every attempt that was begun.
        self.sheets: dict[bytes, list[tuple[bytes, str]]] = {}
        self._heard: set[str] = set()
        town.clerk.overhears = self.overhear

    def wish(self, number: int) -> Buy:
        """Draw what somebody wants; it does not change any more."""
        chance = self._town.chance
        user = chance.choice(self.people)
        kind = chance.choice((OrderKind.BALANCE, OrderKind.COINS))
        is_large = chance.randrange(self._town.setting.large_one_in) == 0
        fen = _LARGE_FEN if is_large else chance.choice(_AMOUNTS)
        if is_large:
            # A few people top up a great deal in one day: that is what a person reviews.
            user = self.people[number % 4]
        coins, bonus = (fen // 10, fen // 200) if kind == OrderKind.COINS else (0, 0)
        from_balance = kind == OrderKind.COINS and chance.randrange(10) == 0
        mood = chance.choice(("pays",) * 16 + ("leaves", "cancels", "dawdles", "switches"))
        delay_us = chance.randrange(2, 30) * SECOND_US
        return Buy(number, user, kind, fen, coins, bonus, from_balance, mood, delay_us)

    def come(self, buy: Buy) -> None:
        """Let somebody order what he wants."""
        lane = buy.user[0] << 8 | buy.user[1]
        key = buy.user[:2] + sha256(f"{self._town.seed}:{buy.number}".encode()).digest()[:14]
        command = OpenOrder(
            key,
            self._town.new_id(lane),
            buy.user,
            buy.kind,
            b"",
            "",
            buy.amount_fen,
            buy.coins,
            buy.bonus_coins,
            _BONUS_LIFE_US if buy.bonus_coins and buy.number % 2 else 0,
            "",
            LIFE_US,
            "app",
            buy.is_from_balance,
        )
        self._town.ask(command, lambda answer: self._ordered(buy, answer))

    def _ordered(self, buy: Buy, answer: Answer) -> None:
        if answer.code:
            return
        record: Any = answer if answer.first is None else answer.first
        order_id = record.command.order_id
        if buy.is_from_balance:
            self._live_on(buy, order_id)
            return
        self.sheets[order_id] = []
        self._try(buy, order_id)

    def _try(self, buy: Buy, order_id: bytes) -> None:
        """Begin an attempt at the account whose turn it is."""
        begun = self.sheets[order_id]
        if len(begun) >= _ATTEMPTS_MAX:
            self._town.events["gave up after four attempts"] += 1
            return
        account = ACCOUNTS[len(begun) % len(ACCOUNTS)]
        attempt_id = self._town.new_id(order_id[0] << 8 | order_id[1])
        begun.append((attempt_id, account))
        self.orders[show("pa", attempt_id)] = order_id
        command = BeginAttempt(attempt_id, order_id, account, Product.JSAPI, b"")
        self._town.ask(command, lambda answer: self._begun(buy, command, answer))

    def _begun(self, buy: Buy, command: BeginAttempt, answer: Answer) -> None:
        if answer.code:
            self._town.events["attempt refused"] += 1
            return
        self._prepay(buy, command)

    def _prepay(self, buy: Buy, command: BeginAttempt) -> None:
        attempt: Any = self._town.process.connection.execute(
            "SELECT amount_fen, created_at_us FROM attempts WHERE attempt_id = ?",
            (command.attempt_id,),
        ).fetchone()
        expires_at_us = attempt[1] + LIFE_US
        payer = show("us", buy.user)
        purchase = purchase_of(command.attempt_id, attempt[0], expires_at_us, payer)
        for rival in self.rivals.values():
            rival.open(purchase.attempt_no, command.order_id, attempt[0], expires_at_us)
        noted = self._town.clerk.prepay(command.account, purchase, command.attempt_id)
        if noted.result == PrepayResult.UNKNOWN:
            self._except(command.order_id, "no answer to the call for a sheet")
        then = partial(self._sheet, buy, command, noted.result)
        self._town.at(
            self._town.channels[command.account].delay_us(), lambda: self._town.ask(noted, then)
        )

    def _sheet(self, buy: Buy, command: BeginAttempt, result: int, answer: Answer) -> None:
        del answer
        if result == PrepayResult.FAILED:
            self._town.at(SECOND_US, lambda: self._try(buy, command.order_id))
        elif result == PrepayResult.UNKNOWN:
            # The person taps again: the same number is asked for a sheet once more.
            if self._town.chance.randrange(4):
                self._town.at(2 * SECOND_US, lambda: self._prepay(buy, command))
        else:
            self._decide(buy, command)

    def _decide(self, buy: Buy, command: BeginAttempt) -> None:
        """Do what the person's mood says, with the sheet open."""
        if self._town.is_silent and buy.kind == OrderKind.COINS:
            self._town.at(30 * SECOND_US, lambda: self._want_advance(buy, command))
        if buy.mood == "leaves":
            return
        if buy.mood == "cancels":
            self._town.at(
                buy.delay_us, lambda: self._town.ask(ExpireOrder(command.order_id, "person"), done)
            )
            return
        if buy.mood == "switches" and len(self.sheets[command.order_id]) == 1:
            # Tries another way; the first sheet is still in the other window, and is paid too.
            self._town.at(
                buy.delay_us, lambda: self._town.ask(BeginClose(command.attempt_id), done)
            )
            self._town.at(buy.delay_us + 20 * SECOND_US, lambda: self._try(buy, command.order_id))
            self._town.at(buy.delay_us + 60 * SECOND_US, lambda: self._pay(buy, command))
            return
        delay_us = buy.delay_us
        if buy.mood == "dawdles":
            delay_us += self._town.chance.randrange(20 * 60) * SECOND_US
        self._town.at(delay_us, lambda: self._pay(buy, command))

    def _pay(self, buy: Buy, command: BeginAttempt) -> None:
        number = show("pa", command.attempt_id)
        if not self._town.channels[command.account].pay(number):
            self._town.events["too late to pay"] += 1
            return
        self._town.events["paid"] += 1
        self._paid(command, number)
        self._live_on(buy, command.order_id)
        # Who has dawdled has often left the page; the others nearly all come back to it.
        if self._town.chance.randrange(2 if buy.mood == "dawdles" else 20):
            for after_us in (0, SECOND_US, 3 * SECOND_US):
                self._town.at(SECOND_US // 2 + after_us, lambda: self._came_back(command))

    def _live_on(self, buy: Buy, order_id: bytes) -> None:
        """Plan what a person does after paying: gives, takes money out, wants money back."""
        chance = self._town.chance
        if buy.kind == OrderKind.COINS and chance.randrange(2):
            for _ in range(chance.randrange(1, 4)):
                self._town.at(chance.randrange(60, 600) * SECOND_US, lambda: self._give(buy.user))
        if chance.randrange(8) == 0:
            self._town.at(
                chance.randrange(60, 900) * SECOND_US, lambda: self._refund(buy, order_id)
            )
        if buy.kind == OrderKind.BALANCE and chance.randrange(6) == 0:
            self._town.at(chance.randrange(60, 900) * SECOND_US, lambda: self._take_out(buy))

    def _key(self, identity: bytes) -> bytes:
        return identity[:2] + sha256(identity).digest()[:14]

    def _give(self, user: bytes) -> None:
        chance = self._town.chance
        gift_id = self._town.new_id(user[0] << 8 | user[1])
        streamer = chance.choice(self.people)
        count, ppm = chance.choice((1, 3, 7)), chance.choice((500_000, 333_333))
        is_packet = chance.randrange(6) == 0
        command = SendGift(
            self._key(gift_id), gift_id, user, streamer, "rose", 9, count, ppm,
            chance.choice(_SETTLE_US), "packet" if is_packet else "", 3, 1,
        )  # fmt: skip
        self._town.ask(command, done)

    def _refund(self, buy: Buy, order_id: bytes) -> None:
        refund_id = self._town.new_id(buy.user[0] << 8 | buy.user[1])
        sizes = (buy.amount_fen, buy.amount_fen // 3, 1 + buy.number % 99)
        command = AskRefund(
            self._key(refund_id), refund_id, order_id, self._town.chance.choice(sizes), b"",
            Origin.PERSON, "app", Basis.PAID_ONLY if buy.number % 3 else Basis.BLENDED,
        )  # fmt: skip
        self._town.ask(command, done)

    def _take_out(self, buy: Buy) -> None:
        payout_id = self._town.new_id(buy.user[0] << 8 | buy.user[1])
        command = AskPayout(
            self._key(payout_id), payout_id, buy.user, self._town.chance.choice(ACCOUNTS),
            buy.amount_fen // 2, b"", self._town.chance.choice((0, 60)) * SECOND_US, "app",
        )  # fmt: skip
        self._town.ask(command, lambda answer: self._taken_out(command, answer))

    def _taken_out(self, command: AskPayout, answer: Answer) -> None:
        if not answer.code and self._town.chance.randrange(5):
            number = show("po", command.payout_id)
            self._town.at(300 * SECOND_US, lambda: self._confirm(command.account, number))

    def _confirm(self, account: str, number: str) -> None:
        """The person confirms a transfer, once the channel has it; another day it lapses."""
        if number not in self._town.channels[account].truth.payouts:
            self._town.at(600 * SECOND_US, lambda: self._confirm(account, number))
        else:
            self._town.channels[account].confirm(number)

    def _paid(self, command: BeginAttempt, number: str) -> None:
        """Note what is out of the ordinary about a payment that has just been made."""
        payments = self._town.channels[command.account].truth.orders[number].payments
        deal = self._town.assessor.deals[command.order_id]
        if len(payments) > 1:
            self._except(command.order_id, "paid twice under one number")
        if payments[0].amount_fen != deal.amount:
            self._except(command.order_id, "another amount")
        if self._town.clock.at_us >= deal.expires:
            self._except(command.order_id, "paid after the order's end")
        sheets = self.sheets[command.order_id]
        if deal.is_paid or sum([self._is_paid(each) for each in sheets]) > 1:
            self._except(command.order_id, "paid twice for one order")
        self._town.at(_HEARD_US, lambda: self._was_heard(command.order_id, number))

    def _is_paid(self, sheet: tuple[bytes, str]) -> bool:
        order = self._town.channels[sheet[1]].truth.orders.get(show("pa", sheet[0]))
        return order is not None and bool(order.payments)

    def _was_heard(self, order_id: bytes, number: str) -> None:
        """A minute after a payment: its callback has come, or is late, or was lost."""
        if number not in self._heard:
            self._except(order_id, "callback late or lost")

    def _except(self, order_id: bytes, why: str) -> None:
        self.exceptions.setdefault(order_id, set()).add(why)

    def overhear(self, reading: Reading) -> None:
        """Hear a callback, as every merchant of this world does."""
        self._heard.add(reading.attempt_no)
        order = self.orders.get(reading.attempt_no)
        paid = Paid(reading.attempt_no, reading.transaction_id, reading.amount_fen)
        if order is not None and self._town.assessor.deals[order].amount != reading.amount_fen:
            self._except(order, "another amount")
        for rival in self.rivals.values():
            rival.hear(paid, self._town.clock.at_us)

    def read_along(self, rows: list[Payment]) -> None:
        """Let the other merchants read a day's bill, too."""
        paid = [Paid(row.attempt_no, row.transaction_id, row.amount_fen) for row in rows]
        for rival in self.rivals.values():
            rival.read_bill(paid, self._town.clock.at_us)

    def _came_back(self, command: BeginAttempt) -> None:
        """The person is back from the sheet: the channel is asked at once."""
        observed = self._town.clerk.query(command.attempt_id, command.account, Source.CLIENT)
        for each in self._town.in_time([observed]):
            self._town.ask(each, done)

    def _want_advance(self, buy: Buy, command: BeginAttempt) -> None:
        """Ask for an advance, as the wallet's page does when nothing is heard of a payment."""
        is_known = buy.user[-1] % 4 > 0
        first_at_us = self._town.clock.at_us - (60 if is_known else 20) * DAY_US
        asked = AskAdvance(command.order_id, command.account, 5, first_at_us, 40_000, "app")
        self._town.ask(asked, done)
        for after_s in (20, 60, 120):
            self._town.at(after_s * SECOND_US, lambda: self._give(buy.user))
