"""How long to look: seconds in the ordinary tests; LINGQIAN_FUZZ=full: hours, or a number."""

import os

import pytest

from api.till import tilling


@pytest.fixture(scope="session")
def examples():
    """Return how many examples each test draws."""
    size = os.environ.get("LINGQIAN_FUZZ", "6")
    return 2_000 if size == "full" else int(size)


@pytest.fixture(scope="session")
def till(tmp_path_factory):
    """A running server with gates of every kind and a channel, so that all of it is reached."""
    rules = [
        {"name": "review", "action": "transfer", "verdict": "review", "amount_fen_min": 5_000},
        {"name": "challenge", "action": "transfer", "verdict": "challenge", "amount_fen_min": 700},
        {"name": "delay", "action": "send", "verdict": "delay", "amount_fen_min": 5_000,
         "delay_s": 60},
        {"name": "hold", "action": "claim", "verdict": "review", "amount_fen_min": 400},
    ]  # fmt: skip
    with tilling(tmp_path_factory.mktemp("fuzz"), rules=rules, lanes=2) as found:
        yield found
