"""State machines: every pair without a row is refused, and every table is sound."""

import itertools

import pytest

from lingqian.flows import case, transfer
from lingqian.kernel.machine import machine
from lingqian.ledger import hold
from lingqian.redpacket import packet

MACHINES = {
    "case": (case.MACHINE, case.CaseState),
    "hold": (hold.MACHINE, hold.HoldState),
    "packet": (packet.MACHINE, packet.PacketState),
    "transfer": (transfer.MACHINE, transfer.TransferState),
}


@pytest.mark.parametrize("name", MACHINES)
def test_pair_without_a_row_is_refused(name):
    """Nothing moves a thing in a way its table does not name."""
    rows, states = MACHINES[name]
    events = {event for _, event in rows.steps}
    for state, event in itertools.product(states, events):
        if (state, event) in rows.steps:
            assert rows.step(state, event) == rows.steps[state, event]
        else:
            with pytest.raises(AssertionError, match="no step"):
                rows.step(state, event)


@pytest.mark.parametrize("name", MACHINES)
def test_machine_uses_every_state(name):
    """A state that no row names is a word without a meaning."""
    rows, states = MACHINES[name]
    assert {rows.start, *rows.steps.values()} == set(states)


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_end(name):
    """Nothing waits for ever: from each state some row leads on to a final one."""
    rows, states = MACHINES[name]
    ends = set(rows.final)
    for _ in states:
        ends |= {source for (source, _), target in rows.steps.items() if target in ends}
    # A challenge that lapsed may be asked again, so lapsed ends only by way of another challenge.
    assert ends == set(states)


def test_final_states_of_a_packet_are_the_closed_ones():
    """Finished, expired, refused and invalidated are for ever."""
    state = packet.PacketState
    assert packet.MACHINE.final == {
        state.FINISHED, state.EXPIRED, state.REFUSED, state.INVALIDATED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(0, "a", 1), (0, "a", 2)], "two rows"),
        ([(0, "a", 1), (5, "a", 1)], "nothing reaches"),
        ([(0, "a", 1), (1, "a", 0)], "able to end"),
    ],
)
def test_machine_refuses_an_unsound_table(rows, words):
    """A contradiction is found when the module is read, not when money depends on it."""
    with pytest.raises(AssertionError, match=words):
        machine(0, rows)
