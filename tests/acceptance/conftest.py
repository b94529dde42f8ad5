"""One server and one crew for all tests of a worker that need nothing special of them."""

import sys
from pathlib import Path

import pytest

from acceptance.crew import crew_of
from acceptance.rival import rivals
from acceptance.server import serving

# Tests of luck share the arithmetic of the statistical tests.
sys.path.append(str(Path(__file__).parent.parent / "statistics"))


@pytest.fixture(scope="session")
def crew():
    """Four client processes, as the acceptance text asks for."""
    with crew_of(4) as found:
        yield found


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with the default settings."""
    with serving(tmp_path_factory.mktemp("serve") / "data") as found:
        yield found


@pytest.fixture(scope="session")
def rival():
    """A server of rival rules."""
    with rivals() as found:
        yield found
