"""`lingqian vault`: the keys that seal what is told of people, rotated (密钥轮换).

Exit code: 0 done; 1 a row does not open, or the server runs; 2 asked wrongly.
"""

import json
from contextlib import closing
from typing import Annotated, Final

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit
from lingqian.cli.ledger import file_or_exit
from lingqian.compose import KEYS
from lingqian.storage.keyring import open_beside
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.reseal import reseal
from lingqian.storage.vault import has_root, open_vault
from lingqian.storage.vault import rotate as add_root

_ON_A_SERVER: Final = (
    "its processes hold the old keys, and this command sees no more of them than this folder; "
    "rows there stay under the keys they were sealed with, which are never removed"
)
app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keys of people's data: rotate.")


@app.callback()
def root() -> None:
    """Look after the keys that seal what is told of people."""


def _ignore(rows: int) -> None:
    del rows


@app.command()
def rotate(
    data: DataFolder = DATA_DEFAULT,
    *,
    keep_root: Annotated[
        bool,
        typer.Option("--keep-root", help="Make no new key: only bring rows under the newest."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a new key and seal names, numbers and notes anew, under the cipher that is set.

    For a ledger in a file. Stop the server first, and back the keys up again afterwards
    (`lingqian backup --keys`). Old
    keys stay: seeds of packets and every digest rest on them. It can be cut and run again with
    --keep-root. Exit code: 0 done; 1 a row does not open, or the server runs; 2 asked wrongly.
    """
    config = load_or_exit(data)
    ledger = file_or_exit(data, _ON_A_SERVER)
    if not has_root(data / KEYS):
        typer.echo(f"lingqian: the keys of the ledger are not at {data / KEYS}", err=True)
        raise typer.Exit(2)
    lock = DirectoryLock(data)
    try:
        newest = None if keep_root else add_root(data / KEYS)
        vault = open_vault(data / KEYS, config.personal_cipher)
        with closing(open_beside(ledger)) as connection:
            found = reseal(connection, vault, _ignore)
    finally:
        lock.release()
    if as_json:
        typer.echo(json.dumps({"root": newest, **found._asdict()}))
    else:
        made = "no new key" if newest is None else f"key {newest:03d} made"
        typer.echo(f"{made}; {found.resealed} rows sealed anew, {found.fresh} were fresh")
    if found.damaged:
        typer.echo(f"lingqian: {found.damaged} rows do not open; see lingqian audit", err=True)
        raise typer.Exit(1)
