"""Who is outside of a festival's processes: the crowd, and somebody who follows the events.

Each is a program of its own: it is told by lines of its input and writes into a notebook.
"""

import json
import subprocess
import sys
from pathlib import Path

from festival import crowd, listener
from festival.size import SIZE


class Program:
    """A program, its job, and what it has written down since somebody last looked."""

    def __init__(self, module, notebook, job):
        self.notebook = notebook
        self.notebook.touch()
        line = [sys.executable, str(Path(module.__file__))]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, text=True)
        self._read = 0
        self.say(json.dumps({**job, "notebook": str(notebook)}))

    def say(self, line):
        """Tell it a line."""
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def say_no_more(self):
        """End what it is told."""
        self._process.stdin.close()

    def lines(self):
        """Return the lines that were written since the last look."""
        with self.notebook.open("rb") as lines:
            lines.seek(self._read)
            piece = lines.read()
        whole = piece[: piece.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.splitlines()

    @property
    def is_done(self):
        """Whether it has done its job."""
        code = self._process.poll()
        assert code in (None, 0), f"{self._process.args} has ended with {code}"
        return code == 0

    def end(self):
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()


class Crowd(Program):
    """The crowd's process, and how many openings it has written down."""

    def __init__(self, folder, processes):
        job = {"urls": [each.url for each in processes], "key": processes[0].key, "seed": 1}
        job |= {"people": SIZE.people, "packets": SIZE.packets}
        super().__init__(crowd, folder / "notebook.jsonl", job)
        self._opens = 0

    def allow(self, count):
        """Let so many more be opened."""
        self.say(count)

    def allow_no_more(self):
        """Say that everything is allowed by now."""
        self.say_no_more()

    @property
    def opens(self):
        """How many openings have a definite answer by now."""
        self._opens += sum(each.startswith(b'["Open"') for each in self.lines())
        return self._opens


class Listener(Program):
    """The follower's process, and how far it has come."""

    def __init__(self, folder, job):
        super().__init__(listener, folder / "heard.jsonl", job)
        self._ends = {}

    @property
    def ends(self):
        """The event heard last of each lane: its row, and its number there."""
        for line in self.lines():
            _, lane, seq, number, *_ = json.loads(line)
            self._ends[lane] = seq, number
        return dict(self._ends)
