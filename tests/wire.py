"""A line to a database that can be cut on purpose: a small proxy that knows a COMMIT by its bytes.

It speaks for one server. `cut` says what happens to the next COMMIT of any connection: the line is
cut before it arrives, after it was done, at the very moment it is on its way, or it falls silent on
one side with nobody closing anything. Other statements can be cut by their first word.
"""

import socket
import threading
from contextlib import suppress
from enum import Enum, auto

COMMIT = b"\x03COMMIT"
PIECE = 65_536


class Cut(Enum):
    """Where the line breaks."""

    NONE = auto()
    BEFORE = auto()
    AFTER = auto()
    RACING = auto()
    SILENT_BEFORE = auto()
    SILENT_AFTER = auto()


FORWARDED = {Cut.AFTER, Cut.RACING, Cut.SILENT_AFTER}
SILENT = {Cut.SILENT_BEFORE, Cut.SILENT_AFTER}


class Line:
    """One connection through the proxy: two sockets, and whether anything still passes."""

    def __init__(self, wire, client):
        self._wire = wire
        self.client = client
        self.server = socket.create_connection(wire.target)
        self._ends_with_answer = False
        self._is_silent = False
        for work in (self._up, self._down):
            threading.Thread(target=work, daemon=True).start()

    def close(self):
        """Cut both sides."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _up(self):
        """Carry the client's packets one by one; what a cut names is not carried any further."""
        with suppress(OSError):
            while packet := self._packet():
                cut = self._wire.due(packet[4:])
                if cut in FORWARDED:
                    self._ends_with_answer = cut is Cut.AFTER
                    self._is_silent = cut is Cut.SILENT_AFTER
                    self.server.sendall(packet)
                if cut is Cut.NONE:
                    self.server.sendall(packet)
                elif cut in SILENT:
                    # The client gives up by itself; the server is told nothing of it.
                    self._wire.kept.append(self)
                    return
                elif cut is not Cut.AFTER:
                    break
        if not self._ends_with_answer:
            self.close()

    def _down(self):
        """Carry the server's bytes, unless they would be the answer that must be lost."""
        with suppress(OSError):
            while piece := self.server.recv(PIECE):
                if self._ends_with_answer:
                    break
                if not self._is_silent:
                    self.client.sendall(piece)
        if not self._is_silent:
            self.close()

    def _packet(self):
        head = self._exactly(4)
        return head + self._exactly(int.from_bytes(head[:3], "little")) if head else b""

    def _exactly(self, size):
        got = b""
        while len(got) < size:
            piece = self.client.recv(size - len(got))
            if not piece:
                return b""
            got += piece
        return got


class Wire:
    """The proxy; `with Wire(host, port) as wire` listens on `wire.port` until the end."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.cut = Cut.NONE
        self.word = COMMIT
        self.cuts = 0
        self.kept = []
        self._lines = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Whoever is let in at the last moment is shown out, too.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for line in self._lines:
            line.close()

    def due(self, payload):
        """Return what happens to a packet: the cut that is set, once, when it is the word."""
        if self.cut is Cut.NONE or not payload.startswith(self.word):
            return Cut.NONE
        cut, self.cut = self.cut, Cut.NONE
        self.cuts += 1
        return cut

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._lines.append(Line(self, client))
