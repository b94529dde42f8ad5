"""Gifts and coins: given to a streamer, whose income waits and is settled (礼物、虚拟币)."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta

from lingqian.gift.catalogue import CATALOGUE
from lingqian.gift.gift import Gift, GiftState
from lingqian.gift.income import DEFAULT_SCENE, IncomeRow, income_row, settle_after_us
from lingqian.identity.key import Scope
from lingqian.kernel.bound import GIFT_CODE_LENGTH_MAX, GIFTS_AT_ONCE_MAX
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_GIFT, PREFIX_USER, show
from lingqian.storage import purse
from lingqian.storage.cashier import GiftWish
from lingqian.topup.coin import use_of
from lingqian.web import field
from lingqian.web.answer import first_of, refusal
from lingqian.web.call import Call, user_id
from lingqian.web.code import FACTOR
from lingqian.web.door import Door
from lingqian.web.factor import Payment, factors_of, remember_payee
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply


class GiftRowShown(msgspec.Struct, frozen=True):
    """One gift of the catalogue, and its price in coins."""

    code: str
    name_zh: str
    name_en: str
    coins: int


class GiftRows(msgspec.Struct, frozen=True):
    """The catalogue."""

    gifts: tuple[GiftRowShown, ...]


class NewGift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who gives what to whom; the scene says how income is shared and when it is settled."""

    user_id: field.OwnId = UNSET
    streamer_id: field.UserId
    code: Annotated[str, Meta(max_length=GIFT_CODE_LENGTH_MAX)]
    count: Annotated[int, Meta(ge=1, le=GIFTS_AT_ONCE_MAX)] = 1
    scene: field.Scene = DEFAULT_SCENE


class GiftShown(msgspec.Struct, frozen=True, kw_only=True):
    """A gift: its coins, what they had cost, and how that is shared."""

    id: field.GiftId
    state: str
    user_id: field.UserId
    streamer_id: field.UserId
    code: str
    count: int
    coins: int
    value_fen: field.Fen
    streamer_fen: field.Fen
    platform_fen: field.Fen
    scene: str
    created_at: field.Moment
    settles_at: field.Moment


class Ending(msgspec.Struct, frozen=True):
    """Bonus coins that end at a moment."""

    at: field.Moment
    coins: int


class CoinsShown(msgspec.Struct, frozen=True):
    """A person's coins: paid and bonus, those of both set aside, and which bonus ends when."""

    paid: int
    bonus: int
    frozen: int
    available: int
    worth_fen: field.Fen
    ending: tuple[Ending, ...]


class IncomeShown(msgspec.Struct, frozen=True):
    """A streamer's income that waits; when the next of it is settled into the balance."""

    pending_fen: field.Fen
    next_at: field.Moment | None


def _shown(gift_id: bytes, row: Gift) -> GiftShown:
    return GiftShown(
        id=show(PREFIX_GIFT, gift_id),
        state=GiftState(row.state).name.lower(),
        user_id=show(PREFIX_USER, row.user_id),
        streamer_id=show(PREFIX_USER, row.streamer_id),
        code=row.code,
        count=row.count,
        coins=row.coins,
        value_fen=row.value_fen,
        streamer_fen=row.streamer_fen,
        platform_fen=row.platform_fen,
        scene=row.scene,
        created_at=rfc3339(row.at_us),
        settles_at=rfc3339(row.settles_at_us),
    )


async def catalogue(door: Door, call: Call) -> Reply:
    """List the gifts there are."""
    del door, call
    rows = [GiftRowShown(row.code, row.zh, row.en, row.coins) for row in CATALOGUE.values()]
    return reply(200, GiftRows(tuple(rows)))


async def send(door: Door, call: Call) -> Reply:
    """Give coins to a streamer as a gift, once per idempotency key."""
    body = await call.take(NewGift)
    key = call.key()
    row = CATALOGUE.get(body.code)
    if row is None:
        raise Refused(Code.INVALID_FIELD, field="code", detail="no such gift in the catalogue")
    giver, streamer = call.who(body.user_id, "user_id"), user_id(body.streamer_id, "streamer_id")
    status = door.wallet.directory.status(streamer)
    if status is None:
        raise Refused(Code.USER_UNKNOWN, field="streamer_id")
    if door.wallet.directory.status(giver) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    income_terms = income_row(body.scene)
    wish = GiftWish(giver, streamer, row, body.count, body.scene)
    payment = Payment(giver, _price_fen(door, wish, income_terms), key, streamer)
    wish = wish._replace(factors=await factors_of(door, call, payment))
    submission = door.wallet.cashier.send_gift(wish, income_terms, status, key)
    answer = await door.ask(submission)
    if answer.code:
        return refusal(answer)
    if call.caller.person:
        await remember_payee(door, payment)
    first, is_new = first_of(answer)
    gift_id = first.command.gift_id
    found = purse.gift(door.reader, gift_id)
    assert found is not None, "a gift that was answered exists"
    return reply(201 if is_new else 200, _shown(gift_id, found))


def _price_fen(door: Door, wish: GiftWish, income: IncomeRow) -> int:
    """Return what the coins of a gift had cost, which is what has to be proven.   Units: fen."""
    coins = wish.row.coins * wish.count
    use = use_of(wish.scene, settle_after_us(income))
    return purse.price_fen(door.reader, wish.user_id, coins, use, door.wallet.clock.now_us())


async def read(door: Door, call: Call) -> Reply:
    """Show a gift."""
    gift_id = call.id(PREFIX_GIFT, "gift_id")
    row = purse.gift(door.reader, gift_id)
    if row is None:
        call.belongs()
        raise Refused(Code.GIFT_UNKNOWN)
    call.belongs(row.user_id, row.streamer_id)
    return reply(200, _shown(gift_id, row))


def _present(door: Door, call: Call) -> bytes:
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    return identity


async def coins(door: Door, call: Call) -> Reply:
    """Show a person's coins."""
    found = purse.coins(door.reader, _present(door, call))
    ending = tuple([Ending(rfc3339(at_us), count) for at_us, count in found.expiring])
    available = found.paid + found.bonus - found.frozen
    shown = CoinsShown(found.paid, found.bonus, found.frozen, available, found.worth_fen, ending)
    return reply(200, shown)


async def income(door: Door, call: Call) -> Reply:
    """Show a streamer's income that is not settled yet."""
    found = purse.income(door.reader, _present(door, call))
    next_at = rfc3339(found.next_at_us) if found.next_at_us else None
    return reply(200, IncomeShown(found.pending_fen, next_at))


_GIFT: Final = GiftShown(
    id=field.GIFT_EXAMPLE,
    state="pending",
    user_id=field.USER_EXAMPLE,
    streamer_id=field.OTHER_EXAMPLE,
    code="rose",
    count=10,
    coins=100,
    value_fen=934,
    streamer_fen=467,
    platform_fen=467,
    scene="live",
    created_at=field.MOMENT_EXAMPLE,
    settles_at="2026-11-29T00:43:11.250Z",
)
_USER_MISSING: Final = (Code.NOT_FOUND, Code.USER_UNKNOWN)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/gift-catalogue",
        run=catalogue,
        summary="List the gifts there are",
        tag="gifts",
        scopes=(Scope.READ_TOP_UPS,),
        gives={200: Given(GiftRows, GiftRows((GiftRowShown("rose", "玫瑰", "Rose", 10),)))},
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/gifts",
        run=send,
        summary="Give a gift",
        tag="gifts",
        scopes=(Scope.WRITE_GIFTS, Scope.ACT_USERS),
        takes=NewGift,
        example={
            "user_id": field.USER_EXAMPLE,
            "streamer_id": field.OTHER_EXAMPLE,
            "code": "rose",
            "count": 10,
        },
        gives={201: Given(GiftShown, _GIFT), 200: Given(GiftShown, _GIFT)},
        refuses=(
            Code.ACCEPTED,
            Code.USER_UNKNOWN,
            Code.SAME_USER,
            Code.REAL_NAME_REQUIRED,
            Code.ACCOUNT_FROZEN,
            Code.EXCEEDS_COINS,
            Code.EXCEEDS_FACTORS,
            *FACTOR,
        ),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/gifts/{gift_id}",
        run=read,
        summary="Show a gift",
        tag="gifts",
        scopes=(Scope.READ_TOP_UPS,),
        gives={200: Given(GiftShown, _GIFT)},
        refuses=(Code.NOT_FOUND, Code.GIFT_UNKNOWN),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/coins",
        run=coins,
        summary="Show a person's coins",
        tag="gifts",
        scopes=(Scope.READ_USERS,),
        gives={
            200: Given(
                CoinsShown,
                CoinsShown(500, 25, 0, 525, 5_000, (Ending("2026-12-22T00:43:11.250Z", 25),)),
            )
        },
        refuses=_USER_MISSING,
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/income",
        run=income,
        summary="Show a streamer's income that waits",
        tag="gifts",
        scopes=(Scope.READ_USERS,),
        gives={200: Given(IncomeShown, IncomeShown(467, "2026-11-29T00:43:11.250Z"))},
        refuses=_USER_MISSING,
        by_person=True,
    ),
)
