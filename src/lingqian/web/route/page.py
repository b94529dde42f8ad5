"""Pages: the document of the API, a page to browse it, and the built pages (页面).

Everything is served from here; no page loads anything from anywhere else.
"""

import gzip
from importlib import resources
from typing import Any, Final

from lingqian.kernel.code import Code
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Header, Reply

_STATIC: Final = resources.files("lingqian.web") / "static"
_HTML: Final = b"text/html; charset=utf-8"
_DOCS: Final = {
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui.css": b"text/css; charset=utf-8",
    "docs.js": b"text/javascript; charset=utf-8",
}
# Built pages carry their script and style with them, so that they also work from a file.
_PAGES: Final = ("verify",)
_OWN: Final = (
    b"default-src 'self'; script-src 'self'%b; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_DOCS_POLICY: Final = (b"content-security-policy", _OWN % b"")
_PAGE_POLICY: Final = (b"content-security-policy", _OWN % b" 'unsafe-inline'")
_KEEP: Final = (b"cache-control", b"public, max-age=3600")


async def openapi(door: Door, call: Call) -> Reply:
    """Give the OpenAPI document."""
    del call
    return Reply(200, door.document)


async def docs(door: Door, call: Call) -> Reply:
    """Give a page on which the document can be browsed and tried."""
    del door, call
    body = (_STATIC / "docs" / "index.html").read_bytes()
    return Reply(200, body, _HTML, replaces=(_DOCS_POLICY,))


async def docs_part(door: Door, call: Call) -> Reply:
    """Give a part of the page for browsing."""
    del door
    name = call.path_params["name"]
    if name not in _DOCS:
        raise Refused(Code.NOT_FOUND)
    return _packed(name, call)


def _packed(name: str, call: Call) -> Reply:
    """Return a file that is kept compressed, unpacked for whoever cannot do it."""
    plain = _STATIC / "docs" / name
    if plain.is_file():
        return Reply(200, plain.read_bytes(), _DOCS[name], replaces=(_KEEP,))
    body = (_STATIC / "docs" / f"{name}.gz").read_bytes()
    headers: tuple[Header, ...] = ((b"vary", b"accept-encoding"),)
    if "gzip" in call.header(b"accept-encoding"):
        headers += ((b"content-encoding", b"gzip"),)
    else:
        body = gzip.decompress(body)
    return Reply(200, body, _DOCS[name], headers, replaces=(_KEEP,))


async def built(door: Door, call: Call) -> Reply:
    """Give a built page."""
    del door
    name = call.path_params["page"]
    if name not in _PAGES:
        raise Refused(Code.NOT_FOUND)
    body = (_STATIC / f"{name}.html").read_bytes()
    return Reply(200, body, _HTML, replaces=(_PAGE_POLICY,))


async def home(door: Door, call: Call) -> Reply:
    """Lead whoever opens the bare address to the page for browsing."""
    del door, call
    return Reply(302, b"", _HTML, ((b"location", b"/docs"),))


def _page(path: str, run: Any, summary: str, given: Given) -> Operation:  # noqa: ANN401 - a handler
    return Operation(
        method="GET",
        path=path,
        run=run,
        summary=summary,
        tag="pages",
        gives={200: given},
        refuses=(Code.NOT_FOUND,) if "{" in path else (),
        is_public=True,
    )


_HTML_GIVEN: Final = Given(str, "<!doctype html>…", "text/html")

OPERATIONS: Final = (
    _page("/openapi.json", openapi, "The OpenAPI document", Given(dict[str, Any], {})),
    _page("/docs", docs, "A page to browse the API", _HTML_GIVEN),
    _page("/docs/{name}", docs_part, "A part of that page", Given(str, "…", "text/javascript")),
    _page("/pages/{page}", built, "A built page", _HTML_GIVEN),
    Operation(
        method="GET",
        path="/",
        run=home,
        summary="The way to the documents",
        tag="pages",
        gives={302: Given(None)},
        is_public=True,
    ),
)
