"""The envelope: what a journal row tells the outside, as CloudEvents JSON (事件).

Law: a row always tells the same events with the same ids; none carries an unopened amount, a seed
or personal text.   Units: fen.   Source: docs/reference/events.md; CloudEvents 1.0.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.events import bridged, incoming, outgoing, reconciled
from lingqian.events.told import Facts, Page, Told, balances, user
from lingqian.flows.case import CaseState
from lingqian.flows.claim import ClaimDone, ClaimStopped
from lingqian.flows.close import CloseDone, DrawDone
from lingqian.flows.command import (
    AddBeacon,
    AddEntropy,
    AllocateParked,
    AskPayout,
    BeginAttempt,
    BeginClose,
    ChangeUser,
    ClaimPacket,
    ClosePacket,
    DeliverRelay,
    DrawPacket,
    ExpireOrder,
    Fund,
    NotePrepay,
    Observe,
    OpenOrder,
    ReceiveNotice,
    RecordSteps,
    RegisterUser,
    SendPacket,
    SetMembers,
    SettleCase,
    Transfer,
)
from lingqian.flows.credit import Credited
from lingqian.flows.decision import Record
from lingqian.flows.evidence import ObserveDone
from lingqian.flows.gate import Opened
from lingqian.flows.kind import KINDS
from lingqian.flows.packet import MixDone, SendDone
from lingqian.flows.settle import SettleDone
from lingqian.flows.transfer import TransferDone, TransferState
from lingqian.flows.user import UserDone
from lingqian.identity.user import UserState
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.id import (
    PREFIX_CASE,
    PREFIX_ORDER,
    PREFIX_PACKET,
    PREFIX_PAYOUT,
    PREFIX_TRANSFER,
    show,
)
from lingqian.ledger.posting import Phase, Posted
from lingqian.redpacket.packet import Packet, PacketKind, PacketState
from lingqian.risk.rule import Action, Verdict

VERSION: Final = ".v1"
TYPES: Final = (
    "user.registered.v1",
    "user.changed.v1",
    "conversation.changed.v1",
    "funding.done.v1",
    "transfer.done.v1",
    "transfer.held.v1",
    "transfer.refused.v1",
    "packet.funding.v1",
    "packet.sent.v1",
    "packet.held.v1",
    "packet.refused.v1",
    "packet.opened.v1",
    "packet.claimed.v1",
    "packet.entered.v1",
    "packet.finished.v1",
    "packet.drawn.v1",
    "packet.expired.v1",
    "packet.invalidated.v1",
    "case.opened.v1",
    "case.settled.v1",
    "balance.credited.v1",
    *incoming.TYPES,
    *outgoing.TYPES,
    *bridged.TYPES,
    *reconciled.TYPES,
)


def tell(record: Record, posted: list[Posted], facts: Facts) -> list[Told]:
    """Return the events of a journal row, in order; a row may tell none."""
    if record.outcome is None:
        return []
    return TELLERS[type(record.command)](Page(record, posted, facts))


def _packet(packet_id: bytes) -> str:
    return show(PREFIX_PACKET, packet_id)


def _registered(page: Page) -> list[Told]:
    user_id = page.command.user_id
    data = {"user_id": user(user_id), "account_class": page.command.account_class}
    return [Told("user.registered.v1", user(user_id), data, (user_id,))]


def _changed(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, UserDone), "the journal names its kind"
    data = {
        "user_id": user(command.user_id),
        "account_class": command.account_class,
        "state": UserState(command.state).name.lower(),
        "version": outcome.version,
    }
    return [Told("user.changed.v1", user(command.user_id), data, (command.user_id,))]


def _members(page: Page) -> list[Told]:
    name = page.command.conversation_id
    data = {"conversation_id": name, "member_count": page.outcome.count}
    return [Told("conversation.changed.v1", name, data)]


def _funded(page: Page) -> list[Told]:
    command = page.command
    subject = show("fu", command.funding_id)
    data = {
        "funding_id": subject,
        "user_id": user(command.user_id),
        "amount_fen": command.amount_fen,
        "balances": balances(page.posted),
    }
    return [Told("funding.done.v1", subject, data, (command.user_id,))]


_CASE_PREFIX: Final = {
    Action.TRANSFER: PREFIX_TRANSFER,
    Action.TOP_UP: PREFIX_ORDER,
    Action.PAYOUT: PREFIX_PAYOUT,
}


def _opened_case(opened: Opened) -> Told:
    prefix = _CASE_PREFIX.get(Action(opened.action), PREFIX_PACKET)
    subject = show(PREFIX_CASE, opened.case_id)
    data = {
        "case_id": subject,
        "action": Action(opened.action).name.lower(),
        "verdict": Verdict(opened.verdict).name.lower(),
        "rule": opened.rule,
        "user_id": user(opened.user_id),
        "object_id": show(prefix, opened.object_id),
        "amount_fen": opened.amount_fen,
        "due_at": rfc3339(opened.due_at_us),
    }
    return Told("case.opened.v1", subject, data, (opened.user_id,))


def _transferred(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, TransferDone), "the journal names its kind"
    told = [] if outcome.opened is None else [_opened_case(outcome.opened)]
    if page.record.code:
        return told
    is_held = outcome.state == TransferState.HELD
    return [
        _transfer_told("held" if is_held else "done", command.transfer_id, command, page),
        *told,
    ]


def _transfer_told(word: str, transfer_id: bytes, row: Any, page: Page) -> Told:  # noqa: ANN401 - command or row
    subject = show(PREFIX_TRANSFER, transfer_id)
    data = {
        "transfer_id": subject,
        "source_id": user(row.source_id),
        "target_id": user(row.target_id),
        "amount_fen": row.amount_fen,
        "balances": balances(page.posted),
    }
    return Told(f"transfer.{word}.v1", subject, data, (row.source_id, row.target_id))


def _sent(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, SendDone), "the journal names its kind"
    told = [] if outcome.opened is None else [_opened_case(outcome.opened)]
    if page.record.code:
        return told
    word = _SENT_WORD[PacketState(outcome.state)]
    return [_packet_told(word, command.packet_id, command, page, outcome.expires_at_us), *told]


_SENT_WORD: Final = {
    PacketState.HELD: "held",
    PacketState.FUNDING: "funding",
    PacketState.OPEN: "sent",
    PacketState.AWAITING: "sent",
}


def _packet_told(
    word: str,
    packet_id: bytes,
    packet: Any,  # noqa: ANN401 - command or row
    page: Page,
    expires_at_us: int,
) -> Told:
    data = {
        "packet_id": _packet(packet_id),
        "sender_id": user(packet.sender_id),
        "kind": PacketKind(packet.kind).name.lower(),
        "total_fen": packet.total_fen,
        "count": packet.count,
        "conversation_id": packet.conversation_id,
        "commitment": packet.commitment.hex(),
        "expires_at": rfc3339(expires_at_us) if expires_at_us else None,
        "balances": balances(page.posted),
    }
    return Told(f"packet.{word}.v1", _packet(packet_id), data, (packet.sender_id,), packet_id)


def _mixed(page: Page) -> list[Told]:
    outcome, packet_id = page.outcome, page.command.packet_id
    assert isinstance(outcome, MixDone), "the journal names its kind"
    if not outcome.is_open:
        return []
    sender_id = page.facts.packet(packet_id).sender_id
    data = {"packet_id": _packet(packet_id), "sender_id": user(sender_id)}
    return [Told("packet.opened.v1", _packet(packet_id), data, (sender_id,), packet_id)]


def _claimed(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    if isinstance(outcome, ClaimStopped):
        return [_opened_case(outcome.opened)]
    if not isinstance(outcome, ClaimDone):
        return []  # a wrong passphrase is nobody else's business
    packet = page.facts.packet(command.packet_id)
    data = {
        "packet_id": _packet(command.packet_id),
        "user_id": user(command.user_id),
        "sender_id": user(packet.sender_id),
        "ticket": outcome.ticket,
    }
    who = (command.user_id, packet.sender_id)
    subject = _packet(command.packet_id)
    if not outcome.share:
        return [Told("packet.entered.v1", subject, data, who, command.packet_id)]
    data["amount_fen"] = outcome.amount_fen
    data["index"] = outcome.share
    data["remaining_count"] = packet.count - outcome.share
    data["balances"] = balances(page.posted)
    told = [Told("packet.claimed.v1", subject, data, who, command.packet_id)]
    if outcome.share == packet.count:
        told.append(_finished(command.packet_id, packet, packet.total_fen))
    return told


def _finished(packet_id: bytes, packet: Packet, claimed_fen: int) -> Told:
    data = {
        "packet_id": _packet(packet_id),
        "sender_id": user(packet.sender_id),
        "claimed_fen": claimed_fen,
        "returned_fen": packet.total_fen - claimed_fen,
    }
    return Told("packet.finished.v1", _packet(packet_id), data, (packet.sender_id,), packet_id)


def _drawn(page: Page) -> list[Told]:
    packet_id, outcome = page.command.packet_id, page.outcome
    assert isinstance(outcome, DrawDone), "the journal names its kind"
    packet = page.facts.packet(packet_id)
    back = incoming.returning(page, outcome.refund)
    winners = page.facts.winners(packet_id)
    data = {
        "packet_id": _packet(packet_id),
        "sender_id": user(packet.sender_id),
        "winners": [
            {"user_id": user(user_id), "index": share, "amount_fen": fen}
            for user_id, share, fen in winners
        ],
        "returned_fen": outcome.returned_fen,
        "balances": balances(page.posted),
    }
    who = (packet.sender_id, *[user_id for user_id, _, _ in winners])
    drawn = Told("packet.drawn.v1", _packet(packet_id), data, who, packet_id)
    return [drawn, _finished(packet_id, packet, sum(outcome.amounts_fen)), *back]


def _closed(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, CloseDone), "the journal names its kind"
    packet = page.facts.packet(command.packet_id)
    word = "invalidated" if command.is_invalidation else "expired"
    data = {
        "packet_id": _packet(command.packet_id),
        "sender_id": user(packet.sender_id),
        "returned_fen": outcome.returned_fen,
        "balances": balances(page.posted),
    }
    subject = _packet(command.packet_id)
    told = Told(f"packet.{word}.v1", subject, data, (packet.sender_id,), command.packet_id)
    return [told, *incoming.returning(page, outcome.refund)]


def _observed(page: Page) -> list[Told]:
    """Tell what evidence did to an order, and to what hangs on it."""
    outcome = page.outcome
    assert isinstance(outcome, ObserveDone), "the journal names its kind"
    told = [*incoming.observed(page), *bridged.observed(page)]
    if outcome.opened is not None:
        told.append(_opened_case(outcome.opened))
    return [*told, *_revived(page, outcome.order_id, outcome.credited)]


def _ordered(page: Page) -> list[Told]:
    opened = page.outcome.opened
    return incoming.ordered(page) if opened is None else [_opened_case(opened)]


def _revived(page: Page, order_id: bytes, credited: Credited | None) -> list[Told]:
    """Tell that a packet came alive because its order was credited."""
    if credited is None or not credited.expires_at_us:
        return []
    packet_id = page.facts.order(order_id).object_id
    packet = page.facts.packet(packet_id)
    return [_packet_told("sent", packet_id, packet, page, credited.expires_at_us)]


def _settled(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    assert isinstance(outcome, SettleDone), "the journal names its kind"
    case = page.facts.case(command.case_id)
    subject = show(PREFIX_CASE, command.case_id)
    data = {
        "case_id": subject,
        "state": CaseState(outcome.state).name.lower(),
        "user_id": user(case.user_id),
        "decided_by": command.by,
    }
    told = [Told("case.settled.v1", subject, data, (case.user_id,))]
    if case.action == Action.TOP_UP:
        more = incoming.settled(page, case.object_id)
        return [*told, *more, *_revived(page, case.object_id, outcome.credited)]
    if not page.posted:
        return told
    is_released = page.posted[0].phase == Phase.CAPTURE
    if case.action == Action.SEND:
        packet = page.facts.packet(case.object_id)
        word = "sent" if is_released else "refused"
        told.append(_packet_told(word, case.object_id, packet, page, outcome.expires_at_us))
    elif case.action == Action.PAYOUT:
        told.append(outgoing.payout_reviewed(case.object_id, page, is_released=is_released))
    else:
        row = page.facts.transfer(case.object_id)
        word = "done" if is_released else "refused"
        told.append(_transfer_told(word, case.object_id, row, page))
    return told


def _asked_payout(page: Page) -> list[Told]:
    opened = page.outcome.opened
    told = [] if opened is None else [_opened_case(opened)]
    return [*outgoing.asked_payout(page), *told]


def _relayed(page: Page) -> list[Told]:
    told = []
    for each in page.posted:
        user_id = each.credit[:16]
        data = {
            "user_id": user(user_id),
            "amount_fen": each.amount_fen,
            "balances": [{"user_id": user(user_id), "amount_fen": each.credit_after_fen}],
        }
        told.append(Told("balance.credited.v1", user(user_id), data, (user_id,)))
    return told


TELLERS: Final[dict[type, Callable[[Page], list[Told]]]] = {
    RegisterUser: _registered,
    ChangeUser: _changed,
    SetMembers: _members,
    Fund: _funded,
    Transfer: _transferred,
    SendPacket: _sent,
    AddEntropy: _mixed,
    AddBeacon: _mixed,
    ClaimPacket: _claimed,
    DrawPacket: _drawn,
    ClosePacket: _closed,
    SettleCase: _settled,
    DeliverRelay: _relayed,
    OpenOrder: _ordered,
    BeginAttempt: incoming.silent,
    NotePrepay: incoming.silent,
    ReceiveNotice: incoming.silent,
    Observe: _observed,
    BeginClose: incoming.silent,
    ExpireOrder: incoming.expired,
    AllocateParked: incoming.allocated,
    **outgoing.TELLERS,
    **bridged.TELLERS,
    AskPayout: _asked_payout,
    **reconciled.TELLERS,
    RecordSteps: incoming.silent,
}
assert set(TELLERS) == set(KINDS), "a command that nobody tells would end every stream"
