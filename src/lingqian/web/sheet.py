"""Pay sheets: an order's one live attempt, begun, renewed or replaced for a person (调起支付).

Law (R1): an order has at most one attempt that can be paid; a second is begun only when the channel
has said that the first cannot be. Whatever a call brings, the order stands and can be asked about.
"""

from typing import Any, Final, NamedTuple

from lingqian.channels.port import Product, Purchase, SheetChannel
from lingqian.channels.route import Candidate, Stuck, Wish, routes
from lingqian.events.errand import UNKNOWN, UNSENT
from lingqian.events.pace import Priority
from lingqian.kernel.code import Code
from lingqian.kernel.fault import BadSignature, Rejected, Unknown, Unsent
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_ORDER, show
from lingqian.storage import query, query_top_up
from lingqian.storage.cashier import FIELD_PURCHASE
from lingqian.topup.attempt import AttemptState, PrepayResult
from lingqian.topup.evidence import Source
from lingqian.topup.order import Order, PayState
from lingqian.web.door import Door

_OPEN: Final = (PayState.NONE, PayState.PAYING)
CHANNEL_FAULTS: Final = (Unsent, Unknown, Rejected, BadSignature)


class Way(NamedTuple):
    """How a person wants to pay: product, who they are to it, where they call from, what for."""

    product: Product
    payer: str
    client_ip: str
    description: str


class Opened(NamedTuple):
    """What came of opening a sheet: parameters to open it with, or why there are none."""

    attempt_id: bytes
    invocation: dict[str, str] | None
    code: Code = Code.OK
    detail: str = ""


async def open_sheet(door: Door, order_id: bytes, way: Way) -> Opened:
    """Give a person the pay sheet of an order, by its live attempt or a new one."""
    order = _order(door, order_id)
    if order.pay_state not in _OPEN:
        return Opened(order.paid_attempt, None)
    if order.live_attempt:
        renewed = await _renewed(door, order.live_attempt, way)
        if renewed is not None:
            return renewed
        order = _order(door, order_id)
        if order.live_attempt or order.pay_state not in _OPEN:
            # It could not be ended yet, or it has been paid meanwhile.
            code = Code.ATTEMPT_OPEN if order.live_attempt else Code.OK
            return Opened(order.live_attempt or order.paid_attempt, None, code)
    return await _begun(door, order_id, order, way)


def _order(door: Door, order_id: bytes) -> Order:
    order = query.order(door.reader, order_id)
    assert order is not None, "an order that was opened exists"
    return order


async def _renewed(door: Door, attempt_id: bytes, way: Way) -> Opened | None:
    """Ask again for the sheet of the live attempt; None when it is not this person's any more."""
    row = query.attempt(door.reader, attempt_id)
    assert row is not None, "a live attempt exists"
    is_same = row.product == way.product and row.state != AttemptState.CLOSING
    if is_same and row.account in door.wallet.channels:
        opened = await _asked(door, attempt_id, way.product)
        return None if await _has_ended(door, opened, way) else opened
    try:
        if row.state != AttemptState.CLOSING:
            await door.ask(door.wallet.cashier.begin_close(attempt_id))
        await door.agent.errands.shut(attempt_id, Priority.CLIENT)
    except CHANNEL_FAULTS:
        return Opened(attempt_id, None, Code.ATTEMPT_OPEN)
    return None


async def _has_ended(door: Door, opened: Opened, way: Way) -> bool:
    """Say whether an attempt of unknown outcome could be ended, so that another account may serve.

    Its channel has to say so itself: asked by whichever host answers, closed, and asked again.
    """
    row = query.attempt(door.reader, opened.attempt_id)
    assert row is not None, "an attempt that was asked for exists"
    if row.state != AttemptState.UNKNOWN or opened.detail != UNKNOWN:
        return False
    order = _order(door, row.order_id)
    if all(each.account == row.account for each in _candidates(door, order, way)):
        return False
    errands = door.agent.errands
    try:
        # As long as nobody answers, the same number stays the one to try.
        await errands.look(opened.attempt_id, Source.QUERY, Priority.CLIENT)
        await door.ask(door.wallet.cashier.begin_close(opened.attempt_id))
        await errands.shut(opened.attempt_id, Priority.CLIENT)
    except CHANNEL_FAULTS:
        return False
    return not _order(door, row.order_id).live_attempt


async def _begun(door: Door, order_id: bytes, order: Order, way: Way) -> Opened:
    """Begin an attempt at the best account; at the next one only if that never took it."""
    opened = Opened(b"", None, Code.NO_CHANNEL)
    for candidate in _candidates(door, order, way):
        cashier = door.wallet.cashier
        attempt_id = cashier.attempt_id(order_id)
        purchase = Purchase(
            show(PREFIX_ATTEMPT, attempt_id),
            way.product,
            way.description,
            order.amount_fen,
            "CNY",
            order.expires_at_us,
            way.payer,
            way.client_ip,
            show(PREFIX_ORDER, order_id),
        )
        begun = cashier.begin_attempt(order_id, attempt_id, candidate.account, purchase)
        answer = await door.ask(begun)
        if answer.code:
            return Opened(b"", None, Code(answer.code))
        opened = await _asked(door, attempt_id, way.product)
        if opened.detail != UNSENT and not await _has_ended(door, opened, way):
            return opened
    return opened._replace(code=Code.NO_CHANNEL)


def _candidates(door: Door, order: Order, way: Way) -> tuple[Candidate, ...]:
    wallet = door.wallet
    wish = Wish(
        frozenset((way.product,)), order.amount_fen, order.scene, stuck=_stuck(door, order.user_id)
    )
    return routes(wallet.health.state, wallet.candidates, wish, wallet.health.now_us())


def _stuck(door: Door, user_id: bytes) -> Stuck | None:
    """Return what served this person last; the health of accounts counts in real time."""
    last = query_top_up.last_paid(door.reader, user_id)
    if last is None:
        return None
    account, product, at_us = last
    return Stuck(account, Product(product), at_us - door.wallet.clock.offset_us)


async def _asked(door: Door, attempt_id: bytes, product: Product) -> Opened:
    sheet = await door.agent.errands.prepay(attempt_id)
    if sheet.prepaid is None:
        code = Code.NO_CHANNEL if sheet.result == PrepayResult.FAILED else Code.OK
        return Opened(attempt_id, None, code, sheet.code)
    row = query.attempt(door.reader, attempt_id)
    assert row is not None, "an attempt that was asked for exists"
    channel: Any = door.wallet.channels[row.account]
    if isinstance(channel, SheetChannel):
        return Opened(attempt_id, channel.invocation(product, sheet.prepaid.token))
    return Opened(attempt_id, {"token": sheet.prepaid.token})


def way_of(door: Door, attempt_id: bytes) -> Way | None:
    """Return how an earlier attempt was to be paid; None when that is no longer kept."""
    sealed = query.sealed_text(door.reader, attempt_id, FIELD_PURCHASE)
    if sealed is None:
        return None
    purchase = door.wallet.cashier.purchase(attempt_id, sealed)
    return Way(purchase.product, purchase.payer, purchase.client_ip, purchase.description)
