"""Transfers to a person's balance, which the person confirms (商家转账).

Law: the money leaves the merchant's account when the bill is accepted, and comes back whole when it
fails or is cancelled.
Source: WeChat Pay APIv3, 发起转账, 撤销转账, 查询转账单; closing after 24 h is the rule of the
sibling interface.
"""

from collections.abc import Mapping
from typing import Any, Final

from lingqian_simulator import state
from lingqian_simulator.call import Call, Reply, reply
from lingqian_simulator.clock import DAY_US, SECOND_US, moment, rfc3339
from lingqian_simulator.notice import TRANSFERRED, Letter, post
from lingqian_simulator.noun import Transfer
from lingqian_simulator.platform import closed, opened
from lingqian_simulator.refusal import (
    APPID_DIFFERS,
    BILL_DIFFERS,
    BILL_NOT_CANCELLABLE,
    BILL_UNKNOWN,
    INVALID_REQUEST,
    NO_SCENE,
    NOT_ENOUGH,
    SCENE_REPORT,
    Refused,
)
from lingqian_simulator.world import Entry, World

LIFE_US: Final = DAY_US
NAME_FROM_FEN: Final = 200_000  # 2,000 yuan: a name is required
NAME_NOT_BELOW_FEN: Final = 30  # 0.30 yuan: no name is allowed
_STEP_US: Final = SECOND_US  # from confirmed to arrived, from cancelling to cancelled
SCENES: Final[Mapping[str, frozenset[str]]] = {
    "1000": frozenset({"活动名称", "奖励说明"}),
    "1002": frozenset({"补贴类型"}),
    "1004": frozenset({"保险产品备案编号", "保险名称", "保险操作单号"}),
    "1005": frozenset({"岗位类型", "报酬说明"}),
    "1009": frozenset({"采购商品名称"}),
    "1010": frozenset({"回收商品名称"}),
    "1011": frozenset({"赔付原因"}),
    "1013": frozenset({"公益活动名称", "公益活动备案编号"}),
}


def create(call: Call) -> Reply:
    """Accept a transfer; the same number again is the same transfer."""
    world, body = call.world, call.body
    name = opened(call, "user_name")
    transfer = world.transfers.get((call.merchant.mchid, body["out_bill_no"]))
    if transfer is not None:
        if (_plain(transfer.request), transfer.user_name) != (_plain(body), name):
            raise Refused(BILL_DIFFERS)
        return reply(_created(settle(world, transfer)))
    _check(call, name)
    transfer = _accept(call, name)
    _expect(world, transfer)
    return reply(_created(transfer))


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is encrypted, because that differs each time."""
    return {name: value for name, value in body.items() if name != "user_name"}


def _check(call: Call, name: str) -> None:
    body, amount = call.body, call.body["transfer_amount"]
    if body["appid"] not in call.merchant.appids:
        raise Refused(APPID_DIFFERS)
    scene = body["transfer_scene_id"]
    if scene not in call.merchant.scenes:
        raise Refused(NO_SCENE)
    said = {row["info_type"] for row in body["transfer_scene_report_infos"]}
    if said != SCENES.get(scene, said):
        raise Refused(SCENE_REPORT)
    if amount >= NAME_FROM_FEN and not name:
        raise Refused(INVALID_REQUEST, "转账金额大于等于2000元时，收款用户姓名必填")
    if amount < NAME_NOT_BELOW_FEN and name:
        raise Refused(INVALID_REQUEST, "转账金额小于0.3元时，不允许填写收款用户姓名")
    if amount > call.world.balance_fen(call.merchant.mchid):
        raise Refused(NOT_ENOUGH)


def _accept(call: Call, name: str) -> Transfer:
    world, body, now = call.world, call.body, call.world.clock.now_us()
    draw = world.chance.digits
    transfer = Transfer(
        mchid=call.merchant.mchid,
        out_bill_no=body["out_bill_no"],
        transfer_bill_no=f"1330{draw(10)}{moment(now):%Y%m%d}{draw(16)}",
        appid=body["appid"],
        openid=body["openid"],
        request=dict(body),
        amount_fen=body["transfer_amount"],
        remark=body["transfer_remark"],
        notify_url=body.get("notify_url") or "",
        package=f"affffddafdfafddffda=={world.chance.alphanumerics(40)}",
        created_us=now,
        updated_us=now,
        user_name=name,
    )
    world.save(transfer)
    world.book(_entry(transfer, "商家转账"), -transfer.amount_fen)
    return transfer


def _entry(transfer: Transfer, name: str) -> Entry:
    return Entry(
        transfer.mchid, transfer.transfer_bill_no, name, name, "API",
        transfer.remark, transfer.out_bill_no,
    )  # fmt: skip


def _expect(world: World, transfer: Transfer) -> None:
    match transfer.state:
        case "WAIT_USER_CONFIRM":
            due = transfer.created_us + LIFE_US
            world.agenda.at(due, lambda: settle(world, transfer))
        case "TRANSFERING" | "CANCELING":
            due = transfer.updated_us + _STEP_US
            world.agenda.at(due, lambda: move(world, transfer, "finish"))
        case _:
            pass


def resume(world: World) -> None:
    """Take up the transfers that were open when the process ended."""
    for transfer in world.transfers.values():
        _expect(world, transfer)


def settle(world: World, transfer: Transfer) -> Transfer:
    """Let pass what time has done to a transfer."""
    is_over = world.clock.now_us() >= transfer.created_us + LIFE_US
    if transfer.state == "WAIT_USER_CONFIRM" and is_over:
        move(world, transfer, "expire", "OVERDUE_CLOSE")
    return transfer


def move(world: World, transfer: Transfer, event: str, reason: str = "") -> bool:
    """Take a transfer a step on, and tell the last one; False when it cannot."""
    following = state.after(state.TRANSFER, transfer.state, event)
    if following is None:
        return False
    if following == transfer.state:
        return True
    transfer.state = following
    transfer.updated_us = world.clock.now_us()
    if reason:
        transfer.fail_reason = reason
    if following in ("FAIL", "CANCELLED"):
        world.book(_entry(transfer, "商家转账退回"), transfer.amount_fen)
    world.save(transfer)
    _expect(world, transfer)
    if following in state.TRANSFER_FINAL and transfer.notify_url:
        told = Letter(TRANSFERRED, transfer.notify_url, transfer.out_bill_no, plaintext(transfer))
        post(world, world.merchants[transfer.mchid], told)
    world.store.commit()
    return True


def query_by_number(call: Call) -> Reply:
    """Answer what became of a transfer, by the merchant's number."""
    return _answer(call, call.world.transfers.get((call.merchant.mchid, call.path["out_bill_no"])))


def query_by_bill(call: Call) -> Reply:
    """Answer what became of a transfer, by the channel's number."""
    number = call.path["transfer_bill_no"]
    own = (t for t in call.world.transfers.values() if t.transfer_bill_no == number)
    return _answer(call, next(own, None))


def _answer(call: Call, transfer: Transfer | None) -> Reply:
    if transfer is None or transfer.mchid != call.merchant.mchid:
        raise Refused(BILL_UNKNOWN)
    settle(call.world, transfer)
    found = plaintext(transfer) | {
        "appid": transfer.appid,
        "transfer_remark": transfer.remark,
    }
    if transfer.user_name:
        found["user_name"] = closed(call, transfer.user_name)
    return reply(found)


def cancel(call: Call) -> Reply:
    """Take back a transfer that nobody confirmed; again and again is the same."""
    transfer = call.world.transfers.get((call.merchant.mchid, call.path["out_bill_no"]))
    if transfer is None:
        raise Refused(BILL_UNKNOWN)
    if not move(call.world, settle(call.world, transfer), "cancel", "MCH_CANCEL"):
        raise Refused(BILL_NOT_CANCELLABLE)
    return reply(
        {
            "out_bill_no": transfer.out_bill_no,
            "transfer_bill_no": transfer.transfer_bill_no,
            "state": transfer.state,
            "update_time": rfc3339(transfer.updated_us),
        }
    )


def _created(transfer: Transfer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "out_bill_no": transfer.out_bill_no,
        "transfer_bill_no": transfer.transfer_bill_no,
        "create_time": rfc3339(transfer.created_us),
        "state": transfer.state,
    }
    if transfer.fail_reason:
        found["fail_reason"] = transfer.fail_reason
    if transfer.state == "WAIT_USER_CONFIRM":
        found["package_info"] = transfer.package
    return found


def plaintext(transfer: Transfer) -> dict[str, Any]:
    """Return a transfer as a notice tells it."""
    found: dict[str, Any] = {
        "out_bill_no": transfer.out_bill_no,
        "transfer_bill_no": transfer.transfer_bill_no,
        "state": transfer.state,
        "mch_id": transfer.mchid,
        "transfer_amount": transfer.amount_fen,
        "openid": transfer.openid,
        "create_time": rfc3339(transfer.created_us),
        "update_time": rfc3339(transfer.updated_us),
    }
    if transfer.fail_reason:
        found["fail_reason"] = transfer.fail_reason
    if transfer.state == "SUCCESS":
        found["payment_method_type"] = "CFT"
    return found
