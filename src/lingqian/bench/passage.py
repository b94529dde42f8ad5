"""Passages: people on their phones, from the first tap to what the screen shows (一趟).

The taps are real taps on the real pages; only who taps is a program, which taps as soon as it can.
A passage is its moments by name; `stage.py` says what lies between them.   Units: ms since 1970.
"""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from lingqian.bench.chromium import Phones
from lingqian.bench.chronicle import Chronicle
from lingqian.bench.notebook import Notebook
from lingqian.bench.stage import Passage

if TYPE_CHECKING:
    from playwright.async_api import Page

PLAN: Final = "coins-6"
SHARES: Final = 50
# How long a person looks at the plans before tapping, where nothing is foretold.
LOOKS_S: Final = 1.0
_FORETOLD_S: Final = 10.0
_SHEET: Final = "iframe[data-simulator=sheet]"
_WRAP: Final = ".compose button.packet-button"
_PAY: Final = ".sheet button.packet-button"
_FROM_CHANNEL: Final = ".sources label:nth-of-type(2) input"


class Phone(NamedTuple):
    """A phone in somebody's hand: its page, and what is written down of it."""

    page: "Page"
    book: Notebook

    @classmethod
    async def taken(cls, phones: Phones, base: str, place: int) -> Self:
        """Take a new phone as one of the demo's people, in the talk."""
        phone = await cls.new(phones)
        await phone.page.goto(f"{base}/demo/phone?as={place}")
        await phone.book.until("room")
        return phone

    @classmethod
    async def new(cls, phones: Phones) -> Self:
        """Take a new phone, on which nothing is open."""
        context = await phones.phone()
        book = Notebook()
        await book.open(context)
        return cls(await context.new_page(), book)

    async def go(self, path: str) -> None:
        """Go to a screen of the wallet, as a link on the page would."""
        await self.page.evaluate("(path) => { location.hash = `#/${path}`; }", path)

    async def press(self) -> None:
        """Confirm on the pay sheet, then with the finger."""
        sheet = self.page.frame_locator(_SHEET)
        await sheet.locator("#confirm").tap()
        await sheet.locator("#finger").tap()
        await self.book.until("tap:finger")


async def top_up(phone: Phone, chronicle: Chronicle, *, is_foretold: bool) -> Passage:
    """Buy coins; `is_foretold` lets the page prepare what the server foretells, if it does.

    Raises: TimeoutError.
    """
    page, book = phone
    await phone.go("wallet")
    book.turn()
    await page.evaluate("(is) => { window.lqUnforetold = !is; }", is_foretold)
    await phone.go("top-up")
    plan = page.locator(f"[data-plan={PLAN}]")
    await plan.wait_for()
    is_ahead = is_foretold and await _came_ahead(book)
    if not is_ahead:
        await asyncio.sleep(LOOKS_S)
    await plan.tap()
    order_id = await book.until_named("sheet_asked:")
    passage = {"sheet_stands": await book.until("sheet_stands")}
    await phone.press()
    drawn, left = [await book.until(f"{name}:{order_id}") for name in ("credited", "sheet_left")]
    passage |= {
        "tap:plan": await book.until("tap:plan"),
        "sheet_asked": await book.until(f"sheet_asked:{order_id}"),
        "tap:finger": await book.until("tap:finger"),
        "credited": await chronicle.until(f"credited:{order_id}"),
        # The page below knows it before; a person sees it once the sheet is gone.
        "shown": max(drawn, left),
    }
    notice = chronicle.at_ms(f"notice:{order_id}")
    passage |= {} if notice is None else {"notice": notice}
    return passage | ({"ahead": 0.0} if is_ahead else {})


async def _came_ahead(book: Notebook) -> bool:
    """Wait until an order was opened ahead; say no when the server foretold nothing."""
    try:
        await book.until_named("ahead:", _FORETOLD_S)
    except TimeoutError:
        return False
    return True


async def packet(
    sender: Phone, receiver: Phone, chronicle: Chronicle, *, by_channel: bool
) -> Passage:
    """Send a packet into the talk, and open it on the other phone.

    Raises: TimeoutError.
    """
    await receiver.go("chat")
    await sender.go("send")
    sender.book.turn()
    receiver.book.turn()
    passage = await _sent(sender, chronicle, by_channel=by_channel)
    packet_id = await sender.book.until_named("sent:")
    passage["card"] = await receiver.book.until(f"openable:{packet_id}")
    await receiver.page.locator(f"[data-packet={packet_id}]").tap()
    await receiver.page.locator(".coin").tap()
    for name in ("claimed", "won"):
        passage[name] = await receiver.book.until(f"{name}:{packet_id}")
    passage["tap:coin"] = await receiver.book.until("tap:coin")
    return passage


async def _sent(sender: Phone, chronicle: Chronicle, *, by_channel: bool) -> dict[str, float]:
    page, book = sender
    await page.locator("#count").fill(str(SHARES))
    await page.locator(_WRAP).tap()
    await book.until("pay_sheet")
    if by_channel:
        await page.locator(_FROM_CHANNEL).check()
    await page.locator(_PAY).tap()
    passage = {}
    if by_channel:
        order_id = await book.until_named("sheet_asked:")
        await sender.press()
        passage["sheet_asked"] = await book.until(f"sheet_asked:{order_id}")
        passage["tap:finger"] = await book.until("tap:finger")
        passage["credited"] = await chronicle.until(f"credited:{order_id}")
    else:
        packet_id = await book.until_named("sent:")
        passage["funded"] = await chronicle.until(f"funded:{packet_id}")
    names = ("tap:wrap", "pay_sheet", "tap:pay")
    return passage | {name: await book.until(name) for name in names}
