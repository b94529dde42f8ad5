"""The command `lingqian backup`: an audited, encrypted copy of a running ledger.

Exit code: 0 written and read back; 1 the ledger has findings, or the disk failed; 2 asked wrongly.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder
from lingqian.cli.ledger import file_or_exit, ledger_or_exit
from lingqian.cli.progress import keys_of, progress
from lingqian.compose import HEADS, KEYS
from lingqian.kernel.clock import rfc3339
from lingqian.storage.archive import (
    Lock,
    passphrase_lock,
    plain_lock,
    read_recipient,
    recipient_lock,
    vault_lock,
)
from lingqian.storage.backup import Backed, Source, back_up, back_up_keys
from lingqian.storage.vault import Vault

_ON_A_SERVER: Final = (
    "back it up by that server's own tools (docs/operating/server.md); "
    "--keys FILE without another file backs up the keys, which no database holds"
)


def backup(  # noqa: PLR0913 - one argument for each option of the command line
    file: Annotated[Path | None, typer.Argument(help="Where the ledger's archive is put.")] = None,
    *,
    data: DataFolder = DATA_DEFAULT,
    keys: Annotated[
        Path | None, typer.Option(help="Put the keys here, apart; needs --passphrase-file.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Lock with the passphrase in this file.")
    ] = None,
    recipient_key_file: Annotated[
        Path | None, typer.Option(help="Lock for this X25519 public key (PEM).")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Do not encrypt the ledger.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written.")] = False,
) -> None:
    """Copy a running ledger: one snapshot, audited, encrypted, durable, read back.

    By default the archive opens with the wallet's own keys, which are never in it: keep them apart
    with --keys. A ledger in which the audit finds anything is not backed up. A ledger on a server
    is backed up by that server's own tools, and only its keys here. Exit code: 0 done; 1 findings,
    or the disk failed; 2 asked wrongly.
    """
    if file is None and keys is None:
        _refuse("name a file for the ledger, or --keys FILE for the keys, or both")
    # All that can be refused is refused before anything is written.
    ledger = file_or_exit(data, _ON_A_SERVER) if file is not None else None
    ledger_or_exit(data)
    made_at = rfc3339(time.time_ns() // 1_000)
    said: dict[str, object] = {}
    if keys is not None:
        if passphrase_file is None:
            _refuse("--keys needs --passphrase-file: keys are never written in the clear")
        count = back_up_keys(
            data / KEYS, keys, passphrase_lock(_passphrase(passphrase_file)), made_at=made_at
        )
        said["keys"] = {"file": str(keys), "count": count}
    if file is not None and ledger is not None:
        vault = keys_of(data)
        lock = _lock(vault, passphrase_file, recipient_key_file, is_plain=plain)
        source = Source(ledger, data / HEADS, vault)
        with progress(is_shown=not as_json) as tick:
            said["ledger"] = _told(back_up(source, file, lock, made_at=made_at, tick=tick), lock)
    _print(said, as_json=as_json)


def _lock(
    vault: Vault | None, passphrase: Path | None, recipient: Path | None, *, is_plain: bool
) -> Lock:
    if (passphrase is not None) + (recipient is not None) + is_plain > 1:
        _refuse("choose one of --passphrase-file, --recipient-key-file and --plain")
    if is_plain:
        return plain_lock()
    if passphrase is not None:
        return passphrase_lock(_passphrase(passphrase))
    if recipient is not None:
        return recipient_lock(read_recipient(_bytes(recipient)))
    if vault is None:
        _refuse("there are no keys to lock with; give --passphrase-file or --recipient-key-file")
    return vault_lock(vault)


def _passphrase(path: Path) -> bytes:
    passphrase = _bytes(path).strip()
    if not passphrase:
        _refuse(f"{path} is empty")
    return passphrase


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(f"{path} cannot be read: {error}")


def _told(backed: Backed, lock: Lock) -> dict[str, object]:
    return {
        "file": str(backed.path),
        "locked_by": lock.name,
        "rows": backed.rows,
        "bytes": backed.size,
        "sha256": backed.checksum.hex(),
        "read_back": backed.is_rehearsed,
    }


def _print(said: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    for name, lines in said.items():
        assert isinstance(lines, dict), "each part is a table"
        typer.echo(name)
        for word, value in lines.items():
            typer.echo(f"  {word:<10} {value}")


def _refuse(why: str) -> NoReturn:
    typer.echo(f"lingqian backup: {why}", err=True)
    raise typer.Exit(2)
