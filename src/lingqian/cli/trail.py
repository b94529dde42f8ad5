"""`lingqian trail`: why a number is, or is not, credited, from a data directory (追踪)."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder


def trail(
    number: Annotated[
        str, typer.Argument(help="An order, attempt, refund, payout or channel number.")
    ],
    data: DataFolder = DATA_DEFAULT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell a number's whole story in time order, and why it is or is not credited.

    Works beside a running server. With the folder's keys the lines of the channel's bills are told
    as well. Exit code 1: nothing has this number; 2: there is no ledger.
    """
    import msgspec  # noqa: PLC0415 - help must be quick

    from lingqian.cli.ledger import ledger_or_exit  # noqa: PLC0415 - as above
    from lingqian.storage.story import story  # noqa: PLC0415 - as above
    from lingqian.web.route.trail import trail_shown  # noqa: PLC0415 - as above

    with ledger_or_exit(data).snapshot() as (connection, _):
        found = story(connection, number, _shelf(data))
    if found is None:
        typer.echo(f"lingqian: nothing is known by {number}", err=True)
        raise typer.Exit(1)
    shown = trail_shown(found)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(shown), ensure_ascii=False, indent=2))
        return
    typer.echo("\n".join(_lines(shown)))


def _shelf(data: Path) -> Any:  # noqa: ANN401 - a Shelf or None, kept out of start-up
    """Return what it takes to read kept bills; None without the folder's keys."""
    from lingqian.cli.config import load_or_exit  # noqa: PLC0415 - help must be quick
    from lingqian.cli.progress import keys_of  # noqa: PLC0415 - as above
    from lingqian.compose import bill_reader  # noqa: PLC0415 - as above
    from lingqian.storage.bill_line import Shelf  # noqa: PLC0415 - as above

    vault = keys_of(data)
    if vault is None:
        return None
    config = load_or_exit(data)
    return Shelf(vault, lambda account: bill_reader(config, account))


def _lines(shown: Any) -> list[str]:  # noqa: ANN401 - a Trail, kept out of start-up
    lines = [shown.subject]
    if shown.message_zh:
        lines += [shown.message_zh, shown.message_en]
    for entry in shown.entries:
        lines += ["", f"{entry.at}  {entry.id}  {entry.zh}", f"    {entry.en}"]
        moved = [
            f"    Dr {each.debit} / Cr {each.credit}  {each.amount} {each.currency}"
            for each in entry.movements
        ]
        lines += moved
        facts = "  ".join([f"{name}={value}" for name, value in entry.facts.items()])
        lines += [f"    {facts}"] if facts else []
    return lines
