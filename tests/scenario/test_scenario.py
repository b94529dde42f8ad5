"""Every scenario, with one lane and with four; and whether the scenarios are complete."""

from pathlib import Path

import pytest

from lingqian.kernel.code import TABLE, Code
from play import FACTS, VERBS, play, read

HERE = Path(__file__).parent
SCENARIOS = [each for path in sorted(HERE.glob("*.txt")) for each in read(path)]

# What only the door can say: refused before a command exists. The tests of the door produce them.
DOOR = {
    Code.MALFORMED_JSON,
    Code.INVALID_FIELD,
    Code.BODY_TOO_LARGE,
    Code.UNAUTHENTICATED,
    Code.SCOPE_MISSING,
    Code.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.KEY_REQUIRED,
    Code.SANDBOX_ONLY,
    Code.BUSY,
    Code.UNAVAILABLE,
    Code.ACCEPTED,
    Code.INTERNAL,
    Code.TOKEN_EXPIRED,
    Code.SESSION_ENDED,
    Code.PROOF_INVALID,
    Code.LINK_INVALID,
    Code.NOT_YOURSELF,
    Code.CHALLENGE_INVALID,
    Code.FACTOR_NEEDED,
    Code.PASSWORD_NOT_SET,
    Code.PASSWORD_LOCKED,
    Code.WRONG_PASSWORD,
    Code.WEAK_PASSWORD,
    Code.NO_VERIFIER,
    Code.ID_NUMBER_INVALID,
    Code.REAL_NAME_EXHAUSTED,
    Code.REAL_NAME_KNOWN,
    Code.REAL_NAME_MISMATCH,
    Code.FACE_MISMATCH,
    Code.REAL_NAME_TAKEN,
    Code.PASSKEY_INVALID,
    Code.OPERATOR_CODE_NEEDED,
    Code.WRONG_OPERATOR_CODE,
    Code.OPERATOR_CODE_LOCKED,
    Code.COVER_UNKNOWN,
    Code.PICTURE_UNFIT,
    Code.COVER_TRIES_EXHAUSTED,
    Code.TOO_MANY_COVERS,
    Code.COVER_WITHDRAWN,
    Code.PACKET_NOT_CLOSED,
    Code.PROOF_WITHHELD,
    Code.NO_CHANNEL,
    Code.PLAN_UNKNOWN,
}


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: f"{each.file}: {each.title}")
def test_scenario_plays_to_its_end(scenario, lanes):
    """A person can read what is promised; the same must be true however the work is spread."""
    play(scenario, lanes).close()


def codes_expected():
    """Return the codes that some row expects as an answer given for the first time."""
    lines = [line for each in SCENARIOS for line in each.lines]
    return {line.answer.split()[0] for line in lines if line.answer and "again" not in line.answer}


def test_scenarios_produce_every_code_of_the_core():
    """A code nobody can produce is dead; one that no scenario produces is unproven."""
    expected = {code.name.lower() for code in set(Code) - DOOR}
    assert codes_expected() == expected


def test_scenarios_show_that_every_burnt_refusal_stays_refused():
    """The first answer is the answer for ever, also when it was a refusal."""
    lines = [line for each in SCENARIOS for line in each.lines]
    again = {line.answer.split()[0] for line in lines if line.answer.endswith(" again")}
    burnt = {code.name.lower() for code, row in TABLE.items() if row.burns}
    assert again >= burnt | {"ok"}


def test_scenarios_use_every_verb_and_every_fact():
    """A word of the language that nothing uses is a test that somebody forgot to write."""
    lines = [line for each in SCENARIOS for line in each.lines]
    verbs = {word for line in lines for word in line.command.removeprefix("x4 ").split()[:1]}
    assert set(VERBS) <= verbs
    facts = {fact.split()[1] for line in lines for fact in line.facts.split(",")
             if len(fact.split()) == 3}  # fmt: skip
    assert set(FACTS) - {"balance"} <= facts


def test_scenario_titles_are_unique():
    """A failing title must lead to one place."""
    titles = [(each.file, each.title) for each in SCENARIOS]
    assert len(titles) == len(set(titles))
