"""Chat cards: a packet as any chat system can post it into a talk (聊天卡片).

Law: a chat card holds nothing that a member of the talk may not see: no amount, no count, no name
of who opened it. Under one version no field changes its meaning; new ones may come.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.kernel.clock import rfc3339
from lingqian.kernel.id import PREFIX_PACKET, show
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.desk import FIELD_GREETING
from lingqian.web import field
from lingqian.web.card import DEFAULT_GREETING, viewer_shown
from lingqian.web.cover import cover_shown
from lingqian.web.door import Door
from lingqian.web.link import packet_path
from lingqian.web.sight import Sight

VERSION: Final = 1
TYPE: Final = "lingqian.packet"


class Words(msgspec.Struct, frozen=True):
    """The same in Chinese and English."""

    zh: str
    en: str


class CoverWords(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is on the envelope: a word, empty for the ordinary one, and a picture if it is one."""

    name: str
    image: Annotated[str, Meta(description="An address that needs no key.")] | UnsetType = UNSET


class Status(msgspec.Struct, frozen=True):
    """What the packet is to whoever looks, as a word for programs and words for people."""

    name: Annotated[str, Meta(description="As `viewer.status` of the packet itself.")]
    zh: str
    en: str


class Links(msgspec.Struct, frozen=True):
    """Where the card leads."""

    path: Annotated[str, Meta(description="What a sign-in link takes as its `path`.")]
    page: Annotated[str, Meta(description="A page for everybody, with a preview and a QR code.")]
    image: Annotated[str, Meta(description="A picture of the envelope with that QR code.")]
    refresh: Annotated[str, Meta(description="Where this card is read again.")]


class ChatCard(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A packet as a chat shows it; everything a client needs to draw it without asking."""

    version: Literal[1]
    type: Literal["lingqian.packet"]
    packet_id: field.PacketId
    kind: str
    title: Words
    label: Annotated[Words, Meta(description="The kind of packet, for the foot of the card.")]
    greeting: str
    cover: CoverWords
    state: str
    status: Status
    created_at: field.Moment
    expires_at: field.Moment | None
    links: Links
    alt: Annotated[Words, Meta(description="All of it in a sentence: for lists, and for ears.")]
    conversation_id: str | UnsetType = UNSET


LABELS: Final = {
    PacketKind.LUCKY: Words("拼手气红包", "Lucky packet"),
    PacketKind.EQUAL: Words("普通红包", "Equal packet"),
    PacketKind.TARGETED: Words("专属红包", "For somebody in particular"),
    PacketKind.PASSPHRASE: Words("口令红包", "Passphrase packet"),
    PacketKind.DRAW: Words("定时开奖", "Timed draw"),
}
# What stands on the card; a packet's own answers have whole sentences.
STATUSES: Final = {
    "openable": Words("领取红包", "Open it"),
    "claimed": Words("已领取", "Opened"),
    "entered": Words("等待开奖", "Waiting for the draw"),
    "not_won": Words("未中奖", "Not drawn"),
    "finished": Words("已领完", "All taken"),
    "expired": Words("已过期", "Expired"),
    "invalidated": Words("已失效", "Withdrawn"),
    "not_open": Words("即将开放", "Not open yet"),
    "not_for_you": Words("专属他人", "For somebody else"),
    "own": Words("查看详情", "Details"),
    "held": Words("需要验证", "Verification needed"),
}
assert set(LABELS) == set(PacketKind), "every kind has its words"


def chat_card(door: Door, sight: Sight, origin: str) -> ChatCard:
    """Return a packet as a chat may show it to this viewer, or without one to the whole talk."""
    packet_id, packet, progress = sight.sent
    cover, image = cover_shown(door, packet.cover)
    greeting = door.text(packet_id, FIELD_GREETING) or DEFAULT_GREETING
    name = door.nickname(packet.sender_id)
    status = viewer_shown(sight).status
    said = STATUSES[status]
    kind = PacketKind(packet.kind)
    return ChatCard(
        version=VERSION,
        type=TYPE,
        packet_id=show(PREFIX_PACKET, packet_id),
        kind=kind.name.lower(),
        title=_title(name),
        label=LABELS[kind],
        greeting=greeting,
        cover=CoverWords(cover, origin + image if image else UNSET),
        state=sight.state.name.lower(),
        status=Status(status, said.zh, said.en),
        created_at=rfc3339(packet.created_at_us),
        expires_at=rfc3339(progress.expires_at_us) if progress.expires_at_us else None,
        links=links(origin, packet_id),
        alt=_alt(name, greeting, said),
        conversation_id=packet.conversation_id or UNSET,
    )


def links(origin: str, packet_id: bytes) -> Links:
    """Return where a packet's card leads."""
    path = packet_path(packet_id)
    return Links(path, origin + path, f"{origin}{path}/card.png", f"{origin}/v1{path}/chat-card")


def _title(name: str) -> Words:
    return Words(f"{name}的红包", f"{name}'s packet") if name else Words("红包", "Red packet")


def _alt(name: str, greeting: str, said: Words) -> Words:
    title = _title(name)
    return Words(f"{title.zh}：{greeting}。{said.zh}", f"{title.en}: {greeting}. {said.en}")
