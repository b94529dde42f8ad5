"""Webhook endpoints: where to call back, and which events (回调地址)."""

import secrets
import time
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from lingqian.events.host import URL_LENGTH_MAX, check_url
from lingqian.events.webhook import new_secret, write_secret
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.storage import query
from lingqian.storage.endpoint import (
    Endpoint,
    add_endpoint,
    delete_endpoint,
    endpoints,
    waiting_count,
)
from lingqian.storage.port import Connection
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply
from lingqian.web.route.event import read_types

ENDPOINTS_MAX: Final = 100
_PREFIX: Final = "we_"


class NewEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to call back, and for which events; none named: all."""

    url: Annotated[str, Meta(max_length=URL_LENGTH_MAX, description="https, a public host.")]
    types: Annotated[tuple[str, ...], Meta(max_length=50)] = ()


class EndpointShown(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint and how it fares."""

    id: str
    url: str
    types: tuple[str, ...]
    created_at: field.Moment
    disabled_at: field.Moment | None
    waiting_count: Annotated[int, Meta(description="Events to be tried again.")]


class EndpointMade(EndpointShown, frozen=True, kw_only=True):
    """A new endpoint with the secret that signs, shown this once."""

    secret: str


class EndpointList(msgspec.Struct, frozen=True):
    """Every endpoint, the oldest first."""

    endpoints: tuple[EndpointShown, ...]


def _fields(door: Door, endpoint: Endpoint) -> dict[str, Any]:
    disabled_at_us = endpoint.disabled_at_us
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "types": endpoint.types,
        "created_at": rfc3339(endpoint.created_at_us),
        "disabled_at": rfc3339(disabled_at_us) if disabled_at_us else None,
        "waiting_count": waiting_count(door.reader, endpoint.endpoint_id),
    }


async def add(door: Door, call: Call) -> Reply:
    """Add an endpoint; it is told what happens from now on."""
    body = await call.take(NewEndpoint)
    wrong = check_url(body.url, allows_private=door.wallet.config.webhook_private_hosts)
    if wrong:
        raise Refused(Code.INVALID_FIELD, field="url", detail=wrong)
    types = tuple(sorted(read_types(",".join(body.types), "types")))
    if len(endpoints(door.reader)) >= ENDPOINTS_MAX:
        raise Refused(Code.INVALID_FIELD, field="url", detail=f"more than {ENDPOINTS_MAX}")
    secret = new_secret()
    endpoint_id = _PREFIX + secrets.token_hex(12)
    sealed = door.wallet.vault.seal("webhook", endpoint_id.encode(), secret)
    now_us = time.time_ns() // 1_000
    endpoint = Endpoint(endpoint_id, body.url, types, sealed, now_us, 0)

    def write(connection: Connection) -> None:
        add_endpoint(connection, endpoint, query.ends(connection))

    await door.chore(write)
    door.dispatcher.refresh()
    return reply(201, EndpointMade(**_fields(door, endpoint), secret=write_secret(secret)))


async def show(door: Door, call: Call) -> Reply:
    """List endpoints."""
    del call
    found = endpoints(door.reader)
    return reply(200, EndpointList(tuple([EndpointShown(**_fields(door, each)) for each in found])))


async def remove(door: Door, call: Call) -> Reply:
    """Remove an endpoint and what still waits for it."""
    endpoint_id = call.path_params["endpoint_id"]
    is_done = await door.chore(lambda connection: delete_endpoint(connection, endpoint_id))
    if not is_done:
        raise Refused(Code.NOT_FOUND)
    door.dispatcher.refresh()
    return Reply(204, b"")


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "we_5d1f0c9e5d3b47288f1e2d3c",
    "url": "https://shop.example/hooks",
    "types": ("packet.claimed.v1",),
    "created_at": field.MOMENT_EXAMPLE,
    "disabled_at": None,
    "waiting_count": 0,
}

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/webhook-endpoints",
        run=add,
        summary="Add a webhook endpoint",
        tag="webhooks",
        scopes=(Scope.WEBHOOKS_WRITE,),
        takes=NewEndpoint,
        example={"url": "https://shop.example/hooks", "types": ["packet.claimed.v1"]},
        gives={
            201: Given(EndpointMade, EndpointMade(**_EXAMPLE, secret="whsec_" + "A" * 43 + "="))
        },
    ),
    Operation(
        method="GET",
        path="/v1/webhook-endpoints",
        run=show,
        summary="List webhook endpoints",
        tag="webhooks",
        scopes=(Scope.WEBHOOKS_WRITE,),
        gives={200: Given(EndpointList, EndpointList((EndpointShown(**_EXAMPLE),)))},
    ),
    Operation(
        method="DELETE",
        path="/v1/webhook-endpoints/{endpoint_id}",
        run=remove,
        summary="Remove a webhook endpoint",
        tag="webhooks",
        scopes=(Scope.WEBHOOKS_WRITE,),
        gives={204: Given(None)},
        refuses=(Code.NOT_FOUND,),
    ),
)
