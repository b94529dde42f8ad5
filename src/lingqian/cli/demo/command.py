"""The command `lingqian demo`: server, crowd and screen in one process and one loop."""

import asyncio
import contextlib
import shutil
import signal
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import aiohttp
import typer
from rich.console import Console
from rich.live import Live

from lingqian.cli.config import FOLDER_VARIABLE
from lingqian.cli.demo.api import Api, Event
from lingqian.cli.demo.cast import OFFICE
from lingqian.cli.demo.crowd import Crowd
from lingqian.cli.demo.fans import Fans
from lingqian.cli.demo.fans import Kit as FanKit
from lingqian.cli.demo.page import describe, routes
from lingqian.cli.demo.platform import (
    ACCOUNT,
    Phone,
    Platform,
    PlatformError,
    channel_row,
    platform,
)
from lingqian.cli.demo.screen import Reading, Screen
from lingqian.compose import DATABASE, Config, Wallet
from lingqian.identity.key import Scope
from lingqian.kernel.clock import SECOND_US
from lingqian.ledger.chart import CHART
from lingqian.storage.keyring import add_key, open_beside, revoke_key
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.port import Connection
from lingqian.storage.trial import trial
from lingqian.web.app import create_app
from lingqian.web.loop import new_loop
from lingqian.web.server import address, listen, make

FOLDER: Final = Path("demo-data")
MARK: Final = "demo"
HOST: Final = "127.0.0.1"
KEY_NAME: Final = "demo"
_PORTS: Final = range(8080, 8100)
_RECENT_MAX: Final = 5
# What our account has at the platform, so that withdrawals do not wait for the first top-ups.
FLOAT_FEN: Final = 10_000_000
_READ_S: Final = 1.0
_FRAMES: Final = 4
SELECT_COMMANDS: Final = "SELECT COALESCE(sum(next_seq), 0) FROM lanes"


class Stage(NamedTuple):
    """What a running demo consists of."""

    wallet: Wallet
    crowd: Crowd
    fans: Fans
    screen: Screen
    api: Api
    recent: deque[str]
    phone: Phone


def demo(
    data: Annotated[
        Path, typer.Option("--data", envvar=FOLDER_VARIABLE, help="The demo's own data directory.")
    ] = FOLDER,
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The port; else the first free from 8080.")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Print lines; for logs and scripts.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with a new world.")] = False,
    seconds: Annotated[
        int | None, typer.Option(min=1, help="Stop by itself after this time.")
    ] = None,
) -> None:
    """Start a seeded, living world: people who send and open red packets while you watch.

    Ctrl-C stops it; the world stays in its directory and goes on at the next start.
    """
    _prepare(data, is_new=reset)
    listener = _listen(port)
    console = Console()
    is_live = console.is_terminal and not headless
    console.print("Letting people in …", highlight=False)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_run(data, listener, console, seconds=seconds, is_live=is_live))
    except KeyboardInterrupt:
        console.print("Stopped.", highlight=False)
    except PlatformError as error:
        _refuse(f"the payment platform does not start: {error}")
    finally:
        listener.close()
    console.print(f"The world is kept in {data}. Check it: lingqian audit --data {data}")


def _prepare(folder: Path, *, is_new: bool) -> None:
    """Make the folder ready; never touch one that a demo has not made."""
    is_ours = (folder / MARK).exists()
    if folder.exists() and not is_ours and any(folder.iterdir()):
        _refuse(f"{folder} holds something that no demo made; choose another --data")
    if is_new and is_ours:
        lock = DirectoryLock(folder)  # raises Fenced while a demo runs in it
        shutil.rmtree(folder)
        lock.release()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _listen(port: int | None) -> socket.socket:
    """Take a port on loopback: the one asked for, or the first that is free."""
    for each in _PORTS if port is None else (port,):
        with contextlib.suppress(OSError):
            return listen(HOST, each)
    return _refuse("every port tried is taken; choose another --port")


def _refuse(why: str) -> NoReturn:
    typer.echo(f"lingqian demo: {why}", err=True)
    raise typer.Exit(2)


async def _run(
    folder: Path,
    listener: socket.socket,
    console: Console,
    *,
    seconds: int | None,
    is_live: bool,
) -> None:
    """Start the platform, open the wallet, serve it, let people live; close in opposite order."""
    base = address(listener)
    async with platform(folder) as beside:
        row = channel_row(folder, beside.merchant, base)
        config = Config(host=HOST, channels=(row,), simulator_control_url=beside.control)
        wallet = Wallet(folder, config)
        try:
            key = _new_key(folder)
            async with aiohttp.ClientSession() as session:
                api, chance = Api(session, f"{base}/v1", key), SystemRandom()
                phone = Phone(session, beside.control)
                await phone.clock(wallet.clock.offset_us / SECOND_US)
                # Our account knows the platform by its public key, as new merchants do.
                await phone.do(f"merchants/{row.mchid}", {"mode": "public_key"})
                await phone.do(f"merchants/{row.mchid}/fund", {"amount_fen": FLOAT_FEN})
                crowd = Crowd(api, chance)
                fans = Fans(FanKit(api, phone, chance, f"{chance.getrandbits(64):016x}"))
                screen = Screen(crowd.titles, crowd.name, _door(base, key, beside))
                recent = deque[str](maxlen=_RECENT_MAX)
                stage = Stage(wallet, crowd, fans, screen, api, recent, phone)
                async with _serving(stage, listener, key):
                    await _play(stage, console, seconds=seconds, is_live=is_live)
        finally:
            wallet.close()


def _new_key(folder: Path) -> str:
    """Make the demo's key for this run; the one of the last run ends."""
    with contextlib.closing(open_beside(folder / DATABASE)) as connection:
        revoke_key(connection, KEY_NAME)
        return add_key(connection, KEY_NAME, frozenset(Scope))


def _door(base: str, key: str, beside: Platform) -> tuple[str, ...]:
    return (
        f"page    {base}/demo      API  {base}/docs",
        f"phones  {base}/demo/phones      three of them, and a tour of a minute",
        f"wallet  {base}/demo/wallet      payment platform  {beside.control}/",
        f"KEY={key}",
        f'curl -H "Authorization: Bearer $KEY" {base}/v1/limits',
    )


@contextlib.asynccontextmanager
async def _serving(stage: Stage, listener: socket.socket, key: str) -> AsyncIterator[None]:
    """Serve the API and the demo's page; drain at the end."""
    app = create_app(stage.wallet)
    crowd = stage.crowd

    def world() -> Mapping[str, object]:
        told = describe(key, crowd.star_ids(), crowd.nicknames, list(stage.recent))
        streamers = stage.fans.streamer_ids()
        return {
            **told,
            "bridge": f"{stage.phone.control}/bridge.js",
            "account": ACCOUNT,
            "platform": stage.phone.control,
            "books": {row.name: row.zh for row in CHART.values()},
            "streamers": [{"id": each, "nickname": crowd.name(each)} for each in streamers],
        }

    for route in routes(world, stage.wallet.reader, stage.phone):
        app.register(route)
    server = make(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        app.state.door.stop()
        server.should_exit = True
        await task


async def _play(stage: Stage, console: Console, *, seconds: int | None, is_live: bool) -> None:
    """Seed the world, then let everything run until time is up or somebody stops it."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends the run
            loop.add_signal_handler(name, stop.set)
    await stage.crowd.settle()
    stage.crowd.nicknames.update(await stage.fans.settle())
    lives = [
        asyncio.create_task(stage.crowd.live()),
        asyncio.create_task(stage.fans.live()),
        asyncio.create_task(_hear(stage, console, is_live=is_live)),
        asyncio.create_task(_watch(stage, console, is_live=is_live)),
    ]
    waiter = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait(
            (*lives, waiter), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done - {waiter}:
            task.result()  # a life that ended has failed: say so
    finally:
        await _end([*lives, waiter, *stage.crowd.tasks])


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hear(stage: Stage, console: Console, *, is_live: bool) -> None:
    """Follow the event stream: the crowd notices packets, the screen tells them."""
    async for event in stage.api.events():
        _remember(stage.recent, event)
        stage.crowd.see(event)
        if event.type == "packet.finished":
            reply = await stage.api.get(f"packets/{event.data['packet_id']}")
            event.data["best"] = reply.fields.get("best")
        for line in stage.screen.hear(event):
            if not is_live:
                console.print(line, markup=False, highlight=False)


def _remember(recent: deque[str], event: Event) -> None:
    if event.type == "packet.sent" and event.data.get("conversation_id") == OFFICE:
        recent.append(event.data["packet_id"])


async def _watch(stage: Stage, console: Console, *, is_live: bool) -> None:
    """Read the money once a second; draw it, or print it now and then."""
    screen = stage.screen
    if not is_live:
        for line in screen.open_at:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    with Live(console=console, screen=True, auto_refresh=False) if is_live else _nothing() as live:
        for beat in range(1 << 62):
            if beat % _FRAMES == 0:
                screen.read(_reading(stage.wallet.reader))
            if live is not None:
                live.update(screen.picture(), refresh=True)
            elif beat % (10 * _FRAMES) == 0:
                console.print(screen.law(), highlight=False)
            await asyncio.sleep(_READ_S / _FRAMES)


def _nothing() -> contextlib.nullcontext[None]:
    return contextlib.nullcontext()


def _reading(connection: Connection) -> Reading:
    (commands,) = next(connection.execute(SELECT_COMMANDS))
    assert isinstance(commands, int), "a sum of integers"
    return Reading(trial(connection), commands, time.monotonic())
