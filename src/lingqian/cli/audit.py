"""The command `lingqian audit`: every stored row against the journal, the laws and the heads.

Exit code: 0 clean; 1 something was found; 2 the audit could not run.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder
from lingqian.cli.ledger import ledger_or_exit
from lingqian.cli.progress import keys_of, progress
from lingqian.compose import HEADS
from lingqian.kernel.fault import Fault
from lingqian.storage.audit import Summary, row_count
from lingqian.storage.audit import audit as run_audit
from lingqian.storage.finding import Finding
from lingqian.storage.head import Logs


def audit(
    data: DataFolder = DATA_DEFAULT,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print findings as JSON lines, a summary last.")
    ] = False,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Do not open sealed seeds and personal data.")
    ] = False,
    heads: Annotated[
        list[Path] | None,
        typer.Option(help="A heads.log of another process of this ledger; repeat it for all."),
    ] = None,
) -> None:
    """Check a ledger whole: journal, seals, balances, packets, published heads, personal data.

    Runs beside running wallets, on one snapshot, and changes nothing. On a server each process
    publishes the heads of its lanes in its own folder: name the others' with --heads, and a lane
    in none of them is found as well. Exit code: 0 clean; 1 something was found; 2 the audit could
    not run.
    """
    started = time.perf_counter()
    try:
        summary = _run(data, heads or [], as_json=as_json, without_keys=without_keys)
    except Fault as fault:
        typer.echo(f"lingqian audit: {fault}", err=True)
        raise typer.Exit(2) from fault
    _conclude(summary, time.perf_counter() - started, as_json=as_json)
    raise typer.Exit(0 if summary.is_clean else 1)


def _run(data: Path, others: list[Path], *, as_json: bool, without_keys: bool) -> Summary:
    ledger = ledger_or_exit(data)
    vault = None if without_keys else keys_of(data)
    logs = Logs((data / HEADS, *others), is_all=bool(others) or not ledger.is_shared)
    with ledger.snapshot() as (connection, ground), progress(is_shown=not as_json) as tick:
        total = row_count(connection)
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            tick("replaying", min(done, total), total)

        emit = _print_json if as_json else _print
        return run_audit(
            connection, heads=logs, vault=vault, emit=emit, tick=advance, ground=ground
        )


def _print_json(finding: Finding) -> None:
    typer.echo(json.dumps(finding.record(), ensure_ascii=False))


def _print(finding: Finding) -> None:
    place = f"{finding.lane}:{finding.seq}" if finding.seq else finding.key[:36]
    typer.echo(f"{finding.kind:<16} {finding.table:<14} {place:<37} {finding.words}")


def _conclude(summary: Summary, took_s: float, *, as_json: bool) -> None:
    rate = int(summary.rows / took_s) if took_s else 0
    if as_json:
        counts = {str(kind): count for kind, count in summary.findings.items()}
        line = {"rows": summary.rows, "rows_per_s": rate, "findings": counts}
        typer.echo(json.dumps({"summary": {**line, "notes": summary.notes}}, ensure_ascii=False))
        return
    for note in summary.notes:
        typer.echo(f"note: {note}")
    found = sum(summary.findings.values())
    verdict = f"{found} findings" if found else "clean"
    typer.echo(f"{verdict}: {summary.rows:,} journal rows in {took_s:.1f} s, {rate:,} rows/s")
