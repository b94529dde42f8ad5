"""S9: where the chance comes from. Freeze all that could stand in for it: nothing repeats."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lingqian.cli.main import app

GENERATORS = ("random", "numpy.random", "uuid")


@pytest.fixture
def frozen(monkeypatch):
    """Fix every general-purpose generator and the clock."""
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"):
        monkeypatch.setattr(time, name, lambda: 1_700_000_000)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    monkeypatch.setattr(random, "getrandbits", lambda _bits: 0)
    monkeypatch.setattr(random, "randbytes", bytes)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    state = random.getstate()
    random.seed(1)
    yield
    random.setstate(state)


def our_line():
    """Return one split by the product's own command, inside this process."""
    answer = CliRunner().invoke(app, ["split", "200000", "20"])
    assert answer.exit_code == 0
    return answer.stdout


def rival_line():
    """Return one split by a rule that draws from a general-purpose generator."""
    return ",".join(str(random.randint(1, 20_000)) for _ in range(20))


def forked_lines(whose):
    """Return what children print that were forked at the same instant."""
    script = Path(__file__).with_name("forking.py")
    answer = subprocess.run(
        [sys.executable, str(script), whose], capture_output=True, timeout=60, check=True
    )
    return answer.stdout.decode().splitlines()


@pytest.mark.usefixtures("frozen")
def test_s9_outputs_differ_with_every_other_source_fixed():
    """The seed is the system's: no clock, process id or library generator takes part in it."""
    lines = []
    for _ in range(20):
        random.seed(1)
        lines.append(our_line())
    assert len(set(lines)) == 20


@pytest.mark.usefixtures("frozen")
def test_s9_control_a_general_purpose_generator_repeats():
    """Control: the same freezing makes a rival repeat itself."""
    lines = []
    for _ in range(5):
        random.seed(1)
        lines.append(rival_line())
    assert len(set(lines)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_s9_processes_forked_at_one_instant_differ():
    """Two workers that begin as copies of each other must not pay the same amounts."""
    lines = forked_lines("ours")
    assert [line.count(",") for line in lines] == [19] * 6
    assert len(set(lines)) == len(lines)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_s9_control_forked_generators_repeat():
    """Control: a rival's children inherit one state and draw the same."""
    lines = forked_lines("rival")
    assert len(lines) == 6
    assert len(set(lines)) == 1


def test_s9_no_general_purpose_generator_is_reachable_from_the_split():
    """White box: importing all that makes a split loads no general-purpose generator."""
    program = (
        "import sys, lingqian.redpacket.proof\n"
        f"print([name for name in {GENERATORS!r} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == b"[]"
