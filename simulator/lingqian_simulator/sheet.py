"""The pay sheet: what a person sees and presses, step by step (支付收银台).

open → confirming (the finger is asked for) → paid, or cancelled on the way.
"""

import msgspec
from aiohttp import web

from lingqian_simulator import order as orders
from lingqian_simulator.noun import Order
from lingqian_simulator.world import World


class Sheets:
    """The sheets that lie open on phones; they are not kept over a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._steps: dict[tuple[str, str], str] = {}

    def step(self, order: Order) -> str:
        """Say where the sheet of an order stands."""
        return self._steps.get(order.key, "open")

    def press(self, order: Order, button: str) -> str:
        """Press a button; return why it cannot be pressed, or nothing."""
        reason = orders.why_not(self._world, order, orders.Wish())
        if reason and button != "cancel":
            return reason
        match button:
            case "confirm":
                self._steps[order.key] = "confirming"
            case "cancel":
                self._steps[order.key] = "cancelled"
            case "fingerprint" if self.step(order) == "confirming":
                orders.pay(self._world, order, orders.Wish())
                self._steps[order.key] = "paid"
            case _:
                return "press confirm first"
        return ""

    def add_routes(self, app: web.Application) -> None:
        """Add the pages of people."""
        app.router.add_get("/health", _health)


async def _health(_request: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode({"ok": True}), content_type="application/json")
