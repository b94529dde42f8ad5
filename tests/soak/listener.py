"""A listener: one who follows every event over connections that are cut, and notes each (旁听).

Law: an event is noted when its frame is whole; the next connection begins after the last one noted.
The first line of the notes is where it all began.
"""

import asyncio
import contextlib
import json

import aiohttp

CUT_S = (2.0, 12.0)
AWAY_S = (0.0, 1.5)


class Listener:
    """Follows `/v1/events` with the app's key; tells `hear` and a file of everything it is told."""

    def __init__(self, session, url, chance, path, hear):
        self._session = session
        self._url = url
        self._chance = chance
        self._path = path
        self._hear = hear
        self.is_cut = True
        self.cuts = 0
        self.last = ""

    async def run(self):
        """Listen until cancelled."""
        with self._path.open("a", buffering=1) as file:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with asyncio.timeout(self._patience_s()):
                        await self._listen(file)
                self.cuts += 1
                await asyncio.sleep(self._chance.uniform(*AWAY_S))

    def _patience_s(self):
        return self._chance.uniform(*CUT_S) if self.is_cut else None

    async def _listen(self, file):
        headers = {"Last-Event-ID": self.last} if self.last else {}
        timeout = aiohttp.ClientTimeout(total=None)
        asked = self._session.get(f"{self._url}/v1/events", headers=headers, timeout=timeout)
        async with asked as answer:
            answer.raise_for_status()
            rest = b""
            async for piece in answer.content.iter_any():
                *frames, rest = (rest + piece).split(b"\n\n")
                for frame in frames:
                    self._take(frame.decode(), file)

    def _take(self, frame, file):
        fields = dict(line.split(": ", 1) for line in frame.split("\n") if ": " in line)
        if not self.last:
            file.write(f"{fields['id']}\n")
        self.last = fields.get("id", self.last)
        if "data" in fields:
            event = json.loads(fields["data"])
            file.write(f"{event['id']}\n")
            self._hear(event)
