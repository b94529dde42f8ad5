"""The command `lingqian migrate`: bring a ledger to this program's schema.

Exit code: 0 done; 1 it is in use, damaged or newer than this program; 2 asked wrongly.
"""

import json
from typing import Annotated

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder
from lingqian.cli.ledger import ledger_or_exit


def migrate(
    data: DataFolder = DATA_DEFAULT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the steps as JSON.")] = False,
) -> None:
    """Run the numbered schema steps a stopped wallet's database lacks; make a backup before.

    In a file each step is one transaction, done whole or not at all; on a server it is one
    statement that may run twice. `serve` runs them too.
    """
    steps = ledger_or_exit(data).migrate()
    if as_json:
        typer.echo(json.dumps({"steps": steps}))
        return
    for step in steps:
        typer.echo(step)
    typer.echo(f"{len(steps)} steps" if steps else "already at the newest schema")
