"""`lingqian credential`: an authority of one's own and what it issues to processes (证书).

Exit codes: 0 done; 1 it cannot be done, or what is shown has ended; 2 asked wrongly.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from lingqian.cluster.authority import (
    AUTHORITY_DAYS,
    HOURS_DEFAULT,
    HOURS_MAX,
    Wish,
    issue,
    make_authority,
)
from lingqian.cluster.credential import Peer, read_own
from lingqian.cluster.role import OURS, Role
from lingqian.kernel.clock import SECOND_US, rfc3339

# What is left of a life when a credential is renewed: two tries more than one would need.
_RENEW_AT: Final = 1 / 3
_NAME_LENGTH_MAX: Final = 64
_ALL: Final = "all"
_WORDS: Final = (*[str(role) for role in Role], _ALL)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Credentials of processes: authority, issue, renew, show.",
)
Folder = Annotated[Path, typer.Argument(help="The folder of one process's credential.")]
From = Annotated[Path, typer.Option("--authority", help="The folder of the authority.")]
Hours = Annotated[int, typer.Option(min=1, max=HOURS_MAX, help="How long it is good.")]


@app.callback()
def root() -> None:
    """Let processes, the database and the broker know each other by short-lived certificates.

    Keep the authority's folder on a machine that serves nothing; processes need theirs only.
    """


@app.command()
def authority(
    folder: Annotated[Path, typer.Argument(help="Where it is kept, and nothing else.")],
    *,
    days: Annotated[int, typer.Option(min=1, help="How long it is good.")] = AUTHORITY_DAYS,
) -> None:
    """Make a private authority: `authority.pem` to trust it, `authority.key` (0600) to sign."""
    try:
        make_authority(folder, dt.datetime.now(dt.UTC), days)
    except OSError as error:
        _refuse(str(error))
    typer.echo(f"made {folder}; nobody but who issues credentials needs its key")


@app.command("issue")
def give(  # noqa: PLR0913 - the options of a command, by name
    folder: Folder,
    authority: From,
    name: Annotated[str, typer.Option(help="What the process is called, for logs.")],
    *,
    role: Annotated[list[str], typer.Option(help=f"One of {', '.join(_WORDS)}; repeat it.")],
    host: Annotated[
        list[str] | None,
        typer.Option("--for", help="A name or an address it answers at; repeat it."),
    ] = None,
    hours: Hours = HOURS_DEFAULT,
) -> None:
    """Issue a credential: `authority.pem` and `credential.pem` (key and certificate, 0600).

    A running process takes up what it finds in its folder; there is nothing to restart.
    """
    if not name.isprintable() or not 0 < len(name) <= _NAME_LENGTH_MAX:
        _misused("a name is 1 to 64 letters that can be printed")
    _issue(authority, folder, Wish(name, _roles(role), tuple(host or ()), hours))


@app.command()
def renew(
    folder: Folder,
    authority: From,
    *,
    is_forced: Annotated[bool, typer.Option("--now", help="However much is left.")] = False,
) -> None:
    """Renew a credential of which less than a third is left: same name, hosts, roles and life.

    Made for a timer that calls every hour: it does nothing while there is nothing to do.
    """
    own = read_own(folder)
    life_s = own.until_s - own.since_s
    left_s = own.until_s - _now().timestamp()
    if not is_forced and left_s > life_s * _RENEW_AT:
        typer.echo(f"{own.name} is good until {_instant(own.until_s)}")
        return
    wish = Wish(own.name, tuple(sorted(own.roles)), own.hosts, max(1, int(life_s // 3_600)))
    _issue(authority, folder, wish)


@app.command()
def show(
    folder: Folder,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whom a credential names and how long it is good. Exit code 1: it has ended."""
    own = read_own(folder)
    told = _told(own)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for key, value in told.items():
            words = ", ".join(value) if isinstance(value, list) else value
            typer.echo(f"{key:<9}{words}")
    raise typer.Exit(0 if told["state"] == "good" else 1)


def _told(own: Peer) -> dict[str, Any]:
    return {
        "name": own.name,
        "roles": sorted(own.roles),
        "hosts": list(own.hosts),
        "since": _instant(own.since_s),
        "until": _instant(own.until_s),
        "state": "good" if _now().timestamp() < own.until_s else "ended",
    }


def _roles(words: list[str]) -> tuple[Role, ...]:
    unknown = sorted(set(words) - set(_WORDS))
    if unknown:
        _misused(f"{', '.join(unknown)} is no role; roles are {', '.join(_WORDS)}")
    named = {Role(word) for word in words if word != _ALL}
    return tuple(sorted(named | set(OURS if _ALL in words else ())))


def _issue(authority: Path, folder: Path, wish: Wish) -> None:
    try:
        issue(authority, folder, wish, _now())
    except ValueError as error:
        _misused(str(error))
    except OSError as error:
        _refuse(str(error))
    typer.echo(f"{wish.name} is good until {_instant(read_own(folder).until_s)}")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _instant(at_s: float) -> str:
    return rfc3339(int(at_s) * SECOND_US)


def _misused(words: str) -> NoReturn:
    typer.echo(f"lingqian: {words}", err=True)
    raise typer.Exit(2)


def _refuse(words: str) -> NoReturn:
    typer.echo(f"lingqian: {words}", err=True)
    raise typer.Exit(1)
