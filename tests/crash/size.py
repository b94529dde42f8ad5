"""How much is killed: a few times in the ordinary test command; LINGQIAN_CRASH=full: hundreds."""

import os

FULL = os.environ.get("LINGQIAN_CRASH") == "full"
# A bound for one test, in seconds; the full size takes what do.py allows it.
BOUND_S = 6 * 3_600 if FULL else 600


def sized(quick, full):
    """Return a size."""
    return full if FULL else quick
