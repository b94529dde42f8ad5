"""The collector of garbage, told how this program lives: what is not dead soon is a row that stays.

Python's own thresholds walk every cached row each time a quarter has been added, on whatever thread
allocates next: 0.1 s and more in the middle of a batch. Nothing here makes cycles on the hot path.
"""

import gc
from typing import Final

# Young objects are walked after 5,000, their survivors after ten such walks, the rest hardly ever.
THRESHOLDS: Final = (5_000, 10, 1_000)


def calm_collector() -> None:
    """Let long-lived rows lie; for processes that hold a wallet, before it is opened."""
    gc.set_threshold(*THRESHOLDS)
