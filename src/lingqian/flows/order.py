"""Orders: opened, paid at once from the balance, or ended unpaid (充值订单)."""

from typing import NamedTuple

from lingqian.flows.attempt import begin_close
from lingqian.flows.command import ExpireOrder, OpenOrder
from lingqian.flows.credit import (
    Credited,
    can_credit,
    credit,
    fold_credit,
    refuse_packet,
    want_credit,
)
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import Opened, Stop, Subject, fold_opened, may_pay, want_case, weigh
from lingqian.flows.transfer import check_payer, count_usage, has_available
from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import (
    BALANCE_FEN_MAX,
    CLOSE_AGE_S_MIN,
    ORDER_COINS_MAX,
    ORDER_FEN_MAX,
    ORDER_LIFE_S_MAX,
    ORDER_LIFE_S_MIN,
)
from lingqian.kernel.clock import SECOND_US, business_day
from lingqian.kernel.code import Code
from lingqian.ledger.chart import balance_account
from lingqian.redpacket.packet import packet_order
from lingqian.risk.rule import Action
from lingqian.topup.inflow import is_reviewed
from lingqian.topup.order import PAY_MACHINE, CreditState, Order, OrderKind, PayState

UNPAID_STATES = (PayState.NONE, PayState.PAYING)


class OrderDone(NamedTuple):
    """An order stands open until `expires_at_us`, or was paid from the balance at once.

    `is_reviewed`: as things are, its money would be held for a person. `opened` is the case of a
    challenge; then there is no order.
    """

    expires_at_us: int
    is_reviewed: bool
    credited: Credited | None
    opened: Opened | None


class ExpireDone(NamedTuple):
    """An order was closed, or its live attempt is being closed first."""

    is_closed: bool


def asked(command: OpenOrder) -> tuple[bytes | str | int, ...]:
    """Return what the caller chose; the case of a stopped order is named by it."""
    return command[2:]


def need_open(command: OpenOrder, wanted: Wanted) -> None:
    """Name the rows an order touches."""
    wanted.orders.add(command.order_id)
    wanted.users.add(command.user_id)
    wanted.inflows.add(command.user_id)
    want_credit(command.order_id, _order(command, 0), wanted)
    if command.is_from_balance:
        wanted.usages.add(command.user_id)
    if wanted.is_gated:
        want_case(wanted, command.key, asked(command))


def _order(command: OpenOrder, at_us: int) -> Order:
    """Return the order as it begins."""
    expires_at_us = at_us + command.life_us
    return Order(
        amount_fen=command.amount_fen,
        attempt_count=0,
        bonus_coins=command.bonus_coins,
        bonus_life_us=command.bonus_life_us,
        coins=command.coins,
        created_at_us=at_us,
        credit_state=CreditState.NONE,
        credited_at_us=0,
        due_at_us=expires_at_us,
        expires_at_us=expires_at_us,
        kind=command.order_kind,
        live_attempt=b"",
        object_id=command.object_id,
        paid_attempt=b"",
        pay_state=PayState.NONE,
        plan=command.plan,
        received_fen=0,
        refund_state=0,
        refunded_fen=0,
        refunding_fen=0,
        requested_by=command.requested_by,
        scene=command.scene,
        user_id=command.user_id,
    )


def decide_open(view: View, command: OpenOrder, at_us: int) -> Decision:
    """Open an order: shape, who, limits where the balance pays, risk, funds.

    Refuses: order_infeasible, user_unknown, real_name_required, account_frozen, packet_unknown,
    already_settled, the limits, blocked, challenge_required, exceeds_available,
    exceeds_balance_max.
    """
    code = _check_shape(command) or _check_person(view, command, at_us)
    if code:
        return refused(code)
    code = _check_object(view, command)
    if code:
        return refused(code)
    stop = _weigh(view, command, at_us) if view.policy.rules else None
    if stop is not None and stop.code:
        outcome = None if stop.opened is None else OrderDone(0, False, None, stop.opened)  # noqa: FBT003 - a field of the outcome
        return Decision(stop.code, outcome)
    order = _order(command, at_us)
    if command.is_from_balance:
        return _pay_from_balance(view, command, order, at_us)
    inflow = view.inflows.get(command.user_id)
    held = is_reviewed(inflow, command.amount_fen, business_day(at_us))
    return Decision(Code.OK, OrderDone(order.expires_at_us, held, None, None))


def _check_shape(command: OpenOrder) -> Code:
    is_coins = command.order_kind == OrderKind.COINS
    is_whole = (
        1 <= command.amount_fen <= ORDER_FEN_MAX
        and ORDER_LIFE_S_MIN * SECOND_US <= command.life_us <= ORDER_LIFE_S_MAX * SECOND_US
        and command.order_kind in tuple(OrderKind)
        and min(command.bonus_coins, command.bonus_life_us) >= 0
        and command.bonus_coins <= ORDER_COINS_MAX
        and (1 <= command.coins <= ORDER_COINS_MAX if is_coins else command.coins == 0)
        and (is_coins or not (command.bonus_coins or command.is_from_balance))
    )
    return Code.OK if is_whole else Code.ORDER_INFEASIBLE


def _check_person(view: View, command: OpenOrder, at_us: int) -> Code:
    if command.is_from_balance:
        return check_payer(view, command.user_id, command.amount_fen, at_us, command.factors)
    user = view.users.get(command.user_id)
    if user is None:
        return Code.USER_UNKNOWN
    return may_pay(user.account_class, user.state)


def _check_object(view: View, command: OpenOrder) -> Code:
    """Say whether there is something to pay for: a packet waits for exactly this money."""
    if view.orders.get(command.order_id) is not None:
        # An id that follows from another one may be asked for under two keys.
        return Code.ALREADY_SETTLED
    if command.order_kind != OrderKind.PACKET:
        counters = view.accounts.get(balance_account(command.user_id))
        owned_fen = 0 if counters is None else counters.credits_posted
        is_full = owned_fen + command.amount_fen > BALANCE_FEN_MAX
        return Code.EXCEEDS_BALANCE_MAX if is_full else Code.OK
    packet = view.packets.get(command.object_id)
    if packet is None or packet.sender_id != command.user_id or not packet.is_by_channel:
        return Code.PACKET_UNKNOWN
    assert command.order_id == packet_order(command.object_id), "a packet has one order"
    if packet.total_fen != command.amount_fen:
        return Code.ORDER_INFEASIBLE
    is_waiting = can_credit(view, _order(command, 0))
    return Code.OK if is_waiting else Code.ALREADY_SETTLED


def _weigh(view: View, command: OpenOrder, at_us: int) -> Stop | None:
    """Weigh an order before anything is paid: block and challenge bind here, the rest at PAID."""
    subject = Subject(
        command.key,
        Action.TOP_UP,
        command.order_id,
        command.user_id,
        command.amount_fen,
        asked(command),
    )
    return weigh(view, subject, at_us)


def _pay_from_balance(view: View, command: OpenOrder, order: Order, at_us: int) -> Decision:
    if not has_available(view, command.user_id, command.amount_fen):
        return refused(Code.EXCEEDS_AVAILABLE)
    # From here it must succeed.
    credited, postings = credit(view, order, balance_account(command.user_id), at_us)
    outcome = OrderDone(order.expires_at_us, False, credited, None)  # noqa: FBT003 - a field of the outcome
    return Decision(Code.OK, outcome, tuple(postings))


def fold_open(view: View, record: Record) -> None:
    """Write the order, or the case that stopped it."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, OpenOrder), "the journal names its kind"
    assert isinstance(outcome, OrderDone), "the journal names its kind"
    if outcome.opened is not None:
        fold_opened(view, outcome.opened, record)
        return
    order = _order(command, record.at_us)
    view.orders.put(command.order_id, order)
    view.trail(record.seq, command.order_id)
    if command.order_kind == OrderKind.PACKET:
        # From here on the order ends the packet, if nobody pays.
        view.progress.edit(command.object_id).due_at_us = 0
    if outcome.credited is not None:
        order.pay_state = PAY_MACHINE.step(order.pay_state, "pay")
        order.due_at_us = 0
        fold_credit(view, command.order_id, outcome.credited, record)
        count_usage(view, command.user_id, command.amount_fen, record.at_us)


def need_expire(command: ExpireOrder, wanted: Wanted) -> None:
    """Name the order; its attempt and its packet follow."""
    wanted.orders.add(command.order_id)


def deepen_expire(view: View, command: ExpireOrder, wanted: Wanted) -> None:
    """Name what ends with the order."""
    order = view.orders.get(command.order_id)
    if order is None:
        return
    want_packet(order, wanted)
    if order.live_attempt:
        wanted.attempts.add(order.live_attempt)


def want_packet(order: Order, wanted: Wanted) -> None:
    """Name the packet that an order pays for, where it does."""
    if order.kind == OrderKind.PACKET:
        wanted.packets.add(order.object_id)
        wanted.progress.add(order.object_id)


def expiry_at_us(view: View, order: Order) -> int:
    """Return when the clock may end an order: at its expiry, its last attempt not too young."""
    if not order.live_attempt:
        return order.expires_at_us
    attempt = view.attempts.have(order.live_attempt)
    return max(order.expires_at_us, attempt.created_at_us + CLOSE_AGE_S_MIN * SECOND_US)


def decide_expire(view: View, command: ExpireOrder, at_us: int) -> Decision:
    """End an unpaid order: closed at once, or after the channel has closed its live attempt.

    Refuses: order_unknown, order_paid, order_closed, not_due.
    """
    order = view.orders.get(command.order_id)
    if order is None:
        return refused(Code.ORDER_UNKNOWN)
    if order.pay_state not in UNPAID_STATES:
        is_closed = order.pay_state == PayState.CLOSED
        return refused(Code.ORDER_CLOSED if is_closed else Code.ORDER_PAID)
    if not command.by and at_us < expiry_at_us(view, order):
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    return Decision(Code.OK, ExpireDone(not order.live_attempt))


def fold_expire(view: View, record: Record) -> None:
    """Write that the order is closed, or that its attempt is being closed."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ExpireOrder), "the journal names its kind"
    assert isinstance(outcome, ExpireDone), "the journal names its kind"
    order = view.orders.edit(command.order_id)
    order.due_at_us = 0
    if command.by:
        order.expires_at_us = min(order.expires_at_us, record.at_us)
    view.trail(record.seq, command.order_id)
    if outcome.is_closed:
        close_order(view, command.order_id, record.at_us)
    else:
        begin_close(view, order.live_attempt, record.at_us)


def close_order(view: View, order_id: bytes, at_us: int) -> None:
    """Write that an unpaid order is closed, and the packet with it that waited for it."""
    order = view.orders.edit(order_id)
    order.pay_state = PAY_MACHINE.step(order.pay_state, "close")
    order.due_at_us = 0
    refuse_packet(view, order, at_us)
