"""A simulator and a shop for each test that asks for them."""

import contextlib

import pytest

from simulated import Running, Shop


@pytest.fixture
def start():
    """Start simulators with a configuration; all are stopped after the test."""
    with contextlib.ExitStack() as stack:

        def begin(**config):
            running = Running(**config)
            stack.callback(running.close)
            return running

        yield begin


@pytest.fixture
def simulator(start):
    """Start one with the ordinary configuration, its notices retried fast."""
    return start(notice_scale=0.001)


@pytest.fixture
def shop():
    """Open a shop that takes notices."""
    opened = Shop()
    yield opened
    opened.close()
