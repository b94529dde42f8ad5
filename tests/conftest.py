"""What holds for every test."""

from hypothesis import settings

from need import needs, required

# Two busy cores are no reason to fail; every test has its own bound in seconds (pytest-timeout).
settings.register_profile("lingqian", deadline=None, print_blob=True)
settings.load_profile("lingqian")


def pytest_configure():
    """Refuse a misspelt requirement at once, before it can hide a skip."""
    required()


def pytest_runtest_setup(item):
    """Skip or fail a test marked `needs("node")` before its fixtures start."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            needs(name)
