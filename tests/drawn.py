"""What a test draws: the same handful in every run of the suite, new and many in a search."""

import os
import secrets

IS_SEARCH = bool({"LINGQIAN_SEARCH", "LINGQIAN_FUZZ"} & set(os.environ))
_SEED = 20_261_126


def examples(few):
    """Return how many examples to draw where the suite draws a few."""
    return 30 * few if IS_SEARCH else few


def world_seed():
    """Return the seed of a simulated world: one that nobody has lived in, where we search."""
    return secrets.randbits(32) if IS_SEARCH else _SEED
