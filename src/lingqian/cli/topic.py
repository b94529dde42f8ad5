"""`lingqian topic`: the topics of a Kafka beside the ledger, made, checked and told again (主题).

Exit code: 0 done; 1 something is wrong with a topic, or no broker answers; 2 asked wrongly.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit
from lingqian.compose import Config, broker_row

if TYPE_CHECKING:
    from lingqian.events.kafka.topic import Topics

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Topics on Kafka: create, check, refill."
)


@app.callback()
def root() -> None:
    """Look after the topics of a Kafka beside the ledger."""


def _opened(data: Path) -> "tuple[Topics, Config]":
    config = load_or_exit(data)
    row = broker_row(data, config)
    if row is None:
        typer.echo("lingqian: no Kafka is set; see [kafka] in docs/operating/kafka.md", err=True)
        raise typer.Exit(2)
    try:
        from lingqian.events.kafka.topic import Topics  # noqa: PLC0415 - an extra, only where used
    except ImportError as error:
        typer.echo(f"lingqian: {error}; install lingqian[kafka]", err=True)
        raise typer.Exit(2) from error
    return Topics(row), config


@app.command()
def create(data: DataFolder = DATA_DEFAULT) -> None:
    """Make the topics that are missing, with a partition for each lane.

    A topic with another number of partitions is refused: a lane's partition is its number, so a
    topic is made anew (refill) and never grown.
    """
    topics, config = _opened(data)
    made = topics.create(config.lanes)
    typer.echo(f"made: {', '.join(made)}" if made else "all topics are there")


@app.command()
def check(
    data: DataFolder = DATA_DEFAULT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is wrong with the topics: what is missing, and settings that could lose messages.

    Outside the sandbox `serve` refuses to start on what this finds. Exit code: 0 all is well; 1
    something is wrong, or no broker answers; 2 asked wrongly.
    """
    topics, config = _opened(data)
    found = topics.faults(config.lanes)
    if as_json:
        typer.echo(json.dumps({"faults": found}, ensure_ascii=False))
    else:
        typer.echo("\n".join(found) or "all topics keep what is acknowledged")
    if found:
        raise typer.Exit(1)


@app.command()
def refill(
    name: Annotated[str, typer.Argument(help="events or relay")],
    data: DataFolder = DATA_DEFAULT,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: delete it.")] = False,
) -> None:
    """Delete a topic and make it anew; a running wallet tells it again from the first row.

    Only what stands in the journal can be told again: events and relay. Who follows with gap
    detection skips what he knows.
    """
    topics, config = _opened(data)
    if not yes:
        typer.confirm(f"Delete the topic {name} and tell it again?", abort=True)
    topics.refill(name, config.lanes)
    typer.echo(f"{name} is empty now and is told again")
