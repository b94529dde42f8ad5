"""The other half of `lingqian simulate`: markets of orders, their properties and their figures."""

import gc
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lingqian.simulation.market import Market, Report
from lingqian.simulation.property import PROPERTIES
from lingqian.simulation.rehearsal import Ratio, add, faults, missed, ratios
from lingqian.simulation.town import rough

MARKET_ORDERS: Final = 1_000
# Markets are large and leave little behind: garbage is looked for less often than by default.
_GARBAGE_AT: Final = 100_000
# Where no bar can be shown, a line for so many markets says how far it is.
_TOLD_EVERY: Final = 5


class Evening(NamedTuple):
    """One market of a run: its seed, how many lanes, how many orders."""

    seed: int
    lanes: int
    orders: int


def plan(seed: int, orders: int, lanes: int) -> list[Evening]:
    """Divide orders among markets with seeds in a row."""
    markets = -(-orders // MARKET_ORDERS)
    each, rest = divmod(orders, markets)
    return [
        Evening(seed + place, lanes or (4 if (seed + place) % 2 else 1), each + (place < rest))
        for place in range(markets)
    ]


def run(seed: int, orders: int, lanes: int) -> dict[str, Any]:
    """Live through markets of so many orders in all, and return what they were like."""
    began, cpu_began = time.monotonic(), time.process_time()
    with _seldom_collected():
        reports = _live(plan(seed, orders, lanes))
    found = add(reports)
    return {
        "seed": seed,
        "markets": len(reports),
        "asked_for": orders,
        "orders": found.orders,
        "commands": found.commands,
        "restarts": found.restarts,
        "write_points": found.points,
        "took_s": round(time.monotonic() - began, 1),
        "cpu_s": round(time.process_time() - cpu_began, 1),
        "ends": dict(sorted(found.ends.items())),
        "exceptions": dict(sorted(found.exceptions.items())),
        "unsolved": dict(sorted(found.unsolved.items())),
        "ratios": [_ratio(each) for each in ratios(found.unsolved)],
        "properties": {name: found.checked[name] for name in PROPERTIES},
        "faults": faults(found),
        "exercised": dict(sorted(found.events.items())),
        "missing": missed(found),
    }


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for garbage less often, and leave what was there before alone."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_GARBAGE_AT)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {**ratio._asdict(), "percent": ratio.percent, "percent_max": ratio.percent_max}


def _live(evenings: list[Evening]) -> list[Report]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    reports = []
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("orders", total=sum([each.orders for each in evenings]))
        for each in evenings:
            bar.update(task, description=f"market {each.seed}")
            try:
                reports.append(_evening(each, bar.stop))
            except KeyboardInterrupt:
                # Whoever stops a long run is told what it has met so far.
                if not reports:
                    raise
                break
            bar.advance(task, each.orders)
            if not console.is_terminal and len(reports) % _TOLD_EVERY == 0:
                done = sum([report.orders for report in reports])
                console.print(f"{len(reports)} of {len(evenings)} markets, {done:,} orders")
    return reports


def _evening(each: Evening, stop: Callable[[], None]) -> Report:
    setting = rough(each.orders, each.lanes)
    try:
        return Market(each.seed, setting).run()
    except Exception as error:
        stop()
        typer.echo("".join(traceback.format_exception(error)[-3:]), err=True)
        typer.echo(
            f"Market {each.seed} failed. To repeat it:\n  lingqian simulate --seed {each.seed} "
            f"--orders {each.orders} --lanes {each.lanes}",
            err=True,
        )
        raise typer.Exit(1) from error


def words(summary: dict[str, Any]) -> str:
    """Say it to a person."""
    lines = [
        "{orders:,} orders in {markets} markets from seed {seed}: every one explained.",
        "{commands:,} commands, {restarts:,} starts, {write_points:,} write points.",
        "{took_s} s, of which {cpu_s} s of one core.",
        "",
    ]
    if summary["orders"] < summary["asked_for"] * 9 // 10:
        lines.insert(0, "Stopped by hand, of {asked_for:,} orders asked for:")
    told = "\n".join(lines).format_map(summary)
    told += "".join([f"{count:>9,}  {name}\n" for name, count in summary["ends"].items()])
    told += "\nproperties, and how often each was looked at and held:\n"
    for name, count in summary["properties"].items():
        told += f"{count:>13,}  {name:<4} {PROPERTIES[name]}\n"
    told += "\nexceptions, and who settled them without a person:\n"
    told += "".join([f"{count:>9,}  {name}\n" for name, count in summary["exceptions"].items()])
    told += "".join([f"{_ratio_words(each)}\n" for each in summary["ratios"]])
    for name, words in (("faults", "faults that struck"), ("exercised", "what was met")):
        told += f"\n{words}:\n"
        told += "".join([f"{count:>9,}  {each}\n" for each, count in summary[name].items()])
    if summary["missing"]:
        told += "\nnever met: " + ", ".join(summary["missing"])
    return told


def _ratio_words(each: dict[str, Any]) -> str:
    return (
        f"  {each['here']:,} here, {each['there']:,} at {each['name']}: "
        f"{each['percent'] / 100:.2f} times; at most {each['percent_max'] / 100:.2f} were possible"
    )
