"""The table of codes: complete, ordered, and told in both languages."""

import re

import pytest

from lingqian.kernel.code import TABLE, Code, Retry


def test_codes_stand_in_order_of_precedence():
    """When two refusals are true the earlier one is given; the numbers say which is earlier."""
    assert list(Code) == sorted(Code)


def test_every_code_has_its_row():
    """A code without words would reach a person as a number."""
    assert set(TABLE) == set(Code)


@pytest.mark.parametrize("code", [code for code in Code if code])
def test_code_is_told_in_both_languages(code):
    """Whoever reads the refusal, it is a sentence."""
    row = TABLE[code]
    assert re.search(r"[\u4e00-\u9fff].*。$", row.zh), row.zh
    assert re.fullmatch(r"[A-Z][\x20-\x7e]*\.", row.en), row.en


@pytest.mark.parametrize("code", [code for code in Code if code])
def test_code_has_a_status_of_a_refusal(code):
    """No refusal is told as a success; our own failure is ours, and never uses up a key."""
    row = TABLE[code]
    ours = (
        Code.INTERNAL,
        Code.UNAVAILABLE,
        Code.ACCEPTED,
        Code.RELAY_GAP,
        Code.PROOF_WITHHELD,
    )
    is_ours = code in ours
    assert row.status in (range(500, 600) if is_ours else range(400, 500))
    assert not (is_ours and row.burns)


@pytest.mark.parametrize("code", list(Code))
def test_burnt_key_asks_for_a_new_one(code):
    """Telling a caller to repeat a burnt key would send him round in circles."""
    row = TABLE[code]
    assert not row.burns or row.retry == Retry.NEW_KEY


@pytest.mark.parametrize("code", [Code.BUSY, Code.UNAVAILABLE, Code.MALFORMED_JSON])
def test_what_never_reached_the_core_burns_nothing(code):
    """A key is used up by an answer of the ledger, not by a full queue or a broken request."""
    assert not TABLE[code].burns
