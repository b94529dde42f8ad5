"""The command `lingqian`: its entry point."""

from typing import Annotated

import typer

from lingqian import __version__
from lingqian.cli.split import split
from lingqian.cli.verify import verify

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Lingqian (零钱), a wallet.")


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


app.command()(split)
app.command()(verify)


def main() -> None:
    """Run the command line."""
    app()
