"""A report on the screen: bars first, then what they rest on (表)."""

from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lingqian.bench.report import HELD, MISSED, Bar, Measure, Report

_STYLES = {HELD: "green", MISSED: "bold red"}


def screen(report: Report) -> Group:
    """Lay out a whole report."""
    machine = report.machine
    head = Text(
        f"{machine['cpu']}, {machine['cores']} cores · {machine['kernel']} · {machine['python']} · "
        f"SQLite {machine['sqlite']} · {machine['file_system']} · "
        f"fsync p50 {report.fsync_p50_us:.0f} µs · load {machine['load_before']} at the start\n"
        f"scale {report.scale}, {report.took_s:.0f} s; every batch durable before it answers"
    )
    plain = [each for each in report.measures if not each.figure and each.cpu_us is None]
    costs = [each for each in report.measures if each.cpu_us is not None]
    waits = [each for each in report.measures if each.figure]
    tables = [_bars(report.bars)]
    tables += [_measures(plain)] if plain else []
    tables += [_costs(costs)] if costs else []
    tables += [_waits(waits)] if waits else []
    return Group(head, *tables)


def _bars(bars: list[Bar]) -> Table:
    title = "Bars: ratios taken in this run"
    table = _table(title, ["bar"], ["must", "aim", "measured", "range"], "verdict")
    for bar in bars:
        sign = "≤ " if bar.is_ceiling else "≥ "
        measured, spread = "", ""
        if bar.measured is not None and bar.low is not None and bar.high is not None:
            measured = f"{bar.measured:.2f} {bar.unit}"
            spread = f"{bar.low:.2f} – {bar.high:.2f}"
        table.add_row(
            _named(bar),
            f"{sign}{bar.must:g} {bar.unit}",
            f"{sign}{bar.aim:g} {bar.unit}",
            measured,
            spread,
            Text(bar.verdict, style=_STYLES.get(bar.verdict, "yellow")),
        )
    return table


def _measures(measures: list[Measure]) -> Table:
    title = "Measures: for orientation on this machine"
    return _grouped(
        _table(title, ["group", "what"], ["per second", "p50 ms", "p99 ms", "count"]),
        measures,
        lambda each: (
            _named(each),
            f"{each.rate:,.0f}",
            _ms(each.p50_ms, ".2f"),
            _ms(each.p99_ms, ".2f"),
            f"{each.count:,}",
        ),
    )


def _costs(costs: list[Measure]) -> Table:
    """Lay out what one command takes of the processor in each role."""
    title = "Processor time of one command, by role"
    return _grouped(
        _table(title, ["role", "command"], ["µs", "a second and core", "count"], "beside it"),
        costs,
        lambda each: (
            each.name,
            f"{each.cpu_us or 0:.1f}",
            f"{each.rate:,.0f}",
            f"{each.count:,}",
            each.note,
        ),
    )


def _waits(waits: list[Measure]) -> Table:
    """Lay out what a person on the phone waits for, beside what the texts say of it."""
    title = "Journeys: what a person waits for, in ms"
    return _grouped(
        _table(title, ["way", "stage", "the texts"], ["p50", "p99", "n"], "beside it"),
        waits,
        lambda each: (
            each.name,
            each.figure,
            _ms(each.p50_ms, ",.0f"),
            _ms(each.p99_ms, ",.0f"),
            f"{each.count:,}",
            each.note,
        ),
    )


def _table(title: str, words: list[str], figures: list[str], *more: str) -> Table:
    """Begin a table; figures stand to the right of their columns."""
    table = Table(title=title, title_justify="left")
    for name in (*words, *figures, *more):
        table.add_column(name, justify="right" if name in figures else "left")
    return table


def _grouped(
    table: Table, measures: list[Measure], cells: Callable[[Measure], tuple[str, ...]]
) -> Table:
    """Fill a table; each group is named once, and a line parts it from the next."""
    for name, group in groupby(measures, attrgetter("group")):
        for place, each in enumerate(group):
            table.add_row("" if place else name, *cells(each))
        table.add_section()
    return table


def _named(row: Bar | Measure) -> str:
    return f"{row.name}\n[dim]{row.note}[/dim]" if row.note else row.name


def _ms(figure: float | None, form: str) -> str:
    return "" if figure is None else format(figure, form)
