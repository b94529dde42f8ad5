"""The page of the simulator says what the simulator has."""

from lingqian_simulator.control import CALLS
from lingqian_simulator.fault import TABLE
from lingqian_simulator.route import TABLE as OPERATIONS
from tidy.text import ROOT

LINES = set((ROOT / "docs" / "reference" / "simulator.md").read_text("utf-8").splitlines())


def test_every_call_fault_and_operation_has_its_line():
    """A call nobody can find is not there; a line without a call would be a promise."""
    rows = {f"| `{o.name}` | `{o.method} {o.path}` |" for o in OPERATIONS}
    rows |= {f"| `{f.name}` | {f.kind} | {f.words} |" for f in TABLE}
    for call in CALLS:
        path = call.path.replace("|", r"\|")
        rows.add(f"| `{call.method} {path}` | {call.words} |")
    assert rows - LINES == set()
    assert {line for line in LINES if line.startswith("| `") and "`--" not in line} == rows
