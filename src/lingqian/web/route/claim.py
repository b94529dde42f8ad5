"""Claims: opening a packet, or entering a draw (领取). The busiest path of the API.

A packet that is over is answered from memory, without the lane.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET

from lingqian.flows.claim import ClaimDone
from lingqian.identity.key import Scope
from lingqian.identity.user import Status
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_PACKET, parse
from lingqian.redpacket.packet import Claim
from lingqian.storage import query
from lingqian.web import field
from lingqian.web.answer import refusal
from lingqian.web.call import Call
from lingqian.web.code import OVER
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import problem
from lingqian.web.reply import Reply, reply


class NewClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who opens the packet; with its passphrase where it has one."""

    user_id: field.OwnId = UNSET
    passphrase: field.Passphrase = ""


class Receipt(msgspec.Struct, frozen=True):
    """What the claimer keeps, to be found again in the packet's proof."""

    ticket: int
    pseudonym: str
    chain: str


class ClaimMade(msgspec.Struct, frozen=True):
    """A share that was taken. The same person always gets this answer again."""

    status: str
    amount_fen: field.Fen
    index: int
    receipt: Receipt


class Entered(msgspec.Struct, frozen=True):
    """A ticket of a draw; its result stands in the packet once the draw is held."""

    status: str
    receipt: Receipt


def made(claim: ClaimDone | Claim, status: int) -> Reply:
    """Return the answer for a share, or for a ticket that has no share (yet)."""
    receipt = Receipt(claim.ticket, claim.pseudonym.hex(), claim.chain.hex())
    if claim.share:
        return reply(status, ClaimMade("claimed", claim.amount_fen, claim.share, receipt))
    return reply(202, Entered("entered", receipt))


async def claim(door: Door, call: Call) -> Reply:
    """Open a packet for a person."""
    packet_id = parse(PREFIX_PACKET, call.path_params["packet_id"])
    body = await call.take(NewClaim)
    if packet_id is None:
        return problem(Code.PACKET_UNKNOWN)
    user_id = call.who(body.user_id, "user_id")
    if call.caller.person and _is_hidden(door, packet_id, user_id):
        return problem(Code.PACKET_UNKNOWN)
    wallet = door.wallet
    over = wallet.board.look(packet_id)
    if over is not None:
        known = over.claims.get(user_id)
        return problem(over.code) if known is None else made(known, 200)
    status = wallet.directory.status(user_id)
    if status is None:
        return problem(Code.USER_UNKNOWN, field="user_id")
    conversation_id = door.conversation(packet_id)
    if conversation_id and not door.may_see(conversation_id, user_id):
        status = Status(*status[:3], is_member=False)
    answer = await door.ask(wallet.desk.claim(packet_id, user_id, status, body.passphrase))
    if answer.code:
        wallet.board.note(packet_id, answer.code)
        return refusal(answer)
    first: Any = answer.first
    return made(answer.outcome, 201) if first is None else made(first, 200)  # type: ignore[arg-type]  # a claim's outcome


def _is_hidden(door: Door, packet_id: bytes, user_id: bytes) -> bool:
    """Say whether a packet is not for a person's eyes: to him it is as if there were none.

    Whoever has opened it, or sent it, sees it also when he has left the talk.
    """
    if door.may_see(door.conversation(packet_id), user_id):
        return False
    sent = query.packet(door.reader, packet_id)
    is_own = sent is not None and sent.packet.sender_id == user_id
    return not is_own and query.claim(door.reader, packet_id, user_id) is None


_RECEIPT: Final = Receipt(1, "6a1f0c9e5d3b47288f1e2d3c4b5a6978", "b7" * 32)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/packets/{packet_id}/claims",
        run=claim,
        summary="Open a packet",
        tag="packets",
        scopes=(Scope.ACT_USERS,),
        takes=NewClaim,
        example={"user_id": field.OTHER_EXAMPLE},
        gives={
            201: Given(ClaimMade, ClaimMade("claimed", 4_321, 1, _RECEIPT)),
            200: Given(ClaimMade, ClaimMade("claimed", 4_321, 1, _RECEIPT)),
            202: Given(Entered, Entered("entered", _RECEIPT)),
        },
        refuses=(
            Code.ACCEPTED,
            Code.USER_UNKNOWN,
            Code.PACKET_UNKNOWN,
            *OVER,
            Code.PACKET_NOT_OPEN,
            Code.PACKET_NOT_FUNDED,
            Code.OWN_PACKET,
            Code.NOT_A_RECIPIENT,
            Code.PASSPHRASE_LOCKED,
            Code.WRONG_PASSPHRASE,
            Code.REAL_NAME_REQUIRED,
            Code.ACCOUNT_FROZEN,
            Code.DRAW_FULL,
            Code.BLOCKED,
            Code.CHALLENGE_REQUIRED,
            Code.CLAIM_HELD,
        ),
        by_person=True,
    ),
)
