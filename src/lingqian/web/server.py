"""The server: uvicorn inside our own process and loop, and a stop that loses no answer (服务器).

On a signal: readiness is withdrawn, what is on its way is still taken for a moment, nothing new is
accepted, what waits is answered, then the wallet is closed.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn

from lingqian.kernel.fault import Damaged

_BACKLOG: Final = 4_096
_DRAIN_S: Final = 20
# How long after the signal requests are still taken: closing a connection whose bytes have not been
# read yet would reset it, and somebody who had asked in time would get no answer.
_LINGER_S: Final = 0.5
_KEEP_ALIVE_S: Final = 30
# Who has come by TLS once comes by nothing else for a year.
_HSTS: Final = ("strict-transport-security", "max-age=31536000")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Uvicorn without handlers of its own for signals: who runs it decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to listen on; port 0 takes a free one.

    Raises: OSError when the address is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; without it, every answer
    # on a kept connection would wait 40 ms for the acknowledgement of its own first half.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        # From here on callers wait instead of being refused, until the server takes them.
        found.listen(_BACKLOG)
    except OSError:
        found.close()
        raise
    found.setblocking(False)  # noqa: FBT003 - the socket API
    return found


def address(listening: socket.socket, scheme: str = "http") -> str:
    """Return where a socket can be reached, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def open_tls(folder: Path, certificate: str, key: str) -> ssl.SSLContext | None:
    """Return what serves TLS 1.3, and nothing older; None where no certificate is set.

    Raises: Damaged, naming the file that cannot be used.
    """
    if not certificate:
        return None
    path = folder / key
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise Damaged(f"{path} can be read by others; chmod 600 it")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / certificate, path)
    except (OSError, ssl.SSLError) as error:
        raise Damaged(f"{folder / certificate} and {path} cannot serve TLS: {error}") from error
    return context


def make(app: Any, tls: ssl.SSLContext | None = None) -> Server:  # noqa: ANN401 - any ASGI app
    """Return a server for an app, ready to `serve(sockets=[…])` and to be told `should_exit`."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
        backlog=_BACKLOG,
        ssl_context_factory=None if tls is None else lambda *_: tls,
        headers=[] if tls is None else [_HSTS],
    )
    return Server(config)


async def run(
    app: Any,  # noqa: ANN401 - any ASGI app
    listening: socket.socket,
    on_stop: Callable[[], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until a signal comes; `on_stop` is told first, before the last answers go out."""
    server = make(app, tls)
    loop = asyncio.get_running_loop()

    def close() -> None:
        server.should_exit = True

    def stop() -> None:
        on_stop()
        loop.call_later(_LINGER_S, close)

    for each in _SIGNALS:
        try:
            loop.add_signal_handler(each, stop)
        except NotImplementedError:  # Windows
            signal.signal(each, lambda *_: loop.call_soon_threadsafe(stop))
    gc.collect()
    gc.freeze()  # what was imported is never garbage; collections need not look at it again
    await server.serve(sockets=[listening])
