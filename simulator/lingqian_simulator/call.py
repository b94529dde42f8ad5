"""A call: a request that has passed the door, and what is answered to it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from lingqian_simulator.field import Field
from lingqian_simulator.merchant import Merchant
from lingqian_simulator.world import World


class Call(NamedTuple):
    """What a handler sees: who asks, what is in the path, the query and the body."""

    world: World
    merchant: Merchant
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    wanted_serial: str  # Wechatpay-Serial of the request, or empty
    base_url: str  # under which the client reached us
    pages_url: str  # where people's pages are


class Reply(NamedTuple):
    """What is answered: a status and bytes; everything but a download is signed."""

    status: int
    body: bytes = b""
    is_signed: bool = True
    content_type: str = "application/json; charset=utf-8"


class Operation(NamedTuple):
    """A row of the API: its name, its method and path, the body it takes, what answers it."""

    name: str
    method: str
    path: str  # names in braces stand for one segment
    handler: Callable[[Call], Reply]
    fields: tuple[Field, ...] | None = None
    wants_agent: bool = False  # refuses without Accept or User-Agent before authentication


def reply(value: Mapping[str, Any]) -> Reply:
    """Answer 200 with JSON."""
    return Reply(200, msgspec.json.encode(value))


NO_CONTENT = Reply(204)
