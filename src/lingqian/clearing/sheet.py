"""Reports as files: comma-separated text for a spreadsheet, and one page for people (对账文件)."""

import csv
import re
from collections.abc import Iterable
from html import escape
from io import StringIO
from typing import Final

from lingqian.clearing.report import Report, Row

CSV_HEADING: Final = (
    "account", "day", "class", "meaning_zh", "meaning_en", "kind", "number", "gap_yuan",
    "fee_gap_yuan", "state", "owner", "remedy", "due_at", "decided_by",
)  # fmt: skip
# A cell that begins so is a formula to a spreadsheet; what others wrote must never be one.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
_AMOUNT: Final = re.compile(r"-?\d+\.\d\d")


def as_csv(reports: Iterable[Report]) -> str:
    """Write the differences of some days, one a line; the byte order mark is for spreadsheets."""
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(CSV_HEADING)
    for each in reports:
        for row in each.rows:
            writer.writerow([_cell(text) for text in (each.account, each.day, *_texts(row))])
    return "\ufeff" + file.getvalue()


def _texts(row: Row) -> tuple[str, ...]:
    return (
        row.class_code,
        row.zh,
        row.en,
        row.way[1],
        row.number,
        row.gap,
        row.fee_gap,
        row.state[1],
        row.owner[1],
        row.remedy[1],
        row.due_at,
        row.decided_by,
    )


def _cell(text: str) -> str:
    is_formula = text.startswith(_FORMULAS) and not _AMOUNT.fullmatch(text)
    return "'" + text if is_formula else text


_STYLE: Final = """
:root { color-scheme: light dark; font-family: system-ui, "PingFang SC", "Noto Sans CJK SC",
  sans-serif; line-height: 1.5; }
body { max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td:nth-child(n + 4) { white-space: nowrap; }
th, td { border-bottom: 1px solid #8886; padding: .35rem .5rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
td.sum { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
small, .en { color: #777; display: block; font-size: .8rem; }
.urgent td:first-child { border-left: 4px solid #c33; }
.state { display: inline-block; padding: 0 .6rem; border-radius: 1rem; border: 1px solid; }
.empty { padding: 1.5rem; text-align: center; border: 1px dashed #8886; }
.scroll { overflow-x: auto; }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; }
  thead { display: table-header-group; } a { text-decoration: none; } }
"""
_HEADINGS: Final = (
    ("类别", "class"), ("含义", "meaning"), ("单号", "number"), ("金额差", "gap"),
    ("手续费差", "fee gap"), ("状态", "state"), ("负责人", "owner"), ("期限", "due"),
)  # fmt: skip


def as_page(reports: Iterable[Report]) -> str:
    """Write one page that needs nothing else: no script, no font, no picture."""
    sections = "".join([_section(each) for each in reports])
    body = sections or _empty("还没有任何一天对过账。", "No day has been reconciled yet.")
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>对账报告 · Reconciliation</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>对账报告 <small>Reconciliation</small></h1>\n{body}</body></html>\n"
    )


def _section(told: Report) -> str:
    zh, en = told.state
    figures = "".join(
        [
            f'<tr><td>{_both(each.zh, each.en)}</td><td class="sum">{escape(each.text)}</td></tr>'
            for each in told.figures
            if each.text
        ]
    )
    return (
        f"<section><h2>{escape(told.day)} · {escape(told.account)} "
        f'<span class="state">{escape(zh)} · {escape(en)}</span></h2>\n'
        f"<table>{figures}</table>\n{_rows(told.rows)}</section>\n"
    )


def _rows(rows: tuple[Row, ...]) -> str:
    if not rows:
        return _empty("没有差错，账目相符。", "No differences: both sides agree.")
    head = "".join([f"<th>{_both(zh, en)}</th>" for zh, en in _HEADINGS])
    lines = "".join([_line(row) for row in rows])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _line(row: Row) -> str:
    mark = ' class="urgent"' if row.is_urgent else ""
    state = tuple(
        " · ".join(filter(None, pair)) for pair in zip(row.state, row.remedy, strict=True)
    )
    return (
        f"<tr{mark}><td><strong>{escape(row.class_code)}</strong></td>"
        f"<td>{_both(row.zh, row.en)}</td>"
        f"<td>{escape(row.number)}{_small(f'{row.way[0]} {row.way[1]}')}</td>"
        f'<td class="sum">{escape(row.gap)}</td><td class="sum">{escape(row.fee_gap)}</td>'
        f"<td>{_both(*state)}</td><td>{_both(*row.owner)}</td>"
        f"<td>{escape(_moment(row.due_at))}</td></tr>\n"
    )


def _moment(text: str) -> str:
    """Write an instant to the minute; a page is read, and a spreadsheet has it whole."""
    return f"{text[:16].replace('T', ' ')} UTC" if text else ""


def _both(zh: str, en: str) -> str:
    return escape(zh) + _small(en)


def _small(text: str) -> str:
    return f"<small>{escape(text)}</small>" if text else ""


def _empty(zh: str, en: str) -> str:
    return f'<p class="empty">{_both(zh, en)}</p>\n'
