"""Sending a packet: checked, weighed, funded into its escrow, fixed before any claim (发红包)."""

from typing import Final, NamedTuple, Protocol

from lingqian.compliance.limit import check_packet
from lingqian.flows.command import AddBeacon, AddEntropy, SendPacket
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import Opened, Stop, Subject, fold_opened, want_case, weigh
from lingqian.flows.transfer import check_payer, count_usage, has_available
from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import ENTROPY_WAIT_S, FUNDING_WAIT_S, SHARES_MAX
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.ledger.chart import balance_account, escrow_account
from lingqian.ledger.hold import Hold, HoldState
from lingqian.ledger.posting import Phase, Posting
from lingqian.redpacket.commitment import chain_start
from lingqian.redpacket.packet import MACHINE, Packet, PacketKind, PacketState, Progress
from lingqian.redpacket.split import feasible
from lingqian.risk.rule import Action


class SendDone(NamedTuple):
    """A packet was funded, or set aside with the case that says why; when it opens and expires."""

    state: int
    await_until_us: int
    expires_at_us: int
    opened: Opened | None


class Times(Protocol):
    """An outcome by which a packet comes alive."""

    @property
    def await_until_us(self) -> int:
        """Until when it waits for entropy; 0 when it does not."""

    @property
    def expires_at_us(self) -> int:
        """When it expires; 0 while it does not live."""


class MixDone(NamedTuple):
    """Entropy or a beacon's round is part of the packet now; whether the packet is open with it."""

    is_open: bool


def need_send(command: SendPacket, wanted: Wanted) -> None:
    """Name the rows a send touches."""
    sender = command.sender_id
    wanted.users.add(sender)
    wanted.usages.add(sender)
    wanted.accounts.add(balance_account(sender))
    wanted.accounts.add(escrow_account(command.packet_id))
    if wanted.is_gated:
        want_case(wanted, command.key, asked(command))


def asked(command: SendPacket) -> tuple[bytes | str | int, ...]:
    """Return what the sender chose; the case of a stopped send is named by it."""
    # All from the sender to the cover; what follows is drawn by the shell anew at each try.
    return command[2:18]


def decide_send(view: View, command: SendPacket, at_us: int) -> Decision:
    """Fund a packet: shape, who, limits, risk, funds.

    Refuses: exceeds_count_max, exceeds_share_max, packet_infeasible, draw_time_invalid,
    user_unknown, real_name_required, account_frozen, the limits, blocked, challenge_required,
    exceeds_available.
    """
    code = _check_shape(command, at_us) or _check_limits(view, command, at_us)
    if code:
        return refused(code)
    stop = _weigh(view, command, at_us) if view.policy.rules else None
    if stop is not None and stop.code:
        outcome = None if stop.opened is None else SendDone(0, 0, 0, stop.opened)
        return Decision(stop.code, outcome)
    if command.is_by_channel:
        # Nothing moves yet; a delay or a review is weighed anew when the money has come.
        return Decision(Code.OK, SendDone(PacketState.FUNDING, 0, 0, None))
    if not has_available(view, command.sender_id, command.total_fen):
        return refused(Code.EXCEEDS_AVAILABLE)
    # From here it must succeed.
    source = balance_account(command.sender_id)
    target = escrow_account(command.packet_id)
    if stop is not None:
        posting = Posting(Phase.HOLD, source, target, command.total_fen)
        return Decision(Code.OK, SendDone(PacketState.HELD, 0, 0, stop.opened), (posting,))
    posting = Posting(Phase.POST, source, target, command.total_fen)
    return Decision(Code.OK, opening(command, at_us), (posting,))


def _weigh(view: View, command: SendPacket, at_us: int) -> Stop | None:
    subject = Subject(
        command.key,
        Action.SEND,
        command.packet_id,
        command.sender_id,
        command.total_fen,
        asked(command),
    )
    return weigh(view, subject, at_us)


def _check_shape(command: SendPacket, at_us: int) -> Code:
    if command.count > SHARES_MAX:
        return Code.EXCEEDS_COUNT_MAX
    if command.total_fen > command.count * command.share_fen_max:
        return Code.EXCEEDS_SHARE_MAX
    bounds = (command.share_fen_min, command.share_fen_max)
    # A share of nothing would be a posting of nothing.
    if command.share_fen_min < 1 or not feasible(command.total_fen, command.count, *bounds):
        return Code.PACKET_INFEASIBLE
    if command.kind == PacketKind.TARGETED and command.count * 16 != len(command.recipients):
        return Code.PACKET_INFEASIBLE
    if command.kind == PacketKind.DRAW:
        due = at_us < command.draw_at_us < at_us + command.lifetime_us
        return Code.OK if due else Code.DRAW_TIME_INVALID
    return Code.OK


def _check_limits(view: View, command: SendPacket, at_us: int) -> Code:
    # Factors cap what leaves a balance; a channel has asked its own payer.
    factors = None if command.is_by_channel else command.factors
    code = check_payer(view, command.sender_id, command.total_fen, at_us, factors)
    if code:
        return code
    user = view.users.have(command.sender_id)
    share_fen = -(-command.total_fen // command.count)
    return check_packet(
        view.policy.caps[user.account_class], count=command.count, share_fen=share_fen
    )


def opening(packet: SendPacket | Packet, at_us: int) -> SendDone:
    """Return the state and times of a packet that comes alive now."""
    is_draw = packet.kind == PacketKind.DRAW
    if packet.awaits_entropy or (packet.beacon_round and not is_draw):
        state, await_until_us = PacketState.AWAITING, at_us + ENTROPY_WAIT_S * SECOND_US
    else:
        state, await_until_us = PacketState.OPEN, 0
    return SendDone(state, await_until_us, at_us + packet.lifetime_us, None)


def due_at_us(packet: SendPacket | Packet, outcome: Times) -> int:
    """Return when a job must look at a packet: its draw, else its expiry; 0 while it is held."""
    if not outcome.expires_at_us:
        return 0
    if packet.kind == PacketKind.DRAW:
        return max(packet.draw_at_us, outcome.await_until_us)
    return outcome.expires_at_us


def _first_due_at_us(command: SendPacket, outcome: SendDone, at_us: int) -> int:
    """Return when a job must first look at a packet; one that nobody goes on to pay ends soon."""
    if outcome.state == PacketState.FUNDING:
        return at_us + FUNDING_WAIT_S * SECOND_US
    return due_at_us(command, outcome)


_STEP: Final = {
    PacketState.OPEN: "open",
    PacketState.AWAITING: "await",
    PacketState.HELD: "hold",
    PacketState.FUNDING: "fund",
}


def fold_send(view: View, record: Record) -> None:
    """Write the packet, its progress, its hold and case where there are, and count it."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, SendPacket), "the journal names its kind"
    assert isinstance(outcome, SendDone), "the journal names its kind"
    if outcome.opened is not None:
        fold_opened(view, outcome.opened, record)
    if record.code:
        return
    # Everything but the key and the id is the packet; field names agree, a test holds them to it.
    fixed = Packet(command.sender_id, *command[3:-2], record.at_us, command.is_by_channel)
    view.packets.put(command.packet_id, fixed)
    progress = Progress(
        outcome.await_until_us,
        b"",
        b"",
        chain_start(command.commitment),
        0,
        0,
        0,
        _first_due_at_us(command, outcome, record.at_us),
        b"",
        0,
        outcome.expires_at_us,
        0,
        MACHINE.step(PacketState.CREATED, _STEP[PacketState(outcome.state)]),
        0,
        command.beacon_round,
    )
    view.progress.put(command.packet_id, progress)
    count_usage(view, command.sender_id, command.total_fen, record.at_us)
    if outcome.state == PacketState.HELD:
        posting = record.postings[0]
        hold = Hold(command.total_fen, record.at_us, posting.credit, posting.debit, HoldState.HELD)
        view.holds.put(command.packet_id, hold)


def need_entropy(command: AddEntropy, wanted: Wanted) -> None:
    """Name the packet's rows."""
    wanted.packets.add(command.packet_id)
    wanted.progress.add(command.packet_id)


def decide_entropy(view: View, command: AddEntropy, at_us: int) -> Decision:
    """Take the sender's 32 bytes while the packet waits for them.

    Refuses: packet_unknown, entropy_not_awaited, entropy_too_late.
    """
    packet = view.packets.get(command.packet_id)
    if packet is None:
        return refused(Code.PACKET_UNKNOWN)
    progress = view.progress.have(command.packet_id)
    if progress.entropy == command.entropy:
        return Decision(Code.OK)
    if not packet.awaits_entropy:
        return refused(Code.ENTROPY_NOT_AWAITED)
    # The first bytes stand: who could replace them might have seen the beacon's round by then.
    is_awaiting = progress.state == PacketState.AWAITING and at_us < progress.await_until_us
    if progress.entropy or not is_awaiting:
        return refused(Code.ENTROPY_TOO_LATE)
    # From here it must succeed.
    waits_on = progress.wants_round and packet.kind != PacketKind.DRAW
    return Decision(Code.OK, MixDone(not waits_on))


def fold_entropy(view: View, record: Record) -> None:
    """Write the entropy; shares drawn without it are forgotten."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, AddEntropy), "the journal names its kind"
    assert isinstance(outcome, MixDone), "the journal names its kind"
    progress = view.progress.edit(command.packet_id)
    progress.entropy = command.entropy
    progress.entropy_at_us = record.at_us
    if outcome.is_open:
        progress.state = MACHINE.step(progress.state, "open")
    view.secrets.pop(command.packet_id, None)


def need_beacon(command: AddBeacon, wanted: Wanted) -> None:
    """Name the packet's rows."""
    wanted.packets.add(command.packet_id)
    wanted.progress.add(command.packet_id)


def decide_beacon(view: View, command: AddBeacon, at_us: int) -> Decision:
    """Take the promised round: before a packet opens, or after a draw's entries have closed.

    Refuses: packet_unknown, entropy_not_awaited, entropy_too_late, not_due.
    """
    packet = view.packets.get(command.packet_id)
    if packet is None:
        return refused(Code.PACKET_UNKNOWN)
    progress = view.progress.have(command.packet_id)
    if progress.beacon == command.randomness:
        return Decision(Code.OK)
    code = _check_beacon(packet, progress, at_us)
    if code:
        return refused(code)
    # From here it must succeed.
    is_draw = packet.kind == PacketKind.DRAW
    lacks_entropy = packet.awaits_entropy and not progress.entropy
    return Decision(Code.OK, MixDone(not is_draw and not lacks_entropy))


def _check_beacon(packet: Packet, progress: Progress, at_us: int) -> Code:
    if not progress.wants_round:
        return Code.ENTROPY_NOT_AWAITED
    if progress.state not in (PacketState.AWAITING, PacketState.OPEN):
        return Code.ENTROPY_TOO_LATE
    if packet.kind == PacketKind.DRAW:
        return Code.NOT_DUE if at_us < packet.draw_at_us else Code.OK
    is_awaiting = progress.state == PacketState.AWAITING and at_us < progress.await_until_us
    return Code.OK if is_awaiting else Code.ENTROPY_TOO_LATE


def fold_beacon(view: View, record: Record) -> None:
    """Write the round; shares drawn without it are forgotten."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, AddBeacon), "the journal names its kind"
    assert isinstance(outcome, MixDone), "the journal names its kind"
    progress = view.progress.edit(command.packet_id)
    progress.beacon = command.randomness
    progress.beacon_signature = command.signature
    progress.wants_round = 0
    if outcome.is_open:
        progress.state = MACHINE.step(progress.state, "open")
    view.secrets.pop(command.packet_id, None)
