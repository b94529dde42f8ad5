"""Fix every general-purpose generator and the clock, then draw: `freezing.py ours` or `… rival`.

A process of its own: a clock that stands still would stop whatever else lives in the test's process.
"""

import os
import random
import sys
import time

from forking import ours  # beside this file

LINES = 20


def freeze():
    """Make every clock stand still and every library generator repeat itself."""
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"):
        setattr(time, name, lambda: 1_700_000_000)
    random.random = lambda: 0.5
    random.getrandbits = lambda _bits: 0
    random.randbytes = bytes
    os.getpid = lambda: 1


def rival():
    """Return one split by a rule that draws from a general-purpose generator."""
    return ",".join(str(random.randint(1, 20_000)) for _ in range(20))


def lines(draw):
    """Return what is drawn, the library's generator begun anew before each."""
    found = []
    for _ in range(LINES):
        random.seed(1)
        found.append(draw())
    return found


if __name__ == "__main__":
    freeze()
    sys.stdout.write("\n".join(lines({"ours": ours, "rival": rival}[sys.argv[1]])))
