"""Calls: one request as our handlers see it: who calls, the body checked, ids read (请求).

Law: a body is decoded once, strictly, straight into its type; nothing is converted to fit.
"""

import re
from collections.abc import Collection
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from msgspec import UNSET, UnsetType

from lingqian.identity.key import Caller, Scope
from lingqian.kernel.bound import KEY_LENGTH_MAX
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_USER, parse
from lingqian.web.problem import Refused

Shape = TypeVar("Shape")
_AT: Final = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_NAMED: Final = re.compile(r"field `([^`]*)`")
_JSON: Final = b"application/json"
_NOBODY: Final = Caller("", frozenset())
# How a person is named in a path without an id.
OWN: Final = "me"

_decoders: Final[dict[type, Any]] = {}


def decoder(shape: type[Shape]) -> msgspec.json.Decoder[Shape]:
    """Return the strict decoder of a type, made when it is first needed."""
    known = _decoders.get(shape)
    if known is None:
        known = _decoders[shape] = msgspec.json.Decoder(shape, strict=True)
    return known


def invalid(error: msgspec.ValidationError) -> Refused:
    """Return the refusal that names the field a decoder complained about."""
    text = str(error)
    where = _AT.search(text)
    words = text[: where.start()] if where else text
    named = _NAMED.search(words)
    path = ".".join(part for part in (where and where[1], named and named[1]) if part)
    return Refused(Code.INVALID_FIELD, field=path, detail=words)


def read_body(shape: type[Shape], body: bytes) -> Shape:
    """Read bytes as a type.

    Refuses: malformed_json, invalid_field.
    """
    try:
        return decoder(shape).decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Code.MALFORMED_JSON, detail=str(error)) from error


class Call(Request[Any, Any, Any]):
    """One request, with its caller once the door has let it in."""

    caller: Caller = _NOBODY
    # Whether what it asks is an operator's act, and written down.
    is_act: bool = False
    # Method and path of the operation, as the document names it.
    operation: str = ""

    def header(self, name: bytes) -> str:
        """Return a header by its lower-case name; empty when it is absent."""
        for key, value in self.scope["headers"]:
            if key == name:
                return value.decode("latin-1")
        return ""

    async def take(self, shape: type[Shape]) -> Shape:
        """Read the body as a type.

        Refuses: unsupported_media_type, body_too_large, malformed_json, invalid_field.
        """
        media = self.header(b"content-type").encode("latin-1")
        if media != _JSON and media.split(b";")[0].strip().lower() != _JSON:
            raise Refused(Code.UNSUPPORTED_MEDIA_TYPE)
        return read_body(shape, await self.body())

    async def take_bytes(self, medias: Collection[str]) -> tuple[str, bytes]:
        """Read the body as it is, and as what it is sent.

        Refuses: unsupported_media_type, body_too_large.
        """
        media = self.header(b"content-type").partition(";")[0].strip().lower()
        if media not in medias:
            raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, detail=f"one of {', '.join(medias)}")
        return media, await self.body()

    async def take_any(self, shape: type[Shape]) -> Shape:
        """Read the body as a type all of whose fields may be left out; so may the body.

        Refuses: as `take`.
        """
        return await self.take(shape) if await self.body() else shape()

    def ask(self, shape: type[Shape]) -> Shape:
        """Read the query as a type; a parameter given twice is invalid.

        Refuses: invalid_field.
        """
        values: dict[str, str] = {}
        for name, value in self.query_params.multi_items():
            if name in values:
                raise Refused(Code.INVALID_FIELD, field=name, detail="given twice")
            values[name] = value
        try:
            return msgspec.convert(values, shape, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(error) from error

    def id(self, prefix: str, name: str) -> bytes:
        """Read an id in the path.

        Refuses: not_found.
        """
        text = self.path_params[name]
        person = self.caller.person
        identity = person if text == OWN and prefix == PREFIX_USER else parse(prefix, text)
        if not identity:
            raise Refused(Code.NOT_FOUND)
        if person and prefix == PREFIX_USER and identity != person:
            raise Refused(Code.NOT_FOUND)
        return identity

    def who(self, text: str | UnsetType, name: str) -> bytes:
        """Read the person for whom a body asks; a person may leave out his own id.

        Refuses: invalid_field, not_yourself.
        """
        person = self.caller.person
        if text is UNSET:
            if not person:
                raise Refused(Code.INVALID_FIELD, field=name, detail="for whom?")
            return person
        identity = user_id(text, name)
        if person and identity != person:
            raise Refused(Code.NOT_YOURSELF, field=name)
        return identity

    def viewer(self, text: str | None) -> bytes:
        """Read for whose eyes a query asks: a person's own; empty for the app itself.

        Refuses: invalid_field, not_yourself.
        """
        if text is None:
            return self.caller.person
        return self.who(text, "viewer_id")

    def belongs(self, *user_ids: bytes) -> None:
        """Let a person see and do only what is his own; called without ids for what is not there.

        Refuses: not_found, the same for what is another's and what is nobody's.
        """
        if self.caller.person and self.caller.person not in user_ids:
            raise Refused(Code.NOT_FOUND)

    def needs(self, scope: Scope) -> None:
        """Ask for one scope more than the operation itself does.

        Refuses: scope_missing.
        """
        if scope not in self.caller.scopes:
            raise Refused(Code.SCOPE_MISSING, detail=f"needs {scope}")

    def key(self) -> str:
        """Return the caller's idempotency key, apart from every other caller's.

        Refuses: key_required, invalid_field.
        """
        key = self.header(b"idempotency-key")
        if not key:
            raise Refused(Code.KEY_REQUIRED, field="Idempotency-Key")
        if len(key) > KEY_LENGTH_MAX:
            raise Refused(Code.INVALID_FIELD, field="Idempotency-Key", detail="too long")
        # No key's name begins so: the keys of persons are apart from those of apps.
        whose = "\1" if self.caller.person else ""
        return f"{whose}{self.caller.name}\0{key}"


def user_id(text: str, field: str) -> bytes:
    """Read a person's id from a body.

    Refuses: invalid_field.
    """
    identity = parse("us", text)
    if identity is None:
        raise Refused(Code.INVALID_FIELD, field=field, detail="not a user's id")
    return identity
