"""`kill -9` on a process that owns the file alone: faster than over HTTP, and with a control.

The parent knows what an undisturbed run answers. After each kill the file must hold every batch
that was told, and at most the one that was under way.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crash import child
from crash.size import BOUND_S, sized
from lingqian.storage.audit import audit
from lingqian.storage.memory import memory_store
from lingqian.storage.sqlite import connect

KILLS = sized(8, 300)
BATCHES_MAX = sized(400, 20_000)
AGAIN = 3
LIFE_S = (0.0, 0.4)


class Undisturbed:
    """What a run without kills answers, and how many journal rows it has after each batch."""

    def __init__(self):
        self.lane = child.writer(memory_store(f"undisturbed-{id(self):x}"))
        self.answers = []
        self.rows = []

    def until(self, number):
        """Go on up to a batch."""
        while len(self.answers) <= number:
            self.answers.append(child.ask(self.lane, len(self.answers)))
            self.rows.append(self.lane.lanes[0].row.next_seq - 1)


def live(path, first, mode):
    """Start a process, let it live for a moment, kill it; return the lines it got out."""
    with subprocess.Popen(
        [sys.executable, Path(child.__file__), path, str(first), mode],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(child.__file__).parent.parent), "PATH": ""},
    ) as process:
        lines = [process.stdout.readline()]
        end = time.monotonic() + random.uniform(*LIFE_S)
        while time.monotonic() < end and len(lines) < BATCHES_MAX:
            lines.append(process.stdout.readline())
        process.kill()
        lines += process.stdout.read().splitlines()
    # A line that was cut was not told to anybody.
    return [json.loads(line) for line in lines if line.rstrip().endswith("]]]")]


def rows_of(path):
    """Return how many journal rows the file holds as it lies."""
    connection = connect(str(path), readonly=True)
    try:
        row = connection.execute("SELECT next_seq - 1 FROM lanes WHERE lane = 0").fetchone()
        return row[0] if row else 0
    finally:
        connection.close()


def killed(path, mode):
    """Kill again and again; raise AssertionError at the first answer that did not last."""
    calm, told = Undisturbed(), -1
    for _ in range(KILLS):
        for number, answers in live(path, max(0, told + 1 - AGAIN), mode):
            calm.until(number)
            assert answers == calm.answers[number], f"batch {number} was told otherwise"
            told = max(told, number)
        calm.until(told + 1)
        held = rows_of(path)
        assert calm.rows[told] <= held, f"{calm.rows[told] - held} rows that were told are lost"
        assert held in (calm.rows[told], calm.rows[told + 1]), "more than one batch was under way"
    return told


@pytest.mark.timeout(BOUND_S)
def test_killed_process_leaves_what_it_told(tmp_path):
    """Every batch that was told is there, whole, and one more at most; the audit is clean."""
    path = tmp_path / "ledger.db"
    assert killed(path, "right") >= KILLS
    connection, found = connect(str(path), readonly=True), []
    audit(connection, heads=None, vault=None, emit=found.append)
    connection.close()
    assert found == []


@pytest.mark.timeout(BOUND_S)
def test_killed_process_that_told_too_early_is_found_out(tmp_path):
    """The control: answers given before they are durable are missed or contradicted afterwards."""
    with pytest.raises(AssertionError, match=r"lost|told otherwise"):
        killed(tmp_path / "ledger.db", "eager")
