"""The gate: who → limits → risk, one ladder for every command that moves money (闸门).

Verdicts and the states they lead to: allow goes on; challenge asks for one more verification and
moves nothing; delay and review set money aside until a clock or a person decides; block refuses.
"""

from typing import Final, NamedTuple

from lingqian.flows.case import CLEARED_STATES, Case, CaseState, case_id
from lingqian.flows.case import MACHINE as CASE_MACHINE
from lingqian.flows.decision import Record
from lingqian.flows.view import View, Wanted
from lingqian.identity.user import UserState
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.bound import CHALLENGE_DEADLINE_S, REVIEW_DEADLINE_S, TOP_UP_REVIEW_DEADLINE_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import OK, Code
from lingqian.risk.rule import Action, Rule, Verdict, judge

OWNER_RISK = "risk"
# Who looks at a case that nobody has decided in time and that may not end by itself.
OWNER_LEAD = "risk lead"
_NONE: Final = AccountClass.NONE
_ACTIVE: Final = UserState.ACTIVE
_STEP = {Verdict.CHALLENGE: "challenge", Verdict.DELAY: "delay", Verdict.REVIEW: "review"}


class Opened(NamedTuple):
    """The case a stopped command opens; part of that command's outcome."""

    case_id: bytes
    action: int
    object_id: bytes
    user_id: bytes
    amount_fen: int
    verdict: int
    rule: str
    due_at_us: int
    requested_by: str = ""


def may_pay(account_class: int, state: int) -> Code:
    """Say whether a person of this class and state may move money at all.

    Refuses: real_name_required, account_frozen.
    """
    if account_class == _NONE:
        return Code.REAL_NAME_REQUIRED
    if state != _ACTIVE:
        return Code.ACCOUNT_FROZEN
    return OK


class Stop(NamedTuple):
    """Why the gate does not simply allow: a code, and for all but block the case to open."""

    verdict: Verdict
    code: Code
    opened: Opened | None


class Subject(NamedTuple):
    """What the gate judges: an action of a person with an amount on an object.

    `asked` is what the caller chose under this key; a cleared case clears exactly that.
    """

    key: bytes
    action: Action
    object_id: bytes
    user_id: bytes
    amount_fen: int
    asked: tuple[bytes | str | int, ...] = ()


def weigh(view: View, subject: Subject, at_us: int) -> Stop | None:
    """Weigh one command by the rules; None lets it pass.

    Refuses: blocked, challenge_required, claim_held.
    """
    rule = judge(view.policy.rules, subject.action, subject.amount_fen)
    if rule is None:
        return None
    if rule.verdict == Verdict.BLOCK:
        return Stop(Verdict.BLOCK, Code.BLOCKED, None)
    return _stop(view, subject, rule, at_us)


def want_case(wanted: Wanted, key: bytes, asked: tuple[bytes | str | int, ...] = ()) -> None:
    """Name the case that the same request may have opened before."""
    wanted.cases.add(case_id(key, asked))


def _stop(view: View, subject: Subject, rule: Rule, at_us: int) -> Stop | None:
    identity = case_id(subject.key, subject.asked)
    case = view.cases.get(identity)
    if case is not None:
        return _known(case, subject, rule, at_us)
    return Stop(rule.verdict, _code(subject, rule.verdict), _opened(identity, subject, rule, at_us))


def _known(case: Case, subject: Subject, rule: Rule, at_us: int) -> Stop | None:
    """Judge a command whose case exists: cleared passes, refused stays refused, open waits."""
    if case.state in CLEARED_STATES:
        return None
    if case.state == CaseState.REFUSED:
        return Stop(Verdict.BLOCK, Code.BLOCKED, None)
    if case.state == CaseState.LAPSED and case.verdict == Verdict.CHALLENGE:
        # Nothing was set aside and nobody answered: the command is weighed anew, by today's rules.
        opened = _opened(case_id(subject.key, subject.asked), subject, rule, at_us)
        return Stop(rule.verdict, _code(subject, rule.verdict), opened)
    if case.state == CaseState.LAPSED:
        return Stop(Verdict.BLOCK, Code.BLOCKED, None)
    verdict = Verdict(case.verdict)
    return Stop(verdict, _code(subject, verdict), None)


def _code(subject: Subject, verdict: Verdict) -> Code:
    if verdict == Verdict.CHALLENGE:
        return Code.CHALLENGE_REQUIRED
    return Code.CLAIM_HELD if subject.action == Action.CLAIM else Code.OK


def _opened(identity: bytes, subject: Subject, rule: Rule, at_us: int) -> Opened:
    seconds = {
        Verdict.CHALLENGE: CHALLENGE_DEADLINE_S,
        Verdict.DELAY: rule.delay_s,
        Verdict.REVIEW: REVIEW_DEADLINE_S,
    }[rule.verdict]
    return Opened(
        identity,
        subject.action,
        subject.object_id,
        subject.user_id,
        subject.amount_fen,
        rule.verdict,
        rule.name,
        at_us + seconds * SECOND_US,
    )


def open_review(view: View, subject: Subject, rule: Rule, at_us: int) -> Opened:
    """Return the case of money that is held until a clock or a person lets it go on.

    A rule stricter than review is reviewed here: what has come cannot be blocked any more.
    """
    seconds = rule.delay_s if rule.verdict == Verdict.DELAY else TOP_UP_REVIEW_DEADLINE_S
    verdict = Verdict.DELAY if rule.verdict == Verdict.DELAY else Verdict.REVIEW
    identity = case_id(subject.key)
    assert view.cases.get(identity) is None, "an order is reviewed once"
    return Opened(
        identity,
        subject.action,
        subject.object_id,
        subject.user_id,
        subject.amount_fen,
        verdict,
        rule.name,
        at_us + seconds * SECOND_US,
    )


def fold_opened(view: View, opened: Opened, record: Record) -> None:
    """Write the case a stopped command opened."""
    step = _STEP[Verdict(opened.verdict)]
    known = view.cases.get(opened.case_id)
    state = CASE_MACHINE.step(CaseState.CREATED if known is None else known.state, step)
    case = Case(
        opened.action,
        opened.amount_fen,
        "",
        opened.due_at_us,
        opened.object_id,
        record.at_us,
        OWNER_RISK,
        opened.requested_by,
        opened.rule,
        state,
        opened.user_id,
        opened.verdict,
    )
    view.cases.put(opened.case_id, case)
