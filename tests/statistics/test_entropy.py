"""S9: where the chance comes from. Freeze all that could stand in for it: nothing repeats."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GENERATORS = ("random", "numpy.random", "uuid")


def lines_of(script, whose):
    """Return what a script beside this file prints: what it does to itself, it does to nobody."""
    path = Path(__file__).with_name(script)
    answer = subprocess.run(
        [sys.executable, str(path), whose], capture_output=True, timeout=60, check=True
    )
    return answer.stdout.decode().splitlines()


def test_s9_outputs_differ_with_every_other_source_fixed():
    """The seed is the system's: no clock, process id or library generator takes part in it."""
    lines = lines_of("freezing.py", "ours")
    assert [line.count(",") for line in lines] == [19] * 20
    assert len(set(lines)) == 20


def test_s9_control_a_general_purpose_generator_repeats():
    """Control: the same freezing makes a rival repeat itself."""
    lines = lines_of("freezing.py", "rival")
    assert len(lines) == 20
    assert len(set(lines)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_s9_processes_forked_at_one_instant_differ():
    """Two workers that begin as copies of each other must not pay the same amounts."""
    lines = lines_of("forking.py", "ours")
    assert [line.count(",") for line in lines] == [19] * 6
    assert len(set(lines)) == len(lines)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_s9_control_forked_generators_repeat():
    """Control: a rival's children inherit one state and draw the same."""
    lines = lines_of("forking.py", "rival")
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
