"""Factors: every cell of the tables, by operating profile; what is asked for at every edge."""

import itertools

import pytest

from lingqian.compliance.factor import (
    CAPS,
    HAS,
    IS,
    KNOWS,
    NEW_DEVICE_S,
    NO_CAPS,
    RULES,
    SIGNED,
    Act,
    Facts,
    Occasion,
    Strength,
    agreed,
    asks,
    factor_caps,
    fits,
    strength,
)
from lingqian.compliance.limit import DEFAULT, Span, caps
from lingqian.compose import Config, SignatureRow, policy
from lingqian.kernel.account_class import AccountClass
from lingqian.topup.advance import ADVANCE_FEN_MAX

# 43 号 24: fewer than two kinds 1,000 a day, two 5,000, two with a signature as agreed.
BY_PROFILE = {
    "sandbox": (None, 100_000, 500_000, None),
    "closed_loop": (None, 100_000, 500_000, None),
    "licensed": (100_000, 100_000, 500_000, None),
}
# What the texts say of a person beside what the law says of the class; both bind.
BY_CLASS = {
    AccountClass.NONE: {},
    AccountClass.CLASS_I: {Span.DAY: 100_000, Span.LIFE: 100_000},
    AccountClass.CLASS_II: {Span.YEAR: 10_000_000},
    AccountClass.CLASS_III: {Span.YEAR: 20_000_000},
}
OLD = NEW_DEVICE_S


@pytest.mark.parametrize("profile", BY_PROFILE)
def test_every_cell_of_the_caps(profile):
    """Four strengths, with and without an agreement; an agreement changes its own cell only."""
    assert factor_caps(profile) == BY_PROFILE[profile]
    rows = (*CAPS, agreed(2_000_000, "our terms, 7"))
    assert factor_caps(profile, rows) == (*BY_PROFILE[profile][:3], 2_000_000)
    assert factor_caps(profile, [*rows, agreed(900, "stricter")])[Strength.SIGNED] == 900
    assert factor_caps("nothing", rows) == NO_CAPS


@pytest.mark.parametrize("profile", BY_PROFILE)
@pytest.mark.parametrize("account_class", AccountClass)
def test_the_texts_and_the_law_bind_side_by_side(profile, account_class):
    """In every profile the same rows for a class; no profile loosens what another has."""
    config = Config(profile=profile, unencrypted_volume_because="a test")
    found = policy(config).caps[account_class]
    spans = {Span.DAY: found.day_fen, Span.YEAR: found.year_fen, Span.LIFE: found.life_fen}
    assert {span: cap for span, cap in spans.items() if cap is not None} == BY_CLASS[account_class]
    assert found == caps(DEFAULT)[account_class]
    for row in DEFAULT:
        if row.account_class == account_class and row.span in BY_CLASS[account_class]:
            assert "mission R8" in row.source or "43 号" in row.source


def test_a_signature_counts_where_somebody_says_why():
    """A question of law: off by default, and no setting without its ground."""
    assert policy(Config()).factor_caps[Strength.SIGNED] is None
    row = SignatureRow(day_fen=1_000_000, because="法律意见 2026-7")
    assert policy(Config(signature=row)).factor_caps == (None, 100_000, 500_000, 1_000_000)


KINDS = (KNOWS, HAS, IS)


@pytest.mark.parametrize("bits", range(16))
def test_strength_counts_kinds_and_not_how_often(bits):
    """All sixteen: nothing, one kind whatever it signs, two, two and a signature."""
    kinds = sum(1 for kind in KINDS if bits & kind)
    expected = Strength.VOUCHED
    if bits:
        expected = Strength.WEAK if kinds < 2 else Strength.STRONG
    if kinds >= 2 and bits & SIGNED:
        expected = Strength.SIGNED
    assert strength(bits) == expected


def facts(**changed):
    """Return a payment that nothing is asked for."""
    return Facts(100, Act.PAY, device_age_s=OLD, is_first_payee=False, day_fen=0)._replace(
        **changed
    )


EDGES = {
    Occasion.PAYOUT: ({"act": Act.PAYOUT}, 1),
    Occasion.ADVANCE: ({"act": Act.ADVANCE, "device_age_s": OLD - 1}, 1),
    Occasion.AMOUNT: ({}, 20_000),
    Occasion.NEW_DEVICE: ({"device_age_s": OLD - 1}, 5_000),
    Occasion.FIRST_PAYEE: ({"is_first_payee": True}, 10_000),
    Occasion.DAY: ({"day_fen": 100_000}, 1),
}


@pytest.mark.parametrize("occasion", Occasion)
def test_each_rule_asks_from_its_amount_on(occasion):
    """One fen less asks nothing; without its occasion no rule asks below the large amount."""
    changed, edge = EDGES[occasion]
    limits = factor_caps("sandbox")
    found = asks(facts(**changed, amount_fen=edge), limits)
    assert (found.occasion, found.amount_fen_min) == (occasion, edge)
    assert asks(facts(**changed, amount_fen=edge - 1), limits) is None
    assert asks(facts(amount_fen=19_999), limits) is None


def test_every_rule_says_why_in_two_languages():
    """And stands once."""
    assert {row.occasion for row in RULES} == set(Occasion)
    assert all(row.zh and row.en and row.source for row in RULES)
    assert len(RULES) == len(Occasion)


DAYS = (0, 99_999, 100_000, 499_999, 500_000, 999_999, 1_000_000)


PROOFS = (0, HAS, HAS | KNOWS, HAS | IS, HAS | IS | SIGNED)


@pytest.mark.parametrize(("bits", "day_fen"), list(itertools.product(PROOFS, DAYS)))
def test_a_day_holds_what_its_proof_allows(bits, day_fen):
    """At every edge: the whole day counts, and a payout to one's own account is not counted."""
    limits = factor_caps("sandbox", (*CAPS, agreed(1_000_000, "terms")))
    cap_fen = limits[strength(bits)]
    found = facts(amount_fen=1, day_fen=day_fen)
    assert fits(found, bits, limits) == (cap_fen is None or day_fen < cap_fen)
    assert fits(found._replace(act=Act.PAYOUT), bits, limits)


def test_the_own_device_is_enough_to_be_advanced():
    """Since yesterday: the most there is, fifty yuan, however much the day has seen already."""
    most = facts(act=Act.ADVANCE, amount_fen=ADVANCE_FEN_MAX, day_fen=1_000_000)
    assert asks(most, factor_caps("sandbox")) is None
    young = most._replace(amount_fen=1, device_age_s=OLD - 1)
    assert asks(young, factor_caps("sandbox")).occasion == Occasion.ADVANCE
