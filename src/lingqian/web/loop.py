"""The loop: the quickest event loop this system has, and one that can always end (事件循环).

A look-up of a name may hang for half a minute, and nothing can call it off. Event loops give it to
threads that they, or the end of the process, wait for; ours gives it to threads nobody waits for.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

LOOKUPS_MAX: Final = 64


class _Lookups(asyncio.AbstractEventLoop):
    """Look-ups of names, to stand in front of those of a real loop."""

    _gate: asyncio.Semaphore | None = None

    async def getaddrinfo(self, host: Any, port: Any, **asked: Any) -> list[Any]:  # noqa: ANN401 - handed on
        """Look up a name; at most LOOKUPS_MAX at once.

        Raises: OSError when it cannot be found.
        """
        if self._gate is None:
            self._gate = asyncio.Semaphore(LOOKUPS_MAX)
        async with self._gate:
            found: asyncio.Future[list[Any]] = self.create_future()

            def look_up() -> None:
                try:
                    told = socket.getaddrinfo(host, port, **asked)
                except (OSError, UnicodeError) as error:
                    self._tell(found, found.set_exception, error)
                else:
                    self._tell(found, found.set_result, told)

            threading.Thread(target=look_up, name="lingqian-look-up", daemon=True).start()
            return await found

    def _tell(self, found: asyncio.Future[Any], tell: Callable[[Any], None], what: object) -> None:
        """Bring what a thread has found to who waits for it, if somebody still does."""

        def bring() -> None:
            if not found.done():
                tell(what)

        try:
            self.call_soon_threadsafe(bring)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop; to be the `loop_factory` of a runner."""
    kind = _quickest()

    class Loop(_Lookups, kind):  # type: ignore[misc,valid-type]  # which one only the system knows
        """The loop of this process."""

    return Loop()


def _quickest() -> type[Any]:
    try:
        import uvloop  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        ordinary = asyncio.new_event_loop()
        ordinary.close()
        return type(ordinary)
    return uvloop.Loop
