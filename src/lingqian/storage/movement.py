"""Movements: where the money of a journal row must go, told from the command and its outcome alone.

Law: a row moves exactly what it decided, between exactly the accounts it names, and carries to
other lanes exactly what lands there. Written apart from the decisions, so that the two check each
other.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.clearing.difference import Remedy
from lingqian.flows.advance import AdvanceDone, AdvanceSettled
from lingqian.flows.case import CLEARED_STATES, CaseState
from lingqian.flows.claim import ClaimDone
from lingqian.flows.close import CloseDone, DrawDone
from lingqian.flows.command import (
    AllocateParked,
    AskAdvance,
    ClaimPacket,
    ClosePacket,
    DeliverRelay,
    DrawPacket,
    Fund,
    FundLine,
    Observe,
    OpenOrder,
    RecordDifference,
    RecordFlow,
    ResolveDifference,
    SendPacket,
    SettleAdvance,
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
    debt_account,
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
from lingqian.topup.refund import Origin, payment_refund_id, refund_id

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
    if command.event == "request":
        return _moved()
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
    if outcome.credited is None:
        return NOTHING
    source, user_id = balance_account(command.user_id), command.user_id
    owed_fen = _owed(view, user_id, command.amount_fen)
    rest_fen = command.amount_fen - owed_fen
    steps = _repaid(view.lane, source, user_id, owed_fen)
    return steps + _coins(view.lane, source, user_id, (rest_fen, _part(command, rest_fen))), ()


def _coins(lane: int, source: bytes, user_id: bytes, sizes: tuple[int, int]) -> tuple[Step, ...]:
    """Return the steps by which money becomes coins; `sizes` are fen and coins."""
    amount_fen, coins = sizes
    return _moved(
        (source, coin_value_account(lane), amount_fen),
        (coin_issued_account(lane), coin_account(user_id), coins),
    )[0]


def _credited(view: View, source: bytes, order_id: bytes) -> tuple[Step, ...]:
    """Return the steps by which an order's money becomes what was ordered."""
    order = view.orders.have(order_id)
    if order.kind == OrderKind.PACKET:
        return ((_POST, source, escrow_account(order.object_id), order.amount_fen),)
    owed_fen = _owed(view, order.user_id, order.amount_fen)
    rest_fen = order.amount_fen - owed_fen
    steps = _repaid(view.lane, source, order.user_id, owed_fen)
    if order.kind == OrderKind.BALANCE and rest_fen:
        return (*steps, (_POST, source, balance_account(order.user_id), rest_fen))
    return steps + _coins(view.lane, source, order.user_id, (rest_fen, _part(order, rest_fen)))


def _part(order: Any, paid_fen: int) -> int:  # noqa: ANN401 - an order, or the command that opens it
    """Return the coins that a part of an order's price buys."""
    paid = (order.coins * paid_fen + order.amount_fen - 1) // order.amount_fen
    return int(paid + order.bonus_coins * paid_fen // order.amount_fen)


def _owed(view: View, user_id: bytes, amount_fen: int) -> int:
    """Return how much of an amount goes to what a person owes of advances."""
    borrower = view.borrowers.get(user_id)
    return 0 if borrower is None else min(borrower.owed_fen, amount_fen)


def _repaid(lane: int, source: bytes, user_id: bytes, amount_fen: int) -> tuple[Step, ...]:
    return _moved(
        (source, debt_account(user_id), amount_fen),
        (house_account(lane, Book.LINE), bank_account(lane), amount_fen),
    )[0]


def _refunded(source: bytes, refund: Opened, amount_fen: int, attempt_id: bytes) -> Step:
    """Return the step that sets a refund's money aside under its one number."""
    assert refund.amount_fen == amount_fen, "a decision sends back the whole"
    assert refund.refund_id == refund_id(attempt_id, Origin(refund.origin)), "its one number"
    return (_POST, source, payable_account(refund.refund_id), amount_fen)


_BRIDGED: Final = (Effect.CONFIRMED, Effect.REPAID)
_ORIGINS: Final = {Effect.RETURNED: Origin.LATE, Effect.OVERPAID: Origin.OVERPAID}


def _observe(view: View, command: Observe, outcome: ObserveDone) -> Movement:
    """Return what the money of a piece of evidence does; evidence without money moves none."""
    effect = Effect(outcome.effect)
    if effect == Effect.PARKED:
        return _received(view, command, unallocated_account(view.lane)), ()
    if effect not in (Effect.CREDITED, Effect.HELD, *_BRIDGED, *_ORIGINS):
        return NOTHING
    attempt = view.attempts.have(command.attempt_id)
    assert attempt.amount_fen == command.amount_fen, "another amount is parked"
    held = held_account(attempt.order_id)
    steps = _received(view, command, held)
    if effect in _BRIDGED:
        steps += _bridged(view, command, outcome)
    elif effect == Effect.CREDITED:
        steps += _credited(view, held, attempt.order_id)
    elif effect in _ORIGINS:
        refund = outcome.refund
        assert refund is not None, "what is not kept goes back"
        assert refund.origin == _ORIGINS[effect], "for the reason that is true"
        steps += (_refunded(held, refund, command.amount_fen, command.attempt_id),)
    return steps, ()


def _bridged(view: View, command: Observe, outcome: ObserveDone) -> tuple[Step, ...]:
    """Return what money for advanced coins does: ends the advance, or repays what they cost."""
    attempt = view.attempts.have(command.attempt_id)
    lane, held = view.lane, held_account(attempt.order_id)
    user_id = view.orders.have(attempt.order_id).user_id
    if outcome.effect == Effect.CONFIRMED:
        line, bank = house_account(lane, Book.LINE), bank_account(lane)
        receivable = house_account(lane, Book.ADVANCE)
        moved = ((held, receivable, command.amount_fen), (line, bank, command.amount_fen))
        return _moved(*moved)[0]
    owed_fen = _owed(view, user_id, command.amount_fen)
    assert outcome.repaid_fen == owed_fen, "what is owed is repaid first"
    steps, rest_fen = _repaid(lane, held, user_id, owed_fen), command.amount_fen - owed_fen
    if outcome.refund is None:
        assert not rest_fen, "what is not owed goes back"
        return steps
    assert outcome.refund.origin == Origin.LATE, "for the reason that is true"
    return (*steps, _refunded(held, outcome.refund, rest_fen, command.attempt_id))


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
    if outcome.refund.origin == Origin.UNASKED:
        key = command.transaction_key
        assert outcome.refund.refund_id == payment_refund_id(key, payment.at_us), "its one number"
        assert not payment.refund_count, "a payment goes back once"
        target = payable_account(outcome.refund.refund_id)
        return ((_POST, source, target, payment.parked_fen),), ()
    assert outcome.refund.origin == Origin.SURPLUS, "money that fits no order"
    step = _refunded(source, outcome.refund, payment.parked_fen, payment.attempt_id)
    return (step,), ()


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
    if command.subject_id:
        return NOTHING
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
    FundLine: _fund_line,
    AskAdvance: _advance,
    SettleAdvance: _settle_advance,
    OpenOrder: _open,
    Observe: _observe,
    AllocateParked: _allocate,
    RecordDifference: _difference,
    ResolveDifference: _resolution,
    RecordFlow: _flow,
    **outgoing.MOVES,
}
