"""The error table: every code of the documents, for every verb, says what may have happened."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.wechatpay.error import (
    ANY,
    READS,
    REPEATABLE,
    TABLE,
    WRITES,
    Meaning,
    Step,
    Verb,
    fault_of,
    read_refusal,
    row_of,
)
from lingqian.kernel.fault import Rejected, Unknown, Unsent

MONEY_OUT = (Verb.REFUND, Verb.REFUND_ABNORMAL, Verb.PAY_OUT)
# Status, code, verb; what it means and what the platform's pages say to do next.
DOCUMENTED = [
    (400, "PARAM_ERROR", Verb.PREPAY, Meaning.REJECTED, Step.FIX),
    (400, "INVALID_REQUEST", Verb.PAY_OUT, Meaning.REJECTED, Step.FIX),
    (400, "APPID_MCHID_NOT_MATCH", Verb.PREPAY, Meaning.REJECTED, Step.FIX),
    (400, "MCH_NOT_EXISTS", Verb.QUERY, Meaning.REJECTED, Step.FIX),
    (404, "MCH_NOT_EXISTS", Verb.REFUND, Meaning.REJECTED, Step.FIX),
    (404, "MCH_NOT_EXISTS", Verb.QUERY_REFUND, Meaning.REJECTED, Step.FIX),
    (400, "ORDER_CLOSED", Verb.PREPAY, Meaning.REJECTED, Step.RENEW),
    (400, "ORDERPAID", Verb.PREPAY, Meaning.REJECTED, Step.PAID),
    (403, "ORDER_PAID", Verb.CLOSE, Meaning.REJECTED, Step.PAID),
    (400, "NO_STATEMENT_EXIST", Verb.BILL, Meaning.EMPTY, Step.NOTHING),
    (400, "STATEMENT_CREATING", Verb.BILL, Meaning.REJECTED, Step.WAIT),
    (401, "SIGN_ERROR", Verb.PAY_OUT, Meaning.REJECTED, Step.FIX),
    (403, "NO_AUTH", Verb.BILL, Meaning.REJECTED, Step.FIX),
    (403, "OUT_TRADE_NO_USED", Verb.PREPAY, Meaning.REJECTED, Step.REUSE),
    (403, "RULE_LIMIT", Verb.CLOSE, Meaning.REJECTED, Step.PERSON),
    (403, "TRADE_ERROR", Verb.QUERY, Meaning.REJECTED, Step.PERSON),
    (403, "NOT_ENOUGH", Verb.REFUND, Meaning.UNSENT, Step.FUND),
    (403, "NOTENOUGH", Verb.PAY_OUT, Meaning.UNSENT, Step.FUND),
    (403, "USER_ACCOUNT_ABNORMAL", Verb.REFUND, Meaning.REJECTED, Step.PERSON),
    (404, "ORDER_NOT_EXIST", Verb.QUERY, Meaning.ABSENT, Step.ABSENT),
    (404, "ORDERNOTEXIST", Verb.QUERY, Meaning.ABSENT, Step.ABSENT),
    (404, "RESOURCE_NOT_EXISTS", Verb.QUERY_REFUND, Meaning.ABSENT, Step.ABSENT),
    (404, "NOT_FOUND", Verb.QUERY_PAYOUT, Meaning.ABSENT, Step.ABSENT),
    (429, "FREQUENCY_LIMITED", Verb.REFUND, Meaning.UNKNOWN, Step.QUERY),
    (429, "RATELIMIT_EXCEEDED", Verb.PAY_OUT, Meaning.UNKNOWN, Step.QUERY),
    (429, "FREQUENCY_LIMITED", Verb.QUERY, Meaning.UNSENT, Step.REPEAT),
    (500, "SYSTEM_ERROR", Verb.PREPAY, Meaning.UNKNOWN, Step.QUERY),
    (500, "SYSTEMERROR", Verb.QUERY, Meaning.UNKNOWN, Step.REPEAT),
    (502, "SERVICE_UNAVAILABLE", Verb.REFUND, Meaning.UNKNOWN, Step.QUERY),
]


@pytest.mark.parametrize(("status", "code", "verb", "meaning", "step"), DOCUMENTED)
def test_each_documented_code_has_its_meaning_and_its_next_step(status, code, verb, meaning, step):
    """Row for row as the documents have them, old and new spelling."""
    row = row_of(verb, status, code)
    assert (row.meaning, row.step) == (meaning, step)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503, 599])
def test_a_code_nobody_has_heard_of_leaves_the_outcome_open(verb, status):
    """For a refund it may be money; for a query nothing is lost by asking again."""
    assert row_of(verb, status, "NEWEST_CODE").meaning is Meaning.UNKNOWN
    assert row_of(verb, status, "").meaning is Meaning.UNKNOWN


@pytest.mark.parametrize("verb", Verb)
def test_no_server_error_is_ever_called_a_refusal(verb):
    """Whatever word comes with it: the server that failed may have done it first."""
    for status, code in product(range(500, 600), {row.code for row in TABLE}):
        assert row_of(verb, status, code).meaning in (Meaning.UNKNOWN, Meaning.UNSENT)
        if verb in WRITES:
            assert row_of(verb, status, code).meaning is Meaning.UNKNOWN


def test_nothing_makes_a_number_absent_but_a_404_to_a_query():
    """An absent number is sent again; it must truly never have been accepted."""
    absent = [row for row in TABLE if row.meaning is Meaning.ABSENT]
    assert {row.status for row in absent} == {404}
    assert {verb for row in absent for verb in row.verbs} == {
        Verb.QUERY,
        Verb.QUERY_REFUND,
        Verb.QUERY_PAYOUT,
    }


def test_every_verb_is_a_read_or_a_write_and_knows_the_common_codes():
    """A new verb cannot be forgotten in the table."""
    assert set(Verb) == READS | WRITES
    assert not READS & WRITES
    assert READS <= REPEATABLE
    for verb in Verb:
        for code in ("PARAM_ERROR", "INVALID_REQUEST", "SIGN_ERROR", "NO_AUTH", "MCH_NOT_EXISTS"):
            assert row_of(verb, 400, code).meaning is Meaning.REJECTED


def test_the_table_is_written_in_bare_codes_and_any_means_a_client_error():
    """A code with an underscore would never be found."""
    assert all(row.code == row.code.replace("_", "").upper() for row in TABLE)
    assert row_of(Verb.PREPAY, 418, "PARAM_ERROR").meaning is Meaning.REJECTED
    assert row_of(Verb.PREPAY, 500, "PARAM_ERROR").meaning is Meaning.UNKNOWN
    assert ANY not in {row.status for row in TABLE if row.meaning is Meaning.UNKNOWN}


def test_unsent_is_said_only_where_nothing_can_have_happened():
    """The same number is sent again after it, so it must be exact."""
    for row in TABLE:
        if row.meaning is Meaning.UNSENT:
            assert row.verbs <= READS or row.code == "NOTENOUGH"


@pytest.mark.parametrize(
    ("meaning", "kind"),
    [
        (Meaning.UNSENT, Unsent),
        (Meaning.UNKNOWN, Unknown),
        (Meaning.REJECTED, Rejected),
    ],
)
def test_each_meaning_is_a_fault_that_says_the_next_step(meaning, kind):
    """Whoever reads the log at night reads what to do."""
    row = next(each for each in TABLE if each.meaning is meaning)
    refusal = read_refusal(400, b'{"code":"A_B","message":"no\\n\\u4e00"}')
    fault = fault_of(row, refusal)
    assert type(fault) is kind
    assert row.step in str(fault)
    assert "no 一" in str(fault)


@given(st.integers(100, 599), st.binary(max_size=100))
def test_error_bodies_of_any_kind_are_read(status, body):
    """They are unsigned: they may be anything, and must stay short and printable."""
    refusal = read_refusal(status, body)
    assert refusal.code.isprintable()
    assert len(refusal.code) <= 64
    assert len(refusal.message) <= 200
    assert type(fault_of(row_of(Verb.REFUND, status, refusal.code), refusal)) in (
        Unknown,
        Rejected,
        Unsent,
    )
