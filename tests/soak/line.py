"""A line that breaks: a way to the server that cuts whatever runs over it, again and again (断线).

Phones go through it, so what they lose is lost as in a tunnel: in the middle of a piece.
"""

import asyncio
import contextlib

PIECE = 1 << 16


class Line:
    """Hands bytes on between phones and a server, and cuts all connections when told."""

    def __init__(self, port):
        self._port = port
        self._open = set()
        self.cuts = 0

    async def start(self):
        """Listen on a free port of loopback; return it."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0, limit=PIECE)
        return self._server.sockets[0].getsockname()[1]

    async def _join(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ends = (writer, far_writer)
        self._open.update(ends)
        try:
            await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
        finally:
            self._open.difference_update(ends)
            for each in ends:
                each.transport.abort()

    def cut(self):
        """Cut everything that is open now; who calls again is let through."""
        self.cuts += 1
        for writer in tuple(self._open):
            writer.transport.abort()

    async def stop(self):
        """Listen no more; what is open ends first."""
        self._server.close()
        while self._open:
            self.cut()
            await asyncio.sleep(0.05)


async def carry(reader, writer):
    """Hand bytes on one way until either end is gone, then let the other way end too."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()
