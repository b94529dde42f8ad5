"""Users: registered once per external id, looked up, changed; balances (用户)."""

from typing import Any, Final, Literal

import msgspec

from lingqian.identity.key import Scope
from lingqian.identity.user import User, UserState
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_USER, show
from lingqian.storage import query
from lingqian.storage.desk import FIELD_EXTERNAL
from lingqian.web import field
from lingqian.web.act import begin_act
from lingqian.web.call import Call
from lingqian.web.door import Door, fresh_key
from lingqian.web.operation import ACT, Given, Operation
from lingqian.web.problem import Refused, problem
from lingqian.web.reply import Reply, reply


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person of the app that calls; the external id is the app's own."""

    external_id: field.ExternalId
    nickname: field.Nickname = ""
    account_class: field.AccountClassNumber | None = None


class UserShown(msgspec.Struct, frozen=True):
    """A person as the app that registered them sees them."""

    id: field.UserId
    external_id: str
    nickname: str
    account_class: int
    state: str
    created_at: field.Moment


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a person; class and state need a key with the scope `admin`."""

    nickname: field.Nickname | None = None
    account_class: field.AccountClassNumber | None = None
    state: Literal["active", "frozen"] | None = None


class ByExternal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which person: the one with this external id."""

    external_id: field.ExternalId


class BalanceShown(msgspec.Struct, frozen=True):
    """One balance. Amount + incoming is exact from the moment a claim is answered."""

    book: str
    currency: str
    amount_fen: field.Fen
    incoming_fen: field.Fen
    held_fen: field.Fen
    available_fen: field.Fen


class Balances(msgspec.Struct, frozen=True):
    """A person's balances, and when they were read by the business clock."""

    balances: tuple[BalanceShown, ...]
    as_of: field.Moment


def _shown(door: Door, identity: bytes, row: User) -> UserShown:
    return UserShown(
        show(PREFIX_USER, identity),
        door.text(identity, FIELD_EXTERNAL),
        door.nickname(identity),
        row.account_class,
        UserState(row.state).name.lower(),
        rfc3339(row.created_at_us),
    )


def _present(door: Door, identity: bytes) -> User:
    row = query.user(door.reader, identity)
    if row is None:
        raise Refused(Code.USER_UNKNOWN)
    return row


async def register(door: Door, call: Call) -> Reply:
    """Register an external person, or find the one registered before."""
    body = await call.take(NewUser)
    if body.account_class is not None and door.wallet.config.profile != "sandbox":
        call.needs(Scope.ADMIN)
        await begin_act(door, call)
    desk = door.wallet.desk
    known = query.user_id_of(door.reader, desk.external_mac(body.external_id))
    if known is not None:
        return reply(200, _shown(door, known, _present(door, known)))
    chosen = body.account_class
    if chosen is None:
        chosen = door.wallet.config.default_account_class
    answer = await door.ask(desk.register(body.external_id, body.nickname, chosen))
    if answer.code:
        return problem(Code(answer.code), field=answer.field)
    is_new = answer.first is None
    first: Any = answer if is_new else answer.first
    identity = first.command.user_id
    return reply(201 if is_new else 200, _shown(door, identity, _present(door, identity)))


async def find(door: Door, call: Call) -> Reply:
    """Find a person by external id."""
    asked = call.ask(ByExternal)
    identity = query.user_id_of(door.reader, door.wallet.desk.external_mac(asked.external_id))
    if identity is None:
        raise Refused(Code.USER_UNKNOWN)
    return reply(200, _shown(door, identity, _present(door, identity)))


async def read(door: Door, call: Call) -> Reply:
    """Show a person."""
    identity = call.id(PREFIX_USER, "user_id")
    return reply(200, _shown(door, identity, _present(door, identity)))


async def change(door: Door, call: Call) -> Reply:
    """Change a person's nickname, and with `admin` class or state."""
    identity = call.id(PREFIX_USER, "user_id")
    body = await call.take(UserChange)
    if body.account_class is not None or body.state is not None:
        call.needs(Scope.ADMIN)
        await begin_act(door, call)
    row = _present(door, identity)
    changes: dict[str, int] = {}
    if body.account_class is not None:
        changes["account_class"] = body.account_class
    if body.state is not None:
        changes["state"] = UserState[body.state.upper()]
    submission = door.wallet.desk.change(
        identity,
        row,
        caller_key=fresh_key(),
        changes=changes,
        nickname=body.nickname,
    )
    answer = await door.ask(submission)
    door.wallet.directory.forget_user(identity)
    if answer.code:
        return problem(Code(answer.code), field=answer.field)
    return reply(200, _shown(door, identity, _present(door, identity)))


async def balances(door: Door, call: Call) -> Reply:
    """Show what a person has, what is set aside and what is on its way."""
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    found = query.balance(door.reader, identity)
    shown = BalanceShown(
        "balance",
        "CNY",
        found.amount_fen,
        found.incoming_fen,
        found.held_fen,
        found.amount_fen - found.held_fen,
    )
    return reply(200, Balances((shown,), rfc3339(door.wallet.clock.now_us())))


_USER: Final = UserShown(
    field.USER_EXAMPLE, "alice@shop", "小明", 3, "active", field.MOMENT_EXAMPLE
)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/users",
        run=register,
        summary="Register a person",
        tag="users",
        scopes=(Scope.WRITE_USERS,),
        takes=NewUser,
        example={"external_id": "alice@shop", "nickname": "小明"},
        gives={201: Given(UserShown, _USER), 200: Given(UserShown, _USER)},
        refuses=tuple(ACT),
    ),
    Operation(
        method="GET",
        path="/v1/users",
        run=find,
        summary="Find a person by external id",
        tag="users",
        scopes=(Scope.READ_USERS,),
        asks=ByExternal,
        gives={200: Given(UserShown, _USER)},
        refuses=(Code.USER_UNKNOWN,),
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}",
        run=read,
        summary="Show a person",
        tag="users",
        scopes=(Scope.READ_USERS,),
        gives={200: Given(UserShown, _USER)},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
    Operation(
        method="PATCH",
        path="/v1/users/{user_id}",
        run=change,
        summary="Change a person",
        tag="users",
        scopes=(Scope.WRITE_USERS,),
        takes=UserChange,
        example={"nickname": "阿婆"},
        gives={200: Given(UserShown, _USER)},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN, *ACT),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/balances",
        run=balances,
        summary="Show a person's balances",
        tag="users",
        scopes=(Scope.READ_USERS,),
        gives={
            200: Given(
                Balances,
                Balances(
                    (BalanceShown("balance", "CNY", 10_000, 0, 500, 9_500),), field.MOMENT_EXAMPLE
                ),
            )
        },
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
)
