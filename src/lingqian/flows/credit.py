"""Crediting: what an order's money becomes, from whichever account it lies in (入账).

Law: an order is credited at most once; its money leaves the source whole.
"""

from typing import NamedTuple

from lingqian.flows.advance import fold_repaid, owed_fen, repaid, want_owed
from lingqian.flows.decision import Record
from lingqian.flows.packet import due_at_us, opening
from lingqian.flows.view import View, Wanted
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import (
    balance_account,
    coin_account,
    coin_issued_account,
    coin_value_account,
    escrow_account,
    held_account,
)
from lingqian.ledger.posting import Phase, Posting
from lingqian.redpacket.packet import MACHINE as PACKET_MACHINE
from lingqian.redpacket.packet import PacketState
from lingqian.topup.grant import grant
from lingqian.topup.order import CREDIT_MACHINE, Order, OrderKind


class Credited(NamedTuple):
    """An order was credited; a packet it paid for came alive with this state and these times.

    `repaid_fen` of it went to what the person owes of advances, first of all.
    """

    packet_state: int
    await_until_us: int
    expires_at_us: int
    repaid_fen: int = 0


def want_credit(order_id: bytes, order: Order, wanted: Wanted) -> None:
    """Name the rows that crediting an order, or giving its money up, touches."""
    lane = lane_of(order_id)
    wanted.accounts.add(held_account(order_id))
    wanted.accounts.add(balance_account(order.user_id))
    if order.kind != OrderKind.PACKET:
        want_owed(lane, order.user_id, wanted)
    if order.kind == OrderKind.COINS:
        wanted.accounts.add(coin_value_account(lane))
        wanted.accounts.add(coin_issued_account(lane))
        wanted.accounts.add(coin_account(order.user_id))
        wanted.grants.add(order_id)
    elif order.kind == OrderKind.PACKET:
        wanted.accounts.add(escrow_account(order.object_id))
        wanted.packets.add(order.object_id)
        wanted.progress.add(order.object_id)


def can_credit(view: View, order: Order) -> bool:
    """Say whether there is still something to credit: a packet may have died meanwhile."""
    if order.kind != OrderKind.PACKET:
        return True
    return view.progress.have(order.object_id).state == PacketState.FUNDING


def credit(view: View, order: Order, source: bytes, at_us: int) -> tuple[Credited, list[Posting]]:
    """Return what an order's money becomes, and the postings out of `source` that make it so."""
    amount_fen = order.amount_fen
    if order.kind == OrderKind.PACKET:
        opened = opening(view.packets.have(order.object_id), at_us)
        credited = Credited(opened.state, opened.await_until_us, opened.expires_at_us)
        return credited, [_post(source, escrow_account(order.object_id), amount_fen)]
    owed = min(owed_fen(view, order.user_id), amount_fen)
    moves = list(repaid(view.lane, source, order.user_id, owed))
    rest_fen = amount_fen - owed
    if rest_fen and order.kind == OrderKind.BALANCE:
        moves.append(_post(source, balance_account(order.user_id), rest_fen))
    elif rest_fen:
        coins = sum(coins_for(order, rest_fen))
        moves.append(_post(source, coin_value_account(view.lane), rest_fen))
        moves.append(_post(coin_issued_account(view.lane), coin_account(order.user_id), coins))
    return Credited(0, 0, 0, owed), moves


def coins_for(order: Order, paid_fen: int) -> tuple[int, int]:
    """Return the paid and bonus coins for a part of an order's price: paid up, bonus down."""
    return (
        -(-order.coins * paid_fen // order.amount_fen),
        order.bonus_coins * paid_fen // order.amount_fen,
    )


def _post(debit: bytes, credit_: bytes, amount: int) -> Posting:
    return Posting(Phase.POST, debit, credit_, amount)


def fold_credit(view: View, order_id: bytes, credited: Credited, record: Record) -> None:
    """Write that an order is credited: its coins, or its packet."""
    order = view.orders.edit(order_id)
    order.credit_state = CREDIT_MACHINE.step(order.credit_state, "credit")
    order.credited_at_us = record.at_us
    fold_repaid(view, order.user_id, credited.repaid_fen)
    cash_fen = order.amount_fen - credited.repaid_fen
    if order.kind == OrderKind.COINS and cash_fen:
        ends_at_us = record.at_us + order.bonus_life_us if order.bonus_life_us else 0
        times = (record.at_us, ends_at_us if order.bonus_coins else 0)
        coins = coins_for(order, cash_fen)
        view.add_grant(order_id, grant(order.user_id, coins, cash_fen, times))
    elif order.kind == OrderKind.PACKET:
        _fold_packet(view, order.object_id, credited)


def _fold_packet(view: View, packet_id: bytes, credited: Credited) -> None:
    progress = view.progress.edit(packet_id)
    step = "await" if credited.packet_state == PacketState.AWAITING else "open"
    progress.state = PACKET_MACHINE.step(progress.state, step)
    progress.await_until_us = credited.await_until_us
    progress.expires_at_us = credited.expires_at_us
    progress.due_at_us = due_at_us(view.packets.have(packet_id), credited)


def refuse_packet(view: View, order: Order, at_us: int) -> None:
    """Write that the packet of an order that will never be credited is over."""
    if order.kind != OrderKind.PACKET or not can_credit(view, order):
        return
    progress = view.progress.edit(order.object_id)
    progress.state = PACKET_MACHINE.step(progress.state, "refuse")
    progress.closed_at_us = at_us
    progress.due_at_us = 0
    progress.wants_round = 0
