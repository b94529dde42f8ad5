"""The command `lingqian rebuild`: the journal folded into a new database, and compared.

Exit code: 0 every table agrees; 1 one differs, or the journal cannot be folded; 2 asked wrongly.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder
from lingqian.cli.ledger import file_or_exit, ledger_or_exit
from lingqian.cli.progress import progress
from lingqian.compose import DATABASE
from lingqian.storage.audit import row_count
from lingqian.storage.ground import Ledger
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.rebuild import TableCheck
from lingqian.storage.rebuild import rebuild as run_rebuild

REBUILT: Final = "ledger.rebuilt.db"
_ON_A_SERVER: Final = (
    "its tables are never written by a rebuild; --check folds the journal into a file and compares"
)


def rebuild(
    data: DataFolder = DATA_DEFAULT,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Compare only; keep nothing. Runs beside a wallet.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    """Make every table again from the journal alone, and compare to the fen.

    With --check the copy is thrown away; so a ledger on a server is compared as well. Without it a
    stopped wallet's new database is left beside the old one for a person to swap; nothing is ever
    written over. Exit code: 0 every table agrees; 1 one differs, or the journal cannot be folded.
    """
    if check:
        ledger = ledger_or_exit(data)
        with tempfile.TemporaryDirectory(dir=_beside(data), prefix=".rebuild-") as scratch:
            checks = _run(ledger, Path(scratch) / DATABASE, is_shown=not as_json)
    else:
        checks = _keep(data, is_shown=not as_json)
    _print(checks, as_json=as_json)
    if not check and not as_json:
        typer.echo(f"\nwritten: {data / REBUILT}\nto use it, with the wallet stopped:")
        typer.echo(f"  mv {data / DATABASE} {data / DATABASE}.old")
        typer.echo(f"  rm -f {data / DATABASE}-wal {data / DATABASE}-shm")
        typer.echo(f"  mv {data / REBUILT} {data / DATABASE}")
    raise typer.Exit(0 if all(each.is_equal for each in checks) else 1)


def _beside(data: Path) -> Path | None:
    """Return where a copy finds room: in the data directory, which a server's ledger may lack."""
    return data if data.is_dir() else None


def _keep(data: Path, *, is_shown: bool) -> list[TableCheck]:
    file_or_exit(data, _ON_A_SERVER)
    target = data / REBUILT
    if target.exists():
        typer.echo(f"lingqian rebuild: {target} exists; move it away first", err=True)
        raise typer.Exit(2)
    # A wallet that goes on writing would leave the rebuilt database behind.
    lock = DirectoryLock(data)
    part = target.with_name(target.name + ".part")
    try:
        _remove(part)
        checks = _run(ledger_or_exit(data), part, is_shown=is_shown)
        part.rename(target)
    finally:
        _remove(part)
        lock.release()
    return checks


def _remove(part: Path) -> None:
    """Remove a half-made database: this run's, or that of one that was killed."""
    for name in (part, *part.parent.glob(part.name + "-*")):
        name.unlink(missing_ok=True)


def _run(ledger: Ledger, target: Path, *, is_shown: bool) -> list[TableCheck]:
    with ledger.snapshot() as (source, ground), progress(is_shown=is_shown) as tick:
        return run_rebuild(source, target, _counted(row_count(source), tick), ground)


def _counted(total: int, tick: Callable[[str, int, int], None]) -> Callable[[int], None]:
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        tick("folding", min(done, total), total)

    return advance


def _print(checks: list[TableCheck], *, as_json: bool) -> None:
    if as_json:
        rows = [{**each._asdict(), "is_equal": each.is_equal} for each in checks]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for each in checks:
        told = (
            "equal"
            if each.is_equal
            else f"{each.different} differ, {each.missing} missing, {each.extra} extra"
        )
        typer.echo(f"{each.table:<14}{each.rows:>12,} rows  {told}")
        for line in each.shown:
            typer.echo(f"{'':<16}{line}")
