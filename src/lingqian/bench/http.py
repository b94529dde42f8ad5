"""Over HTTP: the real server in a process of its own, its processor time by request (接口).

Law: the client's own time is never counted: processor time is read from the system, of the server.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from lingqian.bench.batch import SHARES
from lingqian.bench.caller import run_loop
from lingqian.bench.machine import cpu_s, since_s
from lingqian.bench.report import Bar, Crowd, Measure, judged
from lingqian.bench.scale import Scale
from lingqian.bench.wire import Request, Site, press
from lingqian.bench.world import SHARE_FEN, World
from lingqian.compose import DATABASE
from lingqian.identity.key import Scope
from lingqian.kernel.id import show
from lingqian.storage.keyring import add_key, open_beside

CPU: Final = Bar(
    name="over HTTP: processor time of an echo / of a claim, same framework", must=0.5, aim=0.7
)
_ROUNDS: Final = 5
_STOP_S: Final = 60
_GOOD: Final = frozenset((200, 201, 202))
_OVER: Final = frozenset((201, 409, 410))


@contextmanager
def server(world: World, channels: Sequence[object] = ()) -> Iterator[tuple[Site, int]]:
    """Serve a world's folder in its own process, with these accounts at channels.

    Yields where, and the process's number.
    """
    connection = open_beside(world.folder / DATABASE)
    api_key = add_key(connection, "bench", frozenset(Scope))
    connection.close()
    line = [sys.executable, "-m", "lingqian.web.echo", str(world.folder)]
    if channels:
        line.append(msgspec.json.encode({"channels": channels}).decode())
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None, "it was asked for"
        try:
            place = process.stdout.readline().strip()
            assert place, "the server says where it listens"
            host, _, port = place.removeprefix("http://").rpartition(":")
            _until_open(host, int(port))
            yield Site(host, int(port), api_key), process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_STOP_S)


def _until_open(host: str, port: int) -> None:
    """Wait until the port, which is bound before it is served, takes connections."""
    until = time.monotonic() + _STOP_S
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def measured(site: Site, requests: Sequence[Request], connections: int) -> Crowd:
    """Send prepared requests over some connections."""
    return _press(site, requests, connections, _GOOD)


def _press(
    site: Site, requests: Sequence[Request], connections: int, allowed: frozenset[int]
) -> Crowd:
    waiting = list(reversed(requests))

    def make() -> Request | None:
        return waiting.pop() if waiting else None

    return run_loop(press(site, make, connections, allowed))


def _claims(world: World, count: int, word: str) -> list[Request]:
    writer = world.writer()
    packets = world.packets(writer, -(-count // SHARES), SHARES)
    writer.close()
    made = [
        Request(
            "POST",
            f"/v1/packets/{show('rp', packet_id)}/{word}",
            b'{"user_id":"%s"}' % show("us", user_id).encode(),
        )
        for packet_id in packets
        for user_id in world.chance.sample(world.people, SHARES)
    ]
    world.chance.shuffle(made)
    return made[:count]


def echoes(world: World, count: int) -> list[Request]:
    """Prepare claims that are only echoed."""
    return _claims(world, count, "echoes")


def against_echo(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Compare an echo with a claim, by turns, then measure the other requests and a stampede."""
    if not Path("/proc/self/stat").exists():
        return [CPU], []
    rounds = min(_ROUNDS, scale.rounds)
    count = max(scale.requests // rounds, scale.callers)
    claims = _claims(world, count * (rounds + 1), "claims")
    echoed = [each._replace(path=each.path.replace("/claims", "/echoes")) for each in claims]
    others = _others(world, scale)
    rush = _rush(world, scale)
    ratios: list[float] = []
    measures: list[Measure] = []
    with server(world) as (site, pid):
        measured(site, claims[:count], scale.callers)  # a round to warm up, not counted
        for each in range(1, rounds + 1):
            part = slice(each * count, (each + 1) * count)
            costs: dict[str, float] = {}
            for name, requests in (("echo", echoed[part]), ("claims", claims[part])):
                before_s = cpu_s(pid)
                crowd = measured(site, requests, scale.callers)
                costs[name] = since_s(pid, before_s) / len(requests)
                if each == rounds:
                    note = f"{costs[name] * 1e6:.0f} µs of the server's processor each"
                    measures.append(_named(crowd, f"{name}, {scale.callers} connections", note))
            ratios.append(costs["echo"] / costs["claims"])
        for name, requests in others:
            measures.append(_named(measured(site, requests, scale.callers), name))
        crowd = _press(site, rush, scale.callers, _OVER)
        note = "one request after another on each connection"
        measures.append(_named(crowd, f"stampede: {len(rush):,} claimers, one packet", note))
    return [judged(CPU, ratios)], measures


def _named(crowd: Crowd, name: str, note: str = "") -> Measure:
    return crowd.measure(name, note, "over HTTP")


def _rush(world: World, scale: Scale) -> list[Request]:
    writer = world.writer()
    packet_id = world.packets(writer, 1, min(100, scale.claimers // 2))[0]
    writer.close()
    path = f"/v1/packets/{show('rp', packet_id)}/claims"
    return [
        Request("POST", path, b'{"user_id":"%s"}' % show("us", user_id).encode())
        for user_id in world.people[: scale.claimers]
    ]


def _others(world: World, scale: Scale) -> list[tuple[str, list[Request]]]:
    count = max(scale.requests // 4, scale.callers)
    writer = world.writer()
    packets = [show("rp", each) for each in world.packets(writer, 50, SHARES)]
    writer.close()
    people = [show("us", each) for each in world.people]
    pick = world.chance.choice

    def transfer() -> Request:
        source, target = world.chance.sample(people, 2)
        body = b'{"source_id":"%s","target_id":"%s","amount_fen":1}'
        return Request(
            "POST", "/v1/transfers", body % (source.encode(), target.encode()), world.key()
        )

    def send() -> Request:
        body = b'{"sender_id":"%s","kind":"lucky","total_fen":%d,"count":%d}'
        values = (pick(people).encode(), SHARES * SHARE_FEN, SHARES)
        return Request("POST", "/v1/packets", body % values, world.key())

    kinds: tuple[tuple[str, Callable[[], Request]], ...] = (
        ("transfers", transfer),
        ("sends", send),
        ("balances", lambda: Request("GET", f"/v1/users/{pick(people)}/balances")),
        ("statement, a page", lambda: Request("GET", f"/v1/users/{pick(people)}/statement")),
        ("packet", lambda: Request("GET", f"/v1/packets/{pick(packets)}")),
    )
    return [(name, [make() for _ in range(count)]) for name, make in kinds]
