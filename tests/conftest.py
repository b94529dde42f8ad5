"""What holds for every test."""

from need import needs, required


def pytest_configure():
    """Refuse a misspelt requirement at once, before it can hide a skip."""
    required()


def pytest_runtest_setup(item):
    """Skip or fail a test marked `needs("node")` before its fixtures start."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            needs(name)
