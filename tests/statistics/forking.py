"""Fork at one instant and print what every child draws: `forking.py ours` or `forking.py rival`.

A process of its own, so that no thread of the test runner is forked along.
"""

import os
import random
import sys

from typer.testing import CliRunner

from lingqian.cli.main import app

CHILDREN = 6
INHERITED = random.Random(os.urandom(16))


def ours():
    """Return one split by the product's own command, inside this process."""
    return CliRunner().invoke(app, ["split", "200000", "20"]).stdout.strip()


def rival():
    """Return one split by a rule that draws from a generator made before the fork."""
    return ",".join(str(INHERITED.randint(1, 20_000)) for _ in range(20))


def forked(draw):
    """Return a line of every child; all are held at one gate until the last is there."""
    gate_out, gate_in = os.pipe()
    ends = []
    for _ in range(CHILDREN):
        out, into = os.pipe()
        if os.fork() == 0:
            os.close(gate_in)
            os.read(gate_out, 1)  # returns for all at once when the parent closes its end
            os.write(into, draw().encode())
            os._exit(0)
        os.close(into)
        ends.append(out)
    os.close(gate_in)
    lines = []
    for end in ends:
        with os.fdopen(end) as stream:
            lines.append(stream.read())
        os.wait()
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(forked({"ours": ours, "rival": rival}[sys.argv[1]])))
