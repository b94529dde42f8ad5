"""Closing: a timed draw gives its shares; what nobody took returns once, the way it came (退回)."""

from typing import NamedTuple

from lingqian.flows.claim import NO_SHARE
from lingqian.flows.command import ClosePacket, DrawPacket
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.refund import Opened, fold_opened_refund, open_refund, want_refund
from lingqian.flows.transfer import landing, want_landing
from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import BEACON_WAIT_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.ledger.chart import balance_account, escrow_account
from lingqian.ledger.posting import Phase, Posting
from lingqian.redpacket.commitment import draw_key, draw_order
from lingqian.redpacket.packet import (
    MACHINE,
    Packet,
    PacketKind,
    PacketState,
    Progress,
    packet_order,
    remaining_fen,
)
from lingqian.topup.refund import Origin


class DrawDone(NamedTuple):
    """A draw was held: places of tickets (from 0) in the order they won, amounts, the rest."""

    tickets: tuple[int, ...]
    amounts_fen: tuple[int, ...]
    returned_fen: int
    refund: Opened | None = None


class CloseDone(NamedTuple):
    """A packet was closed and its rest returned: to its sender, or to the payment it came by."""

    returned_fen: int
    refund: Opened | None = None


def need_packet(command: DrawPacket | ClosePacket, wanted: Wanted) -> None:
    """Name the packet's own rows; the people's follow from them."""
    wanted.packets.add(command.packet_id)
    wanted.progress.add(command.packet_id)
    wanted.accounts.add(escrow_account(command.packet_id))


def deepen_close(view: View, command: ClosePacket, wanted: Wanted) -> None:
    """Name the sender's balance, once the packet says who that is."""
    packet = view.packets.get(command.packet_id)
    if packet is not None:
        _want_return(command.packet_id, packet, wanted)


def _want_return(packet_id: bytes, packet: Packet, wanted: Wanted) -> None:
    """Name where the rest of a packet goes."""
    wanted.accounts.add(balance_account(packet.sender_id))
    if packet.is_by_channel:
        wanted.orders.add(packet_order(packet_id))


def deepen_order(view: View, command: ClosePacket | DrawPacket, wanted: Wanted) -> None:
    """Name the payment that a packet's rest goes back to, where a channel has paid for it."""
    packet = view.packets.get(command.packet_id)
    if packet is None or not packet.is_by_channel:
        return
    order = view.orders.get(packet_order(command.packet_id))
    if order is not None and order.paid_attempt:
        wanted.attempts.add(order.paid_attempt)
        want_refund(order.paid_attempt, Origin.PACKET_REST, wanted)


def want_tickets(command: DrawPacket, wanted: Wanted) -> None:
    """Name the packet's rows and all its tickets."""
    need_packet(command, wanted)
    wanted.tickets.add(command.packet_id)


def deepen_draw(view: View, command: DrawPacket, wanted: Wanted) -> None:
    """Name the balances of everybody who may win, and the sender's."""
    packet = view.packets.get(command.packet_id)
    if packet is None:
        return
    _want_return(command.packet_id, packet, wanted)
    for user_id, _ in view.tickets[command.packet_id]:
        want_landing(view.lane, user_id, wanted)
        wanted.claims.add(command.packet_id + user_id)


def decide_draw(view: View, command: DrawPacket, at_us: int) -> Decision:
    """Hold a due draw: shares to tickets in an order fixed by the closed ticket chain.

    Refuses: packet_unknown, already_settled, not_due.
    """
    packet = view.packets.get(command.packet_id)
    if packet is None or packet.kind != PacketKind.DRAW:
        return refused(Code.PACKET_UNKNOWN)
    progress = view.progress.have(command.packet_id)
    if progress.state not in (PacketState.OPEN, PacketState.AWAITING):
        return refused(Code.ALREADY_SETTLED)
    if at_us < max(packet.draw_at_us, progress.await_until_us):
        return refused(Code.NOT_DUE)
    # The promised round decides; only a beacon that stays silent leaves it to the ticket chain.
    if progress.wants_round and at_us < packet.draw_at_us + BEACON_WAIT_S * SECOND_US:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    tickets = view.tickets[command.packet_id]
    secret = view.secret(command.packet_id)
    order = draw_order(draw_key(secret.key, progress.chain), len(tickets), packet.count)
    amounts = secret.shares[: len(order)]
    postings: list[Posting] = []
    carried: list[tuple[bytes, int]] = []
    escrow = escrow_account(command.packet_id)
    for ticket, amount_fen in zip(order, amounts, strict=True):
        account, relayed = landing(view.lane, tickets[ticket][0], amount_fen)
        postings.append(Posting(Phase.POST, escrow, account, amount_fen))
        carried.extend(relayed)
    rest_fen = packet.total_fen - sum(amounts)
    refund, moves = _returned(view, command.packet_id, packet, rest_fen)
    outcome = DrawDone(tuple(order), amounts, rest_fen, refund)
    postings.extend(moves)
    return Decision(Code.OK, outcome, tuple(postings), tuple(carried))


def _returned(
    view: View, packet_id: bytes, packet: Packet, rest_fen: int
) -> tuple[Opened | None, tuple[Posting, ...]]:
    """Send the rest back the way it came: to the balance, or to the payment of the packet's order.

    A packet that was never paid for has no rest.
    """
    if not rest_fen:
        return None, ()
    source = escrow_account(packet_id)
    if packet.is_by_channel:
        attempt_id = view.orders.have(packet_order(packet_id)).paid_attempt
        refund, posting = open_refund(view, attempt_id, source, rest_fen, Origin.PACKET_REST)
        return refund, (posting,)
    return None, (Posting(Phase.POST, source, balance_account(packet.sender_id), rest_fen),)


def fold_draw(view: View, record: Record) -> None:
    """Write who won which share and close the packet."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, DrawPacket), "the journal names its kind"
    assert isinstance(outcome, DrawDone), "the journal names its kind"
    tickets = view.tickets[command.packet_id]
    won = zip(outcome.tickets, outcome.amounts_fen, strict=True)
    for share, (ticket, amount_fen) in enumerate(won, start=1):
        user_id, _ = tickets[ticket]
        claim = view.claims.edit(command.packet_id + user_id)
        assert claim.share == NO_SHARE, "a ticket wins once"
        claim.share = share
        claim.amount_fen = amount_fen
    progress = view.progress.edit(command.packet_id)
    progress.claimed_count = len(outcome.tickets)
    progress.claimed_fen = sum(outcome.amounts_fen)
    progress.returned_fen = outcome.returned_fen
    if progress.state == PacketState.AWAITING:
        progress.state = MACHINE.step(progress.state, "open")
    progress.state = MACHINE.step(progress.state, "finish")
    progress.closed_at_us = record.at_us
    progress.due_at_us = 0
    progress.wants_round = 0
    view.secrets.pop(command.packet_id, None)
    if outcome.refund is not None:
        fold_opened_refund(view, outcome.refund, record)
        view.trail(record.seq, outcome.refund.order_id)


def decide_close(view: View, command: ClosePacket, at_us: int) -> Decision:
    """Return the rest of a packet: due by the clock, or invalidated by a person.

    Refuses: packet_unknown, already_settled, not_due.
    """
    packet = view.packets.get(command.packet_id)
    if packet is None:
        return refused(Code.PACKET_UNKNOWN)
    progress = view.progress.have(command.packet_id)
    if progress.state == PacketState.FUNDING:
        return _abandon(progress, command, at_us)
    if progress.state not in (PacketState.OPEN, PacketState.AWAITING):
        return refused(Code.ALREADY_SETTLED)
    if not command.is_invalidation:
        if at_us < progress.expires_at_us:
            return refused(Code.NOT_DUE)
        # A draw that is due but not yet held still belongs to its tickets.
        if packet.kind == PacketKind.DRAW:
            return refused(Code.NOT_DUE)
    # From here it must succeed.
    rest_fen = remaining_fen(packet, progress)
    refund, postings = _returned(view, command.packet_id, packet, rest_fen)
    return Decision(Code.OK, CloseDone(rest_fen, refund), postings)


def _abandon(progress: Progress, command: ClosePacket, at_us: int) -> Decision:
    """End a packet that is not paid for: by a person, or when its order was never opened."""
    is_due = 0 < progress.due_at_us <= at_us
    if not (command.is_invalidation or is_due):
        return refused(Code.NOT_DUE)
    return Decision(Code.OK, CloseDone(0))


def fold_close(view: View, record: Record) -> None:
    """Write that the packet is over and what went back."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ClosePacket), "the journal names its kind"
    assert isinstance(outcome, CloseDone), "the journal names its kind"
    progress = view.progress.edit(command.packet_id)
    step = "invalidate" if command.is_invalidation else "expire"
    step = "refuse" if progress.state == PacketState.FUNDING else step
    progress.state = MACHINE.step(progress.state, step)
    progress.returned_fen = outcome.returned_fen
    progress.closed_at_us = record.at_us
    progress.due_at_us = 0
    progress.wants_round = 0
    view.secrets.pop(command.packet_id, None)
    if outcome.refund is not None:
        fold_opened_refund(view, outcome.refund, record)
        view.trail(record.seq, outcome.refund.order_id)
