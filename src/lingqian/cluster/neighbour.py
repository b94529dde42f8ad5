"""A neighbour: another process, as we ask it; one connection, opened when it is needed (对端).

Law: what could not be sent is Unsent; what was sent and not answered is Unknown, and whoever asked
may ask again with the same command.
"""

import asyncio
import itertools
from contextlib import suppress
from typing import Final

from lingqian.cluster.credential import Peer, check_answerer, peer_of
from lingqian.cluster.host import WITHIN, call_of
from lingqian.cluster.line import Line, Trust, Word, greeting_s, read_fault
from lingqian.cluster.role import Call
from lingqian.kernel.bound import ASKS_UNDER_WAY_MAX
from lingqian.kernel.fault import Busy, Damaged, Fault, Unknown, Unsent
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.wire import read_answer, write_submission

CONNECT_S_MAX: Final = 2.0
_MS_MAX: Final = 60_000


class Neighbour:
    """Asks another process; belongs to one event loop."""

    def __init__(self, address: str, trust: Trust) -> None:
        self.address = address
        self._trust = trust
        self._line: Line | None = None
        self._opening: asyncio.Task[Line] | None = None
        self._welcomed: asyncio.Future[None] | None = None
        self._proof = (b"", b"")
        # Whom the connection's certificate names; nobody without TLS.
        self._peer: Peer | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def ask(self, submission: Submission, within_s: float) -> Answer:
        """Ask the other process and wait for its answer.

        Raises: Unsent, Unknown, and every fault that the other process had.
        """
        if len(self._waiting) >= ASKS_UNDER_WAY_MAX:
            raise Busy(f"{ASKS_UNDER_WAY_MAX} commands are under way to {self.address}")
        line = await self._ready()
        self._check(call_of(submission))
        number = next(self._numbers)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        within_ms = max(0, min(_MS_MAX, round(within_s * 1_000)))
        line.send(Word.ASK, number, WITHIN.pack(within_ms) + write_submission(submission))
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            raise Unknown(f"{self.address} has not answered in time") from None
        finally:
            self._waiting.pop(number, None)

    def _check(self, call: Call) -> None:
        """Send nothing to who may not answer it.

        Raises: Unsent.
        """
        if self._peer is not None:
            try:
                check_answerer(self._peer, call)
            except PermissionError as error:
                raise Unsent(str(error)) from error

    async def greet(self) -> None:
        """Open the connection; one that cannot be opened is found out when it is needed."""
        with suppress(Fault):
            await self._ready()

    async def look(self) -> None:
        """Tell the other process to look at the register now; what fails it sees by itself."""
        try:
            line = await self._ready()
        except Fault:
            return
        line.send(Word.LOOK, 0)

    async def _ready(self) -> Line:
        """Return the connection, opened once for all who wait for it."""
        if self._line is not None and self._line.is_open:
            return self._line
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        line = await asyncio.shield(self._opening)
        if not line.is_open:
            raise Unsent(f"the connection to {self.address} was lost")
        return line

    def _opened(self, task: "asyncio.Task[Line]") -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._line = task.result()

    async def _connect(self) -> Line:
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                return await self._greet()
        except (OSError, TimeoutError) as error:
            raise Unsent(f"{self.address} cannot be reached: {error}") from error

    async def _greet(self) -> Line:
        """Open a connection on which both have proven who they are; else leave none behind."""
        host, _, port = self.address.rpartition(":")
        loop = asyncio.get_running_loop()
        self._welcomed = welcomed = loop.create_future()
        tls = self._trust.calling
        line = Line(self._hear, self._lost)
        where = (host.strip("[]"), int(port))
        try:
            await loop.create_connection(
                lambda: line,
                *where,
                ssl=tls,
                ssl_handshake_timeout=greeting_s(tls),
                ssl_shutdown_timeout=greeting_s(tls),
            )
            await welcomed
            if tls is not None:
                self._peer = peer_of(line.shown)
                check_answerer(self._peer, Call.GREET)
        except BaseException:
            line.close()
            raise
        return line

    def _hear(self, line: Line, word: Word, number: int, body: bytes) -> None:
        if word == Word.CHALLENGE:
            self._proof = (body, self._trust.key.nonce())
            line.send(Word.HELLO, 0, self._trust.key.hello(*self._proof))
        elif word == Word.WELCOME:
            self._welcome(line, body)
        elif (future := self._waiting.get(number)) is not None and not future.done():
            _settle(future, word, body)

    def _welcome(self, line: Line, body: bytes) -> None:
        assert self._welcomed is not None, "a connection is being opened"
        if not self._trust.key.is_welcome(*self._proof, body):
            line.close()
        elif not self._welcomed.done():
            self._welcomed.set_result(None)

    def _lost(self, line: Line) -> None:
        """Tell all who wait: what they asked may have been done."""
        if self._welcomed is not None and not self._welcomed.done():
            self._welcomed.set_exception(OSError("it does not take us for one of its own"))
        if line is self._line:
            self._line = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unknown(f"the connection to {self.address} was lost"))

    def close(self) -> None:
        """End the connection."""
        if self._opening is not None:
            self._opening.cancel()
        if self._line is not None:
            self._line.close()


def _settle(future: "asyncio.Future[Answer]", word: Word, body: bytes) -> None:
    if word == Word.FAULT:
        future.set_exception(read_fault(body))
    elif word == Word.ANSWER:
        try:
            future.set_result(read_answer(body))
        except Damaged as fault:
            future.set_exception(fault)
