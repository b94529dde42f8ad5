"""The command `lingqian reconcile`: days of channel accounts, told from a data directory.

Runs beside a running wallet and changes nothing; a run itself is asked for over HTTP
(`POST /v1/reconciliations`). Exit code: 0 every day told is closed; 1 one is not, or does not
follow from its inputs; 2 asked wrongly.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from lingqian.clearing.day import Day, DayState
from lingqian.clearing.report import Report, read_day, report
from lingqian.clearing.sheet import as_csv, as_page
from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit
from lingqian.cli.ledger import ledger_or_exit
from lingqian.cli.progress import keys_of
from lingqian.compose import bill_reader
from lingqian.kernel.fault import Fault
from lingqian.storage import reconciliation as books
from lingqian.storage.port import Connection
from lingqian.storage.rederive import faults

_DAYS_MAX: Final = 31


def reconcile(  # noqa: PLR0913 - the options of a command, by name
    data: DataFolder = DATA_DEFAULT,
    *,
    day: Annotated[str, typer.Option(help="One business day, YYYY-MM-DD.")] = "",
    account: Annotated[str, typer.Option(help="One channel account.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a day a line.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write the differences for a spreadsheet.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write one page to read and to print.")] = None,
    rederive: Annotated[
        str, typer.Option(metavar="DAY", help="Derive a closed day again from its raw inputs.")
    ] = "",
) -> None:
    """Show reconciled days and their differences, or prove a closed day from its raw inputs.

    Runs beside a running wallet and changes nothing. Exit code: 0 all closed; 1 not; 2 asked
    wrongly.
    """
    number = _number(rederive or day)
    try:
        with ledger_or_exit(data).snapshot() as (connection, _):
            rows = _rows(connection, number, account)
            if rederive:
                raise typer.Exit(_rederive(connection, data, rows))
            reports = [report(row, books.told(connection, row)) for row in rows]
    except Fault as fault:
        typer.echo(f"lingqian reconcile: {fault}", err=True)
        raise typer.Exit(2) from fault
    _write(reports, csv, html)
    if as_json:
        for each in reports:
            typer.echo(_line(each))
    elif csv is None and html is None:
        _print(reports)
    raise typer.Exit(0 if all(each.is_closed for each in reports) else 1)


def _number(text: str) -> int | None:
    """Read a day from the command line; None for all."""
    number = read_day(text) if text else None
    if text and number is None:
        typer.echo(f"lingqian reconcile: {text} is not a day such as 2026-11-25", err=True)
        raise typer.Exit(2)
    return number


def _rows(connection: Connection, number: int | None, account: str) -> list[Day]:
    rows = books.newest_days(connection, _DAYS_MAX if number is None else -1)
    return [
        row
        for row in rows
        if (number is None or row.day == number) and account in ("", row.account)
    ]


def _write(reports: list[Report], csv: Path | None, html: Path | None) -> None:
    if csv is not None:
        csv.write_text(as_csv(reports), "utf-8", newline="")
    if html is not None:
        html.write_text(as_page(reports), "utf-8")


def _line(told: Report) -> str:
    """Return a day as one line of JSON."""
    rows = [
        {
            "class": row.class_code,
            "meaning": row.en,
            "kind": row.way[1],
            "number": row.number,
            "gap_yuan": row.gap,
            "fee_gap_yuan": row.fee_gap,
            "state": row.state[1],
            "owner": row.owner[1],
            "due_at": row.due_at,
        }
        for row in told.rows
    ]
    figures = {each.en: each.text for each in told.figures}
    day = {"account": told.account, "day": told.day, "state": told.state[1], "figures": figures}
    return json.dumps({**day, "differences": rows}, ensure_ascii=False)


def _print(reports: list[Report]) -> None:
    console = Console()
    if not reports:
        console.print("还没有对过账。 No day has been reconciled yet.")
    for each in reports:
        console.print(_summary(each))
        if each.rows:
            console.print(_differences(each))
        else:
            console.print("  没有差错，账目相符。 No differences: both sides agree.\n")


def _summary(told: Report) -> Table:
    zh, en = told.state
    table = Table(
        title=f"{told.day} · {told.account} · {zh} {en}", title_justify="left", show_header=False
    )
    table.add_column(justify="left")
    table.add_column(justify="right")
    for figure in told.figures:
        if figure.text and "SHA-256" not in figure.en:
            table.add_row(f"{figure.zh} {figure.en}", figure.text)
    return table


def _differences(told: Report) -> Table:
    table = Table()
    for heading in ("类", "含义 meaning", "单号 number", "金额差 gap", "手续费差 fee", "状态 state",
                    "负责 owner", "期限 due"):  # fmt: skip
        table.add_column(heading, overflow="fold")
    for row in told.rows:
        style = "bold red" if row.is_urgent else ""
        table.add_row(
            row.class_code,
            f"{row.zh}\n{row.en}",
            row.number,
            row.gap,
            row.fee_gap,
            " ".join(row.state),
            " ".join(row.owner),
            row.due_at,
            style=style,
        )
    return table


def _rederive(connection: Connection, data: Path, rows: list[Day]) -> int:
    """Say of each day whether it follows from its inputs; return the exit code."""
    vault = keys_of(data)
    if vault is None:
        typer.echo("lingqian reconcile: the keys of this folder are needed", err=True)
        return 2
    config = load_or_exit(data)
    closed = [row for row in rows if row.state == DayState.CLOSED]
    if not closed:
        typer.echo("no closed day of that date")
        return 1
    is_proven = True
    for row in closed:
        found = list(faults(connection, vault, row, bill_reader(config, row.account)))
        is_proven = is_proven and not found
        told = "; ".join(found) or f"follows from its inputs, result {row.result_digest.hex()}"
        typer.echo(f"{row.account}: {told}")
    return 0 if is_proven else 1
