"""One server for most tests of a process; tests use people of their own."""

import pytest

from api.caller import running


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """A running server as a newcomer would start it."""
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(scope="session")
def api(house):
    """Somebody who may do everything."""
    return house.caller()
