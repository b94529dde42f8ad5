"""What the tellers of events are given, and what they return (事件的素材).

Units: fen.
"""

from typing import Any, NamedTuple, Protocol

from lingqian.clearing.day import Day
from lingqian.clearing.difference import Difference
from lingqian.flows.case import Case
from lingqian.flows.decision import Record
from lingqian.flows.view import Transferred
from lingqian.gift.gift import Gift
from lingqian.kernel.id import PREFIX_USER, show
from lingqian.ledger.chart import Book
from lingqian.ledger.posting import Phase, Posted
from lingqian.redpacket.packet import Packet
from lingqian.topup.order import Order
from lingqian.topup.payout import Payout
from lingqian.topup.refund import Refund


class Told(NamedTuple):
    """One event before it is put into its envelope: what, about what, and for whom it matters."""

    type: str
    subject: str
    data: dict[str, Any]
    user_ids: tuple[bytes, ...] = ()
    packet_id: bytes = b""


class Facts(Protocol):
    """What a row does not carry itself and never changes once the row is written."""

    def packet(self, packet_id: bytes) -> Packet:
        """Return what was fixed of a packet."""
        ...

    def winners(self, packet_id: bytes) -> list[tuple[bytes, int, int]]:
        """Return who won which share of a draw, and how much, by share."""
        ...

    def case(self, case_id: bytes) -> Case:
        """Return a case."""
        ...

    def transfer(self, transfer_id: bytes) -> Transferred:
        """Return a transfer."""
        ...

    def gift(self, gift_id: bytes) -> Gift:
        """Return a gift."""
        ...

    def refund(self, refund_id: bytes) -> Refund:
        """Return a refund, of which only what it was opened with may be told."""
        ...

    def payout(self, payout_id: bytes) -> Payout:
        """Return a payout, of which only what it was asked with may be told."""
        ...

    def order(self, order_id: bytes) -> Order:
        """Return an order, of which only what it was opened with may be told."""
        ...

    def day(self, day_id: bytes) -> Day:
        """Return a day, which is told only once it is closed and so never changes."""
        ...

    def difference(self, difference_id: bytes) -> Difference:
        """Return a difference, of which only what names it may be told."""
        ...


class Page(NamedTuple):
    """A journal row as it is told from."""

    record: Record
    posted: list[Posted]
    facts: Facts

    @property
    def command(self) -> Any:  # noqa: ANN401 - its own type, by the table below
        """The command of the row."""
        return self.record.command

    @property
    def outcome(self) -> Any:  # noqa: ANN401 - its own type, by the table below
        """The outcome of the row."""
        return self.record.outcome


def balances(posted: list[Posted]) -> list[dict[str, Any]]:
    """Return the balances of people after the row, as of that row."""
    after: dict[bytes, int] = {}
    for each in posted:
        if each.phase not in (Phase.POST, Phase.CAPTURE):
            continue
        for account, fen in (
            (each.debit, each.debit_after_fen),
            (each.credit, each.credit_after_fen),
        ):
            if account[16] == Book.BALANCE:
                after[account[:16]] = fen
    return [{"user_id": user(user_id), "amount_fen": fen} for user_id, fen in after.items()]


def user(user_id: bytes) -> str:
    """Write a person's id as events show it."""
    return show(PREFIX_USER, user_id)
