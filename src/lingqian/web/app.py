"""The app: routes, background work and what happens when something is not found or goes wrong."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from lingqian.compose import Wallet
from lingqian.flows.command import Command
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.storage.lane import Submission
from lingqian.storage.sweep import due
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.meter import Meter
from lingqian.web.operation import Operation, bind, outside
from lingqian.web.problem import problem
from lingqian.web.reply import Reply
from lingqian.web.route import (
    case,
    claim,
    health,
    limit,
    packet,
    proof,
    sandbox,
    statement,
    transfer,
    user,
)

SWEEP_EVERY_S: Final = 0.2
SWEEP_ROWS_MAX: Final = 500
_log = logging.getLogger(__name__)

OPERATIONS: Final[tuple[Operation, ...]] = (
    *user.OPERATIONS,
    *sandbox.OPERATIONS,
    *transfer.OPERATIONS,
    *packet.OPERATIONS,
    *claim.OPERATIONS,
    *proof.OPERATIONS,
    *statement.OPERATIONS,
    *case.OPERATIONS,
    *limit.OPERATIONS,
    *health.OPERATIONS,
)


def create_app(wallet: Wallet) -> Litestar:
    """Build the HTTP API over a running wallet; the app must run on the thread that made it."""
    meter = Meter()
    meter.watch_depth(lambda: wallet.intake.depth)
    door = Door(wallet, meter)
    wallet.intake.on_batch = meter.batch

    @contextlib.asynccontextmanager
    async def background(app: Litestar) -> AsyncIterator[None]:
        del app
        tasks = [asyncio.create_task(sweep(door))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return Litestar(
        route_handlers=[bind(door, operation) for operation in OPERATIONS],
        request_class=Call,
        exception_handlers={HTTPException: _refused_outside, Exception: _failed},
        lifespan=[background],
        state=State({"door": door}),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _response(answer: Reply) -> Response[bytes]:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    media = headers.pop("content-type")
    headers.pop("content-length")
    return Response(answer.body, status_code=answer.status, media_type=media, headers=headers)


def _refused_outside(request: Any, error: HTTPException) -> Response[bytes]:  # noqa: ANN401 - any
    answer = outside(error)
    return _failed(request, error) if answer is None else _response(answer)


def _failed(request: Any, error: Exception) -> Response[bytes]:  # noqa: ANN401 - the framework's
    """Answer for our own bug: said in the log, not to the caller."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _response(problem(Code.INTERNAL))


async def sweep(door: Door) -> None:
    """Settle what is due by the clock, again and again, until cancelled."""
    while True:
        commands: list[Command] = []
        try:
            commands = due(door.reader, door.wallet.clock.now_us(), SWEEP_ROWS_MAX)
            if commands:
                await asyncio.gather(*[door.ask(Submission(each)) for each in commands])
        except Fault as fault:
            _log.warning("sweep: %s", fault)
        if len(commands) < SWEEP_ROWS_MAX:
            await asyncio.sleep(SWEEP_EVERY_S)
