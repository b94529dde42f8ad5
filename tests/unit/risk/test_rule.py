"""Rules: an empty set allows, and the strictest verdict wins."""

from hypothesis import given
from hypothesis import strategies as st

from lingqian.risk.rule import Action, Rule, Verdict, judge

rules = st.lists(
    st.builds(
        Rule, st.just("r"), st.sampled_from(Action), st.integers(0, 5), st.sampled_from(Verdict)
    )
)


def test_no_rules_allow():
    """The set is empty until somebody writes one."""
    assert judge((), Action.SEND, 10**9) is None


@given(rules, st.sampled_from(Action), st.integers(0, 6))
def test_judge_returns_the_strictest_rule_that_matches(drawn, action, fen):
    """ALLOW < CHALLENGE < DELAY < REVIEW < BLOCK, whatever the order of the rules."""
    matching = [
        rule
        for rule in drawn
        if rule.action == action and fen >= rule.amount_fen_min and rule.verdict != Verdict.ALLOW
    ]
    found = judge(tuple(drawn), action, fen)
    if not matching:
        assert found is None
        return
    strictest = max(rule.verdict for rule in matching)
    assert found is next(rule for rule in matching if rule.verdict == strictest)


def test_rule_binds_from_its_least_amount_on():
    """At the amount itself, not one fen later."""
    rule = Rule("r", Action.SEND, 100, Verdict.BLOCK)
    assert judge((rule,), Action.SEND, 100) is rule
    assert judge((rule,), Action.SEND, 99) is None
    assert judge((rule,), Action.TRANSFER, 100) is None
