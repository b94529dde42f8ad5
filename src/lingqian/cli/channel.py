"""`lingqian channel`: is an account ready, how is it served, and what did an outage come to (渠道).

`check` looks at files and hosts; the others ask a running server, which alone knows its breakers.
Exit codes: 0 all is good; 1 something is not, or no server; 2 asked wrongly.
"""

import asyncio
import json
import time
from typing import Annotated, Any, Literal

import typer

from lingqian.channels.wechatpay.check import Finding, check_files, check_hosts
from lingqian.channels.wechatpay.setting import ChannelRow
from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit
from lingqian.cli.remote import URL_DEFAULT, ApiKey, AsJson, Server, Url, as_json, yuan

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Channel accounts: check, list, mode, report."
)
AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="A channel account.")]
Event = Annotated[
    Literal["force_off", "allow"],
    typer.Argument(help="force_off: advance nothing, whatever is seen; allow: by signals again."),
]
By = Annotated[str, typer.Option(help="The person who decides, for the record.")]
Why = Annotated[str, typer.Option(help="The reason, kept with the mode.")]


@app.callback()
def root() -> None:
    """Look at channel accounts: their files and hosts, or how a running server is served by them.

    list, mode and report need an API key with operate:channels.
    """


@app.command()
def check(
    account: Annotated[str, typer.Argument(help="Which account; without: every one.")] = "",
    data: DataFolder = DATA_DEFAULT,
    *,
    is_offline: Annotated[
        bool, typer.Option("--offline", help="Look at files and settings; call nobody.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Walk the checklist of an account: files, keys, clock, signatures, both hosts.

    Nothing is ordered, paid or refunded. Exit code: 0 all is good; 1 something is not.
    """
    rows = _chosen(load_or_exit(data).channels, account)
    found = {
        row.account: asyncio.run(_findings(row.in_folder(data), is_offline=is_offline))
        for row in rows
    }
    if as_json:
        told = {name: [each._asdict() for each in lines] for name, lines in found.items()}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for name, lines in found.items():
            _print(name, lines)
    is_good = all(each.is_good for lines in found.values() for each in lines)
    raise typer.Exit(0 if is_good else 1)


@app.command("list")
def show_all(url: Url = URL_DEFAULT, key: ApiKey = "", *, is_json: AsJson = False) -> None:
    """List every account: its mode, since when and why, its products, its hosts.

    Exit code: 0 every account is normal; 1 one is not.
    """
    found = Server(url, key).get("/v1/channels")["channels"]
    if is_json:
        as_json(found)
    for each in [] if is_json else found:
        typer.echo("\n".join(_account_lines(each)))
    raise typer.Exit(0 if all(each["mode"] == "normal" for each in found) else 1)


@app.command()
def mode(  # noqa: PLR0913 - the options of a command, by name
    account: AccountName,
    event: Event,
    by: By,
    why: Why,
    *,
    url: Url = URL_DEFAULT,
    key: ApiKey = "",
    is_json: AsJson = False,
) -> None:
    """Force an account's degrading off, or allow it again; signals switch everything else."""
    body = {"event": event, "by": by, "why": why}
    shown = Server(url, key).post(f"/v1/channels/{account}/mode", body)
    if is_json:
        as_json(shown)
    else:
        typer.echo("\n".join(_account_lines(shown)))


@app.command()
def report(
    account: AccountName,
    number: Annotated[int, typer.Argument(min=0, help="Which outage; 0: the newest.")] = 0,
    url: Url = URL_DEFAULT,
    key: ApiKey = "",
    *,
    is_json: AsJson = False,
) -> None:
    """Tell an outage by figures: how long, who was bridged how, and what is still at risk."""
    server = Server(url, key)
    path = f"/v1/channels/{account}/outages"
    found = server.get(path)["outages"]
    if not found:
        typer.echo("没有发生过故障。 There has been no outage.")
        return
    told = server.get(f"{path}/{number or found[0]['number']}")
    if is_json:
        as_json(told)
    else:
        typer.echo("\n".join(_report_lines(told)))


def _account_lines(each: dict[str, Any]) -> list[str]:
    """Return an account in a few lines."""
    since = f" since {each['since']} by {each['by']}: {each['why']}" if "since" in each else ""
    lines = [f"{each['account']}  {each['mode']}{since}"]
    lines += [
        f"    {row['product']:<13} {'routable' if row['is_routable'] else 'at rest ':<8}  "
        f"score {row['score_ppm'] / 1_000_000:.3f}"
        for row in each["products"]
    ]
    lines += [f"    {host['host']}  {_breakers(host['lines'])}" for host in each["hosts"]]
    lost = each["callbacks_lost_ppm"] / 10_000
    return [*lines, f"    waiting {each['waiting']}, callbacks lost {lost:.2f} %"]


def _breakers(rows: list[dict[str, Any]]) -> str:
    return "  ".join([f"{row['operation']} {row['phase']}" for row in rows])


def _report_lines(told: dict[str, Any]) -> list[str]:
    """Return an outage as people read it, the same words for every figure."""
    outage, given, wallet = told["outage"], told["advances"], told["wallet_payments"]
    end = outage.get("ended_at", "仍在继续 it goes on")
    closed = outage.get("closed_at", "尚未完成 not yet")
    figures = [
        ("订单 orders", f"{told['orders']}"),
        ("没有渠道受理 no account took", f"{told['orders_untried']}"),
        *[
            (f"支付单 attempts {row['state']}", f"{row['count']}  {yuan(row['amount_fen'])}")
            for row in told["attempts"]
        ],
        ("零钱代付 by the own wallet", f"{wallet['count']}  {yuan(wallet['amount_fen'])}"),
        ("垫付 advanced", f"{given['count']}  {yuan(given['advanced_fen'])}"),
        ("  已证实 confirmed", yuan(given["confirmed_fen"])),
        ("  未了结 open", yuan(given["open_fen"])),
        ("  已收回 taken back", yuan(given["unspent_fen"])),
        ("  欠款 owed", yuan(given["owed_fen"])),
        ("  损失 lost", yuan(given["lost_fen"])),
        ("催付 asked to pay", f"{given['asked_to_pay']}"),
        ("风险敞口 at risk", yuan(told["at_risk_fen"])),
        ("已查询 asked about", f"{told['asked']}"),
        ("仍待结果 still waiting", f"{told['waiting']}"),
    ]
    steps = [
        f"    {row['at']}  {row['event']} → {row['mode']}, {row['by']}: {row['why']}"
        for row in outage["steps"]
    ]
    head = f"{told['account']}, outage {outage['number']}: {outage['lasted_s']} s bridged"
    when = f"    {outage['began_at']} – {end}; caught up {closed} ({outage['unwound_s']} s)"
    return [head, when, *steps, *[f"    {name:<32} {text:>18}" for name, text in figures]]


def _chosen(rows: tuple[ChannelRow, ...], account: str) -> list[ChannelRow]:
    """Return the rows asked for; asking for one that is not there ends the command."""
    chosen = [row for row in rows if account in ("", row.account)]
    if not chosen:
        words = f"no channel account is called {account}" if account else "no [[channels]] are set"
        typer.echo(f"lingqian: {words}; see docs/howto/connect-a-merchant-account.md", err=True)
        raise typer.Exit(2)
    return chosen


async def _findings(row: ChannelRow, *, is_offline: bool) -> list[Finding]:
    """Look at the files, and call the hosts only when the keys can be used."""
    found = list(check_files(row))
    needed = ("api_v3_key", "merchant_key", "platform_keys")
    if not is_offline and all(each.is_good for each in found if each.name in needed):
        found += [each async for each in check_hosts(row, _now_us)]
    return found


def _now_us() -> int:
    return time.time_ns() // 1_000


def _print(name: str, lines: list[Finding]) -> None:
    typer.echo(name)
    for each in lines:
        typer.echo(f"  {'good' if each.is_good else 'BAD '}  {each.name}: {each.says}")
        if each.advice:
            typer.echo(f"        → {each.advice}")
