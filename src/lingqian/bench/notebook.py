"""What a run writes down of a phone: moments by name, on the wall's clock (记录).

The page names its own moments (User Timing); what it cannot know, such as when a finger rose, is
added by a script that only a run puts into it.   Units: ms since 1970, as a float.
"""

import asyncio
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

SOON_S: Final = 30.0
SCRIPT: Final = "mark.js"


class Notebook:
    """Moments and frames of one phone, in the order they came."""

    def __init__(self) -> None:
        self._moments: dict[str, list[float]] = {}
        self._frames: list[list[float]] = []
        self._came = asyncio.Event()

    async def open(self, phone: "BrowserContext") -> None:
        """Let every page of a phone write into this book."""
        await phone.expose_binding("lqNote", self.note)
        await phone.expose_binding("lqFrames", self.note_frames)
        script = resources.files("lingqian.bench") / SCRIPT
        await phone.add_init_script(script.read_text("utf-8"))

    def note(self, _source: Any, name: str, at_ms: float) -> None:  # noqa: ANN401 - who calls does not matter
        """Write a moment down."""
        self._moments.setdefault(name, []).append(at_ms)
        self._came.set()

    def note_frames(self, _source: Any, gaps_ms: list[float]) -> None:  # noqa: ANN401 - as above
        """Write down how far the frames of one opening were apart."""
        self._frames.append(gaps_ms)
        self._came.set()

    def turn(self) -> None:
        """Begin a new leaf: what came before is forgotten, frames are kept."""
        self._moments.clear()

    def first(self, name: str) -> float | None:
        """Return when something came first; None before."""
        return next(iter(self._moments.get(name, ())), None)

    def last(self, name: str) -> float | None:
        """Return when something came last; None before."""
        return next(reversed(self._moments.get(name, [])), None)

    def frames(self) -> list[list[float]]:
        """Return the gaps between frames, of each opening."""
        return self._frames

    def named(self, prefix: str) -> str | None:
        """Return the rest of the first name that begins so; None before."""
        return next(
            (each[len(prefix) :] for each in self._moments if each.startswith(prefix)), None
        )

    async def until(self, name: str, wait_s: float = SOON_S) -> float:
        """Wait for a moment and return it.

        Raises: TimeoutError.
        """
        async with asyncio.timeout(wait_s):
            while (at_ms := self.first(name)) is None:
                self._came.clear()
                await self._came.wait()
            return at_ms

    async def until_named(self, prefix: str, wait_s: float = SOON_S) -> str:
        """Wait for a moment whose name begins so, and return the rest of the name.

        Raises: TimeoutError.
        """
        async with asyncio.timeout(wait_s):
            while (rest := self.named(prefix)) is None:
                self._came.clear()
                await self._came.wait()
            return rest
