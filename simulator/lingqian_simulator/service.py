"""The service: a request as bytes in, an answer as bytes out, and nothing awaited between (服务).

Law: every 2xx but a download carries the five signature headers; no refusal carries any.
"""

from typing import Any, Final, NamedTuple

import msgspec

from lingqian_simulator import door, route, signer
from lingqian_simulator.call import Call, Operation, Reply
from lingqian_simulator.fault import Fault, Target
from lingqian_simulator.merchant import Merchant
from lingqian_simulator.refusal import DETAILED, LIMITED, SYSTEM, Refused
from lingqian_simulator.signature import parse_authorization
from lingqian_simulator.signer import Stamp
from lingqian_simulator.world import Seen, World

SKEW_S: Final = 600.0
_REFUSALS: Final = {"limited": LIMITED, "error": SYSTEM}
_PLAIN: Final = {
    "Server": "nginx",
    "Cache-Control": "no-cache, must-revalidate",
    "Content-Language": "zh-CN",
}


class Answer(NamedTuple):
    """What goes back over the wire, and the fault that may keep it from arriving."""

    status: int
    headers: dict[str, str]
    body: bytes
    fault: Fault | None = None


class Service:
    """Answers requests; two hosts are two doors to one of these."""

    def __init__(self, world: World, pages_url: str) -> None:
        self._world = world
        self._pages_url = pages_url

    def answer(self, arrival: door.Arrival, host: int, base_url: str) -> Answer:
        """Answer a request; what it did is stored before this returns."""
        found = route.find(arrival.method, arrival.target.partition("?")[0])
        if found.operation is None:
            answer = Answer(found.status, {**_PLAIN, "Content-Length": "0"}, b"")
        else:
            fault = self._world.faults.strike(_target(arrival, found.operation, host))
            answer = self._decide(arrival, found, fault, base_url)
        self._world.store.commit()
        self._remember(arrival, answer, host)
        return answer

    def _decide(
        self, arrival: door.Arrival, found: route.Found, fault: Fault | None, base_url: str
    ) -> Answer:
        assert found.operation is not None, "the caller has looked"
        name = fault.name if fault else ""
        try:
            _interrupt(name, "_before")
            merchant = door.admit(self._world, found.operation, arrival)
            call = Call(
                self._world,
                merchant,
                found.path,
                door.read_query(arrival.target),
                door.read_body(found.operation, merchant, arrival.body),
                arrival.headers.get("Wechatpay-Serial", ""),
                base_url,
                self._pages_url,
            )
            reply = found.operation.handler(call)
            _interrupt(name, "_after")
        except Refused as refused:
            return self._refuse(refused, found.operation, fault)
        if name == "rotate_key":
            self._world.rotate(merchant.suite)
        return self._accept(call, reply, fault)

    def _refuse(self, refused: Refused, operation: Operation, fault: Fault | None) -> Answer:
        reason = refused.reason
        body: dict[str, Any] = {"code": reason.code, "message": refused.message}
        if refused.detail is not None and reason.code in DETAILED:
            body["detail"] = refused.detail
        headers = {**_PLAIN, "Content-Type": "application/json; charset=utf-8"}
        # The live service leaves it out here, as published probes show.
        if reason.status != 401 or not operation.path.startswith("/v3/pay/"):
            headers["Request-ID"] = self._request_id(reason.number)
        return Answer(reason.status, headers, msgspec.json.encode(body), fault)

    def _accept(self, call: Call, reply: Reply, fault: Fault | None) -> Answer:
        headers = {**_PLAIN, "Request-ID": self._request_id(0)}
        if reply.status != 204:
            headers["Content-Type"] = reply.content_type
        name = fault.name if fault else ""
        if reply.is_signed and name != "answer_unsigned":
            headers |= self._signature(call.merchant, call.wanted_serial, reply.body, fault)
        return Answer(reply.status, headers, reply.body, fault)

    def _signature(
        self, merchant: Merchant, wanted: str, body: bytes, fault: Fault | None
    ) -> dict[str, str]:
        world, name = self._world, fault.name if fault else ""
        key = signer.answer_key(world, merchant, wanted)
        stamp = Stamp(key, key.serial, world.clock.real_s())
        if fault is not None and name == "clock_skew":
            seconds = SKEW_S if fault.seconds is None else fault.seconds
            stamp = stamp._replace(at_s=stamp.at_s + round(seconds))
        if name == "answer_wrong_serial":
            stamp = stamp._replace(serial=world.chance.hex(40).upper())
        if name == "answer_forged":
            stranger = signer.stranger(merchant.suite)
            return signer.headers_by(world, merchant, stamp, body, stranger)
        found = signer.headers(world, merchant, stamp, body)
        return signer.probe(found) if name == "answer_probe" else found

    def _request_id(self, number: int) -> str:
        return f"08{self._world.chance.hex(30).upper()}-{number}"

    def _remember(self, arrival: door.Arrival, answer: Answer, host: int) -> None:
        code = ""
        if answer.status >= 400 and answer.body:
            code = msgspec.json.decode(answer.body)["code"]
        self._world.remember(
            Seen(
                self._world.clock.now_us(),
                host,
                arrival.method,
                arrival.target,
                answer.status,
                code,
                answer.headers.get("Request-ID", ""),
                answer.fault.name if answer.fault else "",
            )
        )


def _interrupt(fault: str, moment: str) -> None:
    """Refuse for no reason of the merchant's; a timeout keeps even this from arriving."""
    if fault.endswith(moment):
        raise Refused(_REFUSALS.get(fault.removesuffix(moment), SYSTEM))


def _target(arrival: door.Arrival, operation: Operation, host: int) -> Target:
    said = parse_authorization(arrival.headers.get("Authorization", ""))
    mchid = said.mchid if said else ""
    return Target("answer", mchid, operation=operation.name, host=host)
