"""Movements: where the money of a journal row must go, told from the command and its outcome alone.

Law: a row moves exactly what it decided, between exactly the accounts it names, and carries to
other lanes exactly what lands there. Written apart from the decisions, so that the two check each
other.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.flows.case import CLEARED_STATES, CaseState
from lingqian.flows.claim import ClaimDone
from lingqian.flows.close import CloseDone, DrawDone
from lingqian.flows.command import (
    AllocateParked,
    ClaimPacket,
    ClosePacket,
    DeliverRelay,
    DrawPacket,
    Fund,
    Observe,
    OpenOrder,
    SendPacket,
    SettleCase,
    Transfer,
)
from lingqian.flows.decision import Record
from lingqian.flows.evidence import ObserveDone
from lingqian.flows.order import OrderDone
from lingqian.flows.packet import SendDone
from lingqian.flows.park import AllocateDone
from lingqian.flows.refund import Opened
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
    coin_account,
    coin_issued_account,
    coin_value_account,
    escrow_account,
    held_account,
    house_account,
    payable_account,
    transit_account,
    unallocated_account,
)
from lingqian.ledger.posting import Phase
from lingqian.redpacket.packet import packet_order
from lingqian.risk.rule import Action
from lingqian.storage import outgoing
from lingqian.topup.evidence import Effect
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin, refund_id

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
    if command.is_by_channel:
        # Its money comes with its order's evidence.
        return NOTHING
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
    """Return the step that brings the rest of a packet back to its sender, or to its payment."""
    if not amount_fen:
        return ()
    packet = view.packets.have(packet_id)
    target = balance_account(packet.sender_id)
    if packet.is_by_channel:
        attempt_id = view.orders.have(packet_order(packet_id)).paid_attempt
        target = payable_account(refund_id(attempt_id, Origin.PACKET_REST))
    return ((_POST, escrow_account(packet_id), target, amount_fen),)


def _settle(view: View, command: SettleCase, outcome: SettleDone) -> Movement:
    case = view.cases.have(command.case_id)
    if case.action == Action.TOP_UP:
        return _top_up(view, case.object_id, outcome), ()
    hold = view.holds.get(case.object_id)
    if case.action == Action.CLAIM or hold is None:
        return NOTHING
    is_cleared = outcome.state in CLEARED_STATES
    phase = Phase.CAPTURE if is_cleared else Phase.RELEASE
    steps = ((phase, hold.debit, hold.credit, hold.amount_fen),)
    if not is_cleared or case.action != Action.TRANSFER:
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


def _top_up(view: View, order_id: bytes, outcome: SettleDone) -> tuple[Step, ...]:
    """Return what a held order's money becomes when its case has ended."""
    order = view.orders.get(order_id)
    if order is None or outcome.state == CaseState.HELD:
        return ()
    assert (outcome.credited is None) != (outcome.refund is None), "it goes one way"
    source = held_account(order_id)
    if outcome.refund is not None:
        assert outcome.refund.origin == Origin.REJECTED, "money a person sends back"
        return (_refunded(source, outcome.refund, order.amount_fen, order.paid_attempt),)
    assert outcome.state in CLEARED_STATES, "only what is cleared is credited"
    return _credited(view, source, order_id)


def _open(view: View, command: OpenOrder, outcome: OrderDone) -> Movement:
    del view
    if outcome.credited is None:
        return NOTHING
    lane = int.from_bytes(command.order_id[:2], "big")
    source, user_id = balance_account(command.user_id), command.user_id
    coins = command.coins + command.bonus_coins
    return _coins(lane, source, user_id, (command.amount_fen, coins)), ()


def _coins(lane: int, source: bytes, user_id: bytes, sizes: tuple[int, int]) -> tuple[Step, ...]:
    """Return the steps by which money becomes coins; `sizes` are fen and coins."""
    amount_fen, coins = sizes
    return (
        (_POST, source, coin_value_account(lane), amount_fen),
        (_POST, coin_issued_account(lane), coin_account(user_id), coins),
    )


def _credited(view: View, source: bytes, order_id: bytes) -> tuple[Step, ...]:
    """Return the steps by which an order's money becomes what was ordered."""
    order = view.orders.have(order_id)
    if order.kind == OrderKind.COINS:
        sizes = (order.amount_fen, order.coins + order.bonus_coins)
        return _coins(view.lane, source, order.user_id, sizes)
    is_packet = order.kind == OrderKind.PACKET
    target = escrow_account(order.object_id) if is_packet else balance_account(order.user_id)
    return ((_POST, source, target, order.amount_fen),)


def _refunded(source: bytes, refund: Opened, amount_fen: int, attempt_id: bytes) -> Step:
    """Return the step that sets a refund's money aside under its one number."""
    assert refund.amount_fen == amount_fen, "a decision sends back the whole"
    assert refund.refund_id == refund_id(attempt_id, Origin(refund.origin)), "its one number"
    return (_POST, source, payable_account(refund.refund_id), amount_fen)


_ORIGINS: Final = {Effect.RETURNED: Origin.LATE, Effect.OVERPAID: Origin.OVERPAID}


def _observe(view: View, command: Observe, outcome: ObserveDone) -> Movement:
    """Return what the money of a piece of evidence does; evidence without money moves none."""
    effect = Effect(outcome.effect)
    if effect == Effect.PARKED:
        return _received(view, command, unallocated_account(view.lane)), ()
    if effect not in (Effect.CREDITED, Effect.HELD, *_ORIGINS):
        return NOTHING
    attempt = view.attempts.have(command.attempt_id)
    assert attempt.amount_fen == command.amount_fen, "another amount is parked"
    held = held_account(attempt.order_id)
    steps = _received(view, command, held)
    if effect == Effect.CREDITED:
        steps += _credited(view, held, attempt.order_id)
    elif effect in _ORIGINS:
        refund = outcome.refund
        assert refund is not None, "what is not kept goes back"
        assert refund.origin == _ORIGINS[effect], "for the reason that is true"
        steps += (_refunded(held, refund, command.amount_fen, command.attempt_id),)
    return steps, ()


def _received(view: View, command: Observe, target: bytes) -> tuple[Step, ...]:
    """Return the steps of a receipt: what the channel owes us, and what the house makes good."""
    lane = view.lane
    channel, cash = channel_account(lane, command.account), cash_account(lane)
    bank, provider = bank_account(lane), house_account(lane, Book.PROVIDER)
    short_fen = 0
    if command.settle_fen and command.settle_fen < command.amount_fen:
        short_fen = command.amount_fen - command.settle_fen
    steps = (
        (_POST, channel, target, command.amount_fen - short_fen),
        (_POST, bank, target, short_fen),
        (_POST, house_account(lane, Book.COUPON_COST), cash, short_fen),
        (_POST, house_account(lane, Book.FEE_EXPENSE), channel, command.fee_fen),
        (_POST, bank, cash, command.fee_fen),
        (_POST, house_account(lane, Book.SERVICE_FEE), provider, command.service_fee_fen),
        (_POST, provider, house_account(lane, Book.FEE_REBATE), command.rebate_fen),
    )
    return tuple([step for step in steps if step[3]])


def _allocate(view: View, command: AllocateParked, outcome: AllocateDone) -> Movement:
    payment = view.transactions.have(command.transaction_key)
    assert outcome.amount_fen == payment.parked_fen, "parked money goes as a whole"
    source = unallocated_account(view.lane)
    if outcome.refund is None:
        return _to(view, source, command.user_id, payment.parked_fen)
    assert outcome.refund.origin == Origin.SURPLUS, "money that fits no order"
    step = _refunded(source, outcome.refund, payment.parked_fen, payment.attempt_id)
    return (step,), ()


_MOVES: Final[dict[type, Callable[[View, Any, Any], Movement]]] = {
    Fund: _fund,
    Transfer: _transfer,
    SendPacket: _send,
    ClaimPacket: _claim,
    DrawPacket: _draw,
    ClosePacket: _close,
    SettleCase: _settle,
    DeliverRelay: _deliver,
    OpenOrder: _open,
    Observe: _observe,
    AllocateParked: _allocate,
    **outgoing.MOVES,
}
