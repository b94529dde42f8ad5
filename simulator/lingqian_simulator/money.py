"""The merchant's money: one chain of lines, each with the balance after it (商户资金).

Law: every line's balance is the one before it plus or minus its amount; never below zero.
Law: a fee is 0.6 % of what is settled, rounded half up to the fen per order; a refund brings back
fee(before) − fee(remaining), so that the fees of a fully refunded order sum to zero.
Units: fen. Source: WeChat Pay, fund bill format (资金账单), fee rules.
"""

from typing import Final, Literal

import msgspec

FEE_PER_MILLE: Final = 6
RATE_TEXT: Final = "0.60%"

Direction = Literal["收入", "支出"]


class Line(msgspec.Struct, frozen=True):
    """One change of a merchant's balance; a row of the fund bill."""

    mchid: str
    flow_no: str  # 资金流水单号
    at_us: int
    business_no: str  # 微信支付业务单号
    name: str  # 业务名称
    kind: str  # 业务类型
    direction: Direction
    amount_fen: int
    balance_fen: int
    applicant: str
    note: str
    voucher: str  # 业务凭证号


def fee_fen(settled_fen: int) -> int:
    """Return the fee on a settled amount, rounded half up."""
    assert settled_fen >= 0, "nothing negative is settled"
    return (settled_fen * FEE_PER_MILLE + 500) // 1000
