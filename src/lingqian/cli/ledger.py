"""The ledger a command looks at: a file of its data directory, or a server (命令的账本)."""

from pathlib import Path
from typing import NoReturn

import typer

from lingqian.cli.config import load_or_exit
from lingqian.compose import open_credential, open_database
from lingqian.storage.ground import Ledger


def ledger_or_exit(folder: Path) -> Ledger:
    """Return the ledger of a data directory, not yet opened; without one the command ends with 2.

    Whoever looks at an empty place must not make a ledger there by looking.
    Raises: Unsent when a server cannot be asked.
    """
    ledger = ledger_of(folder)
    if not ledger.is_there():
        refuse(f"there is no ledger at {ledger}; lingqian serve makes one")
    return ledger


def ledger_of(folder: Path) -> Ledger:
    """Return where the settings of a data directory say that its ledger is, or is to be."""
    config = load_or_exit(folder)
    return open_database(folder, config, open_credential(folder, config))


def file_or_exit(folder: Path, words: str) -> Path:
    """Return the file of a ledger that is one; on a server the command ends with 2.

    `words` say what to do there instead.
    """
    ledger = ledger_or_exit(folder)
    if ledger.is_shared:
        refuse(f"the ledger is on {ledger}: {words}")
    return Path(str(ledger))


def refuse(words: str) -> NoReturn:
    """End a command that was asked for what cannot be, with one line."""
    typer.echo(f"lingqian: {words}", err=True)
    raise typer.Exit(2)
