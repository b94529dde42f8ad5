"""The client: one signed call at a time, to one host or the other, with a verified answer (客户端).

Law: the bytes signed are the bytes sent; no redirect is followed; every body has a bound; a call
that may have arrived and has no usable answer is Unknown, and only a read is tried again then.
Source: WeChat Pay APIv3, pages on signing, on the two hosts and on errors, read 2026-09.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from lingqian import __version__
from lingqian.channels.wechatpay.error import (
    READS,
    REPEATABLE,
    Meaning,
    Refusal,
    Verb,
    fault_of,
    read_refusal,
    row_of,
)
from lingqian.channels.wechatpay.keystore import Keystore, open_certificates
from lingqian.channels.wechatpay.sign import SERIAL, Credential, Stamp, authorization
from lingqian.channels.wechatpay.suite import Aead, Suite
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Fault, Rejected, Unknown, Unsent

ANSWER_BYTES_MAX: Final = 1024 * 1_024
CONNECT_S: Final = 3
KEPT_S: Final = 5
# Nothing was sent: no name, no way there, no handshake.
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_LOST: Final = (aiohttp.ClientError, OSError, TimeoutError)
_GATEWAY_DOWN: Final = (502, 503)
_ACCEPTED: Final = 202
_SERVER_ERRORS: Final = range(500, 600)
_CHUNK_BYTES: Final = 64 * 1_024
_log = logging.getLogger(__name__)

SessionFactory = Callable[[], aiohttp.ClientSession]


class Call(NamedTuple):
    """One call: `target` is path and query as they stand on the request line.

    `serial` names the platform key that sealed a field or should sign the answer; `personal` are
    values that no message and no log may repeat; `first_host` is asked before the others.
    """

    verb: Verb
    method: str
    target: str
    body: bytes = b""
    serial: str = ""
    personal: tuple[str, ...] = ()
    bytes_max: int = ANSWER_BYTES_MAX
    first_host: str = ""


class Answer(NamedTuple):
    """What came back, headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Watch(Protocol):
    """Whoever keeps the health of hosts: says which to ask first, and is told how it went."""

    def hosts(self, verb: str, hosts: Sequence[str]) -> Sequence[str]:
        """Return the hosts to ask, in order."""
        ...

    def begin(self, host: str, verb: str) -> None:
        """Hear that a call goes out."""
        ...

    def note(self, host: str, verb: str, took_us: int, is_failure: bool) -> None:  # noqa: FBT001 - one reading
        """Hear of one call; a refusal by business is no failure."""
        ...


class Blind:
    """A watch that keeps the configured order and remembers nothing."""

    def hosts(self, verb: str, hosts: Sequence[str]) -> Sequence[str]:  # noqa: ARG002 - the shape of a watch
        """Return the hosts as they are configured."""
        return hosts

    def begin(self, host: str, verb: str) -> None:
        """Hear that a call goes out."""

    def note(self, host: str, verb: str, took_us: int, is_failure: bool) -> None:  # noqa: FBT001 - the shape of a watch
        """Hear of a call."""


class Way(NamedTuple):
    """How an account reaches the platform."""

    hosts: tuple[str, ...]
    timeout_s: int
    clock: Callable[[], int]
    session: SessionFactory
    watch: Watch


class Identity(NamedTuple):
    """Who we are to the platform, and how its resources open."""

    suite: Suite
    credential: Credential
    aead: Aead
    default_serial: str
    fetches_certificates: bool


def new_session() -> aiohttp.ClientSession:
    """Return a session as this client wants it: no cookies, no decoding behind our back."""
    return aiohttp.ClientSession(
        # The platform ends idle connections after 8 s; a write into an ended one is Unknown.
        connector=aiohttp.TCPConnector(limit=64, limit_per_host=32, keepalive_timeout=KEPT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


class Client:
    """Speaks for one merchant account."""

    def __init__(self, identity: Identity, keys: Keystore, way: Way) -> None:
        self.identity = identity
        self.keys = keys
        self.way = way
        self._session: aiohttp.ClientSession | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End the session and what runs beside it."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
            self._refreshing = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, call: Call) -> Answer | Meaning:
        """Make a call; return its verified answer, or ABSENT or EMPTY where that is the answer.

        Raises: Unsent, Unknown, Rejected; BadSignature for a read whose answer is not theirs.
        """
        await self.tend()
        answer = await self.send(call)
        if 200 <= answer.status < 300:
            return await self._checked(call, answer)
        refusal = _scrubbed(read_refusal(answer.status, answer.body), call.personal)
        row = row_of(call.verb, refusal.status, refusal.code)
        _log.info(
            "%s: %d %s (request %s)",
            call.verb,
            answer.status,
            refusal.code or "-",
            answer.headers.get("request-id", "-")[:80],
        )
        if row.meaning in (Meaning.ABSENT, Meaning.EMPTY):
            return row.meaning
        raise fault_of(row, refusal)

    async def _checked(self, call: Call, answer: Answer) -> Answer:
        if call.verb is not Verb.DOWNLOAD:
            answer = await self._verified(call, answer)
        if answer.status == _ACCEPTED:
            raise Unknown("202: accepted and unfinished")
        return answer

    async def _verified(self, call: Call, answer: Answer) -> Answer:
        """Verify an answer, once more with fresh certificates, and a read once more from afresh.

        The platform probes its clients with wrong signatures; a repeated read is not probed again.
        """
        try:
            return await self._verify(answer)
        except BadSignature as error:
            if call.verb not in READS:
                raise Unknown(f"the answer cannot be verified: {error}") from error
        again = await self.send(call)
        if not 200 <= again.status < 300:
            raise BadSignature("the answer could not be verified, and none came again")
        return await self._verify(again)

    async def _verify(self, answer: Answer) -> Answer:
        serial = answer.headers.get(SERIAL, "")
        if serial and not self.keys.knows(serial):
            await self.refresh_unknown()
        self.keys.verify(answer.headers, answer.body, self.way.clock())
        return answer

    async def send(self, call: Call) -> Answer:
        """Send a call to one host, and to the next where that cannot do anything twice.

        What comes back is not verified yet.
        Raises: Unsent, Unknown.
        """
        fault: Fault = Unsent("no host could be reached")
        hosts = list(self.way.watch.hosts(call.verb, self.way.hosts))
        hosts.sort(key=lambda host: host != call.first_host)
        for host in hosts:
            try:
                answer = await self._send_to(host, call)
            except Unsent as error:
                if not isinstance(fault, Unknown):
                    fault = error
                continue
            except Unknown as error:
                if call.verb not in READS:
                    raise
                fault = error
                continue
            if answer.status not in _GATEWAY_DOWN or call.verb not in REPEATABLE:
                return answer
            fault = Unknown(f"{answer.status}: the gateway is down")
        raise fault

    async def _send_to(self, host: str, call: Call) -> Answer:
        """Send a call to one host.

        Raises: Unsent when the host was not reached; Unknown when no whole answer came.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        is_failure = True
        self.way.watch.begin(host, call.verb)
        try:
            answer = await self._exchange(host, call)
            is_failure = answer.status in _SERVER_ERRORS
        except _NOT_SENT as error:
            raise Unsent(f"{host} cannot be reached: {type(error).__name__}") from error
        except _LOST as error:
            raise Unknown(f"{host} gave no answer: {type(error).__name__}") from error
        finally:
            took_us = int((loop.time() - began_s) * SECOND_US)
            self.way.watch.note(host, call.verb, took_us, is_failure)
        return answer

    async def _exchange(self, host: str, call: Call) -> Answer:
        url = URL(host.rstrip("/") + call.target, encoded=True)
        target = url.raw_path_qs
        timeout = aiohttp.ClientTimeout(total=self.way.timeout_s, sock_connect=CONNECT_S)
        async with self._open_session().request(
            call.method,
            url,
            data=call.body or None,
            headers=self._headers(call, target),
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
            timeout=timeout,
        ) as found:
            headers = {name.lower(): each for name, each in found.headers.items()}
            if headers.get("content-encoding", "identity") != "identity":
                raise Unknown(f"{host} answered in a coding nobody asked for")
            return Answer(found.status, headers, await _read(found, call.bytes_max))

    def _headers(self, call: Call, target: str) -> dict[str, str]:
        stamp = self.stamp()
        credential = self.identity.credential
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Accept-Language": "zh-CN",
            "User-Agent": f"lingqian/{__version__}",
            "Authorization": authorization(credential, call.method, target, stamp, call.body),
        }
        if call.body:
            headers["Content-Type"] = "application/json"
        serial = call.serial or self.identity.default_serial
        if serial:
            headers["Wechatpay-Serial"] = serial
        return headers

    def stamp(self) -> Stamp:
        """Return the time, and 32 letters that no other signature carries."""
        return Stamp(self.way.clock() // SECOND_US, secrets.token_hex(16).upper())

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = self.way.session()
        return self._session

    async def tend(self) -> None:
        """Ask for certificates when it is time; without any other key, nothing can be verified.

        Raises: Unsent.
        """
        if not self.identity.fetches_certificates or not self.keys.is_due(self.way.clock()):
            return
        try:
            await self.refresh()
        except Fault as error:
            if not self.keys.serials():
                raise Unsent(
                    f"no platform key is known, and none could be fetched: {error}"
                ) from error
            _log.warning("platform certificates could not be fetched: %s", error)

    async def refresh_unknown(self) -> None:
        """Ask for certificates because of a serial nobody knows, if not asked just now."""
        if not self.identity.fetches_certificates or not self.keys.may_ask(self.way.clock()):
            return
        try:
            await self.refresh()
        except Fault as error:
            _log.warning("platform certificates could not be fetched: %s", error)

    def want_refresh(self) -> None:
        """Begin to ask for certificates beside whatever runs, when a loop runs here."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = loop.create_task(self.refresh_unknown())

    async def refresh(self) -> None:
        """Fetch the platform's certificates; they must verify the very answer that brought them.

        Raises: the channel faults.
        """
        now_us = self.way.clock()
        self.keys.note_asked(now_us)
        path = "/v3/certificates"
        if self.identity.suite.name != "RSA":
            path += f"?algorithm_type={self.identity.suite.name}"
        answer = await self.send(Call(Verb.CERTIFICATES, "GET", path))
        if answer.status != 200:
            refusal = read_refusal(answer.status, answer.body)
            raise fault_of(row_of(Verb.CERTIFICATES, refusal.status, refusal.code), refusal)
        found = open_certificates(self.identity.suite, self.identity.aead, answer.body)
        fresh = Keystore(self.identity.suite)
        for key in found:
            fresh.add(key)
        judge = self.keys if self.keys.knows(answer.headers.get(SERIAL, "")) else fresh
        judge.verify(answer.headers, answer.body, now_us)
        for key in found:
            self.keys.add(key)


async def _read(found: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """Read a body up to a bound.

    Raises: Unknown above it.
    """
    body = bytearray()
    async for chunk in found.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > bytes_max:
            raise Unknown(f"an answer is longer than {bytes_max} bytes")
    return bytes(body)


def _scrubbed(refusal: Refusal, personal: tuple[str, ...]) -> Refusal:
    """Take out of a message what was personal in the request."""
    message = refusal.message
    for each in personal:
        if each:
            message = message.replace(each, "***")
    return refusal._replace(message=message)


def origin_of(url: str) -> tuple[str, str]:
    """Split an address into its host with scheme, and its target.

    Raises: Rejected `bill_address`.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Rejected("bill_address", "not an address") from error
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", target
