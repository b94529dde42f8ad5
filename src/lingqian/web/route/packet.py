"""Packets: sent, given entropy, looked at, taken out of circulation (红包)."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.identity.key import Scope
from lingqian.kernel.bound import SHARES_MAX
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_PACKET, show
from lingqian.redpacket.packet import PacketState, packet_order
from lingqian.storage import query
from lingqian.storage.cashier import OrderWish
from lingqian.topup.order import OrderKind
from lingqian.topup.plan import FREE
from lingqian.web import field
from lingqian.web.answer import case_of, first_of, refusal
from lingqian.web.call import Call
from lingqian.web.card import ClaimShown, PacketShown, card, claim_shown
from lingqian.web.code import FACTOR, PAYMENT
from lingqian.web.cover import check_cover
from lingqian.web.door import Door
from lingqian.web.factor import Payment, factors_of
from lingqian.web.operation import Given, Operation
from lingqian.web.order import OrderShown, order_shown
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused
from lingqian.web.purchase import PACKET_WORDS, way_to_pay
from lingqian.web.reply import Reply, reply
from lingqian.web.sealed import page_key, sealed_to
from lingqian.web.sheet import Way, open_sheet
from lingqian.web.sight import Sight, Viewer, ViewerPage, look
from lingqian.web.wish import NewPacket, wish

_TICKET_BYTES: Final = 4


class PacketMade(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A packet that was sent: what was promised of it before anybody opens it."""

    id: field.PacketId
    state: Annotated[
        str, Meta(description="`open`, `awaiting` entropy, `held`, or `funding` until it is paid.")
    ]
    commitment: Annotated[str, Meta(description="Fixes every share; see the packet's proof.")]
    remaining_count: int
    total_fen: field.Fen
    created_at: field.Moment
    expires_at: field.Moment | None
    opens_at: field.Moment | UnsetType = UNSET
    case_id: field.CaseId | UnsetType = UNSET
    top_up: OrderShown | UnsetType = UNSET


class Entropy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender's own 32 bytes, chosen after the commitment was shown."""

    hex: Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]


class ClaimList(msgspec.Struct, frozen=True):
    """Claims of a packet, the newest first."""

    claims: tuple[ClaimShown, ...]
    next_cursor: str | None


class Invalidation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes the packet out of circulation."""

    by: field.Person


async def send(door: Door, call: Call) -> Reply:
    """Send a packet, once per idempotency key."""
    body = await call.take(NewPacket)
    key = call.key()
    way, point = None, b""
    if body.pay_with == "channel":
        way = way_to_pay(door, body.product, body.payer, PACKET_WORDS, body.client_ip)
        point = page_key(door, call)
    wanted = wish(door, call, body)
    check_cover(door, wanted, key)
    if way is None:
        payment = Payment(wanted.sender_id, wanted.total_fen, key)
        wanted = wanted._replace(factors=await factors_of(door, call, payment))
    answer = await door.ask(door.wallet.desk.send(wanted, key))
    if answer.code:
        return refusal(answer)
    first, is_new = first_of(answer)
    if way is None:
        return reply(201 if is_new else 200, _made(first))
    return await _funded(door, first, (key, call.caller.name), way, point)


async def _funded(
    door: Door,
    first: Any,  # noqa: ANN401 - an Answer or a Record
    caller: tuple[str, str],
    way: Way,
    point: bytes,
) -> Reply:
    """Open the order that pays for a packet, and its pay sheet; it opens once that is proven."""
    command = first.command
    order_id = packet_order(command.packet_id)
    wish = OrderWish(
        user_id=command.sender_id,
        kind=OrderKind.PACKET,
        plan=FREE._replace(amount_fen=command.total_fen),
        life_s=door.wallet.config.order_life_s,
        object_id=command.packet_id,
        order_id=order_id,
    )
    key, name = caller
    answer = await door.ask(door.wallet.cashier.open_order(wish, f"{key}\0order", name))
    if answer.code:
        return refusal(answer)
    sheet = await open_sheet(door, order_id, way)
    shown = order_shown(door, order_id, sheet, is_reviewed=first_of(answer)[0].outcome.is_reviewed)
    is_new = answer.first is None
    assert shown is not None, "an order that was answered exists"
    made = msgspec.structs.replace(_made(first), top_up=sealed_to(point, shown))
    return reply(201 if is_new else 200, made)


def _made(first: Any) -> PacketMade:  # noqa: ANN401 - an Answer or a Record
    command, outcome = first.command, first.outcome
    state = PacketState(outcome.state)
    is_held = state == PacketState.HELD
    lives = bool(outcome.expires_at_us)
    return PacketMade(
        id=show(PREFIX_PACKET, command.packet_id),
        state=state.name.lower(),
        commitment=command.commitment.hex(),
        remaining_count=command.count,
        total_fen=command.total_fen,
        created_at=rfc3339(first.at_us),
        expires_at=rfc3339(outcome.expires_at_us) if lives else None,
        opens_at=rfc3339(outcome.await_until_us) if outcome.await_until_us else UNSET,
        case_id=case_of(command) if is_held else UNSET,
    )


async def add_entropy(door: Door, call: Call) -> Reply:
    """Mix the sender's own bytes into a packet that waits for them."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    body = await call.take(Entropy)
    sent = query.packet(door.reader, packet_id)
    call.belongs(*([] if sent is None else [sent.packet.sender_id]))
    answer = await door.ask(door.wallet.desk.entropy(packet_id, bytes.fromhex(body.hex)))
    if answer.code:
        return refusal(answer)
    return reply(200, card(door, look(door, packet_id, call.caller.person)))


async def read(door: Door, call: Call) -> Reply:
    """Show a packet, no more of it than the viewer may see."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    viewer = call.viewer(call.ask(Viewer).viewer_id)
    return reply(200, card(door, look(door, packet_id, viewer)))


async def read_claims(door: Door, call: Call) -> Reply:
    """List who opened a packet, to those who may see that."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    asked = call.ask(ViewerPage)
    sight = look(door, packet_id, call.viewer(asked.viewer_id))
    if not sight.sees_claims:
        raise Refused(Code.NOT_FOUND)
    after = read_cursor(b"c", asked.cursor, _TICKET_BYTES)
    before = SHARES_MAX + 1 if after is None else int.from_bytes(after, "big")
    found = query.claims(door.reader, packet_id, before, asked.limit)
    best = _best(door, sight)
    shown = tuple([claim_shown(door, each, is_best=each.user_id == best) for each in found])
    following = None
    if len(found) == asked.limit:
        following = write_cursor(b"c", found[-1].claim.ticket.to_bytes(_TICKET_BYTES, "big"))
    return reply(200, ClaimList(shown, following))


def _best(door: Door, sight: Sight) -> bytes | None:
    packet_id, packet, _ = sight.sent
    if not (sight.sees_best and packet.is_lucky and packet.count > 1):
        return None
    found = query.best(door.reader, packet_id)
    return None if found is None else found.user_id


async def invalidate(door: Door, call: Call) -> Reply:
    """Take a packet out of circulation and return what is left."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    body = await call.take(Invalidation)
    answer = await door.ask(door.wallet.desk.invalidate(packet_id, body.by))
    if answer.code:
        return refusal(answer)
    return reply(200, card(door, look(door, packet_id, b"")))


_MADE: Final = PacketMade(
    id=field.PACKET_EXAMPLE,
    state="open",
    commitment="5f" * 32,
    remaining_count=50,
    total_fen=8_888,
    created_at=field.MOMENT_EXAMPLE,
    expires_at="2026-11-23T00:43:11.250Z",
)
_CLAIM: Final = ClaimShown(
    field.OTHER_EXAMPLE, "阿婆", field.MOMENT_EXAMPLE, "claimed", 4_321, is_best=True
)
_CARD: Final = PacketShown(
    id=field.PACKET_EXAMPLE,
    state="open",
    kind="lucky",
    sender_id=field.USER_EXAMPLE,
    sender_nickname="小明",
    greeting="恭喜发财，大吉大利",
    cover="",
    commitment="5f" * 32,
    created_at=field.MOMENT_EXAMPLE,
    expires_at="2026-11-23T00:43:11.250Z",
    opened_count=3,
)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/packets",
        run=send,
        summary="Send a packet",
        tag="packets",
        scopes=(Scope.WRITE_PACKETS, Scope.ACT_USERS),
        takes=NewPacket,
        example={
            "sender_id": field.USER_EXAMPLE,
            "kind": "lucky",
            "total_fen": 8_888,
            "count": 50,
            "greeting": "恭喜发财，大吉大利",
            "conversation_id": "family",
        },
        gives={201: Given(PacketMade, _MADE), 200: Given(PacketMade, _MADE)},
        refuses=(
            Code.ACCEPTED,
            Code.USER_UNKNOWN,
            Code.COVER_UNKNOWN,
            Code.PACKET_INFEASIBLE,
            Code.DRAW_TIME_INVALID,
            Code.EXCEEDS_SHARE_MAX,
            Code.EXCEEDS_COUNT_MAX,
            Code.NO_CHANNEL,
            Code.ALREADY_SETTLED,
            *PAYMENT,
            *FACTOR,
        ),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/packets/{packet_id}/entropy",
        run=add_entropy,
        summary="Add the sender's entropy",
        tag="packets",
        scopes=(Scope.WRITE_PACKETS, Scope.ACT_USERS),
        takes=Entropy,
        example={"hex": "0f" * 32},
        gives={200: Given(PacketShown, _CARD)},
        refuses=(
            Code.NOT_FOUND,
            Code.PACKET_UNKNOWN,
            Code.ENTROPY_NOT_AWAITED,
            Code.ENTROPY_TOO_LATE,
        ),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/packets/{packet_id}",
        run=read,
        summary="Show a packet",
        tag="packets",
        scopes=(Scope.READ_PACKETS,),
        asks=Viewer,
        gives={200: Given(PacketShown, _CARD)},
        refuses=(Code.NOT_FOUND,),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/packets/{packet_id}/claims",
        run=read_claims,
        summary="List who opened a packet",
        tag="packets",
        scopes=(Scope.READ_PACKETS,),
        asks=ViewerPage,
        gives={200: Given(ClaimList, ClaimList((_CLAIM,), None))},
        refuses=(Code.NOT_FOUND,),
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/packets/{packet_id}/invalidation",
        run=invalidate,
        summary="Take a packet out of circulation",
        tag="packets",
        scopes=(Scope.ADMIN,),
        takes=Invalidation,
        example={"by": "wang.li"},
        gives={200: Given(PacketShown, _CARD)},
        refuses=(Code.NOT_FOUND, Code.PACKET_UNKNOWN, Code.ALREADY_SETTLED),
    ),
)
