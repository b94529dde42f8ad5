"""An ordinary merchant beside ours: it hears the same callbacks and reads the same bill (普通商户).

It does what most integrations do and no more: a callback credits a sale that is still waiting for
exactly that amount, and the next day's bill credits what is paid there and waiting here. It never
asks the channel and never sends money back by itself, so it needs a person wherever those two do
not fit. A plain one closes what nobody paid in time, and closed is closed; a careful one leaves
every sale open for ever, so that late callbacks and the bill still credit it.
"""

from typing import Final, NamedTuple

WAITING: Final = 1
CREDITED: Final = 2


class Paid(NamedTuple):
    """A line of a bill: which number was paid, by which transaction, how much."""

    number: str
    transaction_id: str
    amount_fen: int


class _Sale:
    """A number in the merchant's book, and the order it was made for."""

    __slots__ = ("amount_fen", "expires_at_us", "order_id", "stage", "transaction_id")

    def __init__(self, order_id: bytes, amount_fen: int, expires_at_us: int) -> None:
        self.order_id = order_id
        self.amount_fen = amount_fen
        self.expires_at_us = expires_at_us
        self.stage = WAITING
        self.transaction_id = ""


class Ordinary:
    """A merchant with a callback handler and a bill on the next day. `needs` are orders and why."""

    def __init__(self, *, closes_by_clock: bool) -> None:
        self._closes = closes_by_clock
        self._sales: dict[str, _Sale] = {}
        self._credited: dict[bytes, str] = {}
        # When each order was credited, and why a person is needed for one.
        self.credited_at_us: dict[bytes, int] = {}
        self.needs: dict[bytes, str] = {}

    def open(self, number: str, order_id: bytes, amount_fen: int, expires_at_us: int) -> None:
        """Take a number for an order; a second try is a second number."""
        self._sales[number] = _Sale(order_id, amount_fen, expires_at_us)

    def hear(self, paid: Paid, now_us: int) -> None:
        """Handle a genuine callback; what does not fit is left for the bill."""
        sale = self._sales.get(paid.number)
        if sale is not None and sale.amount_fen == paid.amount_fen:
            self._credit(paid, sale, now_us)

    def read_bill(self, rows: list[Paid], now_us: int) -> None:
        """Compare a day's payments with the book; call a person for what does not fit."""
        for paid in rows:
            sale = self._sales.get(paid.number)
            if sale is None:
                continue
            if sale.amount_fen != paid.amount_fen:
                self.needs.setdefault(sale.order_id, "another amount")
                continue
            self._credit(paid, sale, now_us)
            if sale.stage != CREDITED:
                self.needs.setdefault(sale.order_id, "money for a closed order")
            elif sale.transaction_id != paid.transaction_id:
                self.needs.setdefault(sale.order_id, "paid twice under one number")
            elif self._credited[sale.order_id] != paid.number:
                self.needs.setdefault(sale.order_id, "paid twice for one order")

    def _credit(self, paid: Paid, sale: _Sale, now_us: int) -> None:
        is_closed = self._closes and now_us >= sale.expires_at_us
        if sale.stage != WAITING or is_closed:
            return
        sale.stage = CREDITED
        sale.transaction_id = paid.transaction_id
        self._credited.setdefault(sale.order_id, paid.number)
        self.credited_at_us.setdefault(sale.order_id, now_us)
