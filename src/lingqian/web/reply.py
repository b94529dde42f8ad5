"""Replies: bytes that are ready to be sent, with the headers every answer carries (响应)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from lingqian.kernel.fault import Fault

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
CSV: Final = b"text/csv; charset=utf-8"
EVENTS: Final = b"text/event-stream; charset=utf-8"
TEXT: Final = b"text/plain; charset=utf-8"
# Answers are private, are never a page, and never say more than their type says.
SECURITY: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)

encode: Final = msgspec.json.Encoder().encode
Header = tuple[bytes, bytes]
_NO_CONTENT: Final = 204
_log = logging.getLogger(__name__)


class Reply:
    """A whole answer; it is itself what the server runs to send it."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        media: bytes = JSON,
        headers: tuple[Header, ...] = (),
        *,
        replaces: tuple[Header, ...] = (),
    ) -> None:
        self.status = status
        self.body = body
        self.headers = [*SECURITY, *headers]
        if status != _NO_CONTENT:
            self.headers += ((b"content-type", media), (b"content-length", b"%d" % len(body)))
        if replaces:
            self.headers = list({**dict(self.headers), **dict(replaces)}.items())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Send it."""
        del scope, receive
        start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


def reply(status: int, content: object) -> Reply:
    """Return an answer with JSON content."""
    return Reply(status, encode(content))


class Stream:
    """An answer whose body comes in pieces, until it ends or its reader goes away.

    When the surroundings fail meanwhile it is cut off, so that no part is taken for the whole.
    """

    __slots__ = ("headers", "pieces", "status")

    def __init__(
        self,
        status: int,
        pieces: AsyncIterator[bytes],
        media: bytes,
        headers: tuple[Header, ...] = (),
    ) -> None:
        self.status = status
        self.pieces = pieces
        self.headers = [(b"content-type", media), *SECURITY, *headers]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Send it, piece by piece."""
        del scope
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
            await send(start)
            async for piece in self.pieces:
                if gone.done():
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except Fault as fault:
            # Without a last piece the connection is closed: the reader sees that it is not whole.
            _log.warning("an answer was cut off: %s: %s", type(fault).__name__, fault)
        finally:
            gone.cancel()


async def _until_gone(receive: Any) -> None:  # noqa: ANN401 - ASGI
    while (await receive())["type"] != "http.disconnect":
        pass
