"""Health: is the process alive, does it take commands, what has it counted (健康检查)."""

from typing import Final

import msgspec

from lingqian import __version__
from lingqian.kernel.code import Code
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import problem
from lingqian.web.reply import Reply, reply

_METRICS: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str
    version: str


async def live(door: Door, call: Call) -> Reply:
    """Say that the process answers."""
    del door, call
    return reply(200, Health("live", __version__))


async def ready(door: Door, call: Call) -> Reply:
    """Say whether commands are taken and the database answers, or why not."""
    del call
    if why := door.unready:
        return problem(Code.UNAVAILABLE, detail=why)
    return reply(200, Health("ready", __version__))


async def metrics(door: Door, call: Call) -> Reply:
    """Give what has been counted, as Prometheus reads it."""
    del call
    return Reply(200, await door.lookout.text(), _METRICS)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/livez",
        run=live,
        summary="Is the process alive?",
        tag="health",
        gives={200: Given(Health, Health("live", __version__))},
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/readyz",
        run=ready,
        summary="Does it take commands?",
        tag="health",
        gives={200: Given(Health, Health("ready", __version__))},
        refuses=(Code.UNAVAILABLE,),
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/metrics",
        run=metrics,
        summary="What has been counted",
        tag="health",
        gives={200: Given(str, "# HELP …", "text/plain")},
        is_public=True,
    ),
)
