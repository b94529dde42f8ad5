"""Opening the wallet: cold, with what the phone remembers and without; its weight; on a bad line.

The page is the product's own at `/wallet`, entered by a one-time link, with a session bound to the
device's key; before every opening the browser forgets what it fetched.   Units: ms; bytes.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lingqian.bench.chromium import Line, Phones, slow_down, wire
from lingqian.bench.notebook import Notebook
from lingqian.bench.passage import Phone
from lingqian.bench.town import Town

if TYPE_CHECKING:
    from playwright.async_api import Page

PARTS: Final = frozenset(("Document", "Script", "Stylesheet"))
_PURSE: Final = "lingqian.purse."
# The page is quiet when its processor was free for so long after all was drawn.
QUIET_S: Final = 5.0
_WAIT_S: Final = 120.0


class Opening(NamedTuple):
    """One cold opening: how long until it painted, showed its content and took taps.

    `weight` is what the first screen weighed on the wire, heads included.
    """

    painted_ms: float
    shown_ms: float
    ready_ms: float
    weight: int


async def signed_in(phones: Phones, town: Town) -> Phone:
    """Let somebody new into the wallet on a new phone."""
    person = {"external_id": "bench-opener", "nickname": "小满", "account_class": 2}
    user_id = (await town.ask("POST", "/v1/users", person, "bench-opener"))["id"]
    money = {"user_id": user_id, "amount_fen": 8_888}
    await town.ask("POST", "/v1/sandbox/funding", money, "bench-opener-money")
    link = await town.ask("POST", "/v1/session-links", {"user_id": user_id}, "bench-opener-link")
    phone = await Phone.new(phones)
    await phone.page.goto(f"{town.base}/wallet#{link['url'].partition('#')[2]}")
    await phone.book.until("room")
    await phone.go("wallet")
    await phone.book.until("purse:fresh")
    return phone


async def opened(
    phone: Phone, town: Town, path: str, shows: tuple[str, ...], line: Line
) -> Opening:
    """Open a screen cold in a new page; it is shown at the first of the moments `shows`."""
    book = phone.book
    page = await phone.page.context.new_page()
    weighed = await _weighing(page)
    if line.latency_ms:
        await slow_down(page, line)
    book.turn()
    await page.goto(f"{town.base}/wallet#/{path}")
    shown = await _first(book, shows)
    weight = sum(weighed.values())
    await asyncio.sleep(QUIET_S if line.slower > 1 else 0)
    begun = await book.until("begun")
    painted, blocked = await book.until("painted"), book.last("blocked") or 0.0
    await page.close()
    return Opening(painted - begun, shown - begun, max(shown, blocked) - begun, weight)


async def _first(book: Notebook, names: tuple[str, ...]) -> float:
    """Wait for the first of some moments."""
    waits = [asyncio.create_task(book.until(name, _WAIT_S)) for name in names]
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in rest:
        each.cancel()
    return min(each.result() for each in done)


async def _weighing(page: "Page") -> dict[str, int]:
    """Empty a page's cache, and return a table that fills with the bytes of its parts."""
    session = await wire(page)
    kinds: dict[str, str] = {}
    weights: dict[str, int] = {}

    def heard(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def ended(event: dict[str, Any]) -> None:
        if kinds.get(event["requestId"]) in PARTS:
            weights[event["requestId"]] = round(event["encodedDataLength"])

    session.on("Network.responseReceived", heard)
    session.on("Network.loadingFinished", ended)
    await session.send("Network.enable")
    await session.send("Network.clearBrowserCache")
    return weights


async def forget(phone: Phone) -> None:
    """Let a phone forget the purse it last knew; session and tastes stay."""
    await phone.page.evaluate(
        "(prefix) => Object.keys(localStorage).filter((name) => name.startsWith(prefix))"
        ".forEach((name) => localStorage.removeItem(name))",
        _PURSE,
    )
