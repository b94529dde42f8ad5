"""Statements: every movement of a person's balance, with what it was for (账单明细).

Law: the amounts of a whole statement add up to the balance; each line says the balance after it.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lingqian.flows.close import DrawDone
from lingqian.flows.command import (
    AllocateParked,
    AskPayout,
    AskRefund,
    CancelPayout,
    ClaimPacket,
    ClosePacket,
    DeliverRelay,
    DrawPacket,
    Fund,
    NotePayout,
    NoteRefund,
    Observe,
    OpenOrder,
    SendPacket,
    SettleCase,
    SettleGift,
    Transfer,
)
from lingqian.flows.decision import Record
from lingqian.flows.evidence import ObserveDone
from lingqian.flows.park import AllocateDone
from lingqian.flows.relay import RelayDone
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import balance_account
from lingqian.risk.rule import Action
from lingqian.storage import purse, query
from lingqian.storage.codec import Row, decode
from lingqian.storage.port import Connection

SEQ_MAX: Final = 2**62
_JOURNAL: Final = "j.lane, j.seq, j.at_us, j.kind, j.code, j.body"
SELECT_LINES: Final = (
    f"SELECT e.leg, e.amount_fen, e.balance_after_fen, {_JOURNAL} FROM entries e "  # noqa: S608 - our columns
    "JOIN journal j ON j.lane = ? AND j.seq = e.seq "
    "WHERE e.account = ? AND (e.seq, e.leg) < (?, ?) ORDER BY e.seq DESC, e.leg DESC LIMIT ?"
)
SELECT_ORIGIN: Final = (
    f"SELECT {_JOURNAL} FROM relays r JOIN journal j ON j.lane = ? AND j.seq = r.seq "  # noqa: S608 - ours
    "WHERE r.source = ? AND r.target = ? AND r.number = ?"
)


class Cause(NamedTuple):
    """What a movement was for: a word, the thing it belongs to, and the other person if one is."""

    word: str
    prefix: str = ""
    object_id: bytes = b""
    other_id: bytes = b""


class Line(NamedTuple):
    """One movement of a balance.   Units: fen; µs."""

    seq: int
    leg: int
    at_us: int
    amount_fen: int
    balance_after_fen: int
    cause: Cause


class Movement(NamedTuple):
    """What a line is told from: its record, its place in it, and which way the money went."""

    connection: Connection
    record: Record
    leg: int
    is_in: bool

    @property
    def command(self) -> Any:  # noqa: ANN401 - the command's own type, by the table of causes
        """The command that moved the money."""
        return self.record.command


def lines(
    connection: Connection, user_id: bytes, before: tuple[int, int], rows_max: int
) -> list[Line]:
    """Return a page of a person's statement, the newest first."""
    values = (lane_of(user_id), balance_account(user_id), *before, rows_max)
    rows: Any = connection.execute(SELECT_LINES, values).fetchall()
    found = []
    for leg, amount_fen, after_fen, *row in rows:
        record = decode(Row(*row)).record
        cause = _cause(Movement(connection, record, leg, is_in=amount_fen > 0))
        found.append(Line(record.seq, leg, record.at_us, amount_fen, after_fen, cause))
    return found


def _cause(movement: Movement) -> Cause:
    return _CAUSES[type(movement.record.command)](movement)


def _funding(movement: Movement) -> Cause:
    return Cause("funding", "fu", movement.command.funding_id)


def _transfer(movement: Movement) -> Cause:
    command = movement.command
    return _between(command.transfer_id, command.source_id, command.target_id, movement)


def _between(transfer_id: bytes, source: bytes, target: bytes, movement: Movement) -> Cause:
    if movement.is_in:
        return Cause("transfer_received", "tr", transfer_id, source)
    return Cause("transfer_sent", "tr", transfer_id, target)


def _sent(movement: Movement) -> Cause:
    return Cause("packet_sent", "rp", movement.command.packet_id)


def _claimed(movement: Movement) -> Cause:
    return Cause("packet_claimed", "rp", movement.command.packet_id)


def _returned(movement: Movement) -> Cause:
    return Cause("packet_returned", "rp", movement.command.packet_id)


def _drawn(movement: Movement) -> Cause:
    """Tell shares from the rest: winners come first among the postings of a draw."""
    outcome = movement.record.outcome
    assert isinstance(outcome, DrawDone), "the journal names its kind"
    has_won = movement.leg < len(outcome.tickets)
    return _claimed(movement) if has_won else _returned(movement)


def _settled(movement: Movement) -> Cause:
    case = query.case(movement.connection, movement.command.case_id)
    assert case is not None, "a settled case exists"
    if case.action == Action.SEND:
        return Cause("packet_sent", "rp", case.object_id)
    if case.action == Action.TOP_UP:
        return Cause("top_up", "tu", case.object_id)
    if case.action == Action.PAYOUT:
        return Cause("payout", "po", case.object_id)
    row = query.transfer(movement.connection, case.object_id)
    assert row is not None, "what a case holds exists"
    return _between(case.object_id, row.source_id, row.target_id, movement)


def _topped_up(movement: Movement) -> Cause:
    outcome = movement.record.outcome
    assert isinstance(outcome, ObserveDone), "the journal names its kind"
    return Cause("top_up", "tu", outcome.order_id)


def _bought(movement: Movement) -> Cause:
    return Cause("coins_bought", "tu", movement.command.order_id)


def _allocated(movement: Movement) -> Cause:
    """Tell money that a person has placed: of an order where there is one."""
    outcome = movement.record.outcome
    assert isinstance(outcome, AllocateDone), "the journal names its kind"
    return Cause("top_up", "tu" if outcome.order_id else "", outcome.order_id)


def _refund_asked(movement: Movement) -> Cause:
    """Tell money on its way back to its payment, or that has come back from coins at once."""
    word = "refund_returned" if movement.is_in else "refund_asked"
    return Cause(word, "rf", movement.command.refund_id)


def _refund_returned(movement: Movement) -> Cause:
    """Tell of a refund that the channel gave up: its money is in the balance again."""
    return Cause("refund_returned", "rf", movement.command.refund_id)


def _income(movement: Movement) -> Cause:
    gift = purse.gift(movement.connection, movement.command.gift_id)
    assert gift is not None, "what was settled was given"
    return Cause("gift_income", "gf", movement.command.gift_id, gift.user_id)


def _payout(movement: Movement) -> Cause:
    return Cause("payout", "po", movement.command.payout_id)


def _payout_returned(movement: Movement) -> Cause:
    return Cause("payout_returned", "po", movement.command.payout_id)


def _relayed(movement: Movement) -> Cause:
    """Look up in the other lane what it let go here."""
    command, record, outcome = movement.command, movement.record, movement.record.outcome
    assert isinstance(outcome, RelayDone), "the journal names its kind"
    number = outcome.mark - len(record.postings) + 1 + movement.leg
    source, target = command.source.to_bytes(2, "big"), command.lane.to_bytes(2, "big")
    values = (command.source, source, target, number)
    row: Any = movement.connection.execute(SELECT_ORIGIN, values).fetchone()
    assert row is not None, "what was delivered was let go"
    # Nothing returns through the relay, so of a draw it is a share.
    origin = Movement(movement.connection, decode(Row(*row)).record, 0, is_in=True)
    return _cause(origin)


_CAUSES: Final[dict[type, Callable[[Movement], Cause]]] = {
    Fund: _funding,
    Transfer: _transfer,
    SendPacket: _sent,
    ClaimPacket: _claimed,
    DrawPacket: _drawn,
    ClosePacket: _returned,
    SettleCase: _settled,
    DeliverRelay: _relayed,
    Observe: _topped_up,
    OpenOrder: _bought,
    AllocateParked: _allocated,
    AskRefund: _refund_asked,
    NoteRefund: _refund_returned,
    SettleGift: _income,
    AskPayout: _payout,
    NotePayout: _payout_returned,
    CancelPayout: _payout_returned,
}
