"""The porter: takes the platform's notices at the gate, notes when, and hands them on (门房).

It stands between the platform and the server of a run. Without a server behind it, it keeps what
comes and acknowledges it, so that the very bytes can be delivered later.
"""

import asyncio
import socket
import time
from typing import Final, NamedTuple

from lingqian.bench.wire import Request, Site, read_answer, read_head, written

_TAKEN: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
# Of a notice's headers those that the server reads: what its signature is made of.
_SIGNED: Final = "wechatpay-"


class Received(NamedTuple):
    """A notice as it came: when its last byte had come, and the request. Units: s."""

    at_s: float
    request: Request

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the signature by name."""
        return dict(self.request.headers)


class Porter:
    """A gate on a port of its own; holds everything that has come through."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        # Where the platform is to send notices.
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._server: asyncio.Server | None = None
        self._came = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.received: list[Received] = []
        self.behind: Site | None = None

    async def open(self) -> None:
        """Take what comes from now on."""
        self._server = await asyncio.start_server(self._take, sock=self._listening)

    async def until(self, count: int, wait_s: float) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(wait_s):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()

    async def close(self) -> None:
        """Take nothing any more."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.close()
            await self._server.wait_closed()
            await asyncio.gather(*self._serving)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        self._writers.add(writer)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                self.received.append(Received(time.perf_counter(), request))
                self._came.set()
                answer = await self._answer(request)
                if writer.is_closing():
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, request: Request) -> bytes:
        behind = self.behind
        if behind is None:
            return _TAKEN
        reader, writer = await asyncio.open_connection(behind.host, behind.port)
        try:
            writer.write(written(behind, request))
            return (await read_answer(reader)).whole
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head, body = await read_head(reader)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = [line.partition(":") for line in lines if line]
    signed = [
        (name.lower(), value.strip())
        for name, _, value in pairs
        if name.lower().startswith(_SIGNED)
    ]
    return Request(method, path, body, headers=tuple(signed))
