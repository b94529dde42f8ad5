"""Webhooks: every event to every endpoint that asked for it, at least once, signed (回调).

Each endpoint has its own place in the journal. What it does not take is kept in a table and tried
again for days, so a restart forgets nothing. Standard Webhooks signatures, in real time.
Source: standardwebhooks.com, specification 1.0, read 2026-11; docs/reference/webhooks.md.
"""

import asyncio
import base64
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import aiohttp

from lingqian.events.host import GuardedResolver, check_url
from lingqian.events.tail import ALL, Bell, Event, Journal, Position
from lingqian.kernel.fault import Fault
from lingqian.storage.endpoint import (
    Delivery,
    Endpoint,
    cursors,
    disable_endpoint,
    due_deliveries,
    endpoints,
    next_due_us,
    put_cursors,
    settle_deliveries,
    waiting_count,
)
from lingqian.storage.port import Connection
from lingqian.storage.setback import Setback
from lingqian.storage.vault import Vault

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what a secret begins with
SECRET_BYTES: Final = 32
# After the first try at once: minutes, then hours, then for as long as an endpoint may be down.
WAITS_S: Final = (5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 57_600, 86_400, 86_400, 86_400)
JITTER: Final = 0.2
TRIES_MAX: Final = len(WAITS_S) + 1
WAITING_MAX: Final = 10_000
AT_ONCE: Final = 16
_ROWS_MAX: Final = 128
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)
_WRITE_EVERY_S: Final = 0.5
_REST_S: Final = 30.0
_AGAIN_AFTER_S: Final = 1.0
_SECOND_US: Final = 1_000_000
_GONE: Final = 410
_log = logging.getLogger(__name__)

Chore = Callable[[Callable[[Connection], Any]], Awaitable[Any]]


def new_secret() -> bytes:
    """Return the bytes of a new signing secret."""
    return secrets.token_bytes(SECRET_BYTES)


def write_secret(secret: bytes) -> str:
    """Return a secret as its receiver configures it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, event_id: str, at_s: int, body: bytes) -> str:
    """Return the Standard Webhooks signature of a message."""
    message = f"{event_id}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, message, "sha256")).decode()


def wait_us(tries: int, chance: float) -> int:
    """Return how long to wait after so many tries.

    `chance` in 0 … 1 spreads those that fail together.   Units: tries; µs.
    """
    base_s = WAITS_S[min(tries, len(WAITS_S)) - 1]
    return int(base_s * (1 - JITTER + 2 * JITTER * chance) * _SECOND_US)


class Kit(NamedTuple):
    """What delivering needs; `on_disabled` is told of an endpoint that is given up."""

    journal: Journal
    reader: Connection
    chore: Chore
    vault: Vault
    bell: Bell
    on_disabled: Callable[[Endpoint, int], None]
    allows_private: bool = False


class Dispatcher:
    """Serves all endpoints, each in a task of its own, so that a slow one holds up nobody."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._setback = Setback(_log, "deliveries")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def refresh(self) -> None:
        """Look at the endpoints again: one was added or removed."""
        self._changed.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        resolver = GuardedResolver(allows_private=self._kit.allows_private)
        connector = aiohttp.TCPConnector(resolver=resolver, limit=256, limit_per_host=AT_ONCE)
        async with aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            try:
                while True:
                    self._changed.clear()
                    self._match(session)
                    await self._changed.wait()
            finally:
                await _end(list(self._tasks.values()))

    def _match(self, session: aiohttp.ClientSession) -> None:
        """Start a task for every endpoint in service, and end those of endpoints that are not."""
        wanted = {
            each.endpoint_id: each
            for each in endpoints(self._kit.reader)
            if not each.disabled_at_us
        }
        for endpoint_id in list(self._tasks):
            if endpoint_id not in wanted or self._tasks[endpoint_id].done():
                self._tasks.pop(endpoint_id).cancel()
        for endpoint_id, endpoint in wanted.items():
            if endpoint_id not in self._tasks:
                post = Post(self._kit, endpoint, session, self._setback)
                task = self._tasks[endpoint_id] = asyncio.create_task(post.serve(self.refresh))
                task.add_done_callback(self._note_end)

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        """Begin again, after a rest, when a mistake of ours has ended a task."""
        if not task.cancelled() and task.exception() is not None:
            _log.error("serving a webhook has failed", exc_info=task.exception())
            asyncio.get_running_loop().call_later(_AGAIN_AFTER_S, self.refresh)


class Post:
    """One endpoint being served."""

    def __init__(
        self, kit: Kit, endpoint: Endpoint, session: aiohttp.ClientSession, setback: Setback
    ) -> None:
        self._kit = kit
        self._setback = setback
        self._endpoint = endpoint
        self._session = session
        bound = endpoint.endpoint_id.encode()
        self._secret = kit.vault.open("webhook", bound, endpoint.secret_sealed)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._ends = cursors(kit.reader, endpoint.endpoint_id)
        self._written_s = time.monotonic()
        self._is_behind = False

    async def serve(self, on_end: Callable[[], None]) -> None:
        """Deliver what is new and what is due again, until cancelled or given up."""
        who = self._endpoint.endpoint_id
        try:
            while not await self._turn(who):
                pass
        finally:
            self._setback.left(who)
        on_end()

    async def _turn(self, who: str) -> bool:
        """Deliver and rest once; return whether the endpoint is given up."""
        ring = self._kit.bell.next()
        try:
            has_more = await self.round()
            if await self._is_lost():
                return True
            rest_s = 0.0 if has_more else self._rest_s()
        except Fault as fault:
            self._setback.failed(fault, who)
            rest_s = _AGAIN_AFTER_S
        else:
            self._setback.over(who)
        if rest_s:
            await _first_of(ring, rest_s)
        return False

    async def round(self) -> bool:
        """Try once what is due again and what is new; return whether there may be more."""
        await self._retry()
        kit = self._kit
        if waiting_count(kit.reader, self._endpoint.endpoint_id) >= WAITING_MAX:
            return False
        found = kit.journal.after(_position(self._ends), _ROWS_MAX)
        ends = {lane: seq for lane, (seq, _) in found.end.items()}
        if ends == self._ends and not self._is_behind:
            return False
        endpoint_id = self._endpoint.endpoint_id
        fresh = [(_first(endpoint_id, each), each) for each in found.events if self._wants(each)]
        has_more = ends != self._ends
        await self._settle(fresh, ends)
        return has_more

    async def _retry(self) -> None:
        kit = self._kit
        due = due_deliveries(kit.reader, self._endpoint.endpoint_id, _now_us(), _ROWS_MAX)
        again = [(each, kit.journal.one(each.lane, each.seq, _number(each))) for each in due]
        tries = [(each, event) for each, event in again if event is not None]
        await self._settle(tries, self._ends)

    def _wants(self, event: Event) -> bool:
        return not self._endpoint.types or event.type in self._endpoint.types

    async def _settle(self, tries: list[tuple[Delivery, Event]], ends: dict[int, int]) -> None:
        """Try deliveries side by side; then write in one go what failed, what is done, how far.

        How far alone is written only now and then: what is forgotten of it is delivered again.
        Nothing goes on from here before what failed is durable: it would be delivered never.
        """
        statuses = await asyncio.gather(*[self._try(event) for _, event in tries])
        failed = []
        done = []
        for (delivery, _), status in zip(tries, statuses, strict=True):
            if 200 <= status < 300:
                done.append((delivery.endpoint_id, delivery.event_id))
            else:
                failed.append(_later(delivery, status))
        again = [each for (each, _) in tries if each.tries]
        now_s = time.monotonic()
        self._is_behind = not failed and not again and now_s < self._written_s + _WRITE_EVERY_S
        if self._is_behind:
            self._ends = ends
            return
        endpoint_id = self._endpoint.endpoint_id

        def write(connection: Connection) -> None:
            settle_deliveries(connection, failed, done)
            put_cursors(connection, endpoint_id, ends)

        await self._kit.chore(write)
        self._ends, self._written_s = ends, now_s

    async def _try(self, event: Event) -> int:
        """Send one event; return the status, 0 when there was none."""
        async with self._gate:
            at_s = int(time.time())
            headers = {
                "content-type": "application/cloudevents+json",
                "user-agent": "lingqian",
                "webhook-id": event.id,
                "webhook-timestamp": str(at_s),
                "webhook-signature": sign(self._secret, event.id, at_s, event.body),
            }
            if check_url(self._endpoint.url, allows_private=self._kit.allows_private):
                return 0
            try:
                async with self._session.post(
                    self._endpoint.url, data=event.body, headers=headers, allow_redirects=False
                ) as answer:
                    return answer.status
            except (aiohttp.ClientError, OSError, TimeoutError):
                return 0

    async def _is_lost(self) -> bool:
        """Give an endpoint up that has refused one event for days, or says that it is gone."""
        kit, endpoint = self._kit, self._endpoint
        if next_due_us(kit.reader, endpoint.endpoint_id) is None:
            return False
        waiting = due_deliveries(kit.reader, endpoint.endpoint_id, 2**62, WAITING_MAX)
        if not any(each.tries >= TRIES_MAX or each.last_status == _GONE for each in waiting):
            return False
        at_us = _now_us()
        is_first = await kit.chore(
            lambda connection: disable_endpoint(connection, endpoint.endpoint_id, at_us)
        )
        if is_first:
            _log.warning("webhook %s is disabled: it took nothing for days", endpoint.endpoint_id)
            kit.on_disabled(endpoint, at_us)
        return True

    def _rest_s(self) -> float:
        if self._is_behind:
            return _WRITE_EVERY_S
        due_at_us = next_due_us(self._kit.reader, self._endpoint.endpoint_id)
        if due_at_us is None:
            return _REST_S
        return min(_REST_S, max(0.05, (due_at_us - _now_us()) / _SECOND_US))


def _now_us() -> int:
    return time.time_ns() // 1_000


def _position(ends: dict[int, int]) -> Position:
    return {lane: (seq, ALL) for lane, seq in ends.items()}


def _number(delivery: Delivery) -> int:
    return int(delivery.event_id.rsplit(":", 1)[1])


def _first(endpoint_id: str, event: Event) -> Delivery:
    return Delivery(endpoint_id, event.id, event.lane, event.seq, 0, 0, 0)


def _later(delivery: Delivery, status: int) -> Delivery:
    tries = delivery.tries + 1
    chance = secrets.randbelow(1_000) / 1_000
    return delivery._replace(
        tries=tries, due_at_us=_now_us() + wait_us(tries, chance), last_status=status
    )


async def _first_of(ring: "asyncio.Future[None]", timeout_s: float) -> None:
    """Wait for the bell, but not longer; the bell is for others too and stays whole."""
    await asyncio.wait([ring], timeout=timeout_s)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
