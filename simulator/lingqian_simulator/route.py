"""The table of operations: every path of the API, and nothing else (接口).

`operation` in a fault names a row by its first column.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from lingqian_simulator import bill, body, payment, platform, refund, transfer
from lingqian_simulator.call import Operation

_PAY: Final = "/v3/pay/transactions"
_REFUND: Final = "/v3/refund/domestic/refunds"
_TRANSFER: Final = "/v3/fund-app/mch-transfer/transfer-bills"

TABLE: Final = (
    Operation(
        "prepay_jsapi", "POST", f"{_PAY}/jsapi", payment.creates("jsapi"), body.ORDERS["jsapi"]
    ),
    Operation("prepay_app", "POST", f"{_PAY}/app", payment.creates("app"), body.ORDERS["app"]),
    Operation("prepay_h5", "POST", f"{_PAY}/h5", payment.creates("h5"), body.ORDERS["h5"]),
    Operation(
        "prepay_native", "POST", f"{_PAY}/native", payment.creates("native"), body.ORDERS["native"]
    ),
    Operation("query", "GET", f"{_PAY}/out-trade-no/{{out_trade_no}}", payment.query_by_number),
    Operation("query", "GET", f"{_PAY}/id/{{transaction_id}}", payment.query_by_transaction),
    Operation(
        "close", "POST", f"{_PAY}/out-trade-no/{{out_trade_no}}/close", payment.close, body.CLOSE
    ),
    Operation("refund", "POST", _REFUND, refund.create, body.REFUND, wants_agent=True),
    Operation(
        "query_refund", "GET", f"{_REFUND}/{{out_refund_no}}", refund.query, wants_agent=True
    ),
    Operation(
        "abnormal_refund",
        "POST",
        f"{_REFUND}/{{refund_id}}/apply-abnormal-refund",
        refund.apply_abnormal,
        body.ABNORMAL,
        wants_agent=True,
    ),
    Operation("transfer", "POST", _TRANSFER, transfer.create, body.TRANSFER),
    Operation(
        "query_transfer",
        "GET",
        f"{_TRANSFER}/out-bill-no/{{out_bill_no}}",
        transfer.query_by_number,
    ),
    Operation(
        "query_transfer",
        "GET",
        f"{_TRANSFER}/transfer-bill-no/{{transfer_bill_no}}",
        transfer.query_by_bill,
    ),
    Operation(
        "cancel_transfer",
        "POST",
        f"{_TRANSFER}/out-bill-no/{{out_bill_no}}/cancel",
        transfer.cancel,
    ),
    Operation("trade_bill", "GET", "/v3/bill/tradebill", bill.trade_bill, wants_agent=True),
    Operation("fund_bill", "GET", "/v3/bill/fundflowbill", bill.fund_bill, wants_agent=True),
    Operation("download", "GET", "/v3/billdownload/file", bill.download),
    Operation("certificates", "GET", "/v3/certificates", platform.certificates, wants_agent=True),
    Operation("echo", "POST", "/v3/security/echo", platform.echo, body.ECHO),
)


class Found(NamedTuple):
    """Where a request leads: an operation and the names in its path, or a bare status."""

    operation: Operation | None
    path: dict[str, str]
    status: int = 200


def _compiled(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return re.compile(pattern)


_PATTERNS: Final = tuple((_compiled(row.path), row) for row in TABLE)


def find(method: str, path: str) -> Found:
    """Find the operation; 404 for an unknown path, 405 for a known one with another method."""
    status = 404
    for pattern, row in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if row.method == method:
            return Found(row, {name: unquote(part) for name, part in match.groupdict().items()})
        status = 405
    return Found(None, {}, status)
