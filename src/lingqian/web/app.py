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
from lingqian.kernel.code import Code
from lingqian.web.call import Call
from lingqian.web.document import document
from lingqian.web.door import Door
from lingqian.web.operation import Operation, bind, outside
from lingqian.web.problem import problem
from lingqian.web.reply import Reply, encode
from lingqian.web.route import (
    act,
    advance,
    behaviour,
    bridge,
    case,
    channel,
    claim,
    conversation,
    cover,
    event,
    gift,
    health,
    limit,
    notice,
    operator,
    packet,
    page,
    parked,
    passkey,
    payout,
    plan,
    proof,
    real_name,
    reconciliation,
    refund,
    sandbox,
    security,
    session,
    share,
    statement,
    top_up,
    trail,
    transfer,
    user,
    webhook,
)

_log = logging.getLogger(__name__)

OPERATIONS: Final[tuple[Operation, ...]] = (
    *user.OPERATIONS,
    *conversation.OPERATIONS,
    *session.OPERATIONS,
    *security.OPERATIONS,
    *passkey.OPERATIONS,
    *real_name.OPERATIONS,
    *sandbox.OPERATIONS,
    *transfer.OPERATIONS,
    *packet.OPERATIONS,
    *cover.OPERATIONS,
    *claim.OPERATIONS,
    *proof.OPERATIONS,
    *statement.OPERATIONS,
    *plan.OPERATIONS,
    *top_up.OPERATIONS,
    *bridge.OPERATIONS,
    *refund.OPERATIONS,
    *gift.OPERATIONS,
    *payout.OPERATIONS,
    *trail.OPERATIONS,
    *parked.OPERATIONS,
    *notice.OPERATIONS,
    *channel.OPERATIONS,
    *advance.OPERATIONS,
    *case.OPERATIONS,
    *act.OPERATIONS,
    *operator.OPERATIONS,
    *reconciliation.OPERATIONS,
    *behaviour.OPERATIONS,
    *limit.OPERATIONS,
    *event.OPERATIONS,
    *webhook.OPERATIONS,
    *share.OPERATIONS,
    *page.OPERATIONS,
    *health.OPERATIONS,
)


def create_app(wallet: Wallet) -> Litestar:
    """Build the HTTP API over a running wallet; the app must run on the thread that made it."""
    door = Door(wallet)
    door.document = encode(document(OPERATIONS))

    @contextlib.asynccontextmanager
    async def background(app: Litestar) -> AsyncIterator[None]:
        del app
        await wallet.company.join()
        task = asyncio.create_task(door.work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await wallet.company.leave()

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
