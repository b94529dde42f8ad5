"""A report on the screen: bars first, then what they rest on (表)."""

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
    table = Table(title="Bars: ratios taken in this run", title_justify="left")
    for name, side in (
        ("bar", "left"),
        ("must", "right"),
        ("aim", "right"),
        ("measured", "right"),
        ("range", "right"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify=side)  # type: ignore[arg-type]  # two of rich's own words
    for bar in bars:
        sign = "≤ " if bar.is_ceiling else "≥ "
        measured, spread = "", ""
        if bar.measured is not None and bar.low is not None and bar.high is not None:
            measured = f"{bar.measured:.2f} {bar.unit}"
            spread = f"{bar.low:.2f} – {bar.high:.2f}"
        name = f"{bar.name}\n[dim]{bar.note}[/dim]" if bar.note else bar.name
        verdict = Text(bar.verdict, style=_STYLES.get(bar.verdict, "yellow"))
        table.add_row(
            name,
            f"{sign}{bar.must:g} {bar.unit}",
            f"{sign}{bar.aim:g} {bar.unit}",
            measured,
            spread,
            verdict,
        )
    return table


def _measures(measures: list[Measure]) -> Table:
    table = Table(title="Measures: for orientation on this machine", title_justify="left")
    table.add_column("group")
    table.add_column("what")
    for name in ("per second", "p50 ms", "p99 ms", "count"):
        table.add_column(name, justify="right")
    group = ""
    for each in measures:
        if group and each.group != group:
            table.add_section()
        name = f"{each.name}\n[dim]{each.note}[/dim]" if each.note else each.name
        table.add_row(
            each.group if each.group != group else "",
            name,
            f"{each.rate:,.0f}",
            "" if each.p50_ms is None else f"{each.p50_ms:.2f}",
            "" if each.p99_ms is None else f"{each.p99_ms:.2f}",
            f"{each.count:,}",
        )
        group = each.group
    return table


def _costs(costs: list[Measure]) -> Table:
    """Lay out what one command takes of the processor in each role."""
    table = Table(title="Processor time of one command, by role", title_justify="left")
    table.add_column("role")
    table.add_column("command")
    for name in ("µs", "a second and core", "count"):
        table.add_column(name, justify="right")
    table.add_column("beside it")
    role = ""
    for each in costs:
        if role and each.group != role:
            table.add_section()
        table.add_row(
            each.group if each.group != role else "",
            each.name,
            f"{each.cpu_us or 0:.1f}",
            f"{each.rate:,.0f}",
            f"{each.count:,}",
            each.note,
        )
        role = each.group
    return table


def _waits(waits: list[Measure]) -> Table:
    """Lay out what a person on the phone waits for, beside what the texts say of it."""
    table = Table(title="Journeys: what a person waits for, in ms", title_justify="left")
    for name in ("way", "stage", "the texts"):
        table.add_column(name)
    for name in ("p50", "p99", "n"):
        table.add_column(name, justify="right")
    table.add_column("beside it")
    group = ""
    for each in waits:
        if group and each.group != group:
            table.add_section()
        table.add_row(
            each.group if each.group != group else "",
            each.name,
            each.figure,
            "" if each.p50_ms is None else f"{each.p50_ms:,.0f}",
            "" if each.p99_ms is None else f"{each.p99_ms:,.0f}",
            f"{each.count:,}",
            each.note,
        )
        group = each.group
    return table
