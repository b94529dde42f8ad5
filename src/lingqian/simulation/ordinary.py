"""An ordinary merchant beside ours: it hears the same callbacks and reads the same bill (普通商户).

It does what most integrations do and no more: a callback credits an order that is still waiting
for exactly that amount; an order nobody paid in time is closed; the next day's bill credits what is
paid there and still waiting here. It never asks the channel, so it needs a person wherever those
two do not fit: money for a closed order, money twice, another amount, a refund whose call was cut.
"""

from enum import IntEnum
from typing import NamedTuple


class Stage(IntEnum):
    """Where an ordinary merchant believes an order to be."""

    WAITING = 1
    CREDITED = 2
    CLOSED = 3


class Need(NamedTuple):
    """Something a person has to look at: which order, and why."""

    number: str
    why: str


class Sale:
    """An order in an ordinary merchant's book; its attempt's number is its own."""

    __slots__ = ("amount_fen", "expires_at_us", "refund", "stage")

    def __init__(self, amount_fen: int, expires_at_us: int) -> None:
        self.amount_fen = amount_fen
        self.expires_at_us = expires_at_us
        self.stage = Stage.WAITING
        self.refund = ""


class Ordinary:
    """A merchant with a callback handler, a clock that closes, and a bill on the next day."""

    def __init__(self) -> None:
        self.sales: dict[str, Sale] = {}
        self.needs: dict[str, Need] = {}
        self._refunds: dict[str, str] = {}

    def open(self, number: str, amount_fen: int, expires_at_us: int) -> None:
        """Take an order; its number is all it will ever be asked by."""
        self.sales[number] = Sale(amount_fen, expires_at_us)

    def hear(self, number: str, amount_fen: int, now_us: int) -> None:
        """Handle a genuine callback that says it was paid."""
        sale = self.sales.get(number)
        if sale is None:
            self._call_a_person(number, "money for an order nobody knows")
            return
        if sale.stage == Stage.WAITING and now_us >= sale.expires_at_us:
            sale.stage = Stage.CLOSED
        if sale.amount_fen != amount_fen:
            self._call_a_person(number, "another amount")
        elif sale.stage == Stage.WAITING:
            sale.stage = Stage.CREDITED
        # A closed order's callback is answered with success and dropped; the bill will show it.

    def read_bill(self, rows: list[tuple[str, int]], now_us: int) -> None:
        """Compare a day's paid lines, one (number, fen) for every payment, with the book."""
        seen: set[str] = set()
        for number, amount_fen in rows:
            if number in seen:
                self._call_a_person(number, "paid twice")
            seen.add(number)
            self._compare(number, amount_fen, now_us)

    def _compare(self, number: str, amount_fen: int, now_us: int) -> None:
        sale = self.sales.get(number)
        if sale is None or sale.amount_fen != amount_fen:
            self.hear(number, amount_fen, now_us)
        elif sale.stage == Stage.WAITING and now_us < sale.expires_at_us:
            sale.stage = Stage.CREDITED
        elif sale.stage != Stage.CREDITED:
            # Late money, or a callback that never came: the bill says paid, the book says closed.
            self._late(number, sale)

    def _late(self, number: str, sale: Sale) -> None:
        if sale.stage == Stage.WAITING:
            sale.stage = Stage.CREDITED
            return
        self._call_a_person(number, "money for a closed order")

    def refund(self, refund_no: str, number: str) -> None:
        """Send a refund; whether it went well is known from the call or from a callback."""
        self._refunds[refund_no] = number

    def refunded(self, refund_no: str) -> None:
        """Hear that a refund arrived."""
        self._refunds.pop(refund_no, None)

    def day_ends(self) -> None:
        """Look at refunds that nothing was heard of: a person must find out what became of them."""
        for refund_no in self._refunds:
            self._call_a_person(refund_no, "a refund with an unknown end")
        self._refunds.clear()

    def _call_a_person(self, number: str, why: str) -> None:
        self.needs.setdefault(number, Need(number, why))
