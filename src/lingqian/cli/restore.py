"""The command `lingqian restore`: a ledger from its archive, into a folder that has none.

Exit code: 0 restored; 1 the archive is damaged, or rows would be lost; 2 asked wrongly.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder
from lingqian.cli.ledger import ledger_of, refuse
from lingqian.cli.progress import keys_of, progress
from lingqian.compose import DATABASE, HEADS, KEYS
from lingqian.storage.archive import Keyring, read_identity
from lingqian.storage.backup import Place, Restored, restore_keys
from lingqian.storage.backup import restore as run_restore
from lingqian.storage.lock import DirectoryLock

_ON_A_SERVER: Final = (
    "an archive holds the file of a ledger, and would be put where nobody looks; restore the "
    "server's own backup, and the keys with --keys FILE alone"
)


def restore(  # noqa: PLR0913 - one argument for each option of the command line
    file: Annotated[Path | None, typer.Argument(help="The ledger's archive.")] = None,
    *,
    data: DataFolder = DATA_DEFAULT,
    keys: Annotated[Path | None, typer.Option(help="The keys' archive, restored first.")] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="The passphrase of either archive.")
    ] = None,
    identity_file: Annotated[
        Path | None, typer.Option(help="The private key (PEM) the archive was locked for.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Lose the rows published after this backup.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was restored.")] = False,
) -> None:
    """Bring a ledger back: opened, checked, audited, tried, and only then put in its place.

    Nothing is ever written over. Where heads.log in the folder knows of newer rows, the restore
    stops and names them; --accept-loss goes on without them. Exit code: 0 restored; 1 damaged, or
    rows would be lost; 2 asked wrongly.
    """
    if file is None and keys is None:
        _refuse("name the ledger's archive, or --keys FILE, or both")
    for path in (file, keys, passphrase_file, identity_file):
        if path is not None and not path.is_file():
            _refuse(f"there is no file {path}")
    if file is not None and (ledger := ledger_of(data)).is_shared:
        refuse(f"the ledger is on {ledger}: {_ON_A_SERVER}")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = DirectoryLock(data)
    try:
        said = _run(
            data, (file, keys), _keyring(passphrase_file, identity_file),
            accept_loss=accept_loss, is_shown=not as_json,
        )  # fmt: skip
    finally:
        lock.release()
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    for word, value in said.items():
        typer.echo(f"{word:<10} {value}")


def _keyring(passphrase: Path | None, identity: Path | None) -> Keyring:
    return Keyring(
        passphrase=b"" if passphrase is None else passphrase.read_bytes().strip(),
        identity=None if identity is None else read_identity(identity.read_bytes()),
    )


def _run(
    data: Path,
    archives: tuple[Path | None, Path | None],
    keyring: Keyring,
    *,
    accept_loss: bool,
    is_shown: bool,
) -> dict[str, object]:
    file, keys = archives
    said: dict[str, object] = {}
    if keys is not None:
        said["keys"] = restore_keys(keys, data / KEYS, keyring)
    if file is None:
        return said
    vault = keys_of(data)
    with progress(is_shown=is_shown) as tick:
        restored = run_restore(
            file,
            Place(data / DATABASE, data / HEADS),
            keyring._replace(vault=vault),
            vault=vault,
            accepts_loss=accept_loss,
            at_us=time.time_ns() // 1_000,
            tick=tick,
        )
    return {**said, **_told(restored, data)}


def _told(restored: Restored, data: Path) -> dict[str, object]:
    return {
        "ledger": str(data / DATABASE),
        "made_at": restored.made_at,
        "rows": restored.rows,
        "lost": list(restored.lost),
    }


def _refuse(why: str) -> NoReturn:
    typer.echo(f"lingqian restore: {why}", err=True)
    raise typer.Exit(2)
