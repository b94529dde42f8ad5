"""The notice door: what channels tell us, verified, made durable, answered, and only then used.

The signature over the raw bytes is the key to this door; there is no other. What is refused leaves
a counter and a short memory, and writes nothing.
"""

import logging
from http import HTTPStatus
from typing import Final

import msgspec
from litestar.exceptions import HTTPException

from lingqian.channels.port import Notice, NoticeKind
from lingqian.compose import real_us
from lingqian.events.agent import Arrived
from lingqian.events.inbox import kept
from lingqian.identity.key import Scope
from lingqian.kernel.bound import NOTICE_BYTES_MAX
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.fault import BadSignature, Fault, Rejected
from lingqian.storage.cashier import Kept
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

AGE_S_MAX: Final = 300
_NO_ACCOUNT: Final = "none"
_log = logging.getLogger(__name__)


class Acknowledgement(msgspec.Struct, frozen=True):
    """What a channel reads of our answer; it goes by the status."""

    code: str
    message: str


_TAKEN: Final = Acknowledgement("SUCCESS", "成功")


class RejectShown(msgspec.Struct, frozen=True):
    """A notice that was not taken: why, how large, its digest, and how it began."""

    at: field.Moment
    reason: str
    size: int
    digest: str
    head: str


class RejectList(msgspec.Struct, frozen=True):
    """The last notices that were not taken, the newest first."""

    rejections: tuple[RejectShown, ...]


async def receive(door: Door, call: Call) -> Reply:
    """Take a channel's notice: verified, durable, answered; it is acted on afterwards."""
    account = call.path_params["account"]
    channel = door.wallet.channels.get(account)
    if channel is None:
        return _refused(door, _NO_ACCOUNT, "unknown_account", HTTPStatus.NOT_FOUND)
    try:
        # What announces more than may come is not read at all.
        body = await call.body()
    except HTTPException:
        return _refused(door, account, "too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    headers = {name.decode(): value.decode("latin-1") for name, value in call.scope["headers"]}
    try:
        notice = channel.parse_notice(headers, body, real_us())
    except BadSignature as fault:
        reason = "expired" if _is_old(headers) else "bad_signature"
        _log.warning("a notice for %s is not the channel's: %s", account, fault)
        return _refused(door, account, reason, HTTPStatus.UNAUTHORIZED, body)
    except Rejected as fault:
        _log.warning("a notice for %s was refused: %s", account, fault.code)
        return _refused(door, account, fault.code, HTTPStatus.BAD_REQUEST, body)
    return await _keep(door, account, notice, kept(headers, body))


async def _keep(door: Door, account: str, notice: Notice, raw: bytes) -> Reply:
    """Make a verified notice durable and answer; what it says is acted on behind the answer."""
    if notice.kind is NoticeKind.OTHER:
        # Of another product of the same account: verified, told in the log, acknowledged.
        _log.info("%s sent %s, which nobody here asked for", account, notice.event)
        door.meter.notice(account, "other")
        return reply(HTTPStatus.OK, _TAKEN)
    try:
        submission = door.wallet.cashier.receive(Kept(account, raw, notice))
        answer = await door.ask(submission)
    except Fault as fault:
        _log.warning("a notice for %s could not be kept: %s", account, fault)
        return _refused(door, account, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
    key = submission.command.notice_key  # type: ignore[union-attr]  # a ReceiveNotice
    if answer.code == Code.NOTICE_KNOWN:
        door.meter.notice(account, "known")
    else:
        door.meter.notice(account, "received")
        door.agent.act_on(Arrived(key, account, notice))
    return reply(HTTPStatus.OK, _TAKEN)


def _is_old(headers: dict[str, str]) -> bool:
    text = headers.get("wechatpay-timestamp", "")
    is_number = text.isascii() and text.isdigit() and len(text) < 12
    return is_number and abs(real_us() // SECOND_US - int(text)) > AGE_S_MAX


def _refused(door: Door, account: str, reason: str, status: HTTPStatus, body: bytes = b"") -> Reply:
    door.meter.notice(account, reason)
    if body:
        door.rejects.put(account, reason, body, door.wallet.clock.now_us())
    return reply(status, Acknowledgement("FAIL", reason))


async def list_rejects(door: Door, call: Call) -> Reply:
    """List the last notices of an account that were not taken."""
    account = call.path_params["account"]
    if account not in door.wallet.channels:
        raise Refused(Code.NOT_FOUND)
    rows = [
        RejectShown(rfc3339(each.at_us), each.reason, each.size, each.digest, each.head)
        for each in door.rejects.of(account)
    ]
    return reply(HTTPStatus.OK, RejectList(tuple(rows)))


_REJECT: Final = RejectShown(field.MOMENT_EXAMPLE, "bad_signature", 1_024, "5f" * 32, '{"id":"…')

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/channels/{account}/notices",
        run=receive,
        summary="Take a channel's notice",
        tag="channels",
        gives={
            200: Given(Acknowledgement, _TAKEN),
            400: Given(Acknowledgement, Acknowledgement("FAIL", "notice_malformed")),
            401: Given(Acknowledgement, Acknowledgement("FAIL", "bad_signature")),
            404: Given(Acknowledgement, Acknowledgement("FAIL", "unknown_account")),
            413: Given(Acknowledgement, Acknowledgement("FAIL", "too_large")),
            503: Given(Acknowledgement, Acknowledgement("FAIL", "unavailable")),
        },
        is_public=True,
        speaks_otherwise=True,
        body_bytes_max=NOTICE_BYTES_MAX,
    ),
    Operation(
        method="GET",
        path="/v1/channels/{account}/rejections",
        run=list_rejects,
        summary="List notices that were not taken",
        tag="channels",
        scopes=(Scope.READ_NOTICES,),
        gives={200: Given(RejectList, RejectList((_REJECT,)))},
        refuses=(Code.NOT_FOUND,),
    ),
)
