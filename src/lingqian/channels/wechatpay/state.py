"""States: WeChat Pay's words for an order, a refund and a transfer, in ours.

Law: a word without a row is UNKNOWN, which ends nothing.
Source: WeChat Pay APIv3, pages on querying orders, refunds and transfer bills, read 2026-09.
"""

from typing import Final

from lingqian.channels.port import PayoutState, Product, RefundState, TradeState

TRADE: Final = {
    "NOTPAY": TradeState.NOT_PAID,
    "USERPAYING": TradeState.PAYING,
    "ACCEPT": TradeState.PAYING,
    "SUCCESS": TradeState.PAID,
    "REFUND": TradeState.REFUNDED,
    "CLOSED": TradeState.CLOSED,
    "REVOKED": TradeState.REVOKED,
    "PAYERROR": TradeState.FAILED,
}
REFUND: Final = {
    "PROCESSING": RefundState.PROCESSING,
    "SUCCESS": RefundState.SUCCESS,
    "CLOSED": RefundState.CLOSED,
    "ABNORMAL": RefundState.ABNORMAL,
}
PAYOUT: Final = {
    "ACCEPTED": PayoutState.ACCEPTED,
    "PROCESSING": PayoutState.PROCESSING,
    "WAIT_USER_CONFIRM": PayoutState.AWAITING_PERSON,
    # Spelled so by the interface; the right spelling may come one day.
    "TRANSFERING": PayoutState.TRANSFERRING,
    "TRANSFERRING": PayoutState.TRANSFERRING,
    "SUCCESS": PayoutState.SUCCESS,
    "FAIL": PayoutState.FAILED,
    "CANCELING": PayoutState.CANCELLING,
    "CANCELLING": PayoutState.CANCELLING,
    "CANCELLED": PayoutState.CANCELLED,
}
# How long a pay sheet can be opened. Units: seconds.
SHEET_S: Final = {
    Product.JSAPI: 7_200,
    Product.MINI_PROGRAM: 7_200,
    Product.APP: 7_200,
    Product.H5: 300,
    Product.NATIVE: 7_200,
}
ENDPOINT: Final = {
    Product.JSAPI: "jsapi",
    Product.MINI_PROGRAM: "jsapi",
    Product.APP: "app",
    Product.H5: "h5",
    Product.NATIVE: "native",
}
