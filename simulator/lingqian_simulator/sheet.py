"""The person's side: the pay sheet, step by step, and the bridge that opens it (支付收银台).

open → confirming (the finger is asked for) → paid, or cancelled on the way. The bridge checks what
the phone would check: that the merchant's own key signed the parameters it was given.
"""

import base64
import binascii
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from lingqian_simulator import order as orders
from lingqian_simulator import transfer as transfers
from lingqian_simulator.noun import Order, Transfer
from lingqian_simulator.payment import CODE_PREFIX
from lingqian_simulator.signature import pay_message
from lingqian_simulator.signer import public_key
from lingqian_simulator.world import World

_PAGES: Final = resources.files("lingqian_simulator") / "page"
_ANYWHERE: Final = {"Access-Control-Allow-Origin": "*"}
# Scripts and styles may stay where they are for a while, as the parts of an app do.
_KEPT: Final = {"Cache-Control": "public, max-age=300"}
_SIGN_TYPES: Final = {"RSA": "RSA", "SM": "SM2"}
_PAY: Final = "get_brand_wcpay_request"
_RECEIVE: Final = "requestMerchantTransfer"


class Invocation(msgspec.Struct):
    """What a page hands to `getBrandWCPayRequest`; a time as a number is refused, as on iOS."""

    appId: str  # noqa: N815 - the phone's own names
    timeStamp: str  # noqa: N815 - as above
    nonceStr: str  # noqa: N815 - as above
    package: str
    signType: str  # noqa: N815 - as above
    paySign: str  # noqa: N815 - as above


class Receipt(msgspec.Struct):
    """What a page hands to `requestMerchantTransfer`."""

    mchId: str  # noqa: N815 - as above
    appId: str  # noqa: N815 - as above
    package: str


class Press(msgspec.Struct, forbid_unknown_fields=True):
    """A button pressed on a sheet, of an order or of a transfer."""

    button: str
    prepay_id: str = ""
    package: str = ""


class Sheets:
    """The sheets that lie open on phones; they are not kept over a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._steps: dict[tuple[str, str], str] = {}

    def step(self, order: Order) -> str:
        """Say where the sheet of an order stands."""
        return self._steps.get(order.key, "open")

    def press(self, order: Order, button: str) -> str:
        """Press a button; return why it cannot be pressed, or nothing."""
        reason = orders.why_not(self._world, order, orders.Wish())
        if reason and button != "cancel":
            return reason
        match button:
            case "confirm":
                self._steps[order.key] = "confirming"
            case "cancel":
                self._steps[order.key] = "cancelled"
            case "fingerprint" if self.step(order) == "confirming":
                orders.pay(self._world, order, orders.Wish())
                self._steps[order.key] = "paid"
            case _:
                return "press confirm first"
        return ""

    def add_routes(self, app: web.Application) -> None:
        """Add the pages of people, and what they fetch."""
        router = app.router
        router.add_get("/", _page("operator.html", "text/html"))
        router.add_get("/sheet", _page("sheet.html", "text/html"))
        router.add_get("/cgi-bin/mmpayweb-bin/checkmweb", _page("sheet.html", "text/html"))
        router.add_get("/bridge.js", _page("bridge.js", "text/javascript"))
        router.add_get("/operator.js", _page("operator.js", "text/javascript"))
        router.add_get("/sheet.js", _page("sheet.js", "text/javascript"))
        router.add_get("/page.css", _page("page.css", "text/css"))
        router.add_get("/scan", self._scan)
        router.add_post("/bridge/pay", self._check_pay)
        router.add_post("/bridge/transfer", self._check_transfer)
        router.add_get("/sheet/data", self._show)
        router.add_post("/sheet/press", self._press)

    async def _scan(self, request: web.Request) -> web.StreamResponse:
        """Lead a scanned code_url to its sheet."""
        code = request.query.get("code_url", "").removeprefix(CODE_PREFIX)
        order = self._world.by_code.get(code)
        if order is None:
            return web.Response(status=404, text="二维码已失效 This code is not valid any more.")
        raise web.HTTPFound(f"/sheet?{urlencode({'prepay_id': order.prepay_id})}")

    async def _check_pay(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=Invocation)
        except msgspec.DecodeError as fault:
            return _refused(_PAY, f"缺少参数或参数类型错误: {fault}")
        reason = self.why_unsigned(asked)
        if reason:
            return _refused(_PAY, reason)
        query = urlencode({"prepay_id": asked.package.removeprefix("prepay_id="), "embed": "1"})
        return _json({"sheet": f"/sheet?{query}"})

    def why_unsigned(self, asked: Invocation) -> str:
        """Say why the phone would not open a sheet for these parameters; empty when it would."""
        order = self._world.by_prepay_id.get(asked.package.removeprefix("prepay_id="))
        if order is None or not asked.package.startswith("prepay_id="):
            return "商家参数格式有误: package"
        merchant = self._world.merchants[order.mchid]
        if asked.appId != order.appid:
            return "下单账号与支付账号不一致: appId"
        if asked.signType != _SIGN_TYPES[merchant.suite]:
            return "商家参数格式有误: signType"
        message = pay_message(asked.appId, asked.timeStamp, asked.nonceStr, asked.package)
        try:
            signature = base64.b64decode(asked.paySign, validate=True)
        except (binascii.Error, ValueError):
            return "支付验证签名失败: paySign"
        keys = (public_key(merchant.suite, pem) for pem in merchant.keys.values())
        is_own = any(key.verifies(signature, message) for key in keys)
        return "" if is_own else "支付验证签名失败: paySign"

    async def _check_transfer(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=Receipt)
        except msgspec.DecodeError as fault:
            return _refused(_RECEIVE, f"缺少参数或参数类型错误: {fault}")
        transfer = self._world.by_package.get(asked.package)
        if transfer is None or (transfer.mchid, transfer.appid) != (asked.mchId, asked.appId):
            return _refused(_RECEIVE, "商家参数格式有误")
        return _json({"sheet": f"/sheet?{urlencode({'package': asked.package, 'embed': '1'})}"})

    async def _show(self, request: web.Request) -> web.Response:
        prepay_id, package = request.query.get("prepay_id", ""), request.query.get("package", "")
        if order := self._world.by_prepay_id.get(prepay_id):
            return _json(self._order_data(order))
        if transfer := self._world.by_package.get(package):
            return _json(self._transfer_data(transfers.settle(self._world, transfer)))
        return _json({"error": "支付请求已失效 This request has expired."}, 404)

    def _order_data(self, order: Order) -> dict[str, Any]:
        reason = orders.why_not(self._world, order, orders.Wish())
        return {
            "kind": "pay",
            "amount_fen": order.total_fen,
            "merchant": self._world.merchants[order.mchid].name,
            "words": order.request["description"],
            "state": order.state,
            "step": self.step(order),
            "reason": reason,
        }

    def _transfer_data(self, transfer: Transfer) -> dict[str, Any]:
        style = (transfer.request.get("user_recv_style") or {}).get("type", "CONFIRM_PAGE")
        is_open = transfer.state == "WAIT_USER_CONFIRM"
        return {
            "kind": "transfer",
            "amount_fen": transfer.amount_fen,
            "merchant": self._world.merchants[transfer.mchid].name,
            "words": transfer.remark,
            "state": transfer.state,
            "step": "open" if is_open else "paid",
            "style": style,
            "reason": "" if is_open else f"the transfer is {transfer.state}",
        }

    async def _press(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return _json({"error": "send application/json"}, 415)
        try:
            asked = msgspec.json.decode(await request.read(), type=Press)
        except msgspec.DecodeError as fault:
            return _json({"error": str(fault)}, 422)
        if order := self._world.by_prepay_id.get(asked.prepay_id):
            reason = self.press(order, asked.button)
            self._world.store.commit()
            data = self._order_data(order)
        elif transfer := self._world.by_package.get(asked.package):
            transfers.settle(self._world, transfer)
            reason = self._press_transfer(transfer, asked.button)
            data = self._transfer_data(transfer)
        else:
            return _json({"error": "支付请求已失效 This request has expired."}, 404)
        return _json({"error": reason}, 409) if reason else _json(data)

    def _press_transfer(self, transfer: Transfer, button: str) -> str:
        if button == "cancel":
            return ""  # the person looked away; the bill waits on
        if button != "confirm" or not transfers.move(self._world, transfer, "confirm"):
            return f"the transfer is {transfer.state}"
        return ""


def _page(name: str, content_type: str) -> Any:  # noqa: ANN401 - a handler of aiohttp
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(
            body=(_PAGES / name).read_bytes(),
            content_type=content_type,
            charset="utf-8",
            headers=_KEPT if content_type != "text/html" else None,
        )

    return handle


def _refused(call: str, words: str) -> web.Response:
    return _json({"err_msg": f"{call}:fail", "err_desc": words})


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers=_ANYWHERE if status == 200 else None,
    )
