"""Cards: a packet in words, no more of it than its viewer may see (红包卡片)."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import TABLE, Code
from lingqian.kernel.id import PREFIX_PACKET, PREFIX_USER, show
from lingqian.redpacket.packet import Claim, PacketKind, PacketState, remaining_fen
from lingqian.storage import query
from lingqian.storage.desk import FIELD_GREETING
from lingqian.storage.query import Claimed
from lingqian.web import field
from lingqian.web.cover import cover_shown
from lingqian.web.door import Door
from lingqian.web.sight import Role, Sight

DEFAULT_GREETING: Final = "恭喜发财，大吉大利"


class ViewerShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the packet is to this viewer, in words to show."""

    status: Annotated[
        str,
        Meta(
            description="`openable`, `claimed`, `entered`, `not_won`, `finished`, `expired`, "
            "`invalidated`, `not_open`, `not_for_you`, `own` or `held`."
        ),
    ]
    message_zh: str
    message_en: str
    amount_fen: field.Fen | UnsetType = UNSET
    index: int | UnsetType = UNSET
    code: Annotated[str, Meta(description="The code by which opening it would be refused.")] = ""


class ClaimShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One claim in the list; a ticket has no amount until its draw gives it one."""

    user_id: field.UserId
    nickname: str
    at: field.Moment
    status: str
    amount_fen: field.Fen | UnsetType = UNSET
    is_best: bool = False


class Returned(msgspec.Struct, frozen=True):
    """What nobody took: how much came back, where to, and when."""

    amount_fen: field.Fen
    to: str
    at: field.Moment


class PacketShown(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A packet, no more of it than the viewer may see."""

    id: field.PacketId
    state: str
    kind: str
    sender_id: field.UserId
    sender_nickname: str
    greeting: str
    cover: Annotated[str, Meta(description="Empty for the ordinary one, and for one that is gone.")]
    commitment: str
    created_at: field.Moment
    expires_at: field.Moment | None
    opened_count: int
    cover_image: (
        Annotated[str, Meta(description="Where the cover's picture stands, if it is one.")]
        | UnsetType
    ) = UNSET
    conversation_id: str | UnsetType = UNSET
    draw_at: field.Moment | UnsetType = UNSET
    opens_at: field.Moment | UnsetType = UNSET
    recipients: tuple[str, ...] | UnsetType = UNSET
    count: int | UnsetType = UNSET
    total_fen: field.Fen | UnsetType = UNSET
    remaining_count: int | UnsetType = UNSET
    remaining_fen: field.Fen | UnsetType = UNSET
    claimed_fen: field.Fen | UnsetType = UNSET
    returned: Returned | UnsetType = UNSET
    best: ClaimShown | UnsetType = UNSET
    viewer: ViewerShown | UnsetType = UNSET
    proof: Annotated[str, Meta(description="Where the proof stands.")] | UnsetType = UNSET


class History(msgspec.Struct, frozen=True):
    """A page of packets as one viewer sees them, the newest first."""

    packets: tuple[PacketShown, ...]
    next_cursor: str | None


def card(door: Door, sight: Sight) -> PacketShown:
    """Return a packet as it may be shown."""
    packet_id, packet, progress = sight.sent
    cover, image = cover_shown(door, packet.cover)
    shown: dict[str, Any] = {
        "id": show(PREFIX_PACKET, packet_id),
        "state": sight.state.name.lower(),
        "kind": PacketKind(packet.kind).name.lower(),
        "sender_id": show(PREFIX_USER, packet.sender_id),
        "sender_nickname": door.nickname(packet.sender_id),
        "greeting": door.text(packet_id, FIELD_GREETING) or DEFAULT_GREETING,
        "cover": cover,
        "commitment": packet.commitment.hex(),
        "created_at": rfc3339(packet.created_at_us),
        "expires_at": rfc3339(progress.expires_at_us) if progress.expires_at_us else None,
        "opened_count": progress.claimed_count or progress.ticket_count,
    }
    if image:
        shown["cover_image"] = image
    if packet.conversation_id:
        shown["conversation_id"] = packet.conversation_id
    if packet.draw_at_us:
        shown["draw_at"] = rfc3339(packet.draw_at_us)
    if sight.state == PacketState.AWAITING:
        shown["opens_at"] = rfc3339(progress.await_until_us)
    if packet.recipients:
        shown["recipients"] = _names(door, packet.recipients)
    _add_money(shown, sight)
    _add_luck(door, shown, sight)
    if sight.viewer:
        shown["viewer"] = viewer_shown(sight)
    return PacketShown(**shown)


def _names(door: Door, ids: bytes) -> tuple[str, ...]:
    return tuple([door.nickname(ids[at : at + 16]) for at in range(0, len(ids), 16)])


def _add_money(shown: dict[str, Any], sight: Sight) -> None:
    if not sight.sees_total:
        return
    _, packet, progress = sight.sent
    shown["count"] = packet.count
    shown["total_fen"] = packet.total_fen
    shown["remaining_count"] = packet.count - progress.claimed_count
    shown["remaining_fen"] = remaining_fen(packet, progress)
    shown["claimed_fen"] = progress.claimed_fen
    if progress.returned_fen:
        at = rfc3339(progress.closed_at_us)
        way = "payment" if packet.is_by_channel else "balance"
        shown["returned"] = Returned(progress.returned_fen, way, at)


def _add_luck(door: Door, shown: dict[str, Any], sight: Sight) -> None:
    if not sight.sees_best:
        return
    packet_id, packet, progress = sight.sent
    found = query.best(door.reader, packet_id)
    if found is not None and packet.is_lucky and packet.count > 1:
        shown["best"] = claim_shown(door, found, is_best=True)
    if progress.closed_at_us:
        shown["proof"] = f"/v1/packets/{show(PREFIX_PACKET, packet_id)}/proof"


def claim_shown(door: Door, found: Claimed, *, is_best: bool = False) -> ClaimShown:
    """Return one line of the list of claims."""
    claim = found.claim
    has_share = claim.share > 0
    return ClaimShown(
        show(PREFIX_USER, found.user_id),
        door.nickname(found.user_id),
        rfc3339(claim.at_us),
        "claimed" if has_share else "entered",
        claim.amount_fen if has_share else UNSET,
        is_best,
    )


_CODES: Final = {
    PacketState.FINISHED: Code.PACKET_FINISHED,
    PacketState.EXPIRED: Code.PACKET_EXPIRED,
    PacketState.INVALIDATED: Code.PACKET_INVALIDATED,
    PacketState.REFUSED: Code.PACKET_INVALIDATED,
    PacketState.AWAITING: Code.PACKET_NOT_OPEN,
    PacketState.HELD: Code.PACKET_NOT_OPEN,
    PacketState.FUNDING: Code.PACKET_NOT_FUNDED,
}
_STATUS: Final = {
    Code.PACKET_FINISHED: "finished",
    Code.PACKET_EXPIRED: "expired",
    Code.PACKET_INVALIDATED: "invalidated",
    Code.PACKET_NOT_OPEN: "not_open",
    Code.PACKET_NOT_FUNDED: "not_open",
    Code.NOT_A_RECIPIENT: "not_for_you",
    Code.OWN_PACKET: "own",
    Code.REAL_NAME_REQUIRED: "held",
    Code.ACCOUNT_FROZEN: "held",
}


def viewer_shown(sight: Sight) -> ViewerShown:
    """Say what the viewer would meet on opening the packet."""
    if sight.claim is not None:
        return _claimed(sight, sight.claim)
    code = _CODES.get(sight.state)
    if code is None:
        code = _refusal(sight)
    if code is None:
        return ViewerShown("openable", "开", "Open it.")
    name = Code(code).name.lower()
    return ViewerShown(_STATUS[code], TABLE[code].zh, TABLE[code].en, code=name)


def _refusal(sight: Sight) -> Code | None:
    packet = sight.sent.packet
    if packet.kind == PacketKind.DRAW and sight.at_us >= packet.draw_at_us:
        return Code.PACKET_FINISHED
    if sight.role == Role.OTHER:
        return Code.NOT_A_RECIPIENT
    if sight.role == Role.SENDER and packet.kind == PacketKind.TARGETED:
        return Code.OWN_PACKET
    return sight.hindrance or None


def _claimed(sight: Sight, claim: Claim) -> ViewerShown:
    if claim.share:
        zh, en = "已存入零钱。", "It is in your balance."
        return ViewerShown("claimed", zh, en, claim.amount_fen, claim.share)
    if sight.is_over:
        return ViewerShown("not_won", "这次没有中，下次好运。", "Not drawn this time.")
    return ViewerShown("entered", "已参与，等待开奖。", "You are in; wait for the draw.")
