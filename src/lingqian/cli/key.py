"""`lingqian key`: API keys, made and revoked while the server runs (接口密钥)."""

import json
import time
from contextlib import closing
from typing import Annotated, Final

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder
from lingqian.cli.ledger import ledger_of, ledger_or_exit
from lingqian.compose import KEYS
from lingqian.identity.key import ROLES, Key, Scope
from lingqian.identity.possession import read64, write64
from lingqian.kernel.clock import rfc3339
from lingqian.storage.authenticator import address
from lingqian.storage.authenticator import enrol as add_authenticator
from lingqian.storage.keyring import NameTakenError, add_key, list_keys, revoke_key
from lingqian.storage.operator_passkey import delete_passkey, passkeys_of
from lingqian.storage.port import Connection
from lingqian.storage.vault import has_root, open_vault

_NAME_LENGTH_MAX: Final = 64
app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="API keys: new, enrol, passkeys, list, revoke."
)


@app.callback()
def root() -> None:
    """Make, list and revoke API keys; a running server notices within a second."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the list.")],
    data: DataFolder = DATA_DEFAULT,
    *,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; repeat it. Without: everything.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help=f"What people in a role need: {', '.join(ROLES)}.")
    ] = None,
) -> None:
    """Make a key and print it, this once: only a digest is kept."""
    if not name.isprintable() or not 0 < len(name) <= _NAME_LENGTH_MAX:
        typer.echo("lingqian: a name is 1 to 64 letters that can be printed", err=True)
        raise typer.Exit(2)
    if role is not None and (scope or role not in ROLES):
        typer.echo(f"lingqian: either --scope, or --role of {', '.join(ROLES)}", err=True)
        raise typer.Exit(2)
    scopes = frozenset(scope or Scope) if role is None else ROLES[role]
    with closing(ledger_of(data).visitor()) as connection:
        try:
            typer.echo(add_key(connection, name, scopes))
        except NameTakenError as error:
            typer.echo(f"lingqian: a key is already called {name}; revoke it first", err=True)
            raise typer.Exit(1) from error


@app.command()
def enrol(
    word: Annotated[str, typer.Argument(metavar="NAME", help="The key's name or id.")],
    data: DataFolder = DATA_DEFAULT,
) -> None:
    """Give a key an authenticator: its acts for the house then need a one-time code each.

    Prints, this once, the address an authenticator app reads. Doing it again replaces the old one.
    """
    ledger = ledger_or_exit(data)
    if not has_root(data / KEYS):
        typer.echo(f"lingqian: there are no keys of a ledger at {data}; start it once", err=True)
        raise typer.Exit(2)
    with closing(ledger.visitor()) as connection:
        found = _good(connection, word)
        secret = add_authenticator(
            connection, open_vault(data / KEYS), found.key_id, time.time_ns() // 1_000
        )
    typer.echo(address(found.name, secret))


@app.command()
def passkeys(
    word: Annotated[str, typer.Argument(metavar="NAME", help="The key's name or id.")],
    data: DataFolder = DATA_DEFAULT,
    *,
    forget: Annotated[
        str | None, typer.Option(metavar="ID", help="Forget this one: it acts no more.")
    ] = None,
) -> None:
    """List the passkeys that act under a key; they are added over the API, on the device itself."""
    with closing(ledger_or_exit(data).visitor()) as connection:
        found = _good(connection, word)
        if forget is not None:
            raw = read64(forget)
            if raw is None or not delete_passkey(connection, found.key_id, raw):
                typer.echo(f"lingqian: {found.name} has no passkey {forget}", err=True)
                raise typer.Exit(1)
            typer.echo(f"{forget} is forgotten")
            return
        kept = passkeys_of(connection, found.key_id)
    if not kept:
        typer.echo("还没有通行密钥。 No passkey acts under this key yet.")
    for each in kept:
        used = f"used {rfc3339(each.used_at_us)}" if each.used_at_us else "never used"
        made = rfc3339(each.created_at_us)
        typer.echo(f"{write64(each.passkey.credential_id)}  made {made}  {used}")


def _good(connection: Connection, word: str) -> Key:
    """Return the good key with this name or id; without one the command ends."""
    good = [key for key in list_keys(connection) if not key.revoked_at_us]
    found = next((key for key in good if word in (key.name, key.key_id)), None)
    if found is None:
        typer.echo(f"lingqian: no good key is called {word}", err=True)
        raise typer.Exit(1)
    return found


@app.command("list")
def show(
    data: DataFolder = DATA_DEFAULT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every key there was; secrets are not among what is known."""
    with closing(ledger_or_exit(data).reader()) as connection:
        keys = list_keys(connection)
    if as_json:
        typer.echo(json.dumps([_row(key) for key in keys], ensure_ascii=False, indent=2))
        return
    if not keys:
        typer.echo("还没有密钥。 There is no key yet; lingqian key new NAME makes one.")
    for key in keys:
        state = f"revoked {rfc3339(key.revoked_at_us)}" if key.revoked_at_us else "good"
        typer.echo(f"{key.key_id}  {key.name:<16} {state}  {' '.join(sorted(key.scopes))}")


def _row(key: Key) -> dict[str, object]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": rfc3339(key.created_at_us),
        "revoked_at": rfc3339(key.revoked_at_us) if key.revoked_at_us else None,
    }


@app.command()
def revoke(
    word: Annotated[str, typer.Argument(metavar="NAME", help="The key's name or id.")],
    data: DataFolder = DATA_DEFAULT,
) -> None:
    """Revoke a key; whoever uses it is refused within a second."""
    with closing(ledger_or_exit(data).visitor()) as connection:
        if not revoke_key(connection, word):
            typer.echo(f"lingqian: no good key is called {word}", err=True)
            raise typer.Exit(1)
    typer.echo(f"{word} is revoked")
