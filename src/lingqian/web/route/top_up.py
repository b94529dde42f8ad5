"""Top-ups: opened with a pay sheet, looked at, asked about, tried again, given up (充值)."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta

from lingqian.events.pace import Priority
from lingqian.flows.order import OrderDone
from lingqian.identity.key import Scope
from lingqian.kernel.bound import ORDER_FEN_MAX, ORDER_LIFE_S_MAX, ORDER_LIFE_S_MIN
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.kernel.id import ID_BYTES, PREFIX_ORDER, PREFIX_USER
from lingqian.storage import query, query_top_up
from lingqian.storage.cashier import OrderWish
from lingqian.topup.evidence import Source
from lingqian.topup.order import PayState
from lingqian.topup.plan import FREE, Plan
from lingqian.web import field
from lingqian.web.answer import first_of, refusal
from lingqian.web.call import Call
from lingqian.web.code import FACTOR, PAYMENT
from lingqian.web.door import Door
from lingqian.web.factor import Payment, factors_of
from lingqian.web.operation import Given, Operation
from lingqian.web.order import AttemptShown, OrderShown, order_listed, order_shown
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.problem import Refused, problem
from lingqian.web.purchase import Payer, ProductName, way_to_pay
from lingqian.web.reply import Reply, reply
from lingqian.web.sealed import page_key, sealed_to
from lingqian.web.sheet import Opened, Way, open_sheet

_ENDED: Final = {
    PayState.PAID: Code.ORDER_PAID,
    PayState.OVERPAID: Code.ORDER_PAID,
    PayState.CLOSED: Code.ORDER_CLOSED,
}


class NewTopUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A top-up: a plan from the list, or an amount for the balance.

    Over a channel it needs a `product`; `pay_with` balance pays a plan of coins at once.
    """

    user_id: field.OwnId = UNSET
    plan_id: field.PlanId = ""
    amount_fen: Annotated[int, Meta(ge=1, le=ORDER_FEN_MAX)] | None = None
    pay_with: Literal["channel", "balance"] = "channel"
    product: ProductName | None = None
    payer: Payer | None = None
    client_ip: field.ClientIp = ""
    scene: field.Scene = ""
    expires_in_s: Annotated[int, Meta(ge=ORDER_LIFE_S_MIN, le=ORDER_LIFE_S_MAX)] | None = None


class NewAttempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another try at the same order: the same sheet again while it is good."""

    product: ProductName
    payer: Payer | None = None
    client_ip: field.ClientIp = ""


class OrderList(msgspec.Struct, frozen=True):
    """A page of top-ups, the newest first."""

    top_ups: tuple[OrderShown, ...]
    next_cursor: str | None


def plan_of(door: Door, plan_id: str, amount_fen: int | None) -> Plan:
    """Return what is bought: a plan of the list, or an amount for the balance.

    Refuses: plan_unknown, invalid_field.
    """
    if bool(plan_id) == (amount_fen is not None):
        raise Refused(Code.INVALID_FIELD, field="plan_id", detail="either plan_id or amount_fen")
    if amount_fen is not None:
        return FREE._replace(amount_fen=amount_fen)
    plan = door.wallet.plans.get(plan_id)
    if plan is None:
        raise Refused(Code.PLAN_UNKNOWN, field="plan_id")
    return plan


async def open_top_up(door: Door, call: Call) -> Reply:
    """Open a top-up and its pay sheet, once per idempotency key."""
    body = await call.take(NewTopUp)
    key = call.key()
    identity = call.who(body.user_id, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN, field="user_id")
    plan = plan_of(door, body.plan_id, body.amount_fen)
    way = None
    if body.pay_with == "channel":
        words = plan.name_zh
        way = way_to_pay(door, body.product, body.payer, words, body.client_ip)
    wish = OrderWish(
        user_id=identity,
        kind=plan.kind,
        plan=plan,
        life_s=body.expires_in_s or door.wallet.config.order_life_s,
        scene=body.scene,
        is_from_balance=way is None,
    )
    if way is None:
        payment = Payment(identity, plan.amount_fen, key)
        wish = wish._replace(factors=await factors_of(door, call, payment))
    return await opened(door, call, wish, key, way)


async def opened(door: Door, call: Call, wish: OrderWish, key: str, way: Way | None) -> Reply:
    """Ask for an order and, over a channel, its pay sheet; the answer tells both."""
    point = b"" if way is None else page_key(door, call)
    answer = await door.ask(door.wallet.cashier.open_order(wish, key, call.caller.name))
    if answer.code:
        return refusal(answer)
    first, is_new = first_of(answer)
    order_id = first.command.order_id
    sheet = None if way is None else await open_sheet(door, order_id, way)
    done: OrderDone = first.outcome
    shown = order_shown(door, order_id, sheet, is_reviewed=done.is_reviewed)
    assert shown is not None, "an order that was answered exists"
    return reply(201 if is_new else 200, sealed_to(point, shown))


def _present(door: Door, call: Call) -> bytes:
    order_id = call.id(PREFIX_ORDER, "order_id")
    order = query.order(door.reader, order_id)
    if order is None:
        call.belongs()
        raise Refused(Code.ORDER_UNKNOWN)
    call.belongs(order.user_id)
    return order_id


def _shown(door: Door, order_id: bytes, sheet: Opened | None = None) -> Reply:
    return reply(200, order_shown(door, order_id, sheet))


async def read(door: Door, call: Call) -> Reply:
    """Show a top-up, and why it is or is not credited."""
    return _shown(door, _present(door, call))


async def come_back(door: Door, call: Call) -> Reply:
    """Say that the person's client has come back from paying: the channel is asked at once."""
    order_id = _present(door, call)
    order = query.order(door.reader, order_id)
    if order is not None and order.live_attempt:
        attempt_id = order.live_attempt
        try:
            await door.agent.errands.look(attempt_id, Source.CLIENT, Priority.CLIENT)
        except Fault:
            # The channel cannot be asked just now: the schedule goes on asking.
            door.agent.came_back(attempt_id)
        else:
            door.agent.came_back(attempt_id)
        # No sheet is asked for here, and in an outage there may be another way.
        return _shown(door, order_id, Opened(attempt_id, None))
    return _shown(door, order_id)


async def try_again(door: Door, call: Call) -> Reply:
    """Give the pay sheet again: the same attempt while it is good, else a new one."""
    order_id = _present(door, call)
    body = await call.take(NewAttempt)
    point = page_key(door, call)
    order = query.order(door.reader, order_id)
    assert order is not None, "it was there a moment ago"
    name = (
        door.wallet.plans[order.plan].name_zh if order.plan in door.wallet.plans else FREE.name_zh
    )
    way = way_to_pay(door, body.product, body.payer, name, body.client_ip)
    code = _ENDED.get(PayState(order.pay_state))
    sheet = None if code else await open_sheet(door, order_id, way)
    if code:
        return problem(code)
    shown = order_shown(door, order_id, sheet)
    if sheet is not None and sheet.code and not (shown and shown.offers):
        return problem(sheet.code, detail=sheet.detail)
    assert shown is not None, "it was there a moment ago"
    return reply(200, sealed_to(point, shown))


async def cancel(door: Door, call: Call) -> Reply:
    """Give an unpaid top-up up: its attempt is closed at the channel, which has the last word."""
    order_id = _present(door, call)
    order = query.order(door.reader, order_id)
    answer = await door.ask(door.wallet.cashier.cancel_order(order_id, call.caller.name))
    if answer.code:
        return refusal(answer)
    if order is not None and order.live_attempt:
        door.agent.close_soon(order.live_attempt)
    return _shown(door, order_id)


async def list_orders(door: Door, call: Call) -> Reply:
    """List a person's top-ups."""
    identity = call.id(PREFIX_USER, "user_id")
    if door.wallet.directory.status(identity) is None:
        raise Refused(Code.USER_UNKNOWN)
    asked = call.ask(field.Page)
    after = read_cursor(b"t", asked.cursor, ID_BYTES)
    newest = identity[:2] + b"\xff" * (ID_BYTES - 2)
    found = query_top_up.orders(door.reader, identity, after or newest, asked.limit)
    following = write_cursor(b"t", found[-1].id) if len(found) == asked.limit else None
    shown = [order_listed(door, each.id) for each in found]
    return reply(200, OrderList(tuple([each for each in shown if each]), following))


_ORDER: Final = OrderShown(
    id=field.ORDER_EXAMPLE,
    state="payable",
    is_credited=False,
    message_zh="未到账：支付页可用，渠道还没有证实付款。",
    message_en="Not credited: the pay sheet is open and the channel has not proven a payment.",
    user_id=field.USER_EXAMPLE,
    kind="balance",
    amount_fen=5_000,
    pay_state="paying",
    credit_state="none",
    refund_state="none",
    created_at=field.MOMENT_EXAMPLE,
    expires_at="2026-11-22T00:58:11.250Z",
    attempts=(
        AttemptShown(
            id=field.ATTEMPT_EXAMPLE,
            account="main",
            product="jsapi",
            state="payable",
            created_at=field.MOMENT_EXAMPLE,
        ),
    ),
    invocation={"appId": "wx8888888888888888", "package": "prepay_id=wx22…", "paySign": "…"},
)
GIVEN: Final = Given(OrderShown, _ORDER)
_ACT: Final = (Scope.WRITE_TOP_UPS, Scope.ACT_USERS)
MISSING: Final = (Code.NOT_FOUND, Code.ORDER_UNKNOWN)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/top-ups",
        run=open_top_up,
        summary="Open a top-up and its pay sheet",
        tag="top-ups",
        scopes=_ACT,
        takes=NewTopUp,
        example={
            "user_id": field.USER_EXAMPLE,
            "amount_fen": 5_000,
            "product": "jsapi",
            "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        },
        gives={201: GIVEN, 200: GIVEN},
        refuses=(
            Code.USER_UNKNOWN,
            Code.PLAN_UNKNOWN,
            Code.NO_CHANNEL,
            Code.ORDER_INFEASIBLE,
            Code.EXCEEDS_BALANCE_MAX,
            *PAYMENT,
            *FACTOR,
        ),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/top-ups/{order_id}",
        run=read,
        summary="Show a top-up",
        tag="top-ups",
        scopes=(Scope.READ_TOP_UPS,),
        gives={200: GIVEN},
        refuses=MISSING,
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/top-ups/{order_id}/return",
        run=come_back,
        summary="Say that the client came back from paying",
        tag="top-ups",
        scopes=_ACT,
        gives={200: GIVEN},
        refuses=MISSING,
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/top-ups/{order_id}/attempts",
        run=try_again,
        summary="Give the pay sheet again",
        tag="top-ups",
        scopes=_ACT,
        takes=NewAttempt,
        example={"product": "jsapi", "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}},
        gives={200: GIVEN},
        refuses=(
            *MISSING,
            Code.NO_CHANNEL,
            Code.ORDER_PAID,
            Code.ORDER_CLOSED,
            Code.ATTEMPT_OPEN,
            Code.ATTEMPTS_EXHAUSTED,
        ),
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/top-ups/{order_id}/cancellation",
        run=cancel,
        summary="Give an unpaid top-up up",
        tag="top-ups",
        scopes=_ACT,
        gives={200: GIVEN},
        refuses=(*MISSING, Code.ORDER_PAID, Code.ORDER_CLOSED),
        by_person=True,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/top-ups",
        run=list_orders,
        summary="List a person's top-ups",
        tag="top-ups",
        scopes=(Scope.READ_TOP_UPS,),
        asks=field.Page,
        gives={200: Given(OrderList, OrderList((_ORDER,), None))},
        refuses=(Code.NOT_FOUND, Code.USER_UNKNOWN),
        by_person=True,
    ),
)
