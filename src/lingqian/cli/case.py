"""`lingqian case`: what waits for a person, and its release or refusal (审核).

Asks a running server, because every write goes through its lane; the name of the API key is what
four eyes are counted by, so who asked for a top-up by a key cannot decide about it with that key.
Exit codes: 0 done; 1 refused, or no server; 2 asked wrongly.
"""

from typing import Annotated, Any

import typer

from lingqian.cli.remote import URL_DEFAULT, ApiKey, AsJson, Server, Url, as_json, yuan

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Cases: list, show, release, refuse."
)
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="A case, cs_….")]
Name = Annotated[str, typer.Option(help="The person who decides, for the record.")]


@app.callback()
def root() -> None:
    """Decide about what the gate has stopped, on a running server.

    Held top-ups, payouts, transfers, packets and claims. A held top-up is released or returned by
    another key than the one that asked for it; the database itself refuses the same name twice.
    """


@app.command("list")
def show_all(
    url: Url = URL_DEFAULT,
    key: ApiKey = "",
    *,
    takes_all: Annotated[bool, typer.Option("--all", help="Decided ones as well.")] = False,
    is_json: AsJson = False,
) -> None:
    """List the cases that wait, the newest first."""
    state = "all" if takes_all else "open"
    found = list(Server(url, key).pages("/v1/cases", "cases", {"state": state}))
    if is_json:
        as_json(found)
    elif not found:
        typer.echo("没有待审核的单据。 No case waits.")
    else:
        for each in found:
            typer.echo(_line(each))


@app.command()
def show(
    case: CaseId, url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False
) -> None:
    """Show one case: what it stopped, by which rule, who must look at it and until when."""
    _print(Server(url, key).get(f"/v1/cases/{case}"), is_json=is_json)


@app.command()
def release(
    case: CaseId, by: Name, url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False
) -> None:
    """Let what was stopped go on: a held top-up is credited, a held payout is sent."""
    _print(Server(url, key).post(f"/v1/cases/{case}/release", {"by": by}), is_json=is_json)


@app.command()
def refuse(
    case: CaseId, by: Name, url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False
) -> None:
    """Refuse what was stopped: a held top-up goes back to its payment, set-aside money returns."""
    _print(Server(url, key).post(f"/v1/cases/{case}/refusal", {"by": by}), is_json=is_json)


def _line(each: dict[str, Any]) -> str:
    return (
        f"{each['id']}  {each['state']:<10} {each['action']:<8} {yuan(each['amount_fen']):>14}  "
        f"{each['object_id']}  {each['rule']}  until {each['due_at']}"
    )


def _print(each: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        as_json(each)
        return
    typer.echo(_line(each))
    typer.echo(f"    of {each['user_id']}, opened {each['opened_at']}, owner {each['owner']}")
    if each["requested_by"]:
        typer.echo(f"    asked for by {each['requested_by']}")
    if each["decided_by"]:
        typer.echo(f"    decided by {each['decided_by']}")
