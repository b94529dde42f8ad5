"""The loop: a name that nobody answers for holds up nothing, least of all the end."""

import asyncio
import socket
import subprocess
import sys
import threading
import time

import aiohttp
import pytest

from lingqian.web import loop
from lingqian.web.loop import new_loop

HANGS_S = 6
# A look-up that hangs, as one does behind a network that drops what it is sent.
ENDING = f"""
import asyncio, contextlib, socket, sys, time
from lingqian.web.loop import new_loop

socket.getaddrinfo = lambda *words, **more: time.sleep({HANGS_S})

async def main():
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(loop.getaddrinfo("hooks.example", 443), 0.2)

factory = new_loop if sys.argv[1] == "ours" else asyncio.new_event_loop
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
print("ended")
"""


def run(main):
    """Run a coroutine on a loop of ours."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


@pytest.mark.parametrize(("whose", "waits"), [("ours", False), ("control", True)])
def test_a_look_up_that_hangs_does_not_hold_up_the_end(whose, waits):
    """A supervisor that waited ten seconds for SIGTERM to be heeded would kill us."""
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ENDING, whose], capture_output=True, timeout=60, check=True
    )
    took_s = time.monotonic() - began_s
    assert (done.stdout.strip(), done.stderr) == (b"ended", b"")
    assert (took_s >= HANGS_S) is waits


def test_names_are_found_as_ever():
    """What is asked is handed on, also by the client that all our calls are made with."""

    async def main():
        found = await asyncio.get_running_loop().getaddrinfo(
            "localhost", 80, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
        resolver = aiohttp.resolver.ThreadedResolver()
        return found, await resolver.resolve("localhost", 80)

    found, resolved = run(main())
    assert found[0][4] == ("127.0.0.1", 80)
    assert [each["host"] for each in resolved] == ["127.0.0.1"]


def test_what_cannot_be_found_is_an_error():
    """And the caller hears which."""

    async def main():
        with pytest.raises(socket.gaierror):
            await asyncio.get_running_loop().getaddrinfo("a name with spaces", 80)
        with pytest.raises(UnicodeError):
            await asyncio.get_running_loop().getaddrinfo("a" * 70, 80)

    run(main())


def test_look_ups_are_bounded(monkeypatch):
    """A thousand dead names must not be a thousand threads."""
    monkeypatch.setattr(loop, "LOOKUPS_MAX", 3)
    running, most, lock = [0], [0], threading.Lock()

    def look_up(*_, **__):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return []

    monkeypatch.setattr(loop.socket, "getaddrinfo", look_up)

    async def main():
        ours = asyncio.get_running_loop()
        await asyncio.gather(*[ours.getaddrinfo("hooks.example", 443) for _ in range(20)])

    run(main())
    assert most[0] == 3
