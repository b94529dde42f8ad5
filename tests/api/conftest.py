"""One server for most tests of a process; tests use people of their own."""

import os

import pytest

from api.caller import DATABASE_VARIABLE, running

# Tests that are about the file itself, and why they say nothing of a server.
OF_THE_FILE = {
    "test_a_picture_lies_sealed": "reads the bytes of the file",
    "test_a_talk_is_found_by_its_index": "asks the embedded engine for its plan",
    "test_no_canary_is_found_outside_its_cage": "reads the bytes of the file",
    "test_no_canary_of_money_is_found_outside_its_cage": "reads the bytes of the file",
}


def pytest_collection_modifyitems(items):
    """Leave out what is about the file when the houses have their rows somewhere else."""
    if os.environ.get(DATABASE_VARIABLE):
        for item in items:
            if why := OF_THE_FILE.get(getattr(item, "originalname", "")):
                item.add_marker(pytest.mark.skip(reason=f"{DATABASE_VARIABLE}: {why}"))


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """A running server as a newcomer would start it."""
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(scope="session")
def api(house):
    """Somebody who may do everything."""
    return house.caller()
