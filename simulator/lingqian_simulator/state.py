"""States as tables: what an order, a refund and a transfer can become (状态机).

Source: WeChat Pay APIv3, trade_state, refund status, transfer bill state.
"""

from collections.abc import Mapping
from typing import Final

Machine = Mapping[tuple[str, str], str]

ORDER: Final[Machine] = {
    ("NOTPAY", "pay"): "SUCCESS",
    ("NOTPAY", "close"): "CLOSED",
    ("NOTPAY", "expire"): "CLOSED",
    ("CLOSED", "close"): "CLOSED",
    ("CLOSED", "pay_late"): "SUCCESS",  # only by a control call: the race of pay and close
    ("NOTPAY", "pay_late"): "SUCCESS",
    ("SUCCESS", "refund"): "REFUND",
    ("REFUND", "refund"): "REFUND",
    ("SUCCESS", "pay_again"): "SUCCESS",  # only by a control call
    ("REFUND", "pay_again"): "REFUND",
}
ORDER_WORDS: Final = {
    "NOTPAY": "订单未支付",
    "SUCCESS": "支付成功",
    "REFUND": "订单发生过退款",
    "CLOSED": "订单已关闭",
}
REFUND: Final[Machine] = {
    ("PROCESSING", "succeed"): "SUCCESS",
    ("PROCESSING", "close"): "CLOSED",
    ("PROCESSING", "fail"): "ABNORMAL",
    ("ABNORMAL", "apply"): "PROCESSING",
    ("ABNORMAL", "succeed"): "SUCCESS",
}
TRANSFER: Final[Machine] = {
    ("WAIT_USER_CONFIRM", "confirm"): "TRANSFERING",
    ("WAIT_USER_CONFIRM", "refuse"): "FAIL",
    ("WAIT_USER_CONFIRM", "expire"): "FAIL",
    ("WAIT_USER_CONFIRM", "cancel"): "CANCELING",
    ("CANCELING", "cancel"): "CANCELING",
    ("CANCELING", "finish"): "CANCELLED",
    ("CANCELLED", "cancel"): "CANCELLED",
    ("TRANSFERING", "finish"): "SUCCESS",
    ("TRANSFERING", "fail"): "FAIL",
}
REFUND_FINAL: Final = frozenset({"SUCCESS", "CLOSED"})
TRANSFER_FINAL: Final = frozenset({"SUCCESS", "FAIL", "CANCELLED"})


def after(machine: Machine, state: str, event: str) -> str | None:
    """Return the next state; None when the event is not possible here."""
    return machine.get((state, event))
