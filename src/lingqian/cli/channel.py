"""`lingqian channel`: is an account with a payment channel ready to be used (支付渠道自检).

Exit codes: 0 all is good; 1 something is not; 2 asked wrongly.
"""

import asyncio
import json
import time
from typing import Annotated

import typer

from lingqian.channels.wechatpay.check import Finding, check_files, check_hosts
from lingqian.channels.wechatpay.setting import ChannelRow
from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit

app = typer.Typer(no_args_is_help=True, help="Channel accounts: check.")


@app.callback()
def root() -> None:
    """Look at the channel accounts of a data directory."""


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
