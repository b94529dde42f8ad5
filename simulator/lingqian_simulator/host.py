"""A host of the API: one listening port, and what may happen between it and the client (接入点).

Two hosts are one service on two ports, as api.mch and api2.mch are; one can be taken down, and then
its port refuses connections.
"""

import asyncio
from typing import Final

from aiohttp import web

from lingqian_simulator import door
from lingqian_simulator.fault import Fault
from lingqian_simulator.service import Service

HANG_S: Final = 30.0
SLOW_S: Final = 3.0


class Host:
    """One port of the service."""

    def __init__(self, service: Service, number: int, address: str, port: int) -> None:
        self._service = service
        self._address = address
        self._runner: web.ServerRunner | None = None
        self.number = number
        self.port = port

    @property
    def base_url(self) -> str:
        """Where clients reach this host."""
        return f"http://{self._address}:{self.port}"

    @property
    def is_up(self) -> bool:
        """Say whether the port listens."""
        return self._runner is not None

    async def up(self) -> None:
        """Listen; a port of zero becomes whichever is free, and stays that one."""
        if self._runner is not None:
            return
        server = web.Server(self._serve)  # it refuses bodies above 1 MiB by itself
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, self._address, self.port, reuse_address=True).start()
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def down(self) -> None:
        """Stop listening and drop every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        arrival = door.Arrival(request.method, request.raw_path, request.headers, body)
        # A client behind a proxy that ends TLS must find its own address in a download_url.
        scheme = request.headers.get("X-Forwarded-Proto", "http")
        answer = self._service.answer(arrival, self.number, f"{scheme}://{request.host}")
        if answer.fault is not None:
            await _strike(answer.fault, request)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


async def _strike(fault: Fault, request: web.BaseRequest) -> None:
    """Keep an answer back, for a while or for ever; what it did, it did."""
    if fault.name == "slow":
        await asyncio.sleep(SLOW_S if fault.seconds is None else fault.seconds)
    is_timeout = fault.name.startswith("timeout_")
    if is_timeout:
        await asyncio.sleep(HANG_S if fault.seconds is None else fault.seconds)
    if request.transport is not None and (is_timeout or fault.name.startswith("reset_")):
        request.transport.abort()
