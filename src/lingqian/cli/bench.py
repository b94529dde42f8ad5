"""The command `lingqian bench`: ratios on this machine, against bounds and rivals, in one run."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from lingqian.bench.chart import chart
from lingqian.bench.report import MISSED
from lingqian.bench.scale import FULL, QUICK
from lingqian.bench.suite import NAMES, Part, run
from lingqian.bench.table import screen

_MISSED_CODE: Final = 1
_console = Console(stderr=True)


def bench(  # noqa: PLR0913 - one argument for each option of the command line
    parts: Annotated[
        list[str] | None, typer.Argument(help="Parts by name, as with --only; none: all of them.")
    ] = None,
    *,
    data: Annotated[
        Path, typer.Option(help="Where the files are made; what is made is removed afterwards.")
    ] = Path(),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds, in a few minutes.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One part, may be repeated: {', '.join(NAMES)}.")
    ] = None,
    grown: Annotated[
        int, typer.Option(min=0, help="Transfers in the grown file; 10000000 takes a long while.")
    ] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write the report here, as JSON.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Also draw the bars here, as SVG.")] = None,
) -> None:
    """Measure this machine: ratios first, absolute figures for orientation.

    `lingqian bench journey` goes through the phone's pages in a real Chromium.
    Ends with 1 when a bar that could be measured was missed.
    """
    chosen = _parts([*(parts or []), *(only or [])])
    scale = QUICK if quick else FULL
    report = run(data.resolve(), scale._replace(grown=grown or scale.grown), chosen, _say)
    Console().print(screen(report))
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if svg is not None:
        svg.write_text(chart(report), "utf-8")
    if any(bar.verdict == MISSED for bar in report.bars):
        raise typer.Exit(_MISSED_CODE)


def _say(part: Part) -> None:
    _console.print(f"[dim]{part.name}[/dim] {part.words} …")


def _parts(only: list[str]) -> list[str]:
    unknown = [name for name in only if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; there are {', '.join(NAMES)}")
    return only
