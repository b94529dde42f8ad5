"""What must hold of a market once its faults have stopped and its bills are read (结论).

Law: every order is credited, sent back, held by a person, or closed and unpaid; what a channel has
for us is what our books say; telling a truth again changes nothing.
"""

from collections import Counter
from hashlib import sha256
from typing import Any, Final

from lingqian.channels.port import (
    PayoutState,
    RefundState,
)
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.id import show
from lingqian.simulation import property as law
from lingqian.simulation.auditor import Violation
from lingqian.simulation.crowd import Crowd
from lingqian.simulation.proof import audited, rebuilt
from lingqian.simulation.street import Street
from lingqian.simulation.town import Ask, Town, done
from lingqian.topup.evidence import Source
from lingqian.topup.order import CreditState, PayState

# The audit replays every journal; so many have theirs folded into another file as well.
_FOLDED_ONE_IN: Final = 4
# Whoever has paid and has nothing after so long asks a person.
_PATIENCE_US: Final = 600 * SECOND_US
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


class Verdict:
    """How every order of a world has ended, and which of them needed a person."""

    def __init__(self, town: Town, crowd: Crowd) -> None:
        self._town = town
        self._crowd = crowd
        self.ends: Counter[str] = Counter()
        self.unsolved: Counter[str] = Counter()

    def check(self) -> None:
        """Check what must hold once the faults have stopped and the bills are read."""
        connection = self._town.process.connection
        self._explained()
        self._told_again()
        self._town.assessor.agree_wholly(connection)
        self._channel_money()
        law.snapshot(connection, self._town.checked)
        law.entries(connection, self._town.checked)
        self._town.office.derive_again(self._town.checked)
        self._town.checked["P8"] = self._town.assessor.counts["fees reckoned again"]
        audited(connection)
        if self._town.seed % _FOLDED_ONE_IN == 0:
            rebuilt(connection, f"market-{id(self):x}")

    def _explained(self) -> None:
        """Every order is credited, sent back, held by a person, or closed and unpaid (P10)."""
        ends: Counter[str] = Counter()
        # Money of another amount, which a person has given to its owner.
        by_person = self.parked_orders()
        for order_id, *columns in self._town.rows(_SELECT_ORDERS):
            end = explain(*columns)
            if not end and order_id in by_person:
                end = "paid and held by a person"
            if not end:
                raise Violation(f"order {show('tu', order_id)} is not explained: {columns}")
            if end == "closed and unpaid" and self._is_paid_there(order_id):
                raise Violation(f"order {show('tu', order_id)} is closed; its channel has money")
            if self._town.assessor.credits[order_id] > 1:
                raise Violation(f"order {show('tu', order_id)} was credited twice")
            ends[end] += 1
            self._town.checked["P2"] += 1
        self.ends = ends
        self.unsolved = self._count_unsolved()

    def explained_in_time(self) -> None:
        """When the evening's bills are closed, every order of it is explained (P10).

        An advance is a loan with a day of its own: it may still be open, and is counted apart.
        """
        if self._town.checked["P10"]:
            return
        by_person = self.parked_orders()
        for order_id, *columns in self._town.rows(_SELECT_EARLY, self._town.calm_from_us):
            if explain(*columns) or order_id in by_person:
                self._town.checked["P10"] += 1
            elif columns[1] == CreditState.ADVANCED:
                self._town.events["advance open when the bill was closed"] += 1
            else:
                raise Violation(f"P10: {show('tu', order_id)} after its bill day: {columns}")

    def parked_orders(self) -> set[bytes]:
        """Return the orders some of whose money could not be placed by itself."""
        return {
            self._town.assessor.tries[attempt_id].order
            for attempt_id in self._town.assessor.parked_attempts()
            if attempt_id in self._town.assessor.tries
        }

    def _owned_orders(self) -> set[bytes]:
        """Return the orders of differences that a bill has shown and a person has to end."""
        numbers = [number for (number,) in self._town.rows(_SELECT_OWNED)]
        self._town.events["difference left to a person"] += len(numbers)
        return {self._crowd.orders[number] for number in numbers if number in self._crowd.orders}

    def _count_unsolved(self) -> Counter[str]:
        """Count exceptions, and those that needed a person: here and at ordinary merchants."""
        parked = self.parked_orders()
        rows = self._town.rows(
            "SELECT order_id, credited_at_us FROM orders WHERE credited_at_us > 0"
        )
        found = Counter({"exceptions": len(self._crowd.exceptions)})
        ours = (parked | self._owned_orders()) & self._crowd.exceptions.keys()
        found["ours"] = len(ours)
        found["ours, in ten minutes"] = len(self._impatient(dict(rows)) | ours)
        for name, rival in self._crowd.rivals.items():
            needs = rival.needs.keys() & self._crowd.exceptions.keys()
            found[name] = len(needs)
            late = self._impatient(rival.credited_at_us)
            found[f"{name}, in ten minutes"] = len(late | needs)
        return found

    def _impatient(self, credited_at_us: dict[bytes, int]) -> set[bytes]:
        """Return exceptions whose person has paid, and has nothing ten minutes later.

        Whoever pays an order that is held for review, or sent back, is told so at once.
        """
        late = set()
        for order_id in self._crowd.exceptions:
            paid_at_us = self._paid_at_us(order_id)
            at_us = credited_at_us.get(order_id, 2**62)
            is_awaited = self._town.assessor.deals[order_id].end == "credited"
            if paid_at_us and is_awaited and at_us > paid_at_us + _PATIENCE_US:
                late.add(order_id)
        return late

    def _paid_at_us(self, order_id: bytes) -> int:
        moments = [
            payment.at_us
            for attempt_id, account in self._crowd.sheets.get(order_id, ())
            if (number := show("pa", attempt_id)) in self._town.channels[account].truth.orders
            for payment in self._town.channels[account].truth.orders[number].payments
        ]
        return min(moments, default=0)

    def _is_paid_there(self, order_id: bytes) -> bool:
        return any(
            self._town.channels[account].truth.orders[number].payments
            for attempt_id, account in self._crowd.sheets.get(order_id, ())
            if (number := show("pa", attempt_id)) in self._town.channels[account].truth.orders
        )

    def _told_again(self) -> None:
        """Bring every notice twice more: nothing but evidence may change (P9)."""
        before = law.unmoved(self._town.process.connection)
        for key, letter in list(self._town.clerk.raw.items()):
            reading: Any = letter.notice.reading
            again = self._town.clerk.observed(letter.account, reading, Source.NOTICE, key)
            self._town.asks += [Ask(again, done)] * 2
        self._town.submit()
        self._town.assessor.agree_wholly(self._town.process.connection)
        after = law.unmoved(self._town.process.connection)
        moved = [table for table in before if before[table] != after[table]]
        if moved:
            raise Violation(f"P9: telling the same truth again has changed {moved}")
        self._town.checked["P9"] += len(self._town.clerk.raw)

    def _channel_money(self) -> None:
        """What a channel account owes us is what it says it has: every payment, less its fees (P1).

        So too where a notice told another amount: what is booked is what the channel has.
        """
        for name, channel in self._town.channels.items():
            law.booked(
                self._town.process.connection, name, _paid_numbers(channel), self._town.checked
            )
            there = _owed_by(channel)
            here = -sum(
                [
                    fen
                    for (owner, book, _), fen in self._town.assessor.books.items()
                    if book == 11 and owner[2:] == sha256(name.encode()).digest()[:14]
                ]
            )
            # What a bill has shown and nobody has booked yet has an owner, and is told apart.
            owned = self._town.rows(_SELECT_GAPS, name)[0][0]
            if there != here + owned:
                raise Violation(f"{name} has {there} fen for us, our books say {here} and {owned}")


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
