"""Sessions: a person signs in with an app's link, on a device whose key binds the tokens (登录).

Source: RFC 9449. A link is the app's word for who somebody is; it opens one device, once.
"""

from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta

from lingqian.compose import real_us
from lingqian.identity.key import Scope
from lingqian.identity.session import Session, TokenKind, link_digest
from lingqian.kernel.bound import (
    ACCESS_LIFE_S,
    DEVICE_NAME_LENGTH_MAX,
    WALLET_PATH_LENGTH_MAX,
)
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import (
    PREFIX_DEVICE,
    PREFIX_LINK,
    PREFIX_SESSION,
    PREFIX_USER,
    lane_of,
    show,
)
from lingqian.storage import session as rows
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.link import origin
from lingqian.web.operation import PERSON, Given, Operation
from lingqian.web.person import prove
from lingqian.web.problem import Refused
from lingqian.web.reply import JSON, Reply, reply

_TOKEN_TYPE: Final = "DPoP"  # noqa: S105 - a kind of token, none
WalletPath = Annotated[
    str,
    Meta(
        max_length=WALLET_PATH_LENGTH_MAX,
        pattern="^(/[A-Za-z0-9_-]+)*$",
        description="Where in the wallet the link leads: `/packets/rp_…`.",
    ),
]
DeviceName = Annotated[str, Meta(max_length=DEVICE_NAME_LENGTH_MAX)]
TokenText = Annotated[str, Meta(min_length=1, max_length=256)]


class NewLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the link signs in, and where it leads."""

    user_id: field.UserId
    path: WalletPath = ""
    conversation_id: Annotated[
        field.ConversationId,
        Meta(description="The talk that the page shows, added to the address."),
    ] = ""


class LinkMade(msgspec.Struct, frozen=True):
    """A link to be opened on the person's phone: once, within two minutes."""

    link_id: field.LinkId
    url: str
    expires_at: field.Moment


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token that came with a link, and what the person calls the device."""

    link: TokenText
    device_name: DeviceName = ""


class Renewal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest refresh token."""

    refresh_token: TokenText


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of a session; they open nothing without the device's key."""

    access_token: str
    token_type: str
    expires_in_s: int
    refresh_token: str
    session_id: field.SessionId
    device_id: field.DeviceId
    user_id: field.UserId
    path: str = ""


class SessionShown(msgspec.Struct, frozen=True):
    """A session as its owner sees it; times are real, whatever the sandbox's clock says."""

    id: field.SessionId
    device_id: field.DeviceId
    device_name: str
    created_at: field.Moment
    seen_at: field.Moment
    is_this: bool


class SessionList(msgspec.Struct, frozen=True):
    """A person's live sessions, the newest first."""

    sessions: tuple[SessionShown, ...]


class Ended(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    ended_count: int


async def add_link(door: Door, call: Call) -> Reply:
    """Make a link that signs a person in on one device, once, within two minutes."""
    body = await call.take(NewLink)
    user_id = call.who(body.user_id, "user_id")
    if door.wallet.directory.status(user_id) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    token = rows.new_link_token()
    link = rows.NewLink(
        door.new_id(lane_of(user_id)),
        link_digest(token),
        user_id,
        body.path,
        call.caller.name,
        real_us(),
    )
    await door.chore(lambda connection: rows.add_link(connection, link))
    talk = f"&conversation={quote(body.conversation_id, safe='')}" if body.conversation_id else ""
    shown = LinkMade(
        show(PREFIX_LINK, link.link_id),
        f"{origin(door, call)}/wallet#link={token}{talk}",
        rfc3339(link.expires_at_us),
    )
    return reply(201, shown)


async def sign_in(door: Door, call: Call) -> Reply:
    """Sign a device in with a link; its key is that of the proof."""
    body = await call.take(SignIn)
    digest = link_digest(body.link)
    # First what costs a look: nobody without a link makes us verify, remember or write anything.
    if not rows.has_link(door.reader, digest, real_us()):
        raise Refused(Code.LINK_INVALID)
    proof = prove(door, call)
    arrival = rows.Arrival(
        digest,
        proof.thumbprint,
        door.new_id(0),
        door.new_id(0),
        body.device_name,
        real_us(),
    )
    seal = door.sessions.seal
    found = await door.chore(lambda connection: rows.sign_in(connection, arrival, seal))
    if found is None:
        raise Refused(Code.LINK_INVALID)
    door.sessions.forget()
    return reply(201, _tokens(door, found.session, found.path))


async def refresh(door: Door, call: Call) -> Reply:
    """Give new tokens for the newest refresh token; an older one ends the session."""
    body = await call.take(Renewal)
    token = door.sessions.read(TokenKind.REFRESH, body.refresh_token)
    if token is None:
        raise Refused(Code.SESSION_ENDED)
    proof = prove(door, call)
    key, at_us = proof.thumbprint, real_us()
    session: Any = await door.chore(lambda connection: rows.refresh(connection, token, key, at_us))
    door.sessions.forget()
    if session is None:
        raise Refused(Code.SESSION_ENDED)
    return reply(200, _tokens(door, session))


def _tokens(door: Door, session: Session, path: str = "") -> Tokens:
    access, renewal = door.sessions.tokens(session)
    return Tokens(
        access,
        _TOKEN_TYPE,
        ACCESS_LIFE_S,
        renewal,
        show(PREFIX_SESSION, session.session_id),
        show(PREFIX_DEVICE, session.device_id),
        show(PREFIX_USER, session.user_id),
        path,
    )


def _list(door: Door, user_id: bytes, own: bytes) -> Reply:
    found = door.sessions.list_of(user_id, real_us())
    shown = [
        SessionShown(
            show(PREFIX_SESSION, session.session_id),
            show(PREFIX_DEVICE, session.device_id),
            name,
            rfc3339(session.created_at_us),
            rfc3339(session.seen_at_us),
            session.session_id == own,
        )
        for session, name in found
    ]
    return reply(200, SessionList(tuple(shown)))


async def list_own(door: Door, call: Call) -> Reply:
    """List the devices a person is signed in on."""
    return _list(door, call.caller.person, call.caller.session_id)


async def list_of_user(door: Door, call: Call) -> Reply:
    """List the devices somebody is signed in on."""
    return _list(door, _present(door, call), b"")


async def end(door: Door, call: Call) -> Reply:
    """Sign a device of one's own out."""
    session_id = call.id(PREFIX_SESSION, "session_id")
    user_id, at_us = call.caller.person, real_us()
    is_ended = await door.chore(
        lambda connection: rows.revoke(connection, session_id, user_id, at_us)
    )
    door.sessions.forget()
    if not is_ended:
        raise Refused(Code.NOT_FOUND)
    return Reply(204, b"", JSON)


async def end_all(door: Door, call: Call) -> Reply:
    """Sign somebody out everywhere."""
    user_id, at_us = _present(door, call), real_us()
    count = await door.chore(lambda connection: rows.revoke_all(connection, user_id, at_us))
    door.sessions.forget()
    return reply(200, Ended(count))


def _present(door: Door, call: Call) -> bytes:
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    return identity


_TOKENS: Final = Tokens(
    "la_AAAA…",
    _TOKEN_TYPE,
    ACCESS_LIFE_S,
    "lr_AAAA…",
    field.SESSION_EXAMPLE,
    field.DEVICE_EXAMPLE,
    field.USER_EXAMPLE,
    "/packets",
)
_SESSION: Final = SessionShown(
    field.SESSION_EXAMPLE,
    field.DEVICE_EXAMPLE,
    "小明的手机",
    field.MOMENT_EXAMPLE,
    field.MOMENT_EXAMPLE,
    is_this=True,
)
_LIST: Final = Given(SessionList, SessionList((_SESSION,)))

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/session-links",
        run=add_link,
        summary="Make a link that signs a person in",
        tag="sessions",
        scopes=(Scope.ACT_USERS,),
        takes=NewLink,
        example={"user_id": field.USER_EXAMPLE, "path": "/packets", "conversation_id": "family"},
        gives={
            201: Given(
                LinkMade,
                LinkMade(
                    field.LINK_EXAMPLE,
                    "https://pay.example/wallet#link=2c3d…&conversation=family",
                    field.MOMENT_EXAMPLE,
                ),
            )
        },
        refuses=(Code.USER_UNKNOWN,),
    ),
    Operation(
        method="POST",
        path="/v1/sessions",
        run=sign_in,
        summary="Sign a device in with a link",
        tag="sessions",
        takes=SignIn,
        example={"link": "2c3d…", "device_name": "小明的手机"},
        gives={201: Given(Tokens, _TOKENS)},
        refuses=(Code.PROOF_INVALID, Code.LINK_INVALID),
        is_public=True,
    ),
    Operation(
        method="POST",
        path="/v1/sessions/refresh",
        run=refresh,
        summary="Renew the tokens of a session",
        tag="sessions",
        takes=Renewal,
        example={"refresh_token": "lr_AAAA…"},
        gives={200: Given(Tokens, msgspec.structs.replace(_TOKENS, path=""))},
        refuses=(Code.PROOF_INVALID, Code.SESSION_ENDED),
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/v1/sessions",
        run=list_own,
        summary="List one's own devices",
        tag="sessions",
        gives={200: _LIST},
        refuses=tuple(PERSON),
        is_personal=True,
    ),
    Operation(
        method="DELETE",
        path="/v1/sessions/{session_id}",
        run=end,
        summary="Sign a device of one's own out",
        tag="sessions",
        gives={204: Given(None)},
        refuses=(Code.NOT_FOUND,),
        is_personal=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/sessions",
        run=list_of_user,
        summary="List the devices somebody is signed in on",
        tag="sessions",
        scopes=(Scope.READ_USERS,),
        gives={200: _LIST},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
    Operation(
        method="DELETE",
        path="/v1/users/{user_id}/sessions",
        run=end_all,
        summary="Sign somebody out everywhere",
        tag="sessions",
        scopes=(Scope.ADMIN,),
        gives={200: Given(Ended, Ended(2))},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
)
