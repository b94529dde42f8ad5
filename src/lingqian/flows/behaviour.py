"""Recording steps: what a page tells of a person, durable and once, and never a matter of money.

Law: a step that is told again changes nothing; nothing else reads these rows to decide.
"""

from typing import NamedTuple

from lingqian.analytics.step import BehaviourEvent, held_us
from lingqian.flows.command import RecordSteps
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import View, Wanted
from lingqian.kernel.code import OK, Code


class StepsDone(NamedTuple):
    """Which of the steps were new: their places in the command."""

    fresh: tuple[int, ...]


def need_steps(command: RecordSteps, wanted: Wanted) -> None:
    """Name the person and every step that may be known."""
    wanted.users.add(command.user_id)
    wanted.behaviour_events.update(each.event_id for each in command.steps)


def decide_steps(view: View, command: RecordSteps, at_us: int) -> Decision:
    """Take down what is not known yet.

    Refuses: user_unknown.
    """
    del at_us
    if view.users.get(command.user_id) is None:
        return refused(Code.USER_UNKNOWN)
    fresh = [
        place
        for place, each in enumerate(command.steps)
        if view.behaviour_events.get(each.event_id) is None
    ]
    return Decision(OK, StepsDone(tuple(fresh)) if fresh else None)


def fold_steps(view: View, record: Record) -> None:
    """Write the new steps."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, RecordSteps), "the journal names its kind"
    assert isinstance(outcome, StepsDone), "the journal names its kind"
    for place in outcome.fresh:
        told = command.steps[place]
        row = BehaviourEvent(
            amount_fen=told.amount_fen,
            at_us=held_us(told.at_us, record.at_us),
            order_id=told.order_id,
            reason=told.reason,
            received_us=record.at_us,
            scene=told.scene,
            step=told.step,
            trace=told.trace,
            user_id=command.user_id,
        )
        view.behaviour_events.put(told.event_id, row)
