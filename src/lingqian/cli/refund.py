"""`lingqian refund`: refunds that are stuck at their channel, and another way for them (退款异常).

Asks a running server, because every write goes through its lane. A card's number is asked for
without being shown and is never an argument: arguments stand in every list of processes.
Exit codes: 0 done; 1 refused, or no server; 2 asked wrongly.
"""

from typing import Annotated, Any

import typer

from lingqian.cli.remote import URL_DEFAULT, ApiKey, AsJson, Server, Url, as_json, yuan

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Stuck refunds: list, show, card, merchant."
)
RefundId = Annotated[str, typer.Argument(metavar="REFUND", help="A refund, rf_….")]


@app.callback()
def root() -> None:
    """Send refunds that are stuck another way, on a running server.

    A refund keeps its number. What arrives with the merchant is still owed to the person and waits
    as a parked payment.
    """


@app.command("list")
def show_all(url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False) -> None:
    """List the refunds that wait for a person, the newest first."""
    found = list(Server(url, key).pages("/v1/refunds", "refunds", {}))
    if is_json:
        as_json(found)
    elif not found:
        typer.echo("没有需要人工处理的退款。 No refund waits for a person.")
    else:
        for each in found:
            typer.echo(_line(each))


@app.command()
def show(
    refund: RefundId, url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False
) -> None:
    """Show where a refund stands."""
    _print(Server(url, key).get(f"/v1/refunds/{refund}"), is_json=is_json)


@app.command()
def card(  # noqa: PLR0913 - the options of a command, by name
    refund: RefundId,
    bank: Annotated[str, typer.Option(help="The bank by the channel's code, ICBC_DEBIT.")],
    holder: Annotated[str, typer.Option(help="The holder's name as the bank has it.")],
    url: Url = URL_DEFAULT,
    key: ApiKey = "",
    *,
    is_json: AsJson = False,
) -> None:
    """Send a stuck refund to the person's bank card; the number is asked for, and not shown."""
    server = Server(url, key)
    number = typer.prompt("Card number 卡号", hide_input=True, err=True).replace(" ", "")
    named = {"bank_type": bank, "bank_account": number, "real_name": holder}
    body = {"to": "card", "card": named}
    _print(server.post(f"/v1/refunds/{refund}/redirection", body), is_json=is_json)


@app.command()
def merchant(
    refund: RefundId, url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False
) -> None:
    """Send a stuck refund to the merchant's own account; the money then waits parked."""
    path = f"/v1/refunds/{refund}/redirection"
    _print(Server(url, key).post(path, {"to": "merchant"}), is_json=is_json)


def _line(each: dict[str, Any]) -> str:
    way = f" to {each['way']}" if each.get("way") else ""
    if each.get("subsidy_fen"):
        way += f", subsidy {yuan(each['subsidy_fen'])}"
    return (
        f"{each['id']}  {each['stage']:<10} {yuan(each['amount_fen']):>14}  "
        f"{each['origin']}{way}  {each.get('order_id', '')}"
    )


def _print(each: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        as_json(each)
    else:
        typer.echo(_line(each))
