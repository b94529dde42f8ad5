"""The door: what every request passes before a handler sees it, in the real order (验签).

path → method → Accept and User-Agent → form of Authorization → scheme → timestamp → merchant and
serial → signature → mchid of the body → fields. Verified over the bytes that came.
Source: WeChat Pay APIv3, signing rules and the answers to failed authentication.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from lingqian_simulator.call import Operation
from lingqian_simulator.field import check, parse
from lingqian_simulator.merchant import Merchant, suite_of
from lingqian_simulator.refusal import (
    HEADER_FORM,
    HEADER_FORM_PAY,
    MCHID_DIFFERS,
    NO_AGENT,
    NO_API_KEY,
    SCHEME,
    SERIAL,
    SIGNATURE,
    TIMESTAMP,
    UNKNOWN_MERCHANT,
    Refused,
)
from lingqian_simulator.signature import Authorization, parse_authorization, request_message
from lingqian_simulator.signer import public_key
from lingqian_simulator.world import World

WINDOW_S: Final = 300
NONCE_MAX: Final = 32
_SHOWN_MAX: Final = 256
_SCHEMES: Final = frozenset({"WECHATPAY2-SHA256-RSA2048", "WECHATPAY2-SM2-WITH-SM3"})


class Arrival(NamedTuple):
    """A request as it crossed the wire."""

    method: str
    target: str  # path and query, exactly as on the request line
    headers: Mapping[str, str]  # looked up without regard to case
    body: bytes


def admit(world: World, operation: Operation, arrival: Arrival) -> Merchant:
    """Say which merchant this is.

    Refuses: INVALID_REQUEST without an agent; SIGN_ERROR, with one of its messages.
    """
    _check_agent(operation, arrival.headers)
    authorization = _read(arrival)
    if authorization.scheme not in _SCHEMES:
        raise Refused(SCHEME)
    if abs(world.clock.real_s() - _seconds(authorization)) > WINDOW_S:
        raise Refused(TIMESTAMP)
    merchant = world.merchants.get(authorization.mchid)
    if merchant is None:
        raise Refused(UNKNOWN_MERCHANT)
    if authorization.scheme != suite_of(merchant).scheme:
        raise Refused(SCHEME)
    if not merchant.api_v3_key:
        raise Refused(NO_API_KEY)
    _check_signature(merchant, authorization, arrival)
    return merchant


def _check_agent(operation: Operation, headers: Mapping[str, str]) -> None:
    if not operation.wants_agent:
        return
    if not headers.get("Accept") or not headers.get("User-Agent"):
        raise Refused(NO_AGENT)


def _read(arrival: Arrival) -> Authorization:
    found = parse_authorization(arrival.headers.get("Authorization", ""))
    is_fit = found is not None and found.timestamp.isdecimal() and found.timestamp.isascii()
    if found is None or not is_fit or len(found.nonce_str) > NONCE_MAX:
        is_pay = arrival.target.startswith("/v3/pay/")
        raise Refused(HEADER_FORM_PAY if is_pay else HEADER_FORM)
    return found


def _seconds(authorization: Authorization) -> int:
    return int(authorization.timestamp[:18])


def _check_signature(merchant: Merchant, authorization: Authorization, arrival: Arrival) -> None:
    pem = merchant.keys.get(authorization.serial_no)
    if pem is None:
        raise Refused(SERIAL)
    message = request_message(arrival.method, arrival.target, authorization, arrival.body)
    try:
        signature = base64.b64decode(authorization.signature, validate=True)
    except binascii.Error:
        signature = b""
    if not public_key(merchant.suite, pem).verifies(signature, message):
        raise Refused(SIGNATURE, detail=_sign_detail(arrival, message))


def _sign_detail(arrival: Arrival, message: bytes) -> dict[str, Any]:
    return {
        "field": "signature",
        "issue": "sign not match",
        "location": "authorization",
        "sign_information": {
            "method": arrival.method,
            "url": arrival.target,
            "truncated_sign_message": message[:_SHOWN_MAX].decode(errors="replace"),
            "sign_message_length": len(message),
        },
    }


def read_body(operation: Operation, merchant: Merchant, body: bytes) -> dict[str, Any]:
    """Read and check the body of an operation that takes one.

    Refuses: PARAM_ERROR, for a body of another mchid before anything else.
    """
    if operation.fields is None:
        return {}
    found = parse(body)
    mchid = found.get("mchid")
    if isinstance(mchid, str) and mchid and mchid != merchant.mchid:
        raise Refused(MCHID_DIFFERS)
    check(found, operation.fields)
    return found


def read_query(target: str) -> dict[str, str]:
    """Read the query of a request target; the first of a name counts."""
    pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    return dict(reversed(pairs))
