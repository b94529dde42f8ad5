"""A line between two processes: frames over one connection, many under way at a time (进程间连接).

Law: nobody is heard who has not proven that he has the key that all of us have, and each side has
proven it to the other before the first command is sent. What is sent within one turn of the loop
goes out together. Over anything but loopback the connection is TLS, or it is not opened.
"""

import asyncio
import hmac
import secrets
import ssl
import struct
from collections.abc import Callable
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple, cast

from lingqian.cluster.credential import Credential
from lingqian.kernel.bound import FRAME_BYTES_MAX
from lingqian.kernel.fault import Busy, Damaged, Fault, Fenced, Moved, Stopping, Unknown, Unsent

_HEAD: Final = struct.Struct(">IBQ")
_NONCE_BYTES: Final = 16
HANDSHAKE_S_MAX: Final = 2.0
# A fault by its number; numbers are places here and never given anew.
FAULTS: Final[tuple[type[Fault], ...]] = (Unsent, Unknown, Fenced, Busy, Stopping, Moved, Damaged)


class Word(IntEnum):
    """What a frame is."""

    CHALLENGE = 1
    HELLO = 2
    WELCOME = 3
    ASK = 4
    ANSWER = 5
    FAULT = 6
    LOOK = 7


Hear = Callable[["Line", Word, int, bytes], None]


class Line(asyncio.Protocol):
    """One end of a connection. `hear` gets each whole frame, `lost` is called once at the end."""

    def __init__(self, hear: Hear, lost: Callable[["Line"], None]) -> None:
        self._hear = hear
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._in = bytearray()
        self._out: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def shown(self) -> ssl.SSLObject | None:
        """What the other end has shown of itself; None without TLS."""
        if self._transport is None:
            return None
        found: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return found

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # A stream by how it was made; the quick loop's own kind is none of the standard classes.
        self._transport = cast("asyncio.Transport", transport)
        self.begun()

    def begun(self) -> None:
        """Say the first word, where it is ours to say."""

    def connection_lost(self, error: Exception | None) -> None:
        """End; whoever waits for an answer is told."""
        del error
        self._transport = None
        self._lost(self)

    def send(self, word: Word, number: int, body: bytes = b"") -> None:
        """Send a frame, with all others of this turn of the loop."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(_HEAD.pack(len(body), word, number))
        self._out.append(body)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None:
            self._transport.write(b"".join(out))

    def close(self) -> None:
        """End at once; what was not answered is not answered any more."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames; whoever sends none of ours is not listened to."""
        self._in += data
        start = 0
        while len(self._in) - start >= _HEAD.size:
            size, word, number = _HEAD.unpack_from(self._in, start)
            end = start + _HEAD.size + size
            if size > FRAME_BYTES_MAX or word not in Word.__members__.values():
                self.close()
                return
            if len(self._in) < end:
                break
            self._hear(self, Word(word), number, bytes(self._in[start + _HEAD.size : end]))
            start = end
        del self._in[:start]


class Key:
    """The key that all processes of a cluster have, and what proves that one has it."""

    def __init__(self, secret: bytes) -> None:
        assert len(secret) >= _NONCE_BYTES, "a key that cannot be guessed"
        self._secret = secret

    def nonce(self) -> bytes:
        """Return something that was never asked before."""
        return secrets.token_bytes(_NONCE_BYTES)

    def hello(self, challenge: bytes, nonce: bytes) -> bytes:
        """Return what the caller says to a challenge; it holds a challenge of his own."""
        return nonce + self._proof(b"hello", challenge, nonce)

    def welcome(self, challenge: bytes, hello: bytes) -> bytes | None:
        """Return what the called says to a good hello; None when it is not good."""
        nonce = hello[:_NONCE_BYTES]
        if not hmac.compare_digest(hello, self.hello(challenge, nonce)):
            return None
        return self._proof(b"welcome", challenge, nonce)

    def is_welcome(self, challenge: bytes, nonce: bytes, welcome: bytes) -> bool:
        """Say whether the called has the key too."""
        return hmac.compare_digest(welcome, self._proof(b"welcome", challenge, nonce))

    def _proof(self, word: bytes, challenge: bytes, nonce: bytes) -> bytes:
        return hmac.digest(self._secret, word + b"\0" + challenge + nonce, sha256)


class Trust(NamedTuple):
    """What a process goes by when it calls another and when it is called; TLS is None on loopback.

    A credential makes both ends show who they are, and what they may ask is looked up.
    """

    key: Key
    credential: Credential | None = None

    @property
    def called(self) -> ssl.SSLContext | None:
        """What the called goes by."""
        return None if self.credential is None else self.credential.server

    @property
    def calling(self) -> ssl.SSLContext | None:
        """What the caller goes by; to be asked for before each connection."""
        return None if self.credential is None else self.credential.client


def greeting_s(tls: ssl.SSLContext | None) -> float | None:
    """Return how long TLS may take to begin, and to end: no stranger holds up our own end."""
    return None if tls is None else HANDSHAKE_S_MAX


def write_fault(fault: Fault) -> bytes:
    """Return a fault's bytes; one that the table does not know is unknown."""
    kind = FAULTS.index(type(fault)) if type(fault) in FAULTS else FAULTS.index(Unknown)
    return bytes((kind,)) + str(fault).encode()


def read_fault(body: bytes) -> Fault:
    """Return the fault that an answer's place is taken by."""
    if not body or body[0] >= len(FAULTS):
        return Unknown("an answer that cannot be read")
    return FAULTS[body[0]](body[1:].decode(errors="replace"))
