"""State machines as tables: one row per allowed step, checked when the module is read (状态机)."""

from collections.abc import Iterable
from typing import NamedTuple


class Machine(NamedTuple):
    """A start state, its steps (state, event) → state, and the states nothing leaves."""

    start: int
    steps: dict[tuple[int, str], int]
    final: frozenset[int]

    def step(self, state: int, event: str) -> int:
        """Return the next state; a pair without a row is a bug of the caller."""
        following = self.steps.get((state, event))
        assert following is not None, f"no step from {state} on {event}"
        return following


def machine(start: int, rows: Iterable[tuple[int, str, int]]) -> Machine:
    """Build a machine: no row twice, every state reached, at least one final state."""
    steps: dict[tuple[int, str], int] = {}
    for source, event, target in rows:
        assert (source, event) not in steps, f"two rows for {source} on {event}"
        steps[source, event] = target
    sources = {source for source, _ in steps}
    targets = set(steps.values())
    assert sources <= targets | {start}, "a state that nothing reaches"
    final = frozenset((targets | {start}) - sources)
    assert final, "a machine must be able to end"
    return Machine(start, steps, final)
