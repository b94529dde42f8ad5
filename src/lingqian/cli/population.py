"""`lingqian population`: a declared population on the real API, with and without preloading.

Starts a wallet and a payment platform of its own on loopback, lets everybody live some days of the
sandbox's clock, and reads the funnel. What people do is declared in `simulation/population.py`: the
figures are arithmetic on assumptions, and say so.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final, NamedTuple

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from lingqian.cli.demo.api import Api, Reply
from lingqian.cli.demo.platform import Phone, PlatformError, channel_row, platform
from lingqian.cli.progress import progress
from lingqian.compose import DATABASE, Config, Wallet
from lingqian.identity.key import Scope
from lingqian.kernel.clock import DAY_US, SECOND_US, rfc3339
from lingqian.simulation.population import (
    TARGET_ABANDONMENT_PPM,
    Kind,
    Person,
    does,
    patience_ms,
    people,
    visits,
    wait_ms,
)
from lingqian.storage.keyring import add_key, open_beside
from lingqian.web.app import create_app
from lingqian.web.loop import new_loop
from lingqian.web.server import address, listen, make

HOST: Final = "127.0.0.1"
PURSE_FEN: Final = 500_000
_AT_ONCE: Final = 8
_CREDITED_S: Final = 20.0
_LOOK_S: Final = 0.02
_PLANS: Final = ("coins-6", "coins-30", "coins-50", "coins-100")
_SAYS_SO: Final = (
    "模拟人群：以下数字由声明的假设推出，不是真实用户。 "
    "A simulated population: these figures follow from declared assumptions, not from real people."
)


class Tally(NamedTuple):
    """What the population counted by itself: of one half, one kind."""

    visits: int = 0
    asked: int = 0
    too_slow: int = 0
    abandoned: int = 0
    unused: int = 0
    waited_ms: int = 0


class Stage(NamedTuple):
    """A running wallet, its platform, and somebody who speaks for everybody."""

    wallet: Wallet
    api: Api
    phone: Phone
    streamer_id: str = ""


def population(
    *,
    count: Annotated[int, typer.Option("--people", min=8, max=5_000, help="How many.")] = 120,
    days: Annotated[int, typer.Option(min=1, max=60, help="Days they live.")] = 10,
    seed: Annotated[int, typer.Option(help="Chance of what they do; the same again.")] = 1,
    data: Annotated[
        Path | None, typer.Option(help="Keep the wallet here (an empty folder), for `funnel`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let a declared population live through the API, every second one with preloading.

    Its figures follow from the assumptions it declares; they are no measurement of real people.
    """
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if data is not None and data.exists() and any(data.iterdir()):
            typer.echo(f"lingqian population: {data} is not empty", err=True)
            raise typer.Exit(2)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tick = stack.enter_context(progress(is_shown=not as_json))
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                tallies = runner.run(_lives(folder, (count, days, seed), tick))
        except PlatformError as error:
            typer.echo(f"lingqian population: the platform does not start: {error}", err=True)
            raise typer.Exit(1) from error
    if as_json:
        rows = [
            {"segment": kind.segment.name.lower(), "is_preloading": is_preloading,
             **tally._asdict(), "abandonment_ppm": _abandonment_ppm(tally)}
            for (kind, is_preloading), tally in tallies.items()
        ]  # fmt: skip
        typer.echo(json.dumps({"is_simulated": True, "rows": rows}))
    else:
        _print(tallies)


Tallies = dict[tuple[Kind, bool], Tally]


async def _lives(folder: Path, size: tuple[int, int, int], tick: Any) -> Tallies:  # noqa: ANN401 - a progress bar
    count, days, seed = size
    chance = Random(seed)  # noqa: S311 - what simulated people do is no secret
    crowd = people(count, chance)
    async with _stage(folder) as empty:
        stage = empty
        *ids, streamer_id = await _registered(stage, crowd)
        stage = stage._replace(streamer_id=streamer_id)
        tallies: Tallies = {}
        for day in range(days):
            # Who comes is drawn before anybody comes: what happens never changes what was drawn.
            coming = [(each, Random(chance.getrandbits(64))) for each in crowd  # noqa: S311 - as above
                      for _ in range(visits(each, chance))]  # fmt: skip
            gate = asyncio.Semaphore(_AT_ONCE)
            done = await asyncio.gather(
                *[_visit(stage, gate, ids[each.number], each, own) for each, own in coming]
            )
            for (each, _), tally in zip(coming, done, strict=True):
                key = (each.kind, each.is_preloading)
                known = tallies.get(key, Tally())
                tallies[key] = Tally(*[a + b for a, b in zip(known, tally, strict=True)])
            tick("living", day + 1, days)
            await stage.api.post("sandbox/clock", {"advance_s": DAY_US // SECOND_US})
        return dict(sorted(tallies.items(), key=lambda item: (item[0][0].segment, item[0][1])))


@contextlib.asynccontextmanager
async def _stage(folder: Path) -> AsyncIterator[Stage]:
    """Start platform and wallet, serve on a free port of loopback, and end both."""
    listener = listen(HOST, 0)
    base = address(listener)
    async with platform(folder) as beside:
        row = channel_row(folder, beside.merchant, base)
        config = Config(host=HOST, channels=(row,), simulator_control_url=beside.control)
        wallet = Wallet(folder, config)
        try:
            with contextlib.closing(open_beside(folder / DATABASE)) as connection:
                key = add_key(connection, "population", frozenset(Scope))
            app = create_app(wallet)
            server = make(app)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            async with aiohttp.ClientSession() as session:
                phone = Phone(session, beside.control)
                await phone.do(f"merchants/{row.mchid}", {"mode": "public_key"})
                yield Stage(wallet, Api(session, f"{base}/v1", key), phone)
            app.state.door.stop()
            server.should_exit = True
            await task
        finally:
            wallet.close()
            listener.close()


async def _registered(stage: Stage, crowd: list[Person]) -> list[str]:
    """Register everybody with some money of their own; one more gets all the gifts."""
    ids = []
    for number in range(len(crowd) + 1):
        name = f"person-{number}"
        reply = _done(await stage.api.post("users", {"external_id": name, "nickname": name}))
        ids.append(str(reply.fields["id"]))
        fields = {"user_id": ids[-1], "amount_fen": PURSE_FEN}
        _done(await stage.api.post("sandbox/funding", fields, f"purse-{number}"))
    return ids


def _done(reply: Reply) -> Reply:
    if not reply.is_ok:
        raise RuntimeError(f"the wallet refuses its population: {reply.fields}")
    return reply


class _Visit:
    """One person on the page, once; tells every step with its own trace."""

    def __init__(self, stage: Stage, user_id: str, person: Person, chance: Random) -> None:
        self.stage, self.user_id, self.person, self.chance = stage, user_id, person, chance
        self.trace = f"{chance.getrandbits(128):032x}"
        self.prepared: set[str] = set()
        # Coins bought from one's own balance are paid at once: that is never done ahead of a tap.
        self.is_by_channel = does(person.kind.by_channel_ppm, chance)
        self.order: dict[str, Any] = {}
        self._told = 0

    async def tell(self, step: str, **more: object) -> None:
        """Tell a step; a page that preloads prepares what the answer says."""
        self._told += 1
        clock = self.stage.wallet.clock
        now = rfc3339(clock.now_us() - clock.offset_us)  # a phone keeps real time
        event = {"id": f"{self.trace}-{self._told}", "trace_id": self.trace, "step": step,
                 "at": now, "scene": self.person.kind.scene, **more}  # fmt: skip
        fields = {"user_id": self.user_id, "events": [event]}
        reply = _done(await self.stage.api.post("behaviour-events", fields))
        if self.person.is_preloading:
            await self._prepare(reply.fields["prepare"])

    async def _prepare(self, names: list[str]) -> None:
        self.prepared.update(names)
        if "sheet" in names and self.is_by_channel and not self.order:
            await self.open()

    async def open(self) -> None:
        """Open the order and ask for its sheet."""
        kind = self.person.kind
        fields: dict[str, Any] = {"user_id": self.user_id, "scene": kind.scene,
                                  "plan_id": self.chance.choice(_PLANS)}  # fmt: skip
        if self.is_by_channel:
            fields |= {"product": "jsapi", "payer": {"openid": f"oPopulation{self.person.number}"}}
        else:
            fields |= {"pay_with": "balance"}
        reply = _done(await self.stage.api.post("top-ups", fields, self.trace))
        self.order = reply.fields

    def named(self) -> dict[str, str]:
        """Return the order of this visit, as a step names it."""
        return {"order_id": str(self.order["id"])} if self.order else {}

    async def paid(self) -> None:
        """Pay on the platform's sheet and wait until it is credited."""
        if self.order.get("attempts"):
            await self.stage.phone.pay(str(self.order["attempts"][-1]["id"]))
        for _ in range(round(_CREDITED_S / _LOOK_S)):
            reply = _done(await self.stage.api.get(f"top-ups/{self.order['id']}"))
            if reply.fields["is_credited"]:
                return
            await asyncio.sleep(_LOOK_S)
        raise RuntimeError(f"{self.order['id']} was paid and is not credited")

    async def spend(self) -> None:
        """Give a little of it."""
        fields = {"user_id": self.user_id, "streamer_id": self.stage.streamer_id, "code": "rose"}
        _done(await self.stage.api.post("gifts", fields, f"gift-{self.trace}"))


async def _visit(
    stage: Stage, gate: asyncio.Semaphore, user_id: str, person: Person, chance: Random
) -> Tally:
    """Live one visit from the first look at the plans to its end."""
    async with gate:
        visit = _Visit(stage, user_id, person, chance)
        kind = person.kind
        await visit.tell("plan_view")
        if not does(kind.selects_ppm, chance):
            return _left(visit)
        await visit.tell("amount_select")
        if not does(kind.quotes_ppm, chance):
            return _left(visit)
        await visit.tell("quote")
        if not does(kind.invokes_ppm, chance):
            return _left(visit)
        return await _at_the_cashier(visit)


def _left(visit: _Visit) -> Tally:
    return Tally(visits=1, unused=int(bool(visit.order)))


async def _at_the_cashier(visit: _Visit) -> Tally:
    kind, chance = visit.person.kind, visit.chance
    waited_ms, patience = wait_ms(visit.prepared, chance), patience_ms(kind, chance)
    if visit.is_by_channel and not visit.order:
        await visit.open()
    await visit.tell("invoke", **visit.named())
    if waited_ms > patience:
        await visit.tell("cancel", reason="too_slow")
        return Tally(1, 1, 1, 1, 0, waited_ms)
    await visit.tell("sheet_shown")
    if not does(kind.confirms_ppm, chance):
        await visit.tell("cancel", reason="closed_sheet")
        return Tally(1, 1, 0, 1, 0, waited_ms)
    if not visit.order:
        await visit.open()
    await visit.tell("confirmed", **visit.named())
    await visit.paid()
    if does(kind.spends_ppm, chance):
        await visit.spend()
    return Tally(1, 1, 0, 0, 0, waited_ms)


def _abandonment_ppm(tally: Tally) -> int | None:
    return tally.abandoned * 1_000_000 // tally.asked if tally.asked else None


def _print(tallies: Tallies) -> None:
    console = Console()
    console.print(_SAYS_SO, highlight=False)
    table = Table()
    table.add_column("人群")
    for name in ("预加载", "到访", "拉起", "等待 ms", "放弃", "太慢", "文本", "白开"):
        table.add_column(name, justify="right")
    table.add_row("", "preload", "visits", "sheets", "wait", "left", "too slow", "texts", "unused",
                  end_section=True)  # fmt: skip
    for (kind, is_preloading), tally in tallies.items():
        rate = _abandonment_ppm(tally)
        table.add_row(
            kind.segment.name.lower(),
            "yes" if is_preloading else "no",
            f"{tally.visits:,}",
            f"{tally.asked:,}",
            f"{tally.waited_ms // tally.asked:,}" if tally.asked else "–",
            "–" if rate is None else f"{rate / 10_000:.1f} %",
            f"{tally.too_slow:,}",
            f"{TARGET_ABANDONMENT_PPM[kind.segment] / 10_000:.0f} %",
            f"{tally.unused:,}",
            end_section=is_preloading,
        )
    console.print(table)
