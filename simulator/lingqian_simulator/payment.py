"""The operations of payments: create in four products, query by either number, close."""

from collections.abc import Callable

from lingqian_simulator import order as orders
from lingqian_simulator.call import NO_CONTENT, Call, Reply, reply
from lingqian_simulator.field import refuse_query
from lingqian_simulator.noun import Order
from lingqian_simulator.refusal import MCHID_DIFFERS, ORDER_UNKNOWN, Refused

CODE_PREFIX = "weixin://wxpay/bizpayurl?pr="


def creates(product: str) -> Callable[[Call], Reply]:
    """Return the handler of one product."""

    def create(call: Call) -> Reply:
        order = orders.create(call.world, call.merchant, product, call.body)
        match product:
            case "h5":
                return reply({"h5_url": h5_url(call.pages_url, order)})
            case "native":
                return reply({"code_url": CODE_PREFIX + order.code})
            case _:
                return reply({"prepay_id": order.prepay_id})

    return create


def h5_url(pages_url: str, order: Order) -> str:
    """Return the page a mobile browser is sent to."""
    path = f"{pages_url}/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={order.prepay_id}"
    return f"{path}&package={order.created_us // 1_000_000}"


def query_by_number(call: Call) -> Reply:
    """Answer a query by the merchant's number; another merchant's order does not exist."""
    _own(call)
    order = call.world.orders.get((call.merchant.mchid, call.path["out_trade_no"]))
    return _answer(call, order)


def query_by_transaction(call: Call) -> Reply:
    """Answer a query by the channel's number, which exists only once paid."""
    _own(call)
    return _answer(call, call.world.by_transaction.get(call.path["transaction_id"]))


def _own(call: Call) -> None:
    mchid = call.query.get("mchid")
    if not mchid:
        refuse_query("mchid", mchid, "映射到字段“直连商户号”必填性规则校验失败，此字段为必填项")
    if mchid != call.merchant.mchid:
        raise Refused(MCHID_DIFFERS)


def _answer(call: Call, order: Order | None) -> Reply:
    if order is None or order.mchid != call.merchant.mchid:
        raise Refused(ORDER_UNKNOWN)
    return reply(orders.view(orders.settle(call.world, order)))


def close(call: Call) -> Reply:
    """Close an unpaid order."""
    order = call.world.orders.get((call.merchant.mchid, call.path["out_trade_no"]))
    if order is None:
        raise Refused(ORDER_UNKNOWN)
    orders.close(call.world, order)
    return NO_CONTENT
