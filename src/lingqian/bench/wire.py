"""A plain HTTP/1.1 client for load: one connection, one request after another (客户端)."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from lingqian.bench.report import Crowd

_LENGTH = b"content-length:"


class Request(NamedTuple):
    """What is sent: a method, a path, a JSON body (empty: none), and headers of its own."""

    method: str
    path: str
    body: bytes = b""
    key: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Answered(NamedTuple):
    """An answer: its status, its body, and all its bytes as they came."""

    status: int
    body: bytes
    whole: bytes


class Site(NamedTuple):
    """Where the server listens, and the API key it knows (empty: it asks for none)."""

    host: str
    port: int
    api_key: str


def written(site: Site, request: Request) -> bytes:
    """Write a request as bytes."""
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {site.host}:{site.port}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if site.api_key:
        lines.append(f"authorization: Bearer {site.api_key}")
    if request.body:
        lines += ["content-type: application/json", f"content-length: {len(request.body)}"]
    if request.key:
        lines.append(f"idempotency-key: {request.key}")
    return "\r\n".join([*lines, "", ""]).encode() + request.body


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one message to its end; return its head, with the empty line, and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().index(_LENGTH) + len(_LENGTH)
    return head, await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))


async def read_answer(reader: asyncio.StreamReader) -> Answered:
    """Read one answer to its end."""
    head, body = await read_head(reader)
    return Answered(int(head[9:12]), body, head + body)


async def press(
    site: Site, make: Callable[[], Request | None], connections: int, allowed: frozenset[int]
) -> Crowd:
    """Let connections ask, each waiting for its answer, until `make` has nothing more."""
    waits_s: list[float] = []
    clock = time.perf_counter

    async def client() -> None:
        reader, writer = await asyncio.open_connection(site.host, site.port)
        while (request := make()) is not None:
            line = written(site, request)
            began = clock()
            writer.write(line)
            status = (await read_answer(reader)).status
            waits_s.append(clock() - began)
            assert status in allowed, f"{request.method} {request.path} was answered {status}"
        writer.close()
        await writer.wait_closed()

    began = clock()
    await asyncio.gather(*[client() for _ in range(connections)])
    return Crowd(clock() - began, waits_s)
