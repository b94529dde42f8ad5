"""Take the pictures of the READMEs: a demo, its people, and a phone in a real Chromium.

`python3 do.py shots` writes docs/image/: what the pages show, and nothing that is drawn.
"""

import argparse
import asyncio
import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lingqian.bench.chromium import PROFILE, phones, wire
from lingqian.bench.town import Town, town

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

IMAGES: Final = Path(__file__).resolve().parent / "image"
BYTES_MAX: Final = 120_000
LANGUAGES: Final = {"zh": "zh-CN", "en": "en-US"}
_QUALITY: Final = 80
_SCALE: Final = 1.5
_DESK: Final = {"width": 1_320, "height": 900}
_SHARES: Final = 8
# The crowd takes its time with a packet, as people do.
_CROWD_MS: Final = 90_000
_STILL_MS: Final = 700
_GREETING: Final = "岁岁平安，万事顺意"


class Desk(NamedTuple):
    """Where pictures are taken: the browser, its phone, the town, and in which language."""

    browser: "Browser"
    profile: dict[str, object]
    town: Town
    language: str

    async def page(self, path: str, *, is_phone: bool = True) -> "Page":
        """Open a page of the demo on a new phone, or on the desk."""
        look: Any = self.profile if is_phone else {"viewport": _DESK}
        context = await self.browser.new_context(
            **look, locale=LANGUAGES[self.language], timezone_id="Asia/Shanghai"
        )
        page = await context.new_page()
        page.set_default_timeout(_CROWD_MS)
        await page.goto(f"{self.town.base}/{path}")
        return page

    async def keep(self, page: "Page", name: str) -> None:
        """Write what a page shows, once it has come to rest."""
        await page.wait_for_timeout(_STILL_MS)
        size = page.viewport_size
        assert size is not None, "every page here has one"
        clip = {"x": 0, "y": 0, **size, "scale": _SCALE}
        wish = {"format": "webp", "quality": _QUALITY, "clip": clip}
        shot = await (await wire(page)).send("Page.captureScreenshot", wish)
        picture = base64.b64decode(shot["data"])
        assert len(picture) <= BYTES_MAX, f"{name} has {len(picture):,} bytes"
        path = IMAGES / f"{name}.{self.language}.webp"
        path.write_bytes(picture)
        print(f"{len(picture):>8,}  {path.name}")


async def packet_and_proof(desk: Desk) -> None:
    """Show an envelope, what was in it for everybody, and that it was fair."""
    page = await desk.page("demo/phone?as=0")
    await page.locator("ol.lines[aria-busy=false]").wait_for()
    world = await desk.town.ask("GET", "/demo/world")
    wish = {
        "sender_id": world["stars"][1]["id"],
        "kind": "lucky",
        "total_fen": 8_888,
        "count": _SHARES,
        "greeting": _GREETING,
        "cover": "plum",
        "conversation_id": world["conversation_id"],
    }
    made = await desk.town.ask("POST", "/v1/packets", wish, f"shots-{desk.language}")
    await page.locator(f"[data-packet={made['id']}]").tap()
    await page.locator(".coin").wait_for()
    await desk.keep(page, "envelope")
    await page.locator(".coin").tap()
    await page.locator(f".claims li:nth-child({_SHARES})").wait_for()
    await page.locator(f"a[href='#/proof/{made['id']}']").wait_for()
    await desk.keep(page, "result")
    await page.locator(f"a[href='#/proof/{made['id']}']").tap()
    await page.locator("[data-fair=true]").wait_for()
    await desk.keep(page, "proof")
    await page.context.close()


async def top_up(desk: Desk) -> None:
    """Show the cashier above an order: one more touch, and it is paid."""
    page = await desk.page("demo/phone?as=2#/top-up")
    await page.locator("[data-plan=coins-50]").tap()
    sheet = page.frame_locator("iframe[data-simulator=sheet]")
    await sheet.locator("#confirm").tap()
    await sheet.locator("#finger").wait_for()
    await desk.keep(page, "top-up")
    await sheet.locator("#finger").tap()
    await page.locator("[data-credited=true]").wait_for()
    await page.context.close()


async def three_phones(desk: Desk) -> None:
    """Show the three phones of the demo: one has sent, one has opened, one looks."""
    page = await desk.page("demo/phones", is_phone=False)
    left, middle, right = (page.frame_locator("iframe").nth(place) for place in range(3))
    await left.locator("a[href='#/send']").click()
    for tap in (".chips button >> nth=1", ".compose .packet-button", ".sheet .packet-button"):
        await left.locator(tap).click()
    mine = left.locator(".line.mine [data-packet]").last
    await mine.wait_for()
    packet = f"[data-packet={await mine.get_attribute('data-packet')}]"
    await middle.locator(packet).click()
    await middle.locator(".coin").click()
    await middle.locator(".won b").wait_for()
    await right.locator(packet).click()
    await right.locator(".envelope, .result").wait_for()
    await left.locator(".told:empty").wait_for(state="attached")
    await desk.keep(page, "phones")
    await page.context.close()


SHOTS: Final = {"packet": packet_and_proof, "top-up": top_up, "phones": three_phones}


async def _taken(place: Town, names: Sequence[str]) -> None:
    async with phones() as shop:
        for language in LANGUAGES:
            desk = Desk(shop.browser, shop.profile, place, language)
            for name in names:
                await SHOTS[name](desk)


def main() -> None:
    """Take the pictures that were asked for."""
    parser = argparse.ArgumentParser(prog="do.py shots", description=f"On a {PROFILE}.")
    parser.add_argument("names", nargs="*", choices=[*SHOTS, []], help="which; none: all")
    names = parser.parse_args().names or list(SHOTS)
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="lingqian-shots-") as folder,
        town(Path(folder) / "town") as place,
    ):
        asyncio.run(_taken(place, names))


if __name__ == "__main__":
    main()
