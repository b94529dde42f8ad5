"""The example app as its page says to run it: its own server, on a port of its own."""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager

from tidy.text import ROOT

HOME = ROOT / "examples" / "party"
_SAID = re.compile(r"party (http://127\.0\.0\.1:\d+)/")


def free_port():
    """Return a port that nobody has at this moment."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@contextmanager
def party_at(base, key, port=0):
    """Run the example against a wallet; give its origin."""
    process = subprocess.Popen(
        [sys.executable, HOME / "server.py"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LINGQIAN_URL": base, "LINGQIAN_KEY": key, "PORT": str(port)},
    )
    try:
        yield _SAID.match(process.stdout.readline())[1]
    finally:
        process.kill()
        process.communicate()
