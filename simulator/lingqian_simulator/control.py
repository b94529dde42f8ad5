"""The control port: what a test, a demo or a person may do to the world, as a table (控制接口).

Never mixed with /v3. JSON in, JSON out; amounts are integer fen, `offset_s` is seconds. A wrong
wish is answered 4xx with `{"error": "…"}` and changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from aiohttp import web

from lingqian_simulator import order as orders
from lingqian_simulator import refund as refunds
from lingqian_simulator import transfer as transfers
from lingqian_simulator.clock import SECOND_US, rfc3339
from lingqian_simulator.enrolment import NewMerchant, enrol
from lingqian_simulator.fault import ROWS, TABLE, Fault
from lingqian_simulator.host import Host
from lingqian_simulator.merchant import SUITES, Merchant, Mode, PlatformKey, RefundMode
from lingqian_simulator.noun import Notice, Order, Refund, Transfer
from lingqian_simulator.sheet import Sheets
from lingqian_simulator.world import Entry, World

_LIMIT: Final = 200
Wish = TypeVar("Wish", bound=msgspec.Struct)


class Wrong(Exception):  # noqa: N818 - an answer, not an error of ours
    """A wish that cannot be fulfilled, and why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class ClockWish(msgspec.Struct, forbid_unknown_fields=True):
    """Where the business clock shall stand: an offset to the real one, or a step from now."""

    offset_s: float | None = None
    advance_s: float | None = None


class MerchantWish(msgspec.Struct, forbid_unknown_fields=True):
    """What shall change about a merchant."""

    name: str | None = None
    appids: list[str] | None = None
    api_v3_key: str | None = None
    mode: Mode | None = None
    gradual_percent: int | None = None
    refund_mode: RefundMode | None = None
    refund_delay_s: float | None = None
    scenes: list[str] | None = None


class KeyWish(msgspec.Struct, forbid_unknown_fields=True):
    """A further certificate of a merchant."""

    serial_no: str
    pem: str


class FundWish(msgspec.Struct, forbid_unknown_fields=True):
    """Money into a merchant's account, or out of it when negative."""

    amount_fen: int


class PayWish(msgspec.Struct, forbid_unknown_fields=True):
    """How a person pays; nothing set is the ordinary way."""

    amount_fen: int | None = None
    cash_coupon_fen: int = 0
    nocash_coupon_fen: int = 0
    is_late: bool = False
    is_again: bool = False
    bank_type: str = "OTHERS"
    openid: str = ""
    is_told: bool = True


class ReasonWish(msgspec.Struct, forbid_unknown_fields=True):
    """Why a transfer fails."""

    reason: str = ""


class RotateWish(msgspec.Struct, forbid_unknown_fields=True):
    """Which family gets a new certificate, and which of them sign from now on."""

    suite: str = "RSA"
    signs: str = "new"  # new, both, old


class Row(NamedTuple):
    """A control call: method, path, what it does, what answers it."""

    method: str
    path: str
    words: str
    handler: Callable[["Control", web.Request], Awaitable[Any]]


async def read(request: web.Request, kind: type[Wish]) -> Wish:
    """Read a JSON body; an empty one is a wish with nothing set."""
    body = await request.read()
    # Another site's page can send a form, but no JSON without being asked first.
    if request.content_type != "application/json" and body:
        raise Wrong(415, "send application/json")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.DecodeError as fault:
        raise Wrong(422, str(fault)) from fault


class Control:
    """The control port: calls for programs, pages for people."""

    def __init__(self, world: World, address: str, port: int) -> None:
        self.world = world
        self.sheets = Sheets(world)
        self.hosts: list[Host] = []
        self._address = address
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._address}:{self._port}"

    async def up(self) -> None:
        """Listen."""
        app = web.Application()
        for row in CALLS:
            app.router.add_route(row.method, row.path, self._wrapped(row))
        self.sheets.add_routes(app)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _wrapped(self, row: Row) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.method != "GET" and not _is_same_site(request):
                return _json({"error": "another site's page may not control this"}, 403)
            try:
                found = await row.handler(self, request)
            except Wrong as wrong:
                return _json({"error": str(wrong)}, wrong.status)
            self.world.store.commit()
            return _json(found)

        return handle

    # --- finding things ---

    def merchant(self, request: web.Request) -> Merchant:
        """Return the merchant a path names."""
        return _there(self.world.merchants.get(request.match_info["mchid"]), "merchant")

    def mchid(self, request: web.Request) -> str:
        """Return the merchant a query names; without one the first there is."""
        return request.query.get("mchid") or next(iter(self.world.merchants))

    def order(self, request: web.Request) -> Order:
        """Return the order a path names."""
        key = (self.mchid(request), request.match_info["out_trade_no"])
        return orders.settle(self.world, _there(self.world.orders.get(key), "order"))

    def refund(self, request: web.Request) -> Refund:
        """Return the refund a path names."""
        key = (self.mchid(request), request.match_info["out_refund_no"])
        return _there(self.world.refunds.get(key), "refund")

    def transfer(self, request: web.Request) -> Transfer:
        """Return the transfer a path names."""
        key = (self.mchid(request), request.match_info["out_bill_no"])
        return transfers.settle(self.world, _there(self.world.transfers.get(key), "transfer"))

    # --- the calls ---

    async def list_calls(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List the calls of this table."""
        return [{"method": row.method, "path": row.path, "words": row.words} for row in CALLS]

    async def show_clock(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Tell both times."""
        clock = self.world.clock
        return {"now": rfc3339(clock.now_us()), "offset_s": clock.offset_us / SECOND_US}

    async def set_clock(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Move the business clock; what it passes over becomes due."""
        wish = await read(request, ClockWish)
        offset_us = self.world.clock.offset_us
        if wish.offset_s is not None:
            offset_us = round(wish.offset_s * SECOND_US)
        self.world.move_clock(offset_us + round((wish.advance_s or 0) * SECOND_US))
        return await self.show_clock(request)

    async def list_merchants(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List the merchants, without their secrets."""
        return [self._merchant(merchant) for merchant in self.world.merchants.values()]

    def _merchant(self, merchant: Merchant) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(merchant)
        del found["api_v3_key"], found["public_key"]
        found["public_key_id"] = merchant.public_key.serial if merchant.public_key else ""
        found["balance_fen"] = self.world.balance_fen(merchant.mchid)
        return found

    async def add_merchant(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Make a merchant and return its credentials; keys that it does not bring are made."""
        wish = await read(request, NewMerchant)
        if wish.mchid in self.world.merchants:
            raise Wrong(409, "there is a merchant of this mchid")
        if wish.suite not in SUITES or not wish.appids or not wish.mchid.isdecimal():
            raise Wrong(422, "suite is RSA or SM; an appid and a decimal mchid are needed")
        try:
            return enrol(self.world, wish)
        except ValueError as fault:
            raise Wrong(422, str(fault)) from fault

    async def change_merchant(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Change what is named; the rest stays."""
        merchant = self.merchant(request)
        wish = await read(request, MerchantWish)
        if wish.mode not in (None, "certificate") and merchant.public_key is None:
            raise Wrong(409, "this merchant was made without a platform public key")
        for name in MerchantWish.__struct_fields__:
            value = getattr(wish, name)
            if value is not None:
                setattr(merchant, name, value)
        self.world.save(merchant)
        return self._merchant(merchant)

    async def add_key(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Register a further certificate or public key of a merchant."""
        merchant = self.merchant(request)
        wish = await read(request, KeyWish)
        try:
            merchant.keys[wish.serial_no] = SUITES[merchant.suite].public_key(wish.pem).pem()
        except ValueError as fault:
            raise Wrong(422, str(fault)) from fault
        self.world.save(merchant)
        return self._merchant(merchant)

    async def remove_key(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Revoke a certificate of a merchant."""
        merchant = self.merchant(request)
        _there(merchant.keys.pop(request.match_info["serial_no"], None), "serial")
        self.world.save(merchant)
        return self._merchant(merchant)

    async def fund(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Bring money to a merchant's account, or take it away."""
        merchant = self.merchant(request)
        amount = (await read(request, FundWish)).amount_fen
        if self.world.balance_fen(merchant.mchid) + amount < 0:
            raise Wrong(409, "the account has less than that")
        name = "充值" if amount > 0 else "提现"
        number = self.world.chance.digits(28)
        self.world.book(Entry(merchant.mchid, number, name, name, voucher=number), amount)
        return self._merchant(merchant)

    async def list_lines(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List a merchant's money, the newest first."""
        own = [line for line in self.world.lines if line.mchid == self.merchant(request).mchid]
        return own[: -_LIMIT - 1 : -1]

    async def list_orders(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List orders, the newest first; `mchid`, `state`, `out_trade_no` narrow it."""
        found = _narrowed(request, self.world.orders.values(), ("mchid", "state", "out_trade_no"))
        return [self._order(orders.settle(self.world, order)) for order in found]

    def _order(self, order: Order) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(order)
        del found["request"]
        found["description"] = order.request["description"]
        found["created"] = rfc3339(order.created_us)
        found["sheet_url"] = f"{self.url}/sheet?prepay_id={order.prepay_id}"
        found["sheet"] = self.sheets.step(order)
        return found

    async def show_order(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Show an order with its request, its refunds and its notices."""
        order = self.order(request)
        about = {order.out_trade_no}
        own = self.world.refunds_of.get(order.key, [])
        about |= {refund.out_refund_no for refund in own}
        told = [n for n in self.world.notices.values() if n.mchid == order.mchid]
        return self._order(order) | {
            "request": order.request,
            "view": orders.view(order),
            "refunds": own,
            "notices": [notice for notice in told if notice.about in about],
        }

    async def pay(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Pay an order at once, without the sheet, in any of the odd ways too."""
        order = self.order(request)
        asked = await read(request, PayWish)
        wish = orders.Wish(
            asked.amount_fen, asked.cash_coupon_fen, asked.nocash_coupon_fen,
            asked.is_late, asked.is_again, asked.bank_type, asked.openid, asked.is_told,
        )  # fmt: skip
        reason = orders.why_not(self.world, order, wish)
        if reason:
            raise Wrong(409, reason)
        orders.pay(self.world, order, wish)
        return self._order(order)

    async def press(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Press a button of an order's pay sheet: confirm, fingerprint or cancel."""
        order = self.order(request)
        reason = self.sheets.press(order, request.match_info["step"])
        if reason:
            raise Wrong(409, reason)
        return self._order(order)

    async def list_refunds(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List refunds, the newest first; `mchid`, `state`, `out_trade_no` narrow it."""
        return _narrowed(request, self.world.refunds.values(), ("mchid", "state", "out_trade_no"))

    async def move_refund(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Let a refund succeed, become abnormal, or close."""
        refund, step = self.refund(request), request.match_info["step"]
        if not refunds.move(self.world, refund, {"abnormal": "fail"}.get(step, step)):
            raise Wrong(409, f"the refund is {refund.state}")
        return refund

    async def list_transfers(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List transfers, the newest first; `mchid`, `state`, `openid` narrow it."""
        found = _narrowed(request, self.world.transfers.values(), ("mchid", "state", "openid"))
        return [transfers.settle(self.world, transfer) for transfer in found]

    async def move_transfer(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Let the person confirm or refuse a transfer, or let it fail after confirmation."""
        transfer, step = self.transfer(request), request.match_info["step"]
        reason = (await read(request, ReasonWish)).reason
        default = {"refuse": "MERCHANT_REJECT", "fail": "PAYEE_ACCOUNT_ABNORMAL"}.get(step, "")
        if not transfers.move(self.world, transfer, step, reason or default):
            raise Wrong(409, f"the transfer is {transfer.state}")
        return transfer

    async def list_notices(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List notices with every sending, the newest first."""
        names = ("mchid", "state", "event", "about")
        return _narrowed(request, self.world.notices.values(), names)

    async def send_notice(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Send a notice now, also one that was lost, exhausted or already acknowledged."""
        found = self.world.notices.get(request.match_info["id"])
        notice: Notice = _there(found, "notice")
        notice.state, notice.due_us = "waiting", self.world.clock.now_us()
        self.world.save(notice)
        self.world.on_notice(notice)
        return notice

    async def list_requests(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List the last requests to the API, the newest first."""
        return self.world.seen[: -_LIMIT - 1 : -1]

    async def list_faults(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List the faults there are, and those that are armed."""
        return {"table": [row._asdict() for row in TABLE], "armed": self.world.faults.armed}

    async def arm(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Arm a fault by its name, for a count of times or with a probability and a seed."""
        fault = await read(request, Fault)
        if fault.name not in ROWS:
            raise Wrong(422, f"there is no fault {fault.name}")
        if fault.count < 0 or not 0 <= fault.probability <= 1:
            raise Wrong(422, "a count is not negative, a probability is in 0 … 1")
        return self.world.faults.arm(fault)

    async def disarm(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Take one armed fault away, or all of them."""
        number = request.match_info.get("id")
        self.world.faults.disarm(None if number is None else int(number))
        return await self.list_faults(request)

    async def list_hosts(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List the two hosts."""
        return [
            {"number": host.number, "base_url": host.base_url, "is_up": host.is_up}
            for host in self.hosts
        ]

    async def move_host(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Take a host down, so that its port refuses, or bring it up again."""
        host = self.hosts[int(request.match_info["number"])]
        if request.match_info["step"] == "up":
            await host.up()
        else:
            await host.down()
        return await self.list_hosts(request)

    async def list_certificates(self, _request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """List the platform certificates, and which of them sign."""
        return [_certificate(key) for key in self.world.certificates]

    async def rotate(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Make a new platform certificate; it signs alone, beside the older ones, or not yet."""
        wish = await read(request, RotateWish)
        if wish.suite not in SUITES or wish.signs not in ("new", "both", "old"):
            raise Wrong(422, "suite is RSA or SM; signs is new, both or old")
        signing = [key for key in self.world.certificates_of(wish.suite) if key.signs]
        made = self.world.rotate(wish.suite)
        if wish.signs != "new":
            made.signs = wish.signs == "both"
            for key in signing:
                key.signs = True
            for key in (made, *signing):
                self.world.save(key)
        return await self.list_certificates(request)

    async def sign_alone(self, request: web.Request) -> Any:  # noqa: ANN401 - any JSON
        """Let one platform certificate sign alone from now on."""
        serial = request.match_info["serial"]
        chosen = next((key for key in self.world.certificates if key.serial == serial), None)
        chosen = _there(chosen, "certificate")
        for key in self.world.certificates_of(chosen.suite):
            key.signs = key is chosen
            self.world.save(key)
        return await self.list_certificates(request)


CALLS: Final = (
    Row("GET", "/control", "List these calls.", Control.list_calls),
    Row("GET", "/control/clock", "Tell the business time and its offset.", Control.show_clock),
    Row(
        "POST",
        "/control/clock",
        "Move it: `offset_s` from real time, or `advance_s` from now.",
        Control.set_clock,
    ),
    Row("GET", "/control/merchants", "List merchants with their balances.", Control.list_merchants),
    Row(
        "POST",
        "/control/merchants",
        "Make one: `mchid`, `appids`; `name`, `api_v3_key`, `suite` RSA or SM, `mode`, "
        "`gradual_percent`, `public_key_pem` with `serial_no`. Answers its credentials.",
        Control.add_merchant,
    ),
    Row(
        "POST",
        "/control/merchants/{mchid}",
        "Change `name`, `appids`, `api_v3_key`, `mode`, `gradual_percent`, "
        "`refund_mode` auto or manual, `refund_delay_s`, `scenes`.",
        Control.change_merchant,
    ),
    Row(
        "POST",
        "/control/merchants/{mchid}/keys",
        "Register a further certificate: `serial_no`, `pem`.",
        Control.add_key,
    ),
    Row(
        "DELETE",
        "/control/merchants/{mchid}/keys/{serial_no}",
        "Revoke a certificate of the merchant.",
        Control.remove_key,
    ),
    Row(
        "POST",
        "/control/merchants/{mchid}/fund",
        "Bring `amount_fen` to the account; negative takes it away.",
        Control.fund,
    ),
    Row("GET", "/control/merchants/{mchid}/lines", "List the account's lines.", Control.list_lines),
    Row("GET", "/control/orders", "List orders.", Control.list_orders),
    Row(
        "GET",
        "/control/orders/{out_trade_no}",
        "Show one with its request, refunds and notices.",
        Control.show_order,
    ),
    Row(
        "POST",
        "/control/orders/{out_trade_no}/pay",
        "Pay: `amount_fen` (a wrong amount), `cash_coupon_fen`, `nocash_coupon_fen`, "
        "`is_late` (though closed), `is_again` (though paid), `bank_type`, `openid`, "
        "`is_told` (false: no notice).",
        Control.pay,
    ),
    Row(
        "POST",
        "/control/orders/{out_trade_no}/{step:confirm|fingerprint|cancel}",
        "Press a button of the pay sheet.",
        Control.press,
    ),
    Row("GET", "/control/refunds", "List refunds.", Control.list_refunds),
    Row(
        "POST",
        "/control/refunds/{out_refund_no}/{step:succeed|abnormal|close}",
        "Decide a refund.",
        Control.move_refund,
    ),
    Row("GET", "/control/transfers", "List transfers.", Control.list_transfers),
    Row(
        "POST",
        "/control/transfers/{out_bill_no}/{step:confirm|refuse|fail}",
        "Decide a transfer; `reason` is its fail_reason.",
        Control.move_transfer,
    ),
    Row("GET", "/control/notices", "List notices with every sending.", Control.list_notices),
    Row(
        "POST",
        "/control/notices/{id}/send",
        "Send one now, whatever its state.",
        Control.send_notice,
    ),
    Row("GET", "/control/requests", "List the last requests to the API.", Control.list_requests),
    Row("GET", "/control/faults", "List the faults, and which are armed.", Control.list_faults),
    Row(
        "POST",
        "/control/faults",
        "Arm one: `name`; `count` (0: without end), `probability`, `seed`, `seconds`, "
        "`operation`, `event`, `host`, `mchid`.",
        Control.arm,
    ),
    Row("DELETE", "/control/faults", "Disarm all.", Control.disarm),
    Row("DELETE", "/control/faults/{id:[0-9]+}", "Disarm one.", Control.disarm),
    Row("GET", "/control/hosts", "List the two hosts.", Control.list_hosts),
    Row(
        "POST",
        "/control/hosts/{number:[01]}/{step:up|down}",
        "Take a host down, or bring it up.",
        Control.move_host,
    ),
    Row(
        "GET", "/control/certificates", "List the platform certificates.", Control.list_certificates
    ),
    Row(
        "POST",
        "/control/certificates/rotate",
        "Make a new one: `suite`; `signs` new, both or old.",
        Control.rotate,
    ),
    Row("POST", "/control/certificates/{serial}/sign", "Let one sign alone.", Control.sign_alone),
)

Found = TypeVar("Found")
Noun = TypeVar("Noun", bound=msgspec.Struct)


def _there(found: Found | None, what: str) -> Found:
    if found is None:
        raise Wrong(404, f"there is no such {what}")
    return found


def _is_same_site(request: web.Request) -> bool:
    """Say whether no page, or a page of this very port, sent the request."""
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.scheme}://{request.host}"


def _narrowed(request: web.Request, nouns: Any, names: tuple[str, ...]) -> list[Any]:  # noqa: ANN401 - nouns of one kind
    wanted = {name: request.query[name] for name in names if name in request.query}
    found = [
        noun
        for noun in nouns
        if all(getattr(noun, name) == value for name, value in wanted.items())
    ]
    return found[: -_LIMIT - 1 : -1]


def _certificate(key: PlatformKey) -> dict[str, Any]:
    return {
        "serial": key.serial,
        "suite": key.suite,
        "signs": key.signs,
        "effective": rfc3339(key.effective_us),
        "expires": rfc3339(key.expire_us),
        "certificate_pem": key.certificate_pem,
    }


def _json(value: Any, status: int = 200) -> web.Response:  # noqa: ANN401 - any JSON
    body = msgspec.json.encode(value)
    return web.Response(status=status, body=body, content_type="application/json")
