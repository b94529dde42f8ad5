"""`lingqian funnel`: how far people come on the way to a top-up, from a data directory (漏斗).

Runs beside a running wallet and changes nothing. Exit code: 0 told; 1 the surroundings failed;
2 asked wrongly, or there is no ledger.
"""

import csv
import io
import json
from typing import Annotated, Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from lingqian.analytics.forecast import calibration, discrimination_ppm
from lingqian.analytics.funnel import Row
from lingqian.analytics.funnel import funnel as told_by
from lingqian.analytics.step import LADDER, Step
from lingqian.clearing.report import read_day, show_day, yuan
from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit
from lingqian.cli.ledger import ledger_or_exit
from lingqian.compose import price_list
from lingqian.kernel.bound import FUNNEL_DAYS_MAX
from lingqian.kernel.clock import day_start_us
from lingqian.kernel.fault import Fault
from lingqian.storage.behaviour import Behaviour, behaviour, hindsight, newest_day
from lingqian.topup.plan import cheapest_coins
from lingqian.web.route.behaviour import funnel_shown

_DAYS_DEFAULT: Final = 7
_PPM: Final = 1_000_000
_NAMES: Final = {
    "plan_view": "看档位 plans seen",
    "amount_select": "选金额 amount chosen",
    "quote": "报价 quoted",
    "invoke": "拉起 invoked",
    "sheet_shown": "收银台 sheet shown",
    "confirmed": "确认 confirmed",
    "paid": "支付 paid",
    "credited": "到账 credited",
    "first_spend": "首次消费 first spent",
}
_SEGMENTS: Final = {"ordinary": "普通 ordinary", "fan": "粉丝 fan", "shopper": "电商 shopper"}


def funnel(  # noqa: PLR0913 - the options of a command, by name
    data: DataFolder = DATA_DEFAULT,
    *,
    since: Annotated[str, typer.Option(metavar="DAY", help="First day; else a week back.")] = "",
    until: Annotated[
        str, typer.Option(metavar="DAY", help="Last day; else the last with a step.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line a row, for a sheet.")] = False,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Compare forecasts with what people did.")
    ] = False,
) -> None:
    """Show by day and kind of user how far people come on the way to a top-up, and who gives up.

    Runs beside a running wallet and changes nothing. Days are business days (Asia/Shanghai).
    """
    try:
        with ledger_or_exit(data).snapshot() as (connection, _):
            days = _days(since, until, newest_day(connection))
            found = behaviour(connection, day_start_us(days.start), day_start_us(days.stop))
            if found is None:
                _refuse("there are too many steps for one report; ask for fewer days")
            coins = cheapest_coins(price_list(load_or_exit(data)))
            cases = hindsight(connection, found, coins) if forecast else []
    except Fault as fault:
        typer.echo(f"lingqian funnel: {fault}", err=True)
        raise typer.Exit(1) from fault
    if forecast:
        _print_forecast(cases, as_json=as_json)
    else:
        _print_funnel(found, days, as_json=as_json, as_csv=as_csv)


def _refuse(words: str) -> NoReturn:
    typer.echo(f"lingqian funnel: {words}", err=True)
    raise typer.Exit(2)


def _days(since: str, until: str, newest: int) -> range:
    last = _day(until) if until else newest
    first = _day(since) if since else last - _DAYS_DEFAULT + 1
    if not first <= last < first + FUNNEL_DAYS_MAX:
        _refuse(f"at least one day, at most {FUNNEL_DAYS_MAX}")
    return range(first, last + 1)


def _day(text: str) -> int:
    day = read_day(text)
    if day is None:
        _refuse(f"{text} is not a day such as 2026-11-25")
    return day


def _print_funnel(found: Behaviour, days: range, *, as_json: bool, as_csv: bool) -> None:
    rows = told_by(found.events, found.outcomes, days)
    shown = funnel_shown(rows, days)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(shown), ensure_ascii=False))
        return
    if as_csv:
        typer.echo(_csv(rows), nl=False)
        return
    console = Console()
    if not rows:
        console.print("这几天没有任何行为。 Nobody has taken a step on these days.")
        return
    title = f"{shown.since} – {shown.until} · 分群规则 segments by rules v{shown.rules_version}"
    console.print(_totals(title, [row for row in rows if not row.day]))
    console.print(_by_day([row for row in rows if row.day]))


def _totals(title: str, rows: list[Row]) -> Table:
    """Return the steps down, the segments across: it fits a narrow terminal."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(_SEGMENTS[row.segment.name.lower()], justify="right")
    for place, step in enumerate(LADDER):
        counts = [f"{row.reached[place]:,}" for row in rows]
        table.add_row(_NAMES[step.name.lower()], *counts, end_section=step is LADDER[-1])
    table.add_row("放弃 abandoned", *[_percent(row.abandonment_ppm) for row in rows])
    table.add_row("经渠道 by channel", *[_percent(row.penetration_ppm) for row in rows])
    table.add_row("次/人 orders each", *[_ratio(row.orders_per_payer_ppm) for row in rows])
    table.add_row("到账金额 yuan", *[yuan(row.credited_fen) for row in rows])
    return table


def _by_day(rows: list[Row]) -> Table:
    table = Table()
    for name in ("日期 day", "人群 segment"):
        table.add_column(name)
    for name in ("看 seen", "拉起 invoked", "到账 credited", "放弃 abandoned"):
        table.add_column(name, justify="right")
    for row in rows:
        reached = dict(zip(LADDER, row.reached, strict=True))
        counts = [reached[each] for each in (Step.PLAN_VIEW, Step.INVOKE, Step.CREDITED)]
        table.add_row(
            show_day(row.day),
            _SEGMENTS[row.segment.name.lower()],
            *[f"{count:,}" for count in counts],
            _percent(row.abandonment_ppm),
        )
    return table


def _percent(ppm: int | None) -> str:
    return "–" if ppm is None else f"{ppm / 10_000:.1f} %"


def _ratio(ppm: int | None) -> str:
    return "–" if ppm is None else f"{ppm / _PPM:.2f}"


def _csv(rows: tuple[Row, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    steps = [each.name.lower() for each in LADDER]
    writer.writerow(
        ("day", "segment", *steps, "sheets_asked", "abandoned", "credited_orders", "payers",
         "credited_fen", "channel_orders")
    )  # fmt: skip
    for row in rows:
        day = show_day(row.day) if row.day else ""
        writer.writerow(
            (day, row.segment.name.lower(), *row.reached, row.asked, row.abandoned, row.credited,
             row.payers, row.credited_fen, row.by_channel)
        )  # fmt: skip
    return text.getvalue()


def _print_forecast(cases: list[tuple[int, bool]], *, as_json: bool) -> None:
    bins, auc_ppm = calibration(cases), discrimination_ppm(cases)
    if as_json:
        lines = [each._asdict() for each in bins]
        typer.echo(json.dumps({"cases": len(cases), "auc_ppm": auc_ppm, "bins": lines}))
        return
    console = Console()
    if not cases:
        console.print("没有可以比较的预测。 There is no forecast to compare.")
        return
    table = Table(title=f"{len(cases):,} 次预测 forecasts · AUC {_ratio(auc_ppm)}")
    for name in ("预测 said", "次数 times", "平均 mean", "实际 paid"):
        table.add_column(name, justify="right")
    for each in bins:
        low = each.low_ppm // 10_000
        table.add_row(
            f"{low}–{low + 10} %", f"{each.count:,}", _percent(each.said_ppm),
            _percent(each.paid_ppm),
        )  # fmt: skip
    console.print(table)
