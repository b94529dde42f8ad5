"""Rules and verdicts: an empty set allows; otherwise the strictest verdict wins (规则).

Law: ALLOW < CHALLENGE < DELAY < REVIEW < BLOCK.   Units: fen; seconds.
"""

from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    """What the gate decides about one command, from mildest to strictest."""

    ALLOW = 0
    CHALLENGE = 1
    DELAY = 2
    REVIEW = 3
    BLOCK = 4


class Action(IntEnum):
    """What a rule looks at."""

    SEND = 1
    TRANSFER = 2
    CLAIM = 3
    TOP_UP = 4
    PAYOUT = 5


class Rule(NamedTuple):
    """One rule: for an action of at least this amount, this verdict; `delay_s` for DELAY only."""

    name: str
    action: Action
    amount_fen_min: int
    verdict: Verdict
    delay_s: int = 0


def judge(rules: tuple[Rule, ...], action: Action, amount_fen: int) -> Rule | None:
    """Return the strictest rule that matches; None allows. Equal verdicts: the earlier rule."""
    strictest: Rule | None = None
    for rule in rules:
        applies = rule.action == action and amount_fen >= rule.amount_fen_min and rule.verdict
        if applies and (strictest is None or rule.verdict > strictest.verdict):
            strictest = rule
    return strictest
