"""Errors: one table that says what an answer other than success means for each verb (错误码).

Law: an answer without a row leaves the outcome open; nothing is called refused that might have
been done. Codes are compared without underscores, because old and new spellings live side by side.
Source: WeChat Pay APIv3, pages "status codes and error codes" and of each interface, read 2026-09.
"""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

import msgspec

from lingqian.kernel.fault import Fault, Rejected, Unknown, Unsent

ANY: Final = 0
MESSAGE_LENGTH_MAX: Final = 200
_CODE_LENGTH_MAX: Final = 64
_CLIENT_ERRORS: Final = range(400, 500)


class Verb(StrEnum):
    """What we ask the platform to do."""

    PREPAY = "prepay"
    QUERY = "query"
    CLOSE = "close"
    REFUND = "refund"
    QUERY_REFUND = "query_refund"
    REFUND_ABNORMAL = "refund_abnormal"
    BILL = "bill"
    DOWNLOAD = "download"
    PAY_OUT = "pay_out"
    QUERY_PAYOUT = "query_payout"
    CANCEL_PAYOUT = "cancel_payout"
    CERTIFICATES = "certificates"
    ECHO = "echo"


# These ask and change nothing: whatever became of one, it may be asked again.
READS: Final = frozenset(
    (
        Verb.QUERY,
        Verb.QUERY_REFUND,
        Verb.BILL,
        Verb.DOWNLOAD,
        Verb.QUERY_PAYOUT,
        Verb.CERTIFICATES,
        Verb.ECHO,
    )
)
WRITES: Final = frozenset(Verb) - READS
# A write that carries its own number does the same thing however often it is sent.
REPEATABLE: Final = frozenset(Verb) - {Verb.REFUND_ABNORMAL}


class Meaning(IntEnum):
    """What an answer says. ABSENT and EMPTY are answers, not faults."""

    UNSENT = 1
    UNKNOWN = 2
    REJECTED = 3
    ABSENT = 4
    EMPTY = 5


class Step(StrEnum):
    """What to do next, in the words a fault carries."""

    REPEAT = "send the same again later"
    QUERY = "query, then send the same again if it was never accepted"
    FIX = "mend the request or the account's settings; do not repeat"
    RENEW = "take a new number"
    PAID = "query: it may have been paid"
    REUSE = "query: the number is in use with other parameters"
    FUND = "fund the merchant account, then send the same again"
    PERSON = "a person has to look at it"
    WAIT = "ask again in half an hour"
    ABSENT = "never accepted: the same number may be sent"
    NOTHING = "there is nothing to do"


class Row(NamedTuple):
    """What a code means for some verbs; `status` ANY stands for every 4xx."""

    status: int
    code: str
    verbs: frozenset[Verb]
    meaning: Meaning
    step: Step


_ALL: Final = frozenset(Verb)
_PREPAY: Final = frozenset((Verb.PREPAY,))
_ORDER: Final = frozenset((Verb.PREPAY, Verb.QUERY, Verb.CLOSE))
_PAID: Final = frozenset((Verb.PREPAY, Verb.CLOSE))
_REFUND: Final = frozenset((Verb.REFUND, Verb.REFUND_ABNORMAL))
_MONEY_OUT: Final = frozenset((Verb.REFUND, Verb.REFUND_ABNORMAL, Verb.PAY_OUT))
_NO_SUCH_NUMBER: Final = frozenset((Verb.QUERY_REFUND, Verb.QUERY_PAYOUT))
_BILL: Final = frozenset((Verb.BILL, Verb.DOWNLOAD))


def _row(
    status: int, codes: str, verbs: frozenset[Verb], meaning: Meaning, step: Step
) -> list[Row]:
    return [Row(status, code, verbs, meaning, step) for code in codes.split()]


TABLE: Final = tuple(
    row
    for rows in (
        _row(ANY, "PARAMERROR INVALIDREQUEST", _ALL, Meaning.REJECTED, Step.FIX),
        _row(ANY, "APPIDMCHIDNOTMATCH MCHNOTEXISTS", _ALL, Meaning.REJECTED, Step.FIX),
        _row(ANY, "SIGNERROR", _ALL, Meaning.REJECTED, Step.FIX),
        _row(ANY, "NOAUTH", _ALL, Meaning.REJECTED, Step.FIX),
        _row(ANY, "ORDERCLOSED", _PREPAY, Meaning.REJECTED, Step.RENEW),
        _row(ANY, "ORDERCLOSED", frozenset((Verb.CLOSE,)), Meaning.EMPTY, Step.NOTHING),
        _row(ANY, "ORDERPAID", _PAID, Meaning.REJECTED, Step.PAID),
        _row(ANY, "OUTTRADENOUSED", _PREPAY, Meaning.REJECTED, Step.REUSE),
        _row(
            403,
            "RULELIMIT TRADEERROR ACCOUNTERROR",
            _ORDER | _REFUND,
            Meaning.REJECTED,
            Step.PERSON,
        ),
        _row(403, "NOTENOUGH", _MONEY_OUT, Meaning.UNSENT, Step.FUND),
        _row(ANY, "USERACCOUNTABNORMAL", _MONEY_OUT, Meaning.REJECTED, Step.PERSON),
        _row(ANY, "TRADEOVERDUE REFUNDFEEMISMATCH", _REFUND, Meaning.REJECTED, Step.PERSON),
        _row(404, "ORDERNOTEXIST", frozenset((Verb.QUERY,)), Meaning.ABSENT, Step.ABSENT),
        _row(
            404,
            "ORDERNOTEXIST",
            frozenset((Verb.CLOSE, Verb.REFUND)),
            Meaning.REJECTED,
            Step.ABSENT,
        ),
        _row(404, "RESOURCENOTEXISTS NOTFOUND", _NO_SUCH_NUMBER, Meaning.ABSENT, Step.ABSENT),
        _row(
            404,
            "RESOURCENOTEXISTS NOTFOUND",
            _MONEY_OUT | {Verb.CANCEL_PAYOUT, Verb.CERTIFICATES},
            Meaning.REJECTED,
            Step.FIX,
        ),
        _row(ANY, "NOSTATEMENTEXIST", _BILL, Meaning.EMPTY, Step.NOTHING),
        _row(ANY, "STATEMENTCREATING", _BILL, Meaning.REJECTED, Step.WAIT),
        _row(
            429,
            "FREQUENCYLIMITED RATELIMITEXCEEDED RATELIMITEXCEED",
            READS,
            Meaning.UNSENT,
            Step.REPEAT,
        ),
        _row(
            429,
            "FREQUENCYLIMITED RATELIMITEXCEEDED RATELIMITEXCEED",
            WRITES,
            Meaning.UNKNOWN,
            Step.QUERY,
        ),
        _row(
            500,
            "SYSTEMERROR BANKERROR OPENIDMISMATCH INVALIDTRANSACTIONID",
            READS,
            Meaning.UNKNOWN,
            Step.REPEAT,
        ),
        _row(
            500,
            "SYSTEMERROR BANKERROR OPENIDMISMATCH INVALIDTRANSACTIONID",
            WRITES,
            Meaning.UNKNOWN,
            Step.QUERY,
        ),
        _row(502, "SERVICEUNAVAILABLE", _ALL, Meaning.UNKNOWN, Step.QUERY),
        _row(503, "SERVICEUNAVAILABLE", _ALL, Meaning.UNKNOWN, Step.QUERY),
        # The old table's word for a payment code: being paid right now.
        _row(202, "USERPAYING", _ALL, Meaning.UNKNOWN, Step.QUERY),
    )
    for row in rows
)
# Our own word where the port asks for one; all else keeps the channel's.
HOUSE_WORD: Final = {"STATEMENTCREATING": "bill_creating"}


def _index() -> dict[tuple[Verb, int, str], Row]:
    found: dict[tuple[Verb, int, str], Row] = {}
    for row in TABLE:
        for verb in row.verbs:
            key = (verb, row.status, row.code)
            assert key not in found, f"{key} has two rows"
            found[key] = row
    return found


_INDEX: Final = _index()


class Refusal(NamedTuple):
    """The body of an answer other than success."""

    status: int
    code: str
    message: str


class _Body(msgspec.Struct):
    code: str = ""
    message: str = ""


def read_refusal(status: int, body: bytes) -> Refusal:
    """Read an error's body; what cannot be read has no code.

    `detail` is left unread: it repeats values of the request, and those may be personal.
    """
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refusal(status, "", "")
    code = "".join(letter for letter in found.code if letter.isascii() and letter.isprintable())
    message = " ".join(found.message.split())
    return Refusal(status, code[:_CODE_LENGTH_MAX], message[:MESSAGE_LENGTH_MAX])


def row_of(verb: Verb, status: int, code: str) -> Row:
    """Return what an answer means; without a row of its own, the outcome is open."""
    bare = code.replace("_", "").upper()
    row = _INDEX.get((verb, status, bare))
    if row is None and status in _CLIENT_ERRORS:
        row = _INDEX.get((verb, ANY, bare))
    if row is not None:
        return row
    step = Step.REPEAT if verb in READS else Step.QUERY
    return Row(status, bare, frozenset((verb,)), Meaning.UNKNOWN, step)


def fault_of(row: Row, refusal: Refusal) -> Fault:
    """Return the fault that tells a caller of an answer which is no answer of its own."""
    words = f"{row.step}; {refusal.message}" if refusal.message else str(row.step)
    told = f"{refusal.status} {refusal.code or 'without a code'}: {words}"
    match row.meaning:
        case Meaning.UNSENT:
            return Unsent(told)
        case Meaning.REJECTED:
            bare = refusal.code.replace("_", "").upper()
            return Rejected(HOUSE_WORD.get(bare, refusal.code), words, refusal.status)
        case _:
            return Unknown(told)
