"""Transfers to a person's own wallet (商家转账): their numbers and what they say.

Source: WeChat Pay APIv3, page on transfer bills with the person's confirmation, read 2026-09.
"""

from typing import Any, Final

from lingqian.channels.port import PayoutOrder
from lingqian.channels.wechatpay.setting import ChannelRow

# Below this no name may be given, from the other on it must be. Units: fen.
NAME_FEN_MIN: Final = 30
NAME_REQUIRED_FEN: Final = 200_000
_PREFIX_LENGTH: Final = 2
_BARE_LENGTH: Final = 28


def their_number(payout_no: str) -> str:
    """Write our number as theirs, which has only digits and letters."""
    return payout_no.replace("_", "")


def our_number(out_bill_no: str) -> str:
    """Write their number as ours: `po` and 26 letters get their underscore back."""
    prefix = out_bill_no[:_PREFIX_LENGTH]
    if len(out_bill_no) != _BARE_LENGTH or not prefix.islower():
        return out_bill_no
    return f"{prefix}_{out_bill_no[_PREFIX_LENGTH:]}"


def wants_name(order: PayoutOrder) -> bool:
    """Say whether the person's name goes along; below three jiao none is allowed."""
    return bool(order.real_name) and order.amount_fen >= NAME_FEN_MIN


def transfer_body(setting: ChannelRow, order: PayoutOrder, sealed_name: str) -> dict[str, Any]:
    """Return what a transfer call says."""
    body: dict[str, Any] = {
        "appid": setting.payout_appid,
        "out_bill_no": their_number(order.payout_no),
        "transfer_scene_id": setting.payout_scene_id,
        "openid": order.payee,
        "transfer_amount": order.amount_fen,
        "transfer_remark": order.remark,
        "notify_url": setting.notify_url,
        "transfer_scene_report_infos": [
            {"info_type": each.info_type, "info_content": each.info_content}
            for each in setting.payout_reports
        ],
    }
    if sealed_name:
        body["user_name"] = sealed_name
    if setting.payout_perception:
        body["user_recv_perception"] = setting.payout_perception
    if setting.payout_look:
        body["user_recv_style"] = {"type": setting.payout_look}
    return body
