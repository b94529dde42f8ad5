"""The demo's page and what it is told: only on loopback, because it hands out the demo's key.

Law: a request under any name but this machine's own is answered as if nothing were here, so a
page from elsewhere cannot reach the key by pointing its name at this machine.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any, Final

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from lingqian.cli.demo.cast import GROUPS, OFFICE, SHARES, STARS
from lingqian.cli.demo.platform import Phone
from lingqian.storage.port import Connection
from lingqian.storage.trial import trial
from lingqian.web.route.page import wallet_page

_HOSTS: Final = frozenset(("127.0.0.1", "localhost", "[::1]"))
_INLINE: Final = re.compile(r"<(script|style)[^>]*>(.*?)</\1>", re.DOTALL)
_STATIC: Final = files("lingqian.web") / "static"
# What the page may ask of the payment platform: trouble, and the end of it.
_ERRANDS: Final = r"^(faults|hosts/[01]/(up|down))$"

AnyRequest = Request[Any, Any, Any]


def policy(html: str, beside: str = "") -> str:
    """Return a page's content security policy: its own inline parts by digest, and our own API.

    `beside` is the origin of the payment platform, for the page that opens its pay sheet.
    """
    digests: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(sha256(text.encode()).digest()).decode()
        digests[kind].append(f"'sha256-{digest}'")
    own = f"'self' {beside}".rstrip()
    return (
        f"default-src 'none'; script-src {' '.join([*digests['script'], beside]).rstrip()}; "
        f"style-src {' '.join(digests['style'])}; connect-src {own}; img-src data:; "
        f"frame-src {own}; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )


def is_here(host: str) -> bool:
    """Say whether a Host header names this machine and nothing that stands for it elsewhere."""
    return re.sub(r":\d+$", "", host) in _HOSTS


def _guard(request: AnyRequest) -> None:
    if not is_here(request.headers.get("host", "")):
        raise NotFoundException


def _page(name: str, beside: str = "") -> Response[str]:
    html = (_STATIC / name).read_text("utf-8")
    headers = {"Content-Security-Policy": policy(html, beside), "Cache-Control": "no-store"}
    return Response(html, media_type=MediaType.HTML, headers=headers)


def _phone_page(beside: str) -> Response[bytes]:
    """Return the wallet's page, where the platform's pay sheet stands in for WeChat's own."""
    rules = (
        f"default-src 'none'; script-src 'self' {beside}; style-src 'self'; img-src 'self' data:; "
        f"font-src 'self' data:; connect-src 'self' {beside}; frame-src 'self' {beside}; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )
    headers = {"Content-Security-Policy": rules, "Cache-Control": "no-store"}
    return Response(wallet_page(), media_type=MediaType.HTML, headers=headers)


class Errand(msgspec.Struct, forbid_unknown_fields=True):
    """A control call of the payment platform that the page asks for: its path and its wish."""

    path: Annotated[str, msgspec.Meta(pattern=_ERRANDS)]
    wish: dict[str, str | int | float]


def phone_routes(beside: str) -> Sequence[HTTPRouteHandler]:
    """Return the routes of the wallet as a phone has it, and of three such phones."""

    @get("/demo/phone", include_in_schema=False, sync_to_thread=False)
    def phone_page(request: AnyRequest) -> Response[bytes]:
        _guard(request)
        return _phone_page(beside)

    @get("/demo/phones", include_in_schema=False, sync_to_thread=False)
    def phones(request: AnyRequest) -> Response[str]:
        _guard(request)
        return _page("demo-phones.html")

    return (phone_page, phones)


def routes(
    world: Callable[[], Mapping[str, object]], connection: Connection, phone: Phone
) -> Sequence[HTTPRouteHandler]:
    """Return the demo's own routes."""
    beside = phone.control

    @get("/demo", include_in_schema=False, sync_to_thread=False)
    def page(request: AnyRequest) -> Response[str]:
        _guard(request)
        return _page("demo.html")

    @get("/demo/wallet", include_in_schema=False, sync_to_thread=False)
    def wallet(request: AnyRequest) -> Response[str]:
        _guard(request)
        return _page("demo-wallet.html", beside)

    @post("/demo/platform", include_in_schema=False, status_code=200)
    async def errand(request: AnyRequest, data: Errand) -> Mapping[str, bool]:
        _guard(request)
        return {"is_done": await phone.do(data.path, data.wish)}

    @get("/demo/verify", include_in_schema=False, sync_to_thread=False)
    def verifier(request: AnyRequest) -> Response[str]:
        _guard(request)
        return _page("verify.html")

    @get("/demo/world", include_in_schema=False, sync_to_thread=False)
    def told(request: AnyRequest) -> Mapping[str, object]:
        _guard(request)
        return world()

    @get("/demo/money", include_in_schema=False, sync_to_thread=False)
    def money(request: AnyRequest) -> Mapping[str, int]:
        _guard(request)
        now = trial(connection)
        return {"owed_fen": now.owed_fen, "backed_fen": now.backed_fen}

    return (page, wallet, errand, verifier, told, money, *phone_routes(beside))


def describe(
    key: str, ids: Sequence[str], names: Mapping[str, str], recent: Sequence[str]
) -> Mapping[str, object]:
    """Return what the page needs to know: the key, who is who, and the newest packets."""
    stars = [
        {"id": user_id, "nickname": star.nickname, "en": star.en}
        for user_id, star in zip(ids, STARS, strict=True)
    ]
    return {
        "key": key,
        "stars": stars,
        "names": names,
        "conversation_id": OFFICE,
        "shares": SHARES,
        "members": next(len(g.members) for g in GROUPS if g.conversation_id == OFFICE),
        "recent": recent,
    }
