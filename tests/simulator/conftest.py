"""A simulator and a shop for each test that asks for them."""

import contextlib
import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lingqian_simulator.signer import SUITES, stranger
from simulated import Running, Shop

KEYS = 8


@pytest.fixture(scope="session", autouse=True)
def _keys():
    """Make a handful of RSA keys and hand them out in turn: a new one costs a fifth of a second."""
    for suite in SUITES:
        stranger(suite)  # a key that is nobody's must not come from the handful
    made = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(KEYS)]
    turn = itertools.cycle(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsa, "generate_private_key", lambda **_named: next(turn))
        yield


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
