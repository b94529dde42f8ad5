"""A challenge nobody answered binds nobody: the command is weighed anew, by today's rules."""

import pytest

from lingqian.flows.case import Case, CaseState, case_id
from lingqian.flows.decision import Record
from lingqian.flows.gate import OWNER_RISK, Subject, fold_opened, weigh
from lingqian.flows.view import Policy, View
from lingqian.kernel.code import Code
from lingqian.risk.rule import Action, Rule, Verdict

KEY = bytes(16)
USER = bytes(range(16))
LAPSED = {
    Verdict.CHALLENGE: (CaseState.CHALLENGED, Code.CHALLENGE_REQUIRED),
    Verdict.DELAY: (CaseState.DELAYED, Code.OK),
    Verdict.REVIEW: (CaseState.HELD, Code.OK),
}


@pytest.mark.parametrize("verdict", LAPSED)
def test_lapsed_challenge_takes_the_verdict_of_todays_rule(verdict):
    """Found by simulation: the rule had changed to review and the case had no such step."""
    rule = Rule("today", Action.TRANSFER, 1, verdict, 60)
    view = View(0, Policy({}, (rule,)), reveal=None)
    identity = case_id(KEY)
    state = CaseState.LAPSED
    view.cases.rows[identity] = Case(
        Action.TRANSFER, 5, "", 1, KEY, 0, OWNER_RISK, "", "old", state, USER, Verdict.CHALLENGE
    )
    stop = weigh(view, Subject(KEY, Action.TRANSFER, KEY, USER, 5), 2)
    fold_opened(view, stop.opened, Record(1, 2, 5, stop.code, None, None, (), ()))
    expected_state, expected_code = LAPSED[verdict]
    assert (expected_code, expected_state) == (stop.code, view.cases.rows[identity].state)
