"""Operations: what the API does, one row each; routes and OpenAPI come from these rows (操作)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from litestar import HttpMethod, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from lingqian.identity.key import OPERATOR, Caller, Scope
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.web.act import begin_act, end_act
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.person import SCHEME, admit_person
from lingqian.web.problem import Refused, fault_reply, problem
from lingqian.web.reply import Reply
from lingqian.web.shed import Rank, check_load, rank_of

Run = Callable[[Door, Call], Awaitable[Any]]
_BEARER: Final = "Bearer "
ACT: Final = frozenset(
    (
        Code.OPERATOR_CODE_NEEDED,
        Code.WRONG_OPERATOR_CODE,
        Code.OPERATOR_CODE_LOCKED,
        Code.CHALLENGE_INVALID,
        Code.PASSKEY_INVALID,
    )
)
PERSON: Final = frozenset((Code.TOKEN_EXPIRED, Code.SESSION_ENDED, Code.PROOF_INVALID, Code.BUSY))


class Given(NamedTuple):
    """A good answer: its type (None: no JSON), an example, and the media type when not JSON."""

    shape: Any
    example: Any = None
    media: str = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation: where, who may, what it takes and gives, how it may refuse."""

    method: str
    path: str
    run: Run
    summary: str
    tag: str
    scopes: tuple[Scope, ...] = ()
    takes: Any = None
    # Takes bytes of one of these kinds in place of JSON.
    takes_media: tuple[str, ...] = ()
    # Whether a call without a body is one that says nothing in it.
    may_be_empty: bool = False
    asks: Any = None
    example: Any = None
    gives: Mapping[int, Given] = field(default_factory=dict)
    refuses: tuple[Code, ...] = ()
    is_keyed: bool = False
    is_public: bool = False
    # A person may do it for himself; with `is_personal` nobody else may.
    by_person: bool = False
    is_personal: bool = False
    # Answers refusals in the words of whoever calls, not as problems.
    speaks_otherwise: bool = False
    body_bytes_max: int = 0

    @property
    def rank(self) -> Rank:
        """What it is worth when not everything can be done."""
        return rank_of(self.method, self.path, self.tag)

    @property
    def is_act(self) -> bool:
        """Whether an operator who does it acts for the house."""
        return self.method != "GET" and bool(OPERATOR.intersection(self.scopes))

    @property
    def codes(self) -> tuple[Code, ...]:
        """Every code it may answer, those that follow from its shape included."""
        codes = {*self.refuses, *self._admission()}
        if self.takes is not None:
            codes |= {Code.MALFORMED_JSON, Code.INVALID_FIELD, Code.BODY_TOO_LARGE}
            codes |= {Code.UNSUPPORTED_MEDIA_TYPE}
        if self.takes_media:
            codes |= {Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE}
        if self.asks is not None:
            codes.add(Code.INVALID_FIELD)
        if self.is_keyed:
            codes |= {Code.KEY_REQUIRED, Code.KEY_REUSED, Code.INVALID_FIELD}
        if self.method != "GET" and not self.speaks_otherwise:
            codes |= {Code.BUSY, Code.UNAVAILABLE}
        if self.rank != Rank.KEEP:
            codes.add(Code.BUSY)
        return tuple(sorted(codes))

    def _admission(self) -> set[Code]:
        """Return what may be answered before it is run at all."""
        codes = set() if self.is_public else {Code.UNAUTHENTICATED, Code.SCOPE_MISSING}
        if self.by_person or self.is_personal:
            codes |= PERSON
        if self.by_person and self.takes is not None:
            codes.add(Code.NOT_YOURSELF)
        return codes | ACT if self.is_act else codes


async def admit(door: Door, call: Call, operation: Operation) -> Caller:
    """Find out who calls, by key or as a person, and whether that may do this.

    Refuses: unauthenticated, scope_missing, and what stops a person.
    """
    if not call.header(b"authorization").startswith(SCHEME):
        if operation.is_personal:
            admit_key(door, call, ())
            raise Refused(Code.SCOPE_MISSING, detail="only a person in a session may do this")
        return admit_key(door, call, operation.scopes)
    caller = await admit_person(door, call)
    if not (operation.by_person or operation.is_personal):
        raise Refused(Code.SCOPE_MISSING, detail="no person may do this")
    return caller


def admit_key(door: Door, call: Call, scopes: tuple[Scope, ...]) -> Caller:
    """Find out whose key it is and whether it may do this.

    Refuses: unauthenticated, scope_missing.
    """
    text = call.header(b"authorization")
    caller = door.keys.caller(text[len(_BEARER) :]) if text.startswith(_BEARER) else None
    if caller is None:
        raise Refused(Code.UNAUTHENTICATED)
    for scope in scopes:
        if scope not in caller.scopes:
            raise Refused(Code.SCOPE_MISSING, detail=f"needs {scope}")
    return caller


def bind(door: Door, operation: Operation) -> HTTPRouteHandler:
    """Make the route of an operation: admitted, run, refused or failed, and counted."""
    count = door.meter.requests(operation.method, operation.path)
    run, is_public = operation.run, operation.is_public
    is_act = operation.is_act
    name = f"{operation.method} {operation.path}"
    rank = operation.rank

    async def handle(request: Call) -> Reply:
        try:
            check_load(rank, door.full_pct)
            if not is_public:
                request.caller = await admit(door, request, operation)
            request.operation = name
            if is_act:
                await begin_act(door, request)
            answer = await run(door, request)
        except Refused as refusal:
            answer = refusal.reply
        except Fault as fault:
            answer = fault_reply(fault)
        except HTTPException as error:
            answer = problem(_BY_STATUS.get(error.status_code, Code.INTERNAL))
        if request.is_act:
            await end_act(door, request, answer.status)
        count(answer.status)
        return answer  # type: ignore[no-any-return]  # a Reply or a stream, both run alike

    path = operation.path.replace("}", ":str}")
    limit = operation.body_bytes_max or door.body_bytes_max
    methods = [HttpMethod(operation.method)]
    # The status is each answer's own; the framework only wants to know that there is a body.
    return route(path, http_method=methods, request_max_body_size=limit, status_code=200)(handle)


_BY_STATUS: Final = {
    400: Code.MALFORMED_JSON,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.BODY_TOO_LARGE,
}


def outside(error: Exception) -> Reply | None:
    """Return the answer for what the framework refuses before a handler runs; None for our bug."""
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        return problem(_BY_STATUS[error.status_code])
    return None
