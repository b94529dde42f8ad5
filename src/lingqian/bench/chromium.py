"""A real Chromium as a phone: found, started, and slowed down as a phone on a bad line is (手机).

Its driver is a development tool and no part of the product: whoever lacks it is told so.
Units: ms; bytes a second.
"""

import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from lingqian.kernel.fault import Fault

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, Page

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
PROFILE: Final = "Pixel 7"
LANGUAGE: Final = "zh-CN"


class Absent(Fault):
    """The machine lacks a browser, or what drives it; the reason is the text."""


class Line(NamedTuple):
    """How slow a phone is: answers come so late at least, bytes so fast, work takes longer."""

    name: str
    latency_ms: int
    down_per_s: int
    up_per_s: int
    slower: int


# A city's 4G, and the slow 3G by which browsers' own tools mean the worst that people put up with.
GOOD: Final = Line("4G", 170, 1_125_000, 1_125_000, 1)
SLOW: Final = Line("slow 3G, slow processor", 2_000, 50_000, 50_000, 4)


def program() -> str:
    """Return where this machine's Chromium stands.

    Raises: Absent.
    """
    if importlib.util.find_spec("playwright") is None:
        raise Absent("no driver for a browser here: playwright is in the development group")
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise Absent(f"no Chromium here: none of {', '.join(PROGRAMS)} is on this machine")
    return found


class Phones(NamedTuple):
    """A running browser, and what kind of phone its contexts are."""

    browser: "Browser"
    profile: dict[str, object]

    async def phone(self) -> "BrowserContext":
        """Return a new phone, on which nothing was ever opened."""
        return await self.browser.new_context(**self.profile, locale=LANGUAGE)  # type: ignore[arg-type]  # a profile is named by its driver


@asynccontextmanager
async def phones() -> AsyncIterator[Phones]:
    """Start the machine's own Chromium; as root it refuses its sandbox.

    Raises: Absent.
    """
    path = program()
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only who has it runs this

    args = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=args)
        try:
            yield Phones(browser, driver.devices[PROFILE])
        finally:
            await browser.close()


async def wire(page: "Page") -> "CDPSession":
    """Return a wire to a page's own inspector."""
    return await page.context.new_cdp_session(page)


async def slow_down(page: "Page", line: Line) -> None:
    """Let a page's network and processor be as slow as a line says, until it is closed."""
    session = await wire(page)
    conditions = {
        "offline": False,
        "latency": line.latency_ms,
        "downloadThroughput": line.down_per_s,
        "uploadThroughput": line.up_per_s,
    }
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", conditions)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": line.slower})
