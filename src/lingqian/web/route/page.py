"""Pages: the document of the API, a page to browse it, and the built pages (页面).

Everything is served from here; no page loads anything from anywhere else.
"""

import functools
import gzip
import re
from base64 import b64encode
from hashlib import sha256
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
_PAGES: Final = ("verify", "operator")
_OWN: Final = (
    b"default-src 'self'; script-src 'self'%b; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_DOCS_POLICY: Final = (b"content-security-policy", _OWN % b"")
_SCRIPT: Final = re.compile(rb"<script[^>]*>(.*?)</script>", re.DOTALL)
_KEEP: Final = (b"cache-control", b"public, max-age=3600")
_KEEP_FOR_EVER: Final = (b"cache-control", b"public, max-age=31536000, immutable")
_DIGEST: Final = re.compile(r"-[\w-]{8}\.(js|css)$")
_MEDIA: Final = {
    "html": _HTML,
    "js": b"text/javascript; charset=utf-8",
    "mjs": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
}
_KINDS: Final = tuple(f".{ending}" for ending in _MEDIA)
# The wallet runs no code and asks no server but its own; a cover or a name can bring neither in.
_WALLET_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; frame-ancestors {}; base-uri 'none'; "
    "form-action 'none'"
)
# What a page of ours may ask a phone for: passkeys, and a camera for the face.
_PERMISSIONS: Final = (
    b"permissions-policy",
    (
        b"camera=(self), publickey-credentials-create=(self), publickey-credentials-get=(self), "
        b"geolocation=(), microphone=(), payment=(), usb=()"
    ),
)


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
    body, policy = _built(name)
    return Reply(200, body, _HTML, replaces=(policy,))


@functools.cache
def _built(name: str) -> tuple[bytes, Header]:
    """Return a built page, and a policy that runs its own scripts by their digests and no other."""
    body = (_STATIC / f"{name}.html").read_bytes()
    own = [b64encode(sha256(text).digest()) for text in _SCRIPT.findall(body)]
    digests = b"".join([b" 'sha256-%b'" % digest for digest in own])
    return body, (b"content-security-policy", _OWN % digests)


@functools.cache
def _wallet_parts() -> frozenset[str]:
    """Return the names of the wallet's parts; nothing else there is can be asked for."""
    names = (part.name for part in (_STATIC / "wallet").iterdir())
    return frozenset(name for name in names if name.endswith(_KINDS) and name != "index.html")


@functools.cache
def _both(name: str) -> tuple[bytes, bytes]:
    """Return a part as it is and compressed; both are kept, for every phone asks for them."""
    plain = (_STATIC / "wallet" / name).read_bytes()
    return plain, gzip.compress(plain, 9, mtime=0)


def wallet_page() -> bytes:
    """Return the page that the wallet begins with."""
    return _both("index.html")[0]


def wallet_policy(frame_ancestors: tuple[str, ...]) -> Header:
    """Return what the wallet's page may load, and which sites may show it within theirs."""
    sites = " ".join(("'self'", *frame_ancestors))
    return (b"content-security-policy", _WALLET_POLICY.format(sites).encode())


async def wallet(door: Door, call: Call) -> Reply:
    """Give the wallet's page; whoever it is for comes with a link, in the address's fragment."""
    del call
    policy = wallet_policy(door.wallet.config.frame_ancestors)
    return Reply(200, wallet_page(), _HTML, (_PERMISSIONS,), replaces=(policy,))


async def wallet_part(door: Door, call: Call) -> Reply:
    """Give a part of the wallet's pages; a name with a digest in it may be kept for ever."""
    del door
    name = call.path_params["name"]
    if name not in _wallet_parts():
        raise Refused(Code.NOT_FOUND)
    plain, packed = _both(name)
    headers: tuple[Header, ...] = ((b"vary", b"accept-encoding"),)
    is_packed = "gzip" in call.header(b"accept-encoding")
    if is_packed:
        headers += ((b"content-encoding", b"gzip"),)
    keep = _KEEP_FOR_EVER if _DIGEST.search(name) else _KEEP
    media = _MEDIA[name.rpartition(".")[2]]
    return Reply(200, packed if is_packed else plain, media, headers, replaces=(keep,))


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
    _page("/wallet", wallet, "The wallet's page", _HTML_GIVEN),
    _page("/wallet/{name}", wallet_part, "A part of that page", Given(str, "…", "text/javascript")),
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
