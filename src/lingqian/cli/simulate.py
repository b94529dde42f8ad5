"""The command `lingqian simulate`: whole worlds from seeds, with crashes, and an auditor beside.

Exit codes: 0 the auditor agreed; 1 it did not, or the run never did what it should have met.
"""

import json
import secrets
import time
import traceback
from collections import Counter
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lingqian.cli import market, outage
from lingqian.simulation.exercise import COMMANDS_MIN, missing
from lingqian.simulation.rehearsal import ORDERS_MIN
from lingqian.simulation.world import Report, World

WORLD_COMMANDS: Final = 20_000
TAPS: Final = 12_000
_SEED_MAX: Final = 2**63 - 1


class Share(NamedTuple):
    """One world of a run: its seed, how many lanes, how many commands."""

    seed: int
    lanes: int
    commands: int


def simulate(  # noqa: PLR0913 - options, by name
    seed: Annotated[
        int | None, typer.Option(min=0, max=_SEED_MAX, help="The first world; else a fresh one.")
    ] = None,
    commands: Annotated[int, typer.Option(min=1, help="How many commands in all.")] = COMMANDS_MIN,
    lanes: Annotated[
        int, typer.Option(help="1 or 4; else one for even seeds and four for odd ones.")
    ] = 0,
    orders: Annotated[
        int, typer.Option(min=0, help="Live through markets of so many orders (taps) instead.")
    ] = 0,
    runs: Annotated[
        int, typer.Option(min=0, help=f"How many worlds; else one for each {WORLD_COMMANDS:,}.")
    ] = 0,
    *,
    has_outage: Annotated[
        bool, typer.Option("--outage", help="Live through evenings with an outage instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Live through simulated worlds: crashes, power cuts, retries, cut commits, odd clocks.

    An auditor with its own model checks every answer and every table. The same seed gives the same
    journal, byte for byte; what failed is repeated by the line that is printed.
    """
    if lanes not in (0, 1, 4):
        raise typer.BadParameter("1 or 4", param_hint="--lanes")
    if has_outage:
        _outage(secrets.randbits(32) if seed is None else seed, orders or TAPS, as_json=as_json)
        return
    if orders:
        _markets(secrets.randbits(32) if seed is None else seed, orders, lanes, as_json=as_json)
        return
    shares = plan(secrets.randbits(32) if seed is None else seed, commands, lanes, runs)
    began = time.monotonic()
    reports = _run(shares)
    summary = _summary(reports, time.monotonic() - began)
    typer.echo(json.dumps(summary, ensure_ascii=False) if as_json else _words(summary))
    if summary["missing"] and summary["commands"] >= COMMANDS_MIN:
        typer.echo("This run never did what is listed as missing; it proves too little.", err=True)
        raise typer.Exit(1)


def _outage(seed: int, taps: int, *, as_json: bool) -> None:
    summary = outage.run(seed, taps)
    typer.echo(json.dumps(summary, ensure_ascii=False) if as_json else outage.words(summary))
    if outage.missed(summary) and taps >= TAPS:
        typer.echo("The drill stays below its bar.", err=True)
        raise typer.Exit(1)


def _markets(seed: int, orders: int, lanes: int, *, as_json: bool) -> None:
    summary = market.run(seed, orders, lanes)
    typer.echo(json.dumps(summary, ensure_ascii=False) if as_json else market.words(summary))
    if summary["missing"] and summary["orders"] >= ORDERS_MIN:
        typer.echo("This run never met what is listed; it proves too little.", err=True)
        raise typer.Exit(1)


def plan(seed: int, commands: int, lanes: int, runs: int) -> list[Share]:
    """Divide commands among worlds with seeds in a row."""
    worlds = runs or -(-commands // WORLD_COMMANDS)
    each, rest = divmod(commands, worlds)
    return [
        Share(seed + place, lanes or (4 if (seed + place) % 2 else 1), each + (place < rest))
        for place in range(worlds)
    ]


def _run(shares: list[Share]) -> list[Report]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    reports = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("commands", total=sum([share.commands for share in shares]))
        for share in shares:
            world = World(share.seed, share.lanes)
            bar.update(task, description=f"world {share.seed}")
            try:
                reports.append(world.run(share.commands, lambda done: bar.advance(task, done)))
            except Exception as error:  # noqa: BLE001 - whatever it is, the seed has to be told
                bar.stop()
                _fail(share, error)
    return reports


def _fail(share: Share, error: Exception) -> None:
    typer.echo("".join(traceback.format_exception(error)[-3:]), err=True)
    typer.echo(
        f"World {share.seed} failed. To repeat it:\n  lingqian simulate --seed {share.seed} "
        f"--commands {share.commands} --lanes {share.lanes} --runs 1",
        err=True,
    )
    raise typer.Exit(1)


def _summary(reports: list[Report], took_s: float) -> dict[str, Any]:
    events: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    for report in reports:
        events += report.events
        codes += report.codes
    commands = sum([report.commands for report in reports])
    heads = "".join([report.head for report in reports])
    return {
        "seed": reports[0].seed,
        "worlds": len(reports),
        "commands": commands,
        "journal_rows": sum([report.rows for report in reports]),
        "restarts": sum([report.restarts for report in reports]),
        "write_points": sum([report.points for report in reports]),
        "took_s": round(took_s, 1),
        "commands_per_s": round(commands / max(took_s, 0.001)),
        "heads_sha256": sha256(heads.encode()).hexdigest(),
        "exercised": dict(sorted(events.items())),
        "missing": missing(events, codes, has_lanes=any(report.lanes > 1 for report in reports)),
    }


def _words(summary: dict[str, Any]) -> str:
    lines = [
        "{commands:,} commands in {worlds} worlds from seed {seed}: the auditor agrees.",
        "{journal_rows:,} journal rows, {restarts:,} starts, {write_points:,} write points.",
        "{took_s} s, {commands_per_s:,} commands/s.",
        "heads {heads_sha256}",
        "",
        *[f"{count:>9,}  {name}" for name, count in summary["exercised"].items()],
    ]
    if summary["missing"]:
        lines += ["", "never done: " + ", ".join(summary["missing"])]
    return "\n".join(lines).format_map(summary)
