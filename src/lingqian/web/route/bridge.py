"""Bridges: paying by the own wallet, or by an advance, what no channel takes now (降级支付)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from lingqian.compliance.factor import Act
from lingqian.identity.key import Scope
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_ORDER, lane_of
from lingqian.storage import query, standing
from lingqian.storage.cashier import Applicant, OrderWish
from lingqian.topup.order import CreditState, Order, OrderKind, PayState, wallet_order
from lingqian.topup.plan import Plan
from lingqian.web import field
from lingqian.web.address import address_of, network
from lingqian.web.answer import first_of, refusal
from lingqian.web.bridge import bridged_account, is_minor, wallet_code
from lingqian.web.call import Call
from lingqian.web.code import FACTOR, PAYMENT
from lingqian.web.door import Door
from lingqian.web.factor import Payment, factors_of
from lingqian.web.operation import Operation
from lingqian.web.order import order_shown
from lingqian.web.problem import Refused, problem
from lingqian.web.reply import Reply, reply
from lingqian.web.route.top_up import GIVEN, MISSING


class AdvanceFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a person is, as the app's server knows it; nothing of it is kept but a keyed digest.

    Not read when a person calls for himself: his session and his connection say it.
    """

    client_ip: field.ClientIp = ""
    device: Annotated[str, Meta(max_length=128, description="Any name that stays the same.")] = ""


_UNPAID: Final = (PayState.NONE, PayState.PAYING)


def _present(door: Door, call: Call) -> tuple[bytes, Order]:
    order_id = call.id(PREFIX_ORDER, "order_id")
    order = query.order(door.reader, order_id)
    if order is None:
        call.belongs()
        raise Refused(Code.ORDER_UNKNOWN)
    call.belongs(order.user_id)
    return order_id, order


async def pay_by_wallet(door: Door, call: Call) -> Reply:
    """Buy the same coins from the person's own balance instead, and give the unpaid order up.

    The wallet pays first and the unpaid order ends then: a refusal leaves it as it was.
    """
    order_id, order = _present(door, call)
    key = call.key()
    own = wallet_order(order_id)
    is_known = query.order(door.reader, own) is not None
    code = Code.OK if is_known else wallet_code(door, order)
    if code:
        return problem(code)
    is_new = False
    if not is_known:
        payment = Payment(order.user_id, order.amount_fen, key)
        wish = _wish(door, own, order)._replace(factors=await factors_of(door, call, payment))
        answer = await door.ask(door.wallet.cashier.open_order(wish, key, call.caller.name))
        # Somebody else may have taken the same offer up a moment ago, under another key.
        if answer.code and query.order(door.reader, own) is None:
            return refusal(answer)
        is_new = not answer.code and first_of(answer)[1]
    await _give_up(door, order_id, call.caller.name)
    return reply(201 if is_new else 200, order_shown(door, own))


def _wish(door: Door, own: bytes, order: Order) -> OrderWish:
    """Return the same coins on the same terms, whatever the price list says by now."""
    plan = Plan(
        plan_id=order.plan,
        name_zh="",
        name_en="",
        amount_fen=order.amount_fen,
        coins=order.coins,
        bonus_coins=order.bonus_coins,
        bonus_life_s=order.bonus_life_us // 1_000_000,
        scene=order.scene,
    )
    return OrderWish(
        user_id=order.user_id,
        kind=OrderKind.COINS,
        plan=plan,
        life_s=door.wallet.config.order_life_s,
        order_id=own,
        is_from_balance=True,
    )


async def _give_up(door: Door, order_id: bytes, by: str) -> None:
    """End the unpaid order; one that has been paid after all stands, and its coins come too."""
    order = query.order(door.reader, order_id)
    if order is None or order.pay_state not in _UNPAID:
        return
    await door.ask(door.wallet.cashier.cancel_order(order_id, by))
    if order.live_attempt:
        door.agent.close_soon(order.live_attempt)


async def take_advance(door: Door, call: Call) -> Reply:
    """Give an order's coins from the operator's line before its money is proven, in an outage."""
    order_id, order = _present(door, call)
    if order.credit_state in (CreditState.ADVANCED, CreditState.CONFIRMED):
        return reply(200, order_shown(door, order_id))
    account = bridged_account(door, order_id, order)
    if not account and order.kind == OrderKind.COINS and order.pay_state in _UNPAID:
        return problem(Code.LINE_CLOSED)
    applicant = await _applicant(door, call, order.user_id)
    payment = Payment(order.user_id, order.amount_fen, "", act=Act.ADVANCE)
    applicant = applicant._replace(factors=await factors_of(door, call, payment))
    askers = door.wallet.cashier.askers(lane_of(order_id), applicant)
    # One at a time from a place, whichever lanes they ask in: what is read here still holds then.
    with door.places.alone(each[2:] for each in askers if each) as is_alone:
        if not is_alone or standing.is_asked_elsewhere(door.reader, askers):
            return problem(Code.ADVANCE_OPEN_HERE)
        asked = door.wallet.cashier.ask_advance(order_id, account, applicant, call.caller.name)
        answer = await door.ask(asked)
    return refusal(answer) if answer.code else reply(201, order_shown(door, order_id))


async def _applicant(door: Door, call: Call, user_id: bytes) -> Applicant:
    """Return who asks: a person is known by his session and connection, others as they are told."""
    history = standing.history(door.reader, user_id, door.wallet.clock.now_us())
    session = door.sessions.of(call.caller.session_id)
    if session is not None:
        device, address = session.thumbprint.hex(), address_of(door, call)
    else:
        told = await call.take_any(AdvanceFrom)
        device, address = told.device, network(told.client_ip)
    return Applicant(history, is_minor(door, user_id), device, address)


_ACT: Final = (Scope.WRITE_TOP_UPS, Scope.ACT_USERS)

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/top-ups/{order_id}/wallet-payment",
        run=pay_by_wallet,
        summary="Pay by the own wallet instead",
        tag="top-ups",
        scopes=_ACT,
        gives={201: GIVEN, 200: GIVEN},
        refuses=(
            *MISSING,
            Code.ORDER_INFEASIBLE,
            Code.ORDER_PAID,
            Code.ALREADY_SETTLED,
            Code.ATTEMPT_OPEN,
            Code.EXCEEDS_BALANCE_MAX,
            *PAYMENT,
            *FACTOR,
        ),
        is_keyed=True,
        by_person=True,
    ),
    Operation(
        method="POST",
        path="/v1/top-ups/{order_id}/advance",
        run=take_advance,
        summary="Take an advance in an outage",
        tag="top-ups",
        scopes=_ACT,
        takes=AdvanceFrom,
        may_be_empty=True,
        example={"client_ip": "1.2.4.8", "device": "a phone's id in the app"},
        gives={201: GIVEN, 200: GIVEN},
        refuses=(
            *MISSING,
            Code.ORDER_NOT_ADVANCEABLE,
            Code.LINE_CLOSED,
            Code.REAL_NAME_REQUIRED,
            Code.ACCOUNT_FROZEN,
            Code.UNDER_AGE,
            Code.ADVANCE_OPEN,
            Code.DEBT_OPEN,
            Code.ADVANCE_OPEN_HERE,
            Code.HISTORY_TOO_SHORT,
            Code.EXCEEDS_ADVANCE_MAX,
            Code.LINE_PACED,
            Code.LINE_EXHAUSTED,
            *FACTOR,
        ),
        by_person=True,
    ),
)
