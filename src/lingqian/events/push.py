"""Push: the event stream of one reader, as server-sent events that can be resumed (推送)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

from lingqian.events.tail import Bell, Event, Journal, Position, taken, write_position

REST_S: Final = 15.0
RETRY_MS: Final = 2_000
_NOTICES_MAX: Final = 64


class Filter(NamedTuple):
    """Which events a reader wants; what is empty does not filter."""

    types: frozenset[str] = frozenset()
    user_id: bytes = b""
    packet_id: bytes = b""

    def wants(self, event: Event) -> bool:
        """Say whether an event passes."""
        if self.types and event.type not in self.types:
            return False
        if self.user_id and self.user_id not in event.user_ids:
            return False
        return not self.packet_id or self.packet_id == event.packet_id


class Notices:
    """Words to all who read along that no journal knows, such as an endpoint given up."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._kept: deque[tuple[str, bytes]] = deque(maxlen=_NOTICES_MAX)
        self.count = 0

    def put(self, name: str, body: bytes) -> None:
        """Tell everybody."""
        self._kept.append((name, body))
        self.count += 1
        self._bell.strike()

    def after(self, count: int) -> list[tuple[str, bytes]]:
        """Return those after the first `count`, as far as they are kept."""
        new = min(self.count - count, len(self._kept))
        return list(self._kept)[len(self._kept) - new :]


class Reader(NamedTuple):
    """One who reads along: what they read, where they are, what they want, how long they may.

    `mask` rewrites an event as this reader may know it.
    """

    journal: Journal
    bell: Bell
    notices: Notices
    position: Position
    filter: Filter
    may_go_on: Callable[[], bool]
    mask: Callable[[bytes], bytes] = bytes


async def stream(reader: Reader) -> AsyncIterator[bytes]:
    """Yield the event stream: what was missed, then what happens, and a sign of life in between."""
    position = reader.position
    seen = reader.notices.count
    # Where it begins is said at once: who is cut off before the first event comes back to here.
    yield b"retry: %d\nid: %s\n\n" % (RETRY_MS, write_position(position).encode())
    while reader.may_go_on():
        ring = reader.bell.next()
        found = reader.journal.after(position)
        for event in found.events:
            taken(position, event)
            if reader.filter.wants(event):
                yield _frame(write_position(position), event.type, reader.mask(event.body))
        is_new = found.end != position
        position.update(found.end)
        for name, body in reader.notices.after(seen):
            yield _frame("", name, body)
        seen = reader.notices.count
        if is_new:
            # Whoever has far to go lets everybody else have their turn between two pieces.
            await asyncio.sleep(0)
        else:
            done, _ = await asyncio.wait([ring], timeout=REST_S)
            if not done:
                # What was filtered out need not be looked through again after a cut.
                yield b":\nid: %s\n\n" % write_position(position).encode()


def _frame(resume: str, name: str, body: bytes) -> bytes:
    head = f"id: {resume}\n" if resume else ""
    return f"{head}event: {name}\n".encode() + b"data: " + body + b"\n\n"
