"""A crew of client processes, as the acceptance tests have it."""

import pytest

from acceptance.crew import crew_of


@pytest.fixture(scope="session")
def crew():
    """Two client processes."""
    with crew_of(2) as found:
        yield found
