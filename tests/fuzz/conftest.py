"""How long to look: seconds in the ordinary tests; LINGQIAN_FUZZ=full: hours, or a number."""

import os

import pytest

from api.caller import running


@pytest.fixture(scope="session")
def examples():
    """Return how many examples each test draws."""
    size = os.environ.get("LINGQIAN_FUZZ", "6")
    return 2_000 if size == "full" else int(size)


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """A running server with gates of every kind, so that all of it is reached."""
    from lingqian.compose import RuleRow  # noqa: PLC0415 - beside its only use

    rules = (
        RuleRow("review", "transfer", "review", 5_000),
        RuleRow("challenge", "transfer", "challenge", 700),
        RuleRow("delay", "send", "delay", 5_000, 60),
        RuleRow("hold", "claim", "review", 400),
    )
    with running(tmp_path_factory.mktemp("fuzz"), rules=rules, lanes=2) as found:
        yield found
