"""Problems: every refusal as RFC 9457 problem details, its words from one table (问题详情).

Law: status, words and retry advice come from kernel.code and nowhere else.
"""

from typing import Annotated, Any, Final, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lingqian.kernel.code import TABLE, Code
from lingqian.kernel.fault import Accepted, Busy, Fault
from lingqian.web.reply import PROBLEM, Header, Reply, encode

RETRY_AFTER_S: Final = 1
_LATER: Final = frozenset((429, 503))
# How to come again: RFC 6750 §3, RFC 9449 §7.1.
_ASKS_ANY: Final = b'Bearer realm="lingqian", DPoP algs="ES256"'
_ASKS: Final = {
    "token_expired": b'DPoP error="invalid_token", algs="ES256"',
    "session_ended": b'DPoP error="invalid_token", algs="ES256"',
    "proof_invalid": b'DPoP error="invalid_dpop_proof", algs="ES256"',
}
# What the core calls a field, where the API calls it something else.
FIELDS: Final = {
    "way": "to",
    "card_mac": "card",
    "bonus_coins": "plan_id",
    "bonus_life_us": "plan_id",
    "coins": "plan_id",
    "is_by_channel": "pay_with",
    "is_from_balance": "pay_with",
    "life_us": "expires_in_s",
    "object_id": "plan_id",
    "order_kind": "plan_id",
    "origin": "amount_fen",
    "payee_mac": "payee",
    "plan": "plan_id",
    "reason_mac": "reason",
    "awaits_entropy": "await_entropy",
    "draw_at_us": "draw_at",
    "external_mac": "external_id",
    "greeting_mac": "greeting",
    "is_lucky": "each_fen",
    "lifetime_us": "expires_in_s",
    "members": "member_ids",
    "nickname_mac": "nickname",
    "note_mac": "note",
    "operation": "Idempotency-Key",
    "passphrase_mac": "passphrase",
    "recipients": "recipient_ids",
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Why a request was refused (RFC 9457), in words for people and a code for programs."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    code: str
    detail: str
    message_zh: str
    message_en: str
    retry: Annotated[str, Meta(description="`never`, `same_key` or `new_key`.")]
    field: Annotated[str, Meta(description="The field that is wrong, or differs.")] = ""
    case_id: Annotated[str, Meta(description="The case that waits for a decision.")] = ""
    needs: Annotated[
        tuple[str, ...], Meta(description="What proves the payment: any one of these.")
    ] = ()
    challenge: Annotated[str, Meta(description="To be answered for a payment token.")] = ""
    amount_fen: Annotated[int, Meta(description="What is to be proven.")] = 0
    tries_left: Annotated[int, Meta(description="Wrong tries left before a lock.")] | UnsetType = (
        UNSET
    )
    locked_until: Annotated[str, Meta(description="When the next try is taken.")] = ""


class Refused(Exception):  # noqa: N818 - the word of the house for an answer that says no
    """Ends a request with a refusal, from however deep inside the door it is found."""

    def __init__(self, code: Code, *, field: str = "", detail: str = "") -> None:
        super().__init__(code.name)
        self.reply = problem(code, field=field, detail=detail)

    @classmethod
    def by(cls, content: Problem, *, retry_after_s: int = RETRY_AFTER_S) -> Self:
        """Return a refusal that says more than its code does."""
        made = cls(Code[content.code.upper()])
        made.reply = told(content, retry_after_s)
        return made


def shape(
    code: Code,
    *,
    field: str = "",
    detail: str = "",
    **more: Any,  # noqa: ANN401 - any other field of Problem, by its name
) -> Problem:
    """Return the problem a code stands for; `more` are the fields that only some codes have."""
    row = TABLE[code]
    name = code.name.lower()
    return Problem(
        type=f"urn:lingqian:problem:{name}",
        title=row.en,
        status=row.status,
        code=name,
        detail=detail or row.en,
        message_zh=row.zh,
        message_en=row.en,
        retry=row.retry.name.lower(),
        field=FIELDS.get(field, field),
        **more,
    )


def problem(
    code: Code,
    *,
    field: str = "",
    detail: str = "",
    case_id: str = "",
    retry_after_s: int = RETRY_AFTER_S,
) -> Reply:
    """Return the answer that refuses with a code."""
    return told(shape(code, field=field, detail=detail, case_id=case_id), retry_after_s)


def told(content: Problem, retry_after_s: int = RETRY_AFTER_S) -> Reply:
    """Return a problem as an answer, with the headers its status asks for."""
    headers: tuple[Header, ...] = ()
    if content.status in _LATER:
        headers = ((b"retry-after", b"%d" % retry_after_s),)
    elif content.status == 401:
        headers = ((b"www-authenticate", _ASKS.get(content.code, _ASKS_ANY)),)
    return Reply(content.status, encode(content), PROBLEM, headers)


def fault_reply(fault: Fault) -> Reply:
    """Return the answer for surroundings that failed: nobody was refused, the same key is safe."""
    if isinstance(fault, Accepted):
        return problem(Code.ACCEPTED)
    if isinstance(fault, Busy):
        return problem(Code.BUSY, detail=str(fault), retry_after_s=fault.retry_after_s)
    return problem(Code.UNAVAILABLE)
