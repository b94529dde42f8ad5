"""Claiming: the one ladder between a tap and a share (领取).

Law: a refusal never takes a share; the same person always gets the first answer again.
"""

from typing import Final, NamedTuple

from lingqian.flows.case import case_id
from lingqian.flows.command import ClaimPacket
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import (
    Opened,
    Stop,
    Subject,
    fold_opened,
    may_pay,
    want_case,
    weigh,
)
from lingqian.flows.transfer import landing, want_landing
from lingqian.flows.view import Counter, View, Wanted
from lingqian.kernel.bound import PASSPHRASE_TRIES_MAX, TICKETS_MAX
from lingqian.kernel.code import OK, Code
from lingqian.ledger.chart import escrow_account
from lingqian.ledger.posting import Phase, Posting
from lingqian.redpacket.commitment import chain, pseudonym
from lingqian.redpacket.condition import is_recipient
from lingqian.redpacket.packet import (
    MACHINE,
    Claim,
    Packet,
    PacketKind,
    PacketState,
    Progress,
    state_at,
)
from lingqian.risk.rule import Action

NO_SHARE = 0
# Makes a named tuple in half the time of its own constructor: for those made for every command.
_new: Final = tuple.__new__
_DRAW: Final = PacketKind.DRAW
_TARGETED: Final = PacketKind.TARGETED
_AWAITING: Final = PacketState.AWAITING
_POST: Final = Phase.POST


class ClaimDone(NamedTuple):
    """A share was taken, or for a draw a ticket (share 0, amount 0); both count from 1."""

    share: int
    amount_fen: int
    ticket: int
    pseudonym: bytes
    chain: bytes


class WrongPassphrase(NamedTuple):
    """A wrong passphrase was counted; how many there are now."""

    tries: int


class ClaimStopped(NamedTuple):
    """The gate stopped a claim and opened a case; no share was taken."""

    opened: Opened


def claim_key(packet_id: bytes, user_id: bytes) -> bytes:
    """Return the key of a claim: one per packet and person."""
    return packet_id + user_id


def need_claim(command: ClaimPacket, wanted: Wanted) -> None:
    """Name the rows a claim touches."""
    packet_id, user_id, passphrase_mac, _, _, _, _ = command
    key = packet_id + user_id
    wanted.claims.add(key)
    wanted.packets.add(packet_id)
    wanted.progress.add(packet_id)
    wanted.accounts.add(escrow_account(packet_id))
    want_landing(packet_id[0] << 8 | packet_id[1], user_id, wanted)
    if passphrase_mac:
        wanted.tries.add(key)
    if wanted.is_gated:
        want_case(wanted, key)


def decide_claim(view: View, command: ClaimPacket, at_us: int) -> Decision:
    """Give the next share, or a ticket of a draw.

    Refuses: packet_unknown, packet_invalidated, packet_finished, packet_expired, packet_not_open,
    packet_not_funded,
    own_packet, not_a_recipient, passphrase_locked, wrong_passphrase, real_name_required,
    account_frozen, draw_full, blocked, challenge_required, claim_held.
    """
    packet_id, user_id, _, _, account_class, state, _ = command
    key = packet_id + user_id
    known = view.claims.rows[key]
    if known is not None:
        return Decision(Code.OK, first=known)
    packet = view.packets.rows[packet_id]
    if packet is None:
        return refused(Code.PACKET_UNKNOWN)
    progress = view.progress.have(packet_id)
    code = _check_packet(packet, progress, at_us) or _check_person(packet, command)
    if code:
        return refused(code)
    if packet.passphrase_mac:
        stopped = _check_passphrase(view, packet, command, key)
        if stopped is not None:
            return stopped
    code = may_pay(account_class, state)
    if code:
        return refused(code)
    return _take(view, command, packet, progress, at_us)


_CLOSED = {
    PacketState.FINISHED: Code.PACKET_FINISHED,
    PacketState.EXPIRED: Code.PACKET_EXPIRED,
    PacketState.AWAITING: Code.PACKET_NOT_OPEN,
    PacketState.HELD: Code.PACKET_NOT_OPEN,
    PacketState.FUNDING: Code.PACKET_NOT_FUNDED,
    PacketState.REFUSED: Code.PACKET_INVALIDATED,
    PacketState.INVALIDATED: Code.PACKET_INVALIDATED,
}


def _check_packet(packet: Packet, progress: Progress, at_us: int) -> Code:
    code = _CLOSED.get(state_at(progress, at_us), OK)
    if code or packet.kind != _DRAW:
        return code
    # The entries of a draw close when it is due, whether or not the draw has run.
    if at_us >= packet.draw_at_us:
        return Code.PACKET_FINISHED
    return Code.DRAW_FULL if progress.ticket_count >= TICKETS_MAX else Code.OK


def _check_person(packet: Packet, command: ClaimPacket) -> Code:
    if packet.kind == _TARGETED and not is_recipient(packet, command.user_id):
        own = command.user_id == packet.sender_id
        return Code.OWN_PACKET if own else Code.NOT_A_RECIPIENT
    if not command.is_member and command.user_id != packet.sender_id:
        return Code.NOT_A_RECIPIENT
    return OK


def _check_passphrase(
    view: View, packet: Packet, command: ClaimPacket, key: bytes
) -> Decision | None:
    if not command.passphrase_mac:
        return refused(Code.WRONG_PASSPHRASE)
    counter = view.tries.get(key)
    tries = 0 if counter is None else counter.value
    if tries >= PASSPHRASE_TRIES_MAX:
        return refused(Code.PASSPHRASE_LOCKED)
    if command.passphrase_mac != packet.passphrase_mac:
        return Decision(Code.WRONG_PASSPHRASE, WrongPassphrase(tries + 1))
    return None


def _take(
    view: View, command: ClaimPacket, packet: Packet, progress: Progress, at_us: int
) -> Decision:
    packet_id, user_id = command.packet_id, command.user_id
    secret = view.secret(packet_id)
    is_draw = packet.kind == _DRAW
    if is_draw:
        ticket, share, amount_fen = progress.ticket_count + 1, NO_SHARE, 0
    else:
        ticket = share = progress.claimed_count + 1
        amount_fen = secret.shares[progress.claimed_count]
    stop = _weigh(view, command, packet, at_us) if view.policy.rules else None
    if stop is not None:
        return Decision(stop.code, None if stop.opened is None else ClaimStopped(stop.opened))
    # From here it must succeed.
    name = pseudonym(packet_id, user_id, secret.salt)
    link = chain(
        progress.chain,
        sequence=ticket,
        pseudonym=name,
        index=share,
        amount_fen=amount_fen,
        at_us=at_us,
    )
    outcome = ClaimDone(share, amount_fen, ticket, name, link)
    if is_draw:
        return Decision(OK, outcome)
    account, relayed = landing(view.lane, user_id, amount_fen)
    posting = _new(Posting, (_POST, escrow_account(packet_id), account, amount_fen))
    return _new(Decision, (OK, outcome, (posting,), relayed, "", None))


def _weigh(view: View, command: ClaimPacket, packet: Packet, at_us: int) -> Stop | None:
    """Weigh a claim by the packet's average, never its share: a refusal must not leak an amount."""
    packet_id, user_id = command.packet_id, command.user_id
    average_fen = packet.total_fen // packet.count
    subject = Subject(packet_id + user_id, Action.CLAIM, packet_id, user_id, average_fen)
    return weigh(view, subject, at_us)


def fold_claim(view: View, record: Record) -> None:
    """Write the claim and move the packet on; or count what was stopped."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ClaimPacket), "the journal names its kind"
    key = command.packet_id + command.user_id
    if isinstance(outcome, WrongPassphrase):
        view.tries.put(key, Counter(outcome.tries))
        return
    if isinstance(outcome, ClaimStopped):
        assert outcome.opened.case_id == case_id(key), "a claim's case is found by its key"
        fold_opened(view, outcome.opened, record)
        return
    assert isinstance(outcome, ClaimDone), "the journal names its kind"
    progress = view.progress.edit(command.packet_id)
    packet = view.packets.have(command.packet_id)
    if progress.state == _AWAITING:
        # Nothing came in time: the packet opens without it, and its proof says the lower level.
        progress.state = MACHINE.step(progress.state, "open")
        progress.wants_round = progress.wants_round if packet.kind == PacketKind.DRAW else 0
    share, amount_fen, ticket, name, link = outcome
    progress.chain = link
    claim = Claim(amount_fen, record.at_us, link, name, record.seq, share, ticket)
    view.claims.put(key, claim)
    if packet.kind == _DRAW:
        progress.ticket_count += 1
        if command.packet_id in view.tickets:
            view.tickets[command.packet_id].append((command.user_id, claim))
        return
    progress.claimed_count += 1
    progress.claimed_fen += amount_fen
    assert progress.claimed_count <= packet.count, "never more claims than shares"
    if progress.claimed_count == packet.count:
        assert progress.claimed_fen == packet.total_fen, "the shares are the total"
        progress.state = MACHINE.step(progress.state, "finish")
        progress.closed_at_us = record.at_us
        progress.due_at_us = 0
        view.secrets.pop(command.packet_id, None)
