"""Movements: where the money of a journal row must go, told from the command and its outcome alone.

Law: a row moves exactly what it decided, between exactly the accounts it names, and carries to
other lanes exactly what lands there. Written apart from the decisions, so that the two check each
other.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.clearing.difference import Remedy
from lingqian.flows.case import CLEARED_STATES
from lingqian.flows.claim import ClaimDone
from lingqian.flows.close import CloseDone, DrawDone
from lingqian.flows.command import (
    ClaimPacket,
    ClosePacket,
    DeliverRelay,
    DrawPacket,
    Fund,
    RecordDifference,
    RecordFlow,
    ResolveDifference,
    SendPacket,
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
    channel_account,
    escrow_account,
    house_account,
    transit_account,
    unallocated_account,
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


def _difference(view: View, command: RecordDifference, outcome: object) -> Movement:
    del view, outcome
    return _remedied(command.account, command.remedy, command.gap_fen, command.fee_gap_fen), ()


def _resolution(view: View, command: ResolveDifference, outcome: object) -> Movement:
    del outcome
    if command.event != "agree":
        return NOTHING
    row = view.differences.have(command.difference_id)
    return _remedied(row.account, row.remedy, row.gap_fen, row.fee_gap_fen), ()


def _flow(view: View, command: RecordFlow, outcome: object) -> Movement:
    del outcome
    channel, bank = channel_account(view.lane, command.account), bank_account(view.lane)
    came = command.amount_fen > 0
    step = (_POST, channel, bank) if came else (_POST, bank, channel)
    return ((*step, abs(command.amount_fen)),), ()


def _remedied(account: str, remedy: int, gap_fen: int, fee_gap_fen: int) -> tuple[Step, ...]:
    """Return what a remedy moves: a surplus in, a lack or a fee at the cost of the house."""
    channel = channel_account(0, account)
    steps: list[Step] = []
    if remedy == Remedy.LONG:
        assert gap_fen > 0, "only a surplus is allocated later"
        steps.append((_POST, channel, unallocated_account(0), gap_fen))
    if remedy == Remedy.SHORT:
        assert gap_fen < 0, "only a lack is made good"
        steps += _cost(Book.SHORTAGE, channel, -gap_fen)
    if remedy != Remedy.NONE and fee_gap_fen:
        steps += _cost(Book.FEE_EXPENSE, channel, fee_gap_fen)
    return tuple(steps)


def _cost(book: Book, channel: bytes, amount_fen: int) -> tuple[Step, Step]:
    """Return a cost of the house; a negative one comes back to it."""
    cost, bank, cash = house_account(0, book), bank_account(0), cash_account(0)
    if amount_fen > 0:
        return (_POST, cost, channel, amount_fen), (_POST, bank, cash, amount_fen)
    return (_POST, channel, cost, -amount_fen), (_POST, cash, bank, -amount_fen)


_MOVES: Final[dict[type, Callable[[View, Any, Any], Movement]]] = {
    Fund: _fund,
    Transfer: _transfer,
    SendPacket: _send,
    ClaimPacket: _claim,
    DrawPacket: _draw,
    ClosePacket: _close,
    SettleCase: _settle,
    DeliverRelay: _deliver,
    RecordDifference: _difference,
    ResolveDifference: _resolution,
    RecordFlow: _flow,
}
