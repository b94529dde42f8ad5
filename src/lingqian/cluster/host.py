"""The host: takes commands that other processes bring, and brings their answers back (受理端).

Law: a command is tried only within the time its caller still waits; each is answered once, by an
answer or by a fault.
"""

import asyncio
import logging
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from lingqian.cluster.credential import Peer, check_caller, peer_of
from lingqian.cluster.line import Line, Trust, Word, greeting_s, write_fault
from lingqian.cluster.role import Call
from lingqian.flows.command import DeliverRelay
from lingqian.kernel.bound import QUEUE_AGE_S_MAX
from lingqian.kernel.fault import Fault, Unknown
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.wire import read_submission, write_answer

# How long the caller still waits, before the submission. Unit: milliseconds.
WITHIN: Final = struct.Struct(">I")
# A day: a timer of the loop must not be set for longer.
_OPEN_S_MAX: Final = 24 * 3_600.0
_log = logging.getLogger(__name__)


class _Guest(Line):
    """A connection of somebody who has to prove himself first."""

    def __init__(self, host: "Host") -> None:
        super().__init__(host.hear, host.left)
        self.challenge = b""
        self.is_proven = False
        self.peer: Peer | None = None
        self._host = host

    def begun(self) -> None:
        """Ask for the proof."""
        if self.shown is not None:
            self.peer = peer_of(self.shown)
            # What was opened by a credential ends with it.
            left_s = max(0.0, self.peer.until_s - time.time())
            self._loop.call_later(min(left_s, _OPEN_S_MAX), self.close)
        self.challenge = self._host.key.nonce()
        self._host.guests.add(self)
        self.send(Word.CHALLENGE, 0, self.challenge)


class Host:
    """Listens for the other processes; belongs to the loop that opened it."""

    def __init__(self, intake: Intake, trust: Trust, look: Callable[[], None]) -> None:
        self.key = trust.key
        self._tls = trust.called
        self.guests: set[Line] = set()
        self._intake = intake
        self._look = look
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; return the port, a free one for 0.

        Raises: OSError when the address is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Guest(self),
            host,
            port,
            ssl=self._tls,
            ssl_handshake_timeout=greeting_s(self._tls),
            ssl_shutdown_timeout=greeting_s(self._tls),
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more and end every connection."""
        if self._server is not None:
            self._server.close()
        for guest in tuple(self.guests):
            guest.close()

    def left(self, guest: Line) -> None:
        """Forget a connection that has ended."""
        self.guests.discard(guest)

    def hear(self, line: Line, word: Word, number: int, body: bytes) -> None:
        """Do what a frame asks for; before the proof nothing but the proof is heard."""
        assert isinstance(line, _Guest), "this side is called"
        if not line.is_proven:
            self._prove(line, word, body)
        elif word == Word.ASK:
            self._ask(line, number, body)
        elif word == Word.LOOK and _may(line, Call.HAND_OVER):
            self._look()
        else:
            line.close()

    def _prove(self, guest: _Guest, word: Word, body: bytes) -> None:
        welcome = self.key.welcome(guest.challenge, body) if word == Word.HELLO else None
        if welcome is None:
            guest.close()
            return
        guest.is_proven = True
        guest.send(Word.WELCOME, 0, welcome)

    def _ask(self, guest: _Guest, number: int, body: bytes) -> None:
        try:
            within_s = int.from_bytes(body[: WITHIN.size], "big") / 1_000
            submission = read_submission(body[WITHIN.size :])
            if not _may(guest, call_of(submission)):
                guest.close()
                return
            future = self._intake.ask(submission, min(within_s, QUEUE_AGE_S_MAX))
        except Fault as fault:
            guest.send(Word.FAULT, number, write_fault(fault))
        else:
            future.add_done_callback(partial(_answer, guest, number))


def call_of(submission: Submission) -> Call:
    """Return what is asked of another process by sending it a submission."""
    return Call.DELIVER if isinstance(submission.command, DeliverRelay) else Call.COMMAND


def _may(guest: _Guest, call: Call) -> bool:
    """Say whether a guest may ask for something; without TLS the key alone says so."""
    if guest.peer is None:
        return True
    try:
        check_caller(guest.peer, call)
    except PermissionError as error:
        _log.warning("refused: %s", error)
        return False
    return True


def _answer(guest: Line, number: int, future: "asyncio.Future[Answer]") -> None:
    if future.cancelled():
        guest.send(Word.FAULT, number, write_fault(Unknown("nobody waited for the answer")))
        return
    error = future.exception()
    if error is None:
        guest.send(Word.ANSWER, number, write_answer(future.result()))
    else:
        fault = error if isinstance(error, Fault) else Unknown(str(error))
        guest.send(Word.FAULT, number, write_fault(fault))
