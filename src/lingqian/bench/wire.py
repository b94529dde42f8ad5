"""A plain HTTP/1.1 client for load: one connection, one request after another (客户端)."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from lingqian.bench.caller import Crowd

_LENGTH = b"content-length:"


class Request(NamedTuple):
    """What is sent: a method, a path, and a JSON body (empty: none)."""

    method: str
    path: str
    body: bytes = b""
    key: str = ""


class Site(NamedTuple):
    """Where the server listens, and the API key it knows."""

    host: str
    port: int
    api_key: str


def written(site: Site, request: Request) -> bytes:
    """Write a request as bytes."""
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"host: {site.host}:{site.port}",
        f"authorization: Bearer {site.api_key}",
    ]
    if request.body:
        lines += ["content-type: application/json", f"content-length: {len(request.body)}"]
    if request.key:
        lines.append(f"idempotency-key: {request.key}")
    return "\r\n".join([*lines, "", ""]).encode() + request.body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().index(_LENGTH) + len(_LENGTH)
    await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
    return int(head[9:12])


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
            status = await read_answer(reader)
            waits_s.append(clock() - began)
            assert status in allowed, f"{request.method} {request.path} was answered {status}"
        writer.close()
        await writer.wait_closed()

    began = clock()
    await asyncio.gather(*[client() for _ in range(connections)])
    return Crowd(clock() - began, waits_s)
