"""How many examples a test draws: a handful in the suite, many in a search."""

import os

IS_SEARCH = bool({"LINGQIAN_SEARCH", "LINGQIAN_FUZZ"} & set(os.environ))


def examples(few):
    """Return how many examples to draw where the suite draws a few."""
    return 30 * few if IS_SEARCH else few
