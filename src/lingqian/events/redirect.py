"""Redirecting: the errand of a refund that goes to a card instead of its payment (退款改道).

Law: asked first, sent only while the channel still calls it stuck, and under its one number; so a
call that was cut off, and may have been heard, is never simply made again.
"""

import logging
from collections.abc import Awaitable, Callable

from lingqian.channels.port import AbnormalRefund, RefundReading, RefundState
from lingqian.kernel.fault import BadSignature, Rejected, Unknown
from lingqian.kernel.id import PREFIX_REFUND, show
from lingqian.storage.cashier import Card
from lingqian.topup.refund import Refund, Way

_log = logging.getLogger(__name__)
_NO_CARD = Card("", "", "")


def card_order(refund_id: bytes, row: Refund, card: Card | None) -> AbnormalRefund:
    """Return what the channel is told: to whose account, and under which numbers."""
    is_ours = row.way == Way.MERCHANT
    number = show(PREFIX_REFUND, refund_id)
    return AbnormalRefund(number, row.channel_refund_id, is_ours, *(card or _NO_CARD))


async def redirected(
    order: AbnormalRefund,
    ask: Callable[[], Awaitable[RefundReading]],
    send: Callable[[AbnormalRefund], Awaitable[RefundReading]],
) -> RefundReading:
    """Ask about a refund, send it another way if it is stuck, and return what the channel says.

    Raises: Unsent.
    """
    reading = await ask()
    if reading.state != RefundState.ABNORMAL:
        return reading
    try:
        return await send(order._replace(refund_id=reading.refund_id))
    except (Unknown, BadSignature):
        return RefundReading(order.refund_no, RefundState.UNKNOWN)
    except Rejected as no:
        # It stays stuck, unless the channel itself says otherwise now.
        _log.warning("%s cannot be sent another way: %s", order.refund_no, no.code)
        return await ask()
