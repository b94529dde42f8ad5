"""Wishes: what a sender may ask for, and the rules of each kind of packet (发红包的规则).

`total_fen` is split by chance, `each_fen` gives everybody the same; an equal packet takes either.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta

from lingqian.kernel.bound import AMOUNT_FEN_MAX, RECIPIENTS_MAX, SHARES_MAX
from lingqian.kernel.clock import SECOND_US, from_rfc3339
from lingqian.kernel.code import Code
from lingqian.redpacket.condition import normal_passphrase
from lingqian.redpacket.packet import PacketKind
from lingqian.redpacket.split import SPREAD_DEFAULT, SPREAD_MAX
from lingqian.storage.desk import Wish
from lingqian.web import field
from lingqian.web.call import Call, user_id
from lingqian.web.door import Door
from lingqian.web.problem import Refused
from lingqian.web.purchase import Payer, ProductName

Count = Annotated[int, Meta(ge=1, le=SHARES_MAX)]
Spread = Annotated[
    int, Meta(ge=1, le=SPREAD_MAX, description="1 is wild, larger is more even; the same for all.")
]


class NewPacket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A packet to send."""

    sender_id: field.OwnId = UNSET
    kind: Literal["lucky", "equal", "targeted", "passphrase", "draw"]
    count: Count | None = None
    total_fen: field.AmountFen | None = None
    each_fen: field.AmountFen | None = None
    greeting: field.Greeting = ""
    cover: field.Cover = ""
    conversation_id: field.ConversationId = ""
    recipient_ids: Annotated[tuple[field.UserId, ...], Meta(max_length=RECIPIENTS_MAX)] = ()
    passphrase: field.Passphrase = ""
    draw_at: field.Moment | None = None
    expires_in_s: field.LifetimeS | None = None
    await_entropy: bool = False
    spread: Spread = SPREAD_DEFAULT
    share_fen_min: field.AmountFen = 1
    share_fen_max: field.AmountFen | None = None
    pay_with: Literal["balance", "channel"] = "balance"
    product: ProductName | None = None
    payer: Payer | None = None
    client_ip: field.ClientIp = ""


# Fields that belong to one kind only.
_OWN: Final = {
    "recipient_ids": PacketKind.TARGETED,
    "passphrase": PacketKind.PASSPHRASE,
    "draw_at": PacketKind.DRAW,
}


def _wrong(name: str, detail: str) -> Refused:
    return Refused(Code.INVALID_FIELD, field=name, detail=detail)


def wish(door: Door, call: Call, body: NewPacket) -> Wish:
    """Turn a body into a wish.

    Refuses: invalid_field, not_yourself, user_unknown.
    """
    kind = PacketKind[body.kind.upper()]
    _check_own(body, kind)
    sender = call.who(body.sender_id, "sender_id")
    if door.wallet.directory.status(sender) is None:
        raise Refused(Code.USER_UNKNOWN, field="sender_id")
    recipients = _recipients(door, body, sender)
    count = _count(body, kind)
    draw_at_us = _draw_at_us(body)
    config = door.wallet.config
    return Wish(
        sender_id=sender,
        kind=kind,
        total_fen=_total_fen(body, kind, count),
        count=count,
        share_fen_max=_share_fen_max(door, body),
        is_lucky=kind != PacketKind.EQUAL and body.each_fen is None,
        share_fen_min=body.share_fen_min,
        spread=body.spread,
        lifetime_s=body.expires_in_s or config.packet_lifetime_s,
        draw_at_us=draw_at_us,
        draw_in_s=max(0, draw_at_us - door.wallet.clock.now_us()) // SECOND_US,
        awaits_entropy=body.await_entropy,
        conversation_id=body.conversation_id,
        recipients=recipients,
        passphrase=body.passphrase,
        greeting=body.greeting,
        cover=body.cover,
        is_by_channel=body.pay_with == "channel",
    )


def _check_own(body: NewPacket, kind: PacketKind) -> None:
    for name, owner in _OWN.items():
        value: Any = getattr(body, name)
        if owner == kind and not value:
            raise _wrong(name, f"a {body.kind} packet needs it")
        if owner != kind and value:
            raise _wrong(name, f"not for a {body.kind} packet")
    if kind == PacketKind.PASSPHRASE and not normal_passphrase(body.passphrase):
        raise _wrong("passphrase", "nothing but spaces")
    if body.share_fen_max is not None and body.share_fen_max < body.share_fen_min:
        raise _wrong("share_fen_max", "less than share_fen_min")


def _recipients(door: Door, body: NewPacket, sender: bytes) -> tuple[bytes, ...]:
    ids = tuple([user_id(text, "recipient_ids") for text in body.recipient_ids])
    if len(set(ids)) != len(ids):
        raise _wrong("recipient_ids", "somebody is named twice")
    if sender in ids:
        raise _wrong("recipient_ids", "the sender cannot be a recipient")
    status: Any = door.wallet.directory.status
    if not all(status(each) for each in ids):
        raise Refused(Code.USER_UNKNOWN, field="recipient_ids")
    return ids


def _count(body: NewPacket, kind: PacketKind) -> int:
    if kind != PacketKind.TARGETED:
        if body.count is None:
            raise _wrong("count", "how many shares?")
        return body.count
    if body.count not in (None, len(body.recipient_ids)):
        raise _wrong("count", "one share for each recipient")
    return len(body.recipient_ids)


def _total_fen(body: NewPacket, kind: PacketKind, count: int) -> int:
    if kind == PacketKind.LUCKY and body.each_fen is not None:
        raise _wrong("each_fen", "a lucky packet has a total_fen")
    if (body.total_fen is None) == (body.each_fen is None):
        raise _wrong("total_fen", "either total_fen or each_fen")
    total_fen = body.total_fen or (body.each_fen or 0) * count
    if total_fen > AMOUNT_FEN_MAX:
        raise _wrong("each_fen", "too much in all")
    return total_fen


def _share_fen_max(door: Door, body: NewPacket) -> int:
    """Return the largest share: the caller's, within what any class allows.

    It must not depend on the sender, or the same request would be another after a new class.
    """
    caps = [cap.share_fen for cap in door.wallet.policy.caps.values() if cap.share_fen is not None]
    legal = min(caps, default=AMOUNT_FEN_MAX)
    return legal if body.share_fen_max is None else min(legal, body.share_fen_max)


def _draw_at_us(body: NewPacket) -> int:
    if body.draw_at is None:
        return 0
    at_us = from_rfc3339(body.draw_at)
    if at_us is None or not 0 < at_us < 1 << 62:
        raise _wrong("draw_at", "an instant as RFC 3339 with its offset")
    return at_us
