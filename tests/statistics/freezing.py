"""Freeze all that could stand in for chance and print draws: `freezing.py ours` or `… rival`.

A process of its own: a clock that stands still stops every event loop that looks at it.
"""

import os
import random
import sys
import time

from typer.testing import CliRunner

from lingqian.cli.main import app

DRAWS = 20
INSTANT = 1_700_000_000


def freeze():
    """Fix every general-purpose generator and the clock."""
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"):
        setattr(time, name, lambda: INSTANT)
    random.random = lambda: 0.5
    random.getrandbits = lambda _bits: 0
    random.randbytes = bytes
    os.getpid = lambda: 1


def ours():
    """Return one split by the product's own command, inside this process."""
    answer = CliRunner().invoke(app, ["split", "200000", "20"])
    assert answer.exit_code == 0, answer.output
    return answer.stdout.strip()


def rival():
    """Return one split by a rule that draws from a general-purpose generator."""
    return ",".join(str(random.randint(1, 20_000)) for _ in range(20))


def drawn(draw):
    """Return a line of every draw; before each the seedable generator is set back."""
    lines = []
    for _ in range(DRAWS):
        random.seed(1)
        lines.append(draw())
    return lines


if __name__ == "__main__":
    freeze()
    sys.stdout.write("\n".join(drawn({"ours": ours, "rival": rival}[sys.argv[1]])))
