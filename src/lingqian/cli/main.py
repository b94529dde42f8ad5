"""The command `lingqian`: its table of commands, each loaded only when it is used.

Exit codes: 0 done; 1 found wrong, or the surroundings failed; 2 asked wrongly, or there is no
ledger; 130 interrupted.
"""

import sys
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from lingqian import __version__
from lingqian.kernel.fault import Fault


class Row(NamedTuple):
    """A command: its name, where its function (or its own small app) stands, what it does."""

    name: str
    module: str
    attribute: str
    words: str


COMMANDS: Final = (
    Row("demo", "demo.command", "demo", "Start a seeded, living world and open it in a browser."),
    Row("serve", "serve", "serve", "Serve the HTTP API from a data directory."),
    Row("key", "key", "app", "Make, enrol, list and revoke API keys."),
    Row("vault", "vault", "app", "Rotate the keys that seal what is told of people."),
    Row("credential", "credential", "app", "Certificates by which processes know each other."),
    Row("config", "config", "app", "Show every setting and where its value comes from."),
    Row("channel", "channel", "app", "Channel accounts: check, list, mode, report."),
    Row("topic", "topic", "app", "Topics on Kafka: create, check, refill."),
    Row("split", "split", "split", "Split a total by the law of lucky packets."),
    Row("verify", "verify", "verify", "Check a packet's proof, offline."),
    Row("audit", "audit", "audit", "Check a ledger against its journal, while it runs."),
    Row("reconcile", "reconcile", "reconcile", "Show reconciled days; prove a closed one."),
    Row("case", "case", "app", "Release or refuse what waits for a person."),
    Row("refund", "refund", "app", "Send a refund that is stuck another way."),
    Row("trail", "trail", "trail", "Tell why a number is, or is not, credited."),
    Row("funnel", "funnel", "funnel", "Show how far people come on the way to a top-up."),
    Row("population", "population", "population", "Let a declared population use the cashier."),
    Row("rebuild", "rebuild", "rebuild", "Fold the journal again and compare to the fen."),
    Row("backup", "backup", "backup", "Copy a running ledger, audited and encrypted."),
    Row("restore", "restore", "restore", "Bring a backup into an empty data directory."),
    Row("migrate", "migrate", "migrate", "Bring a ledger to the newest schema."),
    Row("simulate", "simulate", "simulate", "Run whole worlds from a seed and audit them."),
    Row("bench", "bench", "bench", "Measure this machine against the rivals."),
)
_ROWS: Final = {row.name: row for row in COMMANDS}
assert len(_ROWS) == len(COMMANDS), "every command has one row"
_INTERRUPTED: Final = 130


class LazyGroup(TyperGroup):
    """Lists commands from the table; imports a command's module only to run it."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - whatever typer hands over
        super().__init__(**attributes)
        # Typer suggests near names from here.
        self.commands = {row.name: TyperCommand(row.name, help=row.words) for row in COMMANDS}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types are private
        """Put the real command in the place of the listed one."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load(_ROWS[name]), rest


def load(row: Row) -> Any:  # noqa: ANN401 - typer's own type of a command is private
    """Import a command and return it ready to run."""
    found = getattr(import_module(f"lingqian.cli.{row.module}"), row.attribute)
    if not isinstance(found, typer.Typer):
        shell = typer.Typer(add_completion=False)
        shell.command(row.name)(found)
        found = shell
    return get_command(found)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    # A picture of every local variable would show keys and names of people.
    pretty_exceptions_show_locals=False,
    help="Lingqian (零钱): a wallet and provable red packets on one ledger.",
)


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer hands the flag over by position
    if value:
        typer.echo(f"lingqian {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Choose a command."""
    assert not version, "the eager callback has ended the process"


def main() -> None:
    """Run the command line; say a fault in one line, without a trace nobody asked for."""
    try:
        app()
    except Fault as fault:
        typer.echo(f"lingqian: {fault}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
