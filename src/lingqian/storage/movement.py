"""Movements: where the money of a journal row must go, told from the command and its outcome alone.

Law: a row moves exactly what it decided, between exactly the accounts it names, and carries to
other lanes exactly what lands there. Written apart from the decisions, so that the two check each
other.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.flows.advance import AdvanceDone, AdvanceSettled
from lingqian.flows.case import CLEARED_STATES
from lingqian.flows.claim import ClaimDone
from lingqian.flows.close import CloseDone, DrawDone
from lingqian.flows.command import (
    AskAdvance,
    ClaimPacket,
    ClosePacket,
    DeliverRelay,
    DrawPacket,
    Fund,
    FundLine,
    SendPacket,
    SettleAdvance,
    SettleCase,
    Transfer,
)
from lingqian.flows.decision import Record
from lingqian.flows.packet import SendDone
from lingqian.flows.relay import RelayDone, mark_key
from lingqian.flows.settle import SettleDone
from lingqian.flows.transfer import TransferDone
from lingqian.flows.view import View
from lingqian.ledger.chart import (
    Book,
    balance_account,
    bank_account,
    cash_account,
    coin_account,
    coin_issued_account,
    coin_value_account,
    debt_account,
    escrow_account,
    house_account,
    transit_account,
)
from lingqian.ledger.posting import Phase
from lingqian.risk.rule import Action

_POST: Final = int(Phase.POST)

Step = tuple[int, bytes, bytes, int]


# What a row must move, in order; and what goes on to accounts of other lanes.
Movement = tuple[tuple[Step, ...], tuple[tuple[bytes, int], ...]]

NOTHING: Final[Movement] = ((), ())


def movement(view: View, record: Record) -> Movement:
    """Return what a row must move. To be asked before the row is folded."""
    if record.code or record.outcome is None:
        return NOTHING
    move = _MOVES.get(type(record.command))
    return NOTHING if move is None else move(view, record.command, record.outcome)


def _to(view: View, source: bytes, user_id: bytes, amount_fen: int) -> Movement:
    """Return the movement from an account to a person, who may live in another lane."""
    account = balance_account(user_id)
    if user_id[0] << 8 | user_id[1] == view.lane:
        return ((_POST, source, account, amount_fen),), ()
    return ((_POST, source, transit_account(view.lane), amount_fen),), ((account, amount_fen),)


def _fund(view: View, command: Fund, outcome: object) -> Movement:
    del outcome
    return _to(view, bank_account(view.lane), command.user_id, command.amount_fen)


def _transfer(view: View, command: Transfer, outcome: TransferDone) -> Movement:
    source = balance_account(command.source_id)
    moved = _to(view, source, command.target_id, command.amount_fen)
    # What is only set aside is carried when it is released.
    return moved if outcome.opened is None else (_held(moved[0]), ())


def _held(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple([(Phase.HOLD, *step[1:]) for step in steps])


def _send(view: View, command: SendPacket, outcome: SendDone) -> Movement:
    del view
    source, target = balance_account(command.sender_id), escrow_account(command.packet_id)
    steps = ((_POST, source, target, command.total_fen),)
    return steps if outcome.opened is None else _held(steps), ()


def _claim(view: View, command: ClaimPacket, outcome: ClaimDone) -> Movement:
    if not outcome.amount_fen:
        return NOTHING
    return _to(view, escrow_account(command.packet_id), command.user_id, outcome.amount_fen)


def _draw(view: View, command: DrawPacket, outcome: DrawDone) -> Movement:
    escrow = escrow_account(command.packet_id)
    tickets = view.tickets[command.packet_id]
    steps: list[Step] = []
    carried: list[tuple[bytes, int]] = []
    for ticket, amount_fen in zip(outcome.tickets, outcome.amounts_fen, strict=True):
        moved = _to(view, escrow, tickets[ticket][0], amount_fen)
        steps += moved[0]
        carried += moved[1]
    steps += _back(view, command.packet_id, outcome.returned_fen)
    return tuple(steps), tuple(carried)


def _close(view: View, command: ClosePacket, outcome: CloseDone) -> Movement:
    return _back(view, command.packet_id, outcome.returned_fen), ()


def _back(view: View, packet_id: bytes, amount_fen: int) -> tuple[Step, ...]:
    """Return the step that brings the rest of a packet back to its sender."""
    if not amount_fen:
        return ()
    sender = balance_account(view.packets.have(packet_id).sender_id)
    return ((_POST, escrow_account(packet_id), sender, amount_fen),)


def _settle(view: View, command: SettleCase, outcome: SettleDone) -> Movement:
    case = view.cases.have(command.case_id)
    hold = view.holds.get(case.object_id)
    if case.action == Action.CLAIM or hold is None:
        return NOTHING
    is_cleared = outcome.state in CLEARED_STATES
    phase = Phase.CAPTURE if is_cleared else Phase.RELEASE
    steps = ((phase, hold.debit, hold.credit, hold.amount_fen),)
    if not is_cleared or case.action == Action.SEND:
        return steps, ()
    target_id = view.transfers.have(case.object_id).target_id
    return steps, _to(view, hold.debit, target_id, hold.amount_fen)[1]


def _deliver(view: View, command: DeliverRelay, outcome: RelayDone) -> Movement:
    mark = view.relay_marks.get(mark_key(command.lane, command.source))
    taken = 0 if mark is None else mark.value
    assert command.first <= taken + 1, f"items from {command.first} after mark {taken}"
    last = command.first + len(command.items) - 1
    assert outcome.mark == last, f"mark {outcome.mark} after item {last}"
    transit = transit_account(command.lane)
    fresh = command.items[taken + 1 - command.first :]
    return tuple([(_POST, transit, *item) for item in fresh]), ()


def _moved(*steps: tuple[bytes, bytes, int]) -> Movement:
    """Return plain steps (debit, credit, amount) of one lane; steps of nothing are none."""
    return tuple([(_POST, *step) for step in steps if step[2]]), ()


def _fund_line(view: View, command: FundLine, outcome: object) -> Movement:
    del outcome
    line, cash = house_account(view.lane, Book.LINE), cash_account(view.lane)
    if command.amount_fen > 0:
        return _moved((line, cash, command.amount_fen))
    return _moved((cash, line, -command.amount_fen))


def _advance(view: View, command: AskAdvance, outcome: AdvanceDone) -> Movement:
    lane, order = view.lane, view.orders.have(command.order_id)
    assert outcome.coins == order.coins + order.bonus_coins, "an advance gives what the order gives"
    return _moved(
        (house_account(lane, Book.ADVANCE), coin_value_account(lane), order.amount_fen),
        (bank_account(lane), house_account(lane, Book.LINE), order.amount_fen),
        (coin_issued_account(lane), coin_account(order.user_id), outcome.coins),
    )


def _settle_advance(view: View, command: SettleAdvance, outcome: AdvanceSettled) -> Movement:
    lane, row = view.lane, view.advances.have(command.order_id)
    debt, receivable = debt_account(row.user_id), house_account(lane, Book.ADVANCE)
    if command.event == "write_off":
        return _moved((house_account(lane, Book.CREDIT_LOSS), debt, outcome.owed_fen))
    given = view.grants.have(command.order_id)
    unspent_fen = given.cash_fen - given.released_fen
    assert outcome.unspent_fen == unspent_fen, "what comes back is what was not spent"
    return _moved(
        (coin_value_account(lane), receivable, unspent_fen),
        (house_account(lane, Book.LINE), bank_account(lane), unspent_fen),
        (debt, receivable, row.amount_fen - unspent_fen),
        (
            coin_account(row.user_id),
            coin_issued_account(lane),
            given.paid_left + given.bonus_left,
        ),
    )


_MOVES: Final[dict[type, Callable[[View, Any, Any], Movement]]] = {
    Fund: _fund,
    Transfer: _transfer,
    SendPacket: _send,
    ClaimPacket: _claim,
    DrawPacket: _draw,
    ClosePacket: _close,
    SettleCase: _settle,
    DeliverRelay: _deliver,
    FundLine: _fund_line,
    AskAdvance: _advance,
    SettleAdvance: _settle_advance,
}
