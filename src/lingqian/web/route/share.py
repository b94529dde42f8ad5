"""Sharing: a packet's card for a chat, and a page and a picture of it for everybody (分享)."""

import asyncio
from typing import Final

from lingqian.identity.key import Scope
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_PACKET, parse, show
from lingqian.redpacket.packet import PacketKind
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.chat import LABELS, ChatCard, CoverWords, Status, Words, chat_card, links
from lingqian.web.door import Door
from lingqian.web.link import origin, packet_path
from lingqian.web.operation import Given, Operation
from lingqian.web.reply import Reply, reply
from lingqian.web.share import POLICY, page, picture
from lingqian.web.sight import Viewer, look

_HTML: Final = b"text/html; charset=utf-8"
_PNG: Final = b"image/png"
_PAGE_HEADERS: Final = (
    (b"content-security-policy", POLICY),
    (b"cache-control", b"public, max-age=3600"),
)
_PICTURE_HEADERS: Final = (
    (b"cache-control", b"public, max-age=86400"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)


async def read_chat_card(door: Door, call: Call) -> Reply:
    """Give a packet as a chat system posts it, or as it looks to one person in the talk."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    viewer = call.viewer(call.ask(Viewer).viewer_id)
    return reply(200, chat_card(door, look(door, packet_id, viewer), origin(door, call)))


async def read_page(door: Door, call: Call) -> Reply:
    """Give the page at a packet's link: the same whether there is such a packet or not."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    link = origin(door, call) + packet_path(packet_id)
    # One at a time, beside the loop: whoever asks for many waits for himself.
    async with door.drawing:
        body = await asyncio.to_thread(page, link, show(PREFIX_PACKET, packet_id))
    return Reply(200, body, _HTML, replaces=_PAGE_HEADERS)


async def read_picture(door: Door, call: Call) -> Reply:
    """Give a picture of an envelope and the QR code of a packet's link."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    link = origin(door, call) + packet_path(packet_id)
    async with door.drawing:
        body = await asyncio.to_thread(picture, link)
    return Reply(200, body, _PNG, replaces=_PICTURE_HEADERS)


_EXAMPLE: Final = parse(PREFIX_PACKET, field.PACKET_EXAMPLE) or b""
_CHAT_CARD: Final = ChatCard(
    version=1,
    type="lingqian.packet",
    packet_id=field.PACKET_EXAMPLE,
    kind="lucky",
    title=Words("小明的红包", "小明's packet"),
    label=LABELS[PacketKind.LUCKY],
    greeting="新年快乐",
    cover=CoverWords("plum"),
    state="open",
    status=Status("openable", "领取红包", "Open it"),
    created_at=field.MOMENT_EXAMPLE,
    expires_at="2026-11-23T00:43:11.250Z",
    links=links("https://pay.example", _EXAMPLE),
    alt=Words("小明的红包：新年快乐。领取红包", "小明's packet: 新年快乐. Open it"),
    conversation_id="family",
)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/packets/{packet_id}/chat-card",
        run=read_chat_card,
        summary="Give a packet as a card for a chat",
        tag="packets",
        scopes=(Scope.READ_PACKETS,),
        asks=Viewer,
        gives={200: Given(ChatCard, _CHAT_CARD)},
        refuses=(Code.NOT_FOUND,),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/packets/{packet_id}",
        run=read_page,
        summary="The page at a packet's link",
        tag="pages",
        gives={200: Given(str, "<!doctype html>…", "text/html")},
        refuses=(Code.NOT_FOUND,),
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/packets/{packet_id}/card.png",
        run=read_picture,
        summary="A picture of a packet's link",
        tag="pages",
        gives={200: Given(str, "…", "image/png")},
        refuses=(Code.NOT_FOUND,),
        is_public=True,
    ),
)
