"""The guards of the ledger, the gate and the claim, each with its removal and the tests that mind.

`mutant.diff` holds them as small diffs that a person can read. Removing a guard means that its
condition is never true, or that the boundary moves by one; a guard added to the code without a
block there fails `test_mutant.py`.
"""

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """One guard removed: where, its lines, what stands instead, and the tests that must fail."""

    file: str
    text: str
    instead: str
    tests: str


def read(path: Path) -> list[Mutant]:
    """Read the blocks of a file: `@ file | tests`, then lines kept, removed and put instead."""
    mutants = []
    for block in path.read_text("utf-8").split("\n@ ")[1:]:
        head, *lines = block.splitlines()
        file, tests = head.split(" | ")
        assert all(line[:1] in {"", " ", "-", "+"} for line in lines), f"not a diff: {head}"
        old = [line[1:] + "\n" for line in lines if line[:1] in {" ", "-"}]
        new = [line[1:] + "\n" for line in lines if line[:1] in {" ", "+"}]
        mutants.append(Mutant(file, "".join(old), "".join(new), tests))
    return mutants


MUTANTS = read(Path(__file__).parent / "mutant.diff")
