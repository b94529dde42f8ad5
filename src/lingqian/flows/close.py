"""Closing: a timed draw gives its shares; what nobody took returns once, the way it came (退回)."""

from typing import NamedTuple

from lingqian.flows.claim import NO_SHARE
from lingqian.flows.command import ClosePacket, DrawPacket
from lingqian.flows.decision import Decision, Record, refused
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
    remaining_fen,
)


class DrawDone(NamedTuple):
    """A draw was held: places of tickets (from 0) in the order they won, amounts, the rest."""

    tickets: tuple[int, ...]
    amounts_fen: tuple[int, ...]
    returned_fen: int


class CloseDone(NamedTuple):
    """A packet was closed and its rest returned."""

    returned_fen: int


def need_packet(command: DrawPacket | ClosePacket, wanted: Wanted) -> None:
    """Name the packet's own rows; the people's follow from them."""
    wanted.packets.add(command.packet_id)
    wanted.progress.add(command.packet_id)
    wanted.accounts.add(escrow_account(command.packet_id))


def deepen_close(view: View, command: ClosePacket, wanted: Wanted) -> None:
    """Name the sender's balance, once the packet says who that is."""
    packet = view.packets.get(command.packet_id)
    if packet is not None:
        wanted.accounts.add(balance_account(packet.sender_id))


def want_tickets(command: DrawPacket, wanted: Wanted) -> None:
    """Name the packet's rows and all its tickets."""
    need_packet(command, wanted)
    wanted.tickets.add(command.packet_id)


def deepen_draw(view: View, command: DrawPacket, wanted: Wanted) -> None:
    """Name the balances of everybody who may win, and the sender's."""
    packet = view.packets.get(command.packet_id)
    if packet is None:
        return
    wanted.accounts.add(balance_account(packet.sender_id))
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
    postings.extend(_returned(command.packet_id, packet, rest_fen))
    outcome = DrawDone(tuple(order), amounts, rest_fen)
    return Decision(Code.OK, outcome, tuple(postings), tuple(carried))


def _returned(packet_id: bytes, packet: Packet, rest_fen: int) -> list[Posting]:
    if not rest_fen:
        return []
    target = balance_account(packet.sender_id)
    return [Posting(Phase.POST, escrow_account(packet_id), target, rest_fen)]


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


def decide_close(view: View, command: ClosePacket, at_us: int) -> Decision:
    """Return the rest of a packet: due by the clock, or invalidated by a person.

    Refuses: packet_unknown, already_settled, not_due.
    """
    packet = view.packets.get(command.packet_id)
    if packet is None:
        return refused(Code.PACKET_UNKNOWN)
    progress = view.progress.have(command.packet_id)
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
    postings = tuple(_returned(command.packet_id, packet, rest_fen))
    return Decision(Code.OK, CloseDone(rest_fen), postings)


def fold_close(view: View, record: Record) -> None:
    """Write that the packet is over and what went back."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ClosePacket), "the journal names its kind"
    assert isinstance(outcome, CloseDone), "the journal names its kind"
    progress = view.progress.edit(command.packet_id)
    step = "invalidate" if command.is_invalidation else "expire"
    progress.state = MACHINE.step(progress.state, step)
    progress.returned_fen = outcome.returned_fen
    progress.closed_at_us = record.at_us
    progress.due_at_us = 0
    progress.wants_round = 0
    view.secrets.pop(command.packet_id, None)
