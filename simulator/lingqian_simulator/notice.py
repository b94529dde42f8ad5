"""Notices: made once, sent until answered with 2xx, on the real schedule (回调通知).

Law: every sending of a notice has the same id and the same bytes, and a fresh signature.
Units: intervals in seconds of business time, times the scale the simulator was started with.
Source: WeChat Pay APIv3, payment notification (支付成功回调), retry intervals.
"""

import asyncio
import base64
import contextlib
import io
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from lingqian_simulator.clock import SECOND_US, rfc3339
from lingqian_simulator.fault import Fault, Target
from lingqian_simulator.merchant import Merchant, suite_of
from lingqian_simulator.noun import Notice, Sending
from lingqian_simulator.signer import Stamp, headers, headers_by, notice_key, probe, stranger
from lingqian_simulator.world import World

INTERVALS_S: Final = (
    15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600,
    10_800, 10_800, 10_800, 21_600, 21_600,
)  # fmt: skip
DEADLINE_S: Final = 5.0
_AT_ONCE_MAX: Final = 64
_REORDER_S: Final = 30.0
_HUGE_BYTES: Final = 5_000_000


class Kind(NamedTuple):
    """A kind of notice: its event type, what it encloses, and its words."""

    event: str
    original_type: str
    summary: str


PAID: Final = Kind("TRANSACTION.SUCCESS", "transaction", "支付成功")
REFUNDED: Final = {
    "SUCCESS": Kind("REFUND.SUCCESS", "refund", "退款成功"),
    "ABNORMAL": Kind("REFUND.ABNORMAL", "refund", "退款异常"),
    "CLOSED": Kind("REFUND.CLOSED", "refund", "退款关闭"),
}
TRANSFERRED: Final = Kind("MCHTRANSFER.BILL.FINISHED", "mch_payment", "商家转账单据终态通知")
ECHOED: Final = Kind("SECURITY_ECHO.SUCCESS", "security", "验签解密自测通知")


class Letter(NamedTuple):
    """What is to be told, to whom, and where."""

    kind: Kind
    url: str
    about: str
    plaintext: Mapping[str, Any]


def post(world: World, merchant: Merchant, letter: Letter) -> Notice:
    """Make a notice and put it on its way; a fault may change, delay or lose it."""
    now = world.clock.now_us()
    fault = world.faults.strike(Target("notice", merchant.mchid, event=letter.kind.event))
    notice = Notice(
        id=_uuid(world),
        mchid=merchant.mchid,
        url=letter.url,
        event=letter.kind.event,
        body="",
        created_us=now,
        due_us=now,
        about=letter.about,
        fault=fault.name if fault else "",
    )
    notice.body = _body(world, merchant, letter._replace(plaintext=_bent(letter, fault)), notice)
    if fault is not None:
        _delay(notice, fault)
    world.save(notice)
    world.on_notice(notice)
    return notice


def _delay(notice: Notice, fault: Fault) -> None:
    if fault.name == "notice_lost":
        notice.state = "lost"
    elif fault.name == "notice_late":
        notice.due_us += round((3_600 if fault.seconds is None else fault.seconds) * SECOND_US)
    elif fault.name == "notice_reordered":
        wait_s = _REORDER_S if fault.seconds is None else fault.seconds
        notice.due_us += round(wait_s * SECOND_US)


def _bent(letter: Letter, fault: Fault | None) -> Mapping[str, Any]:
    plaintext = dict(letter.plaintext)
    if fault is not None and fault.name == "notice_wrong_account":
        plaintext["mchid" if "mchid" in plaintext else "mch_id"] = "1900000000"
    if fault is not None and fault.name == "notice_wrong_amount":
        amount = plaintext.get("amount")
        if isinstance(amount, dict):
            plaintext["amount"] = {**amount, "total": amount["total"] + 1}
        elif "transfer_amount" in plaintext:
            plaintext["transfer_amount"] += 1
    return plaintext


def _body(world: World, merchant: Merchant, letter: Letter, notice: Notice) -> str:
    suite = suite_of(merchant)
    nonce = world.chance.alphanumerics(12)
    kind = letter.kind
    associated = kind.original_type
    plaintext = msgspec.json.encode(letter.plaintext)
    sealed = suite.seal(merchant.api_v3_key, nonce.encode(), associated.encode(), plaintext)
    whole = {
        "id": notice.id,
        "create_time": rfc3339(notice.created_us),
        "resource_type": "encrypt-resource",
        "event_type": kind.event,
        "summary": kind.summary,
        "resource": {
            "original_type": kind.original_type,
            "algorithm": suite.aead,
            "ciphertext": base64.b64encode(sealed).decode(),
            "associated_data": associated,
            "nonce": nonce,
        },
    }
    return msgspec.json.encode(whole).decode()


def _uuid(world: World) -> str:
    text = world.chance.hex(32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Courier:
    """Delivers notices: a bounded number at once, each within its deadline, no redirects."""

    def __init__(self, world: World, scale: float) -> None:
        self._world = world
        self._scale = scale
        self._gate = asyncio.Semaphore(_AT_ONCE_MAX)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[str, list[Notice]] = {}

    def open(self) -> None:
        """Take up what waits, and everything posted from now on."""
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._world.on_notice = self.enqueue
        for notice in self._world.notices.values():
            self.enqueue(notice)

    async def close(self) -> None:
        """Stop sending; what waits stays in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def enqueue(self, notice: Notice) -> None:
        """Send a notice when it is due."""
        now = self._world.clock.now_us()
        if notice.fault == "notice_reordered" and not notice.sendings and notice.due_us > now:
            self._held.setdefault(notice.mchid, []).append(notice)
        if notice.state == "waiting":
            self._world.agenda.at(notice.due_us, lambda: self.start(notice))

    def start(self, notice: Notice) -> None:
        """Send a notice now, beside whatever else is going on."""
        if notice.state != "waiting" or notice.due_us > self._world.clock.now_us():
            return
        task = asyncio.create_task(self._send(notice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, notice: Notice) -> None:
        merchant = self._world.merchants[notice.mchid]
        target = Target("sending", notice.mchid, event=notice.event)
        fault = self._world.faults.strike(target)
        name = fault.name if fault else ""
        if name == "notice_probe":
            await self._probe(notice, merchant)
        copies = 2 if name == "notice_doubled" else 1
        sent = (self._deliver(notice, merchant, fault) for _ in range(copies))
        results = await asyncio.gather(*sent)
        self._settle(notice, [Sending(self._world.clock.now_us(), r, name) for r in results])
        self._release(notice)

    async def _probe(self, notice: Notice, merchant: Merchant) -> None:
        body = notice.body.encode()
        result = await self._request(notice.url, body, probe(self._headers(merchant, body, None)))
        words = "probe failed: " if result.startswith("2") else "probe passed: "
        now = self._world.clock.now_us()
        notice.sendings.append(Sending(now, words + result, "notice_probe"))

    async def _deliver(self, notice: Notice, merchant: Merchant, fault: Fault | None) -> str:
        body = notice.body.encode()
        name = fault.name if fault else ""
        if name == "notice_dropped":
            return "dropped on the way"
        if name == "notice_huge":
            body = body[:-1] + b',"padding":"' + b"0" * _HUGE_BYTES + b'"}'
        found = self._headers(merchant, body, fault)
        if name == "notice_altered":
            body = body.replace(b'"create_time":"', b'"create_time":"1', 1)
        if name == "notice_truncated":
            body = body[: len(body) // 2]
        return await self._request(notice.url, body, found)

    def _headers(self, merchant: Merchant, body: bytes, fault: Fault | None) -> dict[str, str]:
        world = self._world
        name = fault.name if fault else ""
        key = notice_key(world, merchant)
        stamp = Stamp(key, key.serial, world.clock.real_s())
        if fault is not None and name == "notice_expired":
            seconds = 600 if fault.seconds is None else fault.seconds
            stamp = stamp._replace(at_s=stamp.at_s - round(seconds))
        if name == "notice_wrong_serial":
            stamp = stamp._replace(serial=world.chance.hex(40).upper())
        if name == "notice_forged":
            return headers_by(world, merchant, stamp, body, stranger(merchant.suite))
        return headers(world, merchant, stamp, body)

    async def _request(self, url: str, body: bytes, found: dict[str, str]) -> str:
        assert self._session is not None, "opened before anything is sent"
        own = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "User-Agent": "Mozilla/4.0",
            "Request-ID": f"{self._world.chance.hex(16).upper()}-0",
        }
        async with self._gate:
            try:
                async with self._session.post(
                    url, data=io.BytesIO(body), headers={**own, **found}, allow_redirects=False
                ) as answer:
                    with contextlib.suppress(aiohttp.ClientError):
                        await answer.content.read(4096)
                    return str(answer.status)
            except TimeoutError:
                return "no answer in time"
            except (aiohttp.ClientError, OSError, ValueError) as fault:
                return f"failed: {type(fault).__name__}"

    def _settle(self, notice: Notice, sendings: list[Sending]) -> None:
        notice.sendings += sendings
        tries = sum(1 for s in notice.sendings if s.fault != "notice_probe")
        tries -= len(sendings) - 1
        if any(s.result.startswith("2") and len(s.result) == 3 for s in sendings):
            notice.state = "delivered"
        elif tries > len(INTERVALS_S):
            notice.state = "exhausted"
        else:
            wait_s = INTERVALS_S[tries - 1] * self._scale
            notice.due_us = self._world.clock.now_us() + round(wait_s * SECOND_US)
            self.enqueue(notice)
        self._world.save(notice)
        self._world.store.commit()

    def _release(self, sent: Notice) -> None:
        """Let go what was held until another notice of this merchant had gone first."""
        for notice in self._held.pop(sent.mchid, []):
            if notice is not sent and not notice.sendings:
                notice.due_us = self._world.clock.now_us()
                self.enqueue(notice)
