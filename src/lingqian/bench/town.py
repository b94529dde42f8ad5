"""The demo beside a run: the server, its living world and its platform, started as anybody would.

Nothing of the command line is imported: the demo is a program that says where it is (演示世界).
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.bench.platform import asked
from lingqian.bench.wire import Request, Site

_PROGRAM: Final = (sys.executable, "-c", "from lingqian.cli.main import main; main()", "demo")
_DOOR: Final = re.compile(r"page +http://(127\.0\.0\.1):(\d+)/demo")
_KEY: Final = re.compile(r"KEY=(lq_\S+)")
_REFUSED: Final = 300
_CALM: Final = Request("DELETE", "/control/faults")
_LOSS: Final = Request(
    "POST",
    "/control/faults",
    b'{"name": "notice_lost", "count": 0, "probability": 0.01, "event": "TRANSACTION."}',
)
_START_S: Final = 120.0
_STOP_S: Final = 120.0
_LOOK_S: Final = 0.05


class Town(NamedTuple):
    """A running demo: where its API is and its data directory."""

    site: Site
    folder: Path

    @property
    def base(self) -> str:
        """Return the address of its pages."""
        return f"http://{self.site.host}:{self.site.port}"

    async def ask(self, method: str, path: str, fields: object = None, key: str = "") -> Any:  # noqa: ANN401 - JSON
        """Ask as an app's server does; everything a run asks for is granted."""
        body = b"" if fields is None else msgspec.json.encode(fields)
        answer = await asked(self.site, Request(method, path, body, key))
        assert answer.status < _REFUSED, (
            f"{method} {path} was answered {answer.status}: {answer.body!r}"
        )
        return msgspec.json.decode(answer.body)

    async def calmed(self) -> None:
        """Let the platform lose one callback in a hundred, and not as many as a demo shows."""
        host, _, port = (await self.ask("GET", "/demo/world"))["platform"].rpartition(":")
        control = Site(host.removeprefix("http://"), int(port), "")
        for request in (_CALM, _LOSS):
            answer = await asked(control, request)
            assert answer.status < _REFUSED, f"the platform answered {answer.status}"


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """Run a demo in a fresh folder and stop it as a person would; it must end in peace."""
    log = folder.with_suffix(".log")
    line = [*_PROGRAM, "--headless", "--port", "0", "--data", str(folder)]
    with (
        log.open("wb") as out,
        subprocess.Popen(line, stdout=out, stderr=subprocess.STDOUT) as process,  # noqa: S603 - our own program
    ):
        try:
            yield _heard(process, log, folder)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert code == 0, f"the demo ended with {code}: {log.read_text('utf-8')[-2_000:]}"


def _heard(process: "subprocess.Popen[bytes]", log: Path, folder: Path) -> Town:
    """Wait until the demo has said where it is and what its key is."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        said = log.read_text("utf-8")
        door, key = _DOOR.search(said), _KEY.search(said)
        if door and key:
            return Town(Site(door[1], int(door[2]), key[1]), folder)
        time.sleep(_LOOK_S)
    raise RuntimeError(f"the demo does not start: {log.read_text('utf-8')[-2_000:]}")
