"""The simulated register of people, on a loop of its own, and numbers that nobody has had."""

import asyncio
import threading

from lingqian.channels.faceid.client import RealNameRow
from lingqian_simulator.faceid import (
    DEFAULT_SECRET_ID,
    DEFAULT_SECRET_KEY,
    FaceIdSimulator,
)

_orders = iter(range(100, 900))


def new_number(order=None):
    """Return an ID number that nobody in these tests has had."""
    digits = f"11010119900307{next(_orders) if order is None else order}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return digits + "10X98765432"[total % 11]


class Service:
    """The simulated service, on a loop of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.simulator = FaceIdSimulator()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self.simulator.up())

    def run(self, work):
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self):
        """End it."""
        self.run(self.simulator.down())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


def settings(service, folder, **more):
    """Write the secret and return the settings of a house that is connected."""
    folder.mkdir(exist_ok=True)
    (folder / "faceid.key").write_text(DEFAULT_SECRET_KEY + "\n")
    row = {"secret_id": DEFAULT_SECRET_ID, "secret_key_file": "faceid.key"}
    return RealNameRow(url=service.simulator.url, **(row | more))
