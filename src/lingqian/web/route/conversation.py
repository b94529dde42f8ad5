"""Conversations: who belongs to one, and the packets that were posted in it (群聊)."""

from typing import Any, Final

import msgspec

from lingqian.identity.key import Scope
from lingqian.kernel.bound import CONVERSATION_LENGTH_MAX, MEMBERS_MAX
from lingqian.kernel.code import Code
from lingqian.kernel.id import ID_BYTES
from lingqian.storage import query
from lingqian.web import field
from lingqian.web.call import Call, user_id
from lingqian.web.card import History, card
from lingqian.web.door import Door, fresh_key
from lingqian.web.operation import Given, Operation
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused, problem
from lingqian.web.reply import Reply, reply
from lingqian.web.sight import ViewerPage, seen

_MEMBER_BYTES: Final = 40
# An id without its lane sorts by time.
_KEY_BYTES: Final = ID_BYTES - 2
_NEWEST: Final = b"\xff" * _KEY_BYTES


class Members(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody in a conversation, from now on."""

    member_ids: tuple[field.UserId, ...]


class MembersShown(msgspec.Struct, frozen=True):
    """How many belong to the conversation now."""

    conversation_id: str
    count: int


def _name(call: Call) -> str:
    """Read a conversation's name.

    Refuses: not_found.
    """
    name: str = call.path_params["conversation_id"]
    if len(name) > CONVERSATION_LENGTH_MAX:
        raise Refused(Code.NOT_FOUND)
    return name


async def set_members(door: Door, call: Call) -> Reply:
    """Say who belongs to a conversation; packets posted there are for them only."""
    conversation_id = _name(call)
    body = await call.take(Members)
    if len(body.member_ids) > MEMBERS_MAX:
        raise Refused(Code.INVALID_FIELD, field="member_ids", detail=f"more than {MEMBERS_MAX}")
    members = [user_id(text, "member_ids") for text in body.member_ids]
    status = door.wallet.directory.status
    if not all(status(member) for member in members):
        raise Refused(Code.USER_UNKNOWN, field="member_ids")
    submission = door.wallet.desk.members(conversation_id, members, fresh_key())
    answer: Any = await door.ask(submission)
    door.wallet.directory.forget_conversation(conversation_id)
    if answer.code:
        return problem(Code(answer.code), field=answer.field)
    return reply(200, MembersShown(conversation_id, answer.outcome.count))


async def packets(door: Door, call: Call) -> Reply:
    """List the packets of a conversation to a member, each as that person may see it."""
    conversation_id = _name(call)
    asked = call.ask(ViewerPage)
    viewer = call.viewer(asked.viewer_id)
    # Who is on no list of it learns nothing, not even whether there is such a conversation.
    if viewer and not door.is_listed(conversation_id, viewer):
        raise Refused(Code.NOT_FOUND)
    before = read_cursor(b"g", asked.cursor, _KEY_BYTES) or _NEWEST
    lanes, rows_max = door.wallet.lanes, asked.limit
    found = query.packets_in(door.reader, conversation_id, before, lanes, rows_max)
    following = write_cursor(b"g", found[-1][2:]) if len(found) == rows_max else None
    sights = [seen(door, packet_id, viewer) for packet_id in found]
    shown = tuple([card(door, sight) for sight in sights if sight is not None])
    return reply(200, History(shown, following))


OPERATIONS: Final = (
    Operation(
        method="PUT",
        path="/v1/conversations/{conversation_id}/members",
        run=set_members,
        summary="Set the members of a conversation",
        tag="conversations",
        scopes=(Scope.WRITE_USERS,),
        takes=Members,
        example={"member_ids": [field.USER_EXAMPLE, field.OTHER_EXAMPLE]},
        gives={200: Given(MembersShown, MembersShown("family", 2))},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        body_bytes_max=MEMBERS_MAX * _MEMBER_BYTES,
    ),
    Operation(
        method="GET",
        path="/v1/conversations/{conversation_id}/packets",
        run=packets,
        summary="List the packets of a conversation",
        tag="conversations",
        scopes=(Scope.READ_PACKETS,),
        asks=ViewerPage,
        gives={200: Given(History, History((), None))},
        refuses=(Code.NOT_FOUND,),
        by_person=True,
    ),
)
