"""A client of `/v1` as an integrator would write it: JSON in, JSON out, and the event stream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

import aiohttp

OK_MAX: Final = 299
_PAUSE_S: Final = 0.05
_DOWN: Final = 503
_BUSY: Final = (429, _DOWN)
_TRIES_MAX: Final = 6
_RECONNECT_S: Final = 0.5

Fields = Mapping[str, Any]


class Reply(NamedTuple):
    """An answer: its HTTP status and its fields."""

    status: int
    fields: dict[str, Any]

    @property
    def is_ok(self) -> bool:
        """Whether it was done (or had been done before)."""
        return self.status <= OK_MAX

    @property
    def code(self) -> str:
        """The refusal's code; empty when it was done."""
        return "" if self.is_ok else str(self.fields.get("code", self.status))


class Event(NamedTuple):
    """One event: its type without version, and its data."""

    type: str
    data: dict[str, Any]


class Api:
    """Talks to one server with one key."""

    def __init__(self, session: aiohttp.ClientSession, base: str, key: str) -> None:
        self._session = session
        self._base = base
        self._headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str) -> Reply:
        """Read something."""
        return await self._ask("GET", path, None, self._headers)

    async def post(self, path: str, fields: Fields, key: str = "") -> Reply:
        """Ask for something; the same key again gives the first answer again."""
        headers = {**self._headers, "Idempotency-Key": key} if key else self._headers
        return await self._ask("POST", path, fields, headers)

    async def put(self, path: str, fields: Fields, key: str) -> Reply:
        """Replace something."""
        headers = {**self._headers, "Idempotency-Key": key}
        return await self._ask("PUT", path, fields, headers)

    async def _ask(
        self, method: str, path: str, fields: Fields | None, headers: Mapping[str, str]
    ) -> Reply:
        reply = await self._ask_once(method, path, fields, headers)
        for attempt in range(_TRIES_MAX):
            if reply.status not in _BUSY:
                break
            # Every request here carries a key or is idempotent by itself, so asking again is safe.
            await asyncio.sleep(_PAUSE_S * 2**attempt)
            reply = await self._ask_once(method, path, fields, headers)
        return reply

    async def _ask_once(
        self, method: str, path: str, fields: Fields | None, headers: Mapping[str, str]
    ) -> Reply:
        url = f"{self._base}/{path}"
        try:
            async with self._session.request(method, url, json=fields, headers=headers) as answer:
                return Reply(answer.status, await answer.json(content_type=None) or {})
        except aiohttp.ClientConnectionError:
            return Reply(_DOWN, {"code": "unavailable"})

    async def events(self) -> AsyncIterator[Event]:
        """Yield events for ever, going on where a broken connection left off."""
        last = ""
        while True:
            headers = {**self._headers, "Accept": "text/event-stream"}
            if last:
                headers["Last-Event-ID"] = last
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async for last, event in self._stream(headers):  # noqa: B007 - kept for the next connection
                    yield event
            await asyncio.sleep(_RECONNECT_S)

    async def _stream(self, headers: Mapping[str, str]) -> AsyncIterator[tuple[str, Event]]:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with self._session.get(
            f"{self._base}/events", headers=headers, timeout=timeout
        ) as answer:
            answer.raise_for_status()
            identity, parts = "", list[str]()
            async for raw in answer.content:
                line = raw.decode().rstrip("\r\n")
                name, _, value = line.partition(":")
                if name == "id":
                    identity = value.removeprefix(" ")
                elif name == "data":
                    parts.append(value.removeprefix(" "))
                elif not line and parts:
                    yield identity, read_event("\n".join(parts))
                    parts.clear()


def read_event(text: str) -> Event:
    """Read an envelope; a new version of a type keeps its name."""
    envelope = json.loads(text)
    return Event(envelope["type"].rpartition(".v")[0], envelope["data"])
