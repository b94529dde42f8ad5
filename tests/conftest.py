"""What holds for every test."""

from hypothesis import settings

from drawn import IS_SEARCH
from need import needs, required

# Two busy cores are no reason to fail; every test has its own bound in seconds (pytest-timeout).
settings.register_profile("search", deadline=None, print_blob=True)
# The suite says of a change whether it broke what held: the same examples every time. Looking for
# what nobody has met yet is a search of its own, and what it finds becomes a scenario.
settings.register_profile("suite", settings.get_profile("search"), derandomize=True, database=None)
settings.load_profile("search" if IS_SEARCH else "suite")


def pytest_configure():
    """Refuse a misspelt requirement at once, before it can hide a skip."""
    required()


def pytest_runtest_setup(item):
    """Skip or fail a test marked `needs("node")` before its fixtures start."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            needs(name)
