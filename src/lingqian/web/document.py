"""OpenAPI: the document of the API, made from the table of operations and the types it names.

The schemas come from the very types that decode the bodies, so the document cannot say more or less
than the decoder does. An integer is written without a point or an exponent.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from lingqian import __version__
from lingqian.kernel.code import TABLE, Code
from lingqian.web import field
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Problem, shape

_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = "application/problem+json"
_JSON: Final = "application/json"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_IDS: Final[dict[str, Any]] = {
    "user_id": field.UserId,
    "packet_id": field.PacketId,
    "transfer_id": field.TransferId,
    "case_id": field.CaseId,
    "conversation_id": field.ConversationId,
    "order_id": field.OrderId,
    "refund_id": field.RefundId,
    "payout_id": field.PayoutId,
    "gift_id": field.GiftId,
    "session_id": field.SessionId,
    "account": field.AccountName,
    "cover_id": field.CoverId,
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Yours; the same key and request always get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}
_FACTOR: Final = {
    "name": "Payment-Factor",
    "in": "header",
    "required": False,
    "description": "What proves a person's payment: `password` or `passkey`, and a payment token.",
    "schema": {"type": "string", "maxLength": 256, "pattern": "^[ -~]*$"},
}
_OPERATOR_CODE: Final = {
    "name": "Operator-Code",
    "in": "header",
    "required": False,
    "description": "The one-time code of the key's authenticator, where it has one.",
    "schema": {"type": "string", "maxLength": 16, "pattern": "^[!-~]*$"},
}
_OPERATOR_PASSKEY: Final = {
    "name": "Operator-Passkey",
    "in": "header",
    "required": False,
    "description": "Instead of a code: base64url of the JSON `{challenge, id, client_data, "
    "authenticator_data, signature}`, a passkey's answer to the challenge of the refusal.",
    "schema": {"type": "string", "maxLength": 4096, "pattern": "^[A-Za-z0-9_-]*$"},
}
# Operations whose answer may have the parameters of a sheet.
_SHEETS: Final = frozenset(
    {
        ("POST", "/v1/packets"),
        ("POST", "/v1/payouts"),
        ("GET", "/v1/payouts/{payout_id}"),
        ("POST", "/v1/top-ups"),
        ("POST", "/v1/top-ups/{order_id}/attempts"),
    }
)
_SEALED_TO: Final = {
    "name": "Sealed-To",
    "in": "header",
    "required": False,
    "description": "A page's ephemeral P-256 point, base64url: the sheet's parameters come "
    "sealed to it in `sealed_invocation`, a payout's in `sealed_confirmation`. Each key is taken "
    "once.",
    "schema": {"type": "string", "pattern": "^([A-Za-z0-9_-]{87})?$"},
}
_WORDS: Final = (
    "Integer fen everywhere; times are RFC 3339 in UTC. Every refusal is a problem (RFC 9457) with "
    "a stable `code`, words in Chinese and English, and what may be tried again. 429 and 503 carry "
    "`Retry-After` and never use up a key."
)


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    table = tuple(operations)
    shapes = _shapes(table)
    found, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    schemas = dict(zip([repr(each) for each in shapes], found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in table:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lingqian 零钱",
            "version": __version__,
            "summary": "Red packets on a ledger",
            "description": _WORDS,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in table)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: `lingqian key new NAME`.",
                },
                "person": {
                    "type": "http",
                    "scheme": "dpop",
                    "description": "A person's access token, with a proof by the device's key in "
                    "the header `DPoP` (RFC 9449).",
                },
            },
        },
    }


def _shapes(table: tuple[Operation, ...]) -> list[Any]:
    """Return every type that stands in a body or an answer, each once."""
    shapes: dict[str, Any] = {repr(Problem): Problem}
    for row in table:
        for each in (row.takes, *[given.shape for given in row.gives.values()]):
            if each is not None:
                shapes[repr(each)] = each
    return list(shapes.values())


def _operation(row: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{row.run.__module__.rpartition('.')[2]}_{row.run.__name__}",
        "tags": [row.tag],
        "summary": row.summary,
        "description": _description(row),
        "parameters": _parameters(row),
        "responses": {**_answers(row, schemas), **_problems(row, schemas)},
        "security": _security(row),
    }
    if row.takes is not None:
        content = {"schema": schemas[repr(row.takes)], "example": _own(row.example)}
        described["requestBody"] = {
            "required": not row.may_be_empty,
            "content": {_JSON: content},
        }
    if row.takes_media:
        # OpenAPI 3.1: bytes without an encoding have a media type and no schema of their own.
        described["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {}} for media in row.takes_media},
        }
    return described


def _security(row: Operation) -> list[dict[str, list[str]]]:
    if row.is_public:
        return []
    found: list[dict[str, list[str]]] = [] if row.is_personal else [{"key": []}]
    return [*found, {"person": []}] if row.by_person or row.is_personal else found


def _description(row: Operation) -> str:
    words = (row.run.__doc__ or "").strip().splitlines()[0]
    needs = ", ".join(f"`{scope}`" for scope in row.scopes)
    told = [words, f"Needs {needs}."] if needs else [words]
    if row.is_personal:
        told.append("Only a person in a session may do this.")
    elif row.by_person:
        told.append("A person in a session may do this without a key.")
    return "\n\n".join(told)


def _parameters(row: Operation) -> list[dict[str, Any]]:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": msgspec.json.schema(_IDS.get(name, str)),
        }
        for name in _PARAMETER.findall(row.path)
    ]
    if row.asks is not None:
        found += [_query(each) for each in msgspec.structs.fields(row.asks)]
    return [*found, *_headers(row)]


def _headers(row: Operation) -> list[dict[str, Any]]:
    """Return the headers an operation reads beside the ordinary ones."""
    found = [_own(_KEY)] if row.is_keyed else []
    if Code.FACTOR_NEEDED in row.codes:
        found.append(_own(_FACTOR))
    if (row.method, row.path) in _SHEETS:
        found.append(_own(_SEALED_TO))
    if Code.OPERATOR_CODE_NEEDED in row.codes:
        found += [_own(_OPERATOR_CODE), _own(_OPERATOR_PASSKEY)]
    return found


def _own(found: Any) -> Any:  # noqa: ANN401 - any builtin
    """Return a copy: who changes a document must not change the table it is made from."""
    return msgspec.to_builtins(found)


def _query(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - a field of a struct
    schema = msgspec.json.schema(_without_none(asked.type))
    schema.pop("$ref", None)
    return {"name": asked.name, "in": "query", "required": asked.required, "schema": schema}


def _without_none(kind: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type a parameter has when it is given."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    is_optional = type(None) in get_args(kind)
    return parts[0] if is_optional and len(parts) == 1 else kind


def _answers(row: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    return {str(status): _answer(status, given, schemas) for status, given in row.gives.items()}


def _answer(status: int, given: Given, schemas: dict[str, Any]) -> dict[str, Any]:
    words = {200: "Done, or done before.", 201: "Done now.", 202: "Taken."}.get(status, "Done.")
    if given.shape is None:
        return {"description": words}
    content = {
        "schema": schemas[repr(given.shape)],
        "example": _own(given.example),
    }
    return {"description": words, "content": {given.media: content}}


def _problems(row: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the refusals by status, each code with an example."""
    by_status: dict[int, list[Code]] = {}
    for code in row.codes:
        by_status.setdefault(TABLE[code].status, []).append(code)
    return {str(status): _problem(codes, schemas) for status, codes in sorted(by_status.items())}


def _problem(codes: list[Code], schemas: dict[str, Any]) -> dict[str, Any]:
    examples = {
        code.name.lower(): {"summary": TABLE[code].en, "value": _own(shape(code))} for code in codes
    }
    content = {"schema": schemas[repr(Problem)], "examples": examples}
    return {
        "description": ", ".join(f"`{name}`" for name in examples),
        "content": {_PROBLEM: content},
    }
