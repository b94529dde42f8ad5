"""The trail: one number's whole story, as JSON or as a page that reads well on a phone (追踪)."""

import html
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lingqian.compose import bill_reader
from lingqian.events.inbox import read_kept
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged
from lingqian.kernel.id import PREFIX_ORDER, show
from lingqian.ledger.chart import CHART
from lingqian.storage import query
from lingqian.storage.bill_line import Shelf
from lingqian.storage.desk import FIELD_NOTICE
from lingqian.storage.story import Entry, Story, story
from lingqian.topup.sentence import yuan
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, reply

_HTML: Final = b"text/html; charset=utf-8"
_NUMBER_LENGTH_MAX: Final = 64
_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
)


class MovementShown(msgspec.Struct, frozen=True):
    """Money moved: from which book to which, in fen or coins."""

    debit: str
    credit: str
    currency: str
    amount: int


class EntryShown(msgspec.Struct, frozen=True):
    """One thing that happened; `id` is its journal row."""

    id: str
    at: field.Moment
    kind: str
    zh: str
    en: str
    facts: dict[str, str | int]
    movements: tuple[MovementShown, ...]


class NoticeShown(msgspec.Struct, frozen=True):
    """A notice as it came in, opened for whoever may see it."""

    key: str
    digest: str
    headers: dict[str, str]
    body: str


class Trail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A number's story, and why its money is, or is not, where it was meant to go.

    `is_credited`: it is there; of an order, that the person has it. `order_id` is empty for what
    has none: a payout, a gift, a payment that no order takes.
    """

    subject: str
    entries: tuple[EntryShown, ...]
    order_id: str = ""
    state: str = ""
    is_credited: bool = False
    message_zh: str = ""
    message_en: str = ""
    notices: tuple[NoticeShown, ...] = ()


class TrailQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With `raw`, the notices as they came in; it needs `read:notices`."""

    notices: Annotated[Literal["none", "raw"], Meta(description="`raw` opens them.")] = "none"


async def of_order(door: Door, call: Call) -> Reply:
    """Tell an order's story."""
    order_id = call.id(PREFIX_ORDER, "order_id")
    return await _answer(door, call, show(PREFIX_ORDER, order_id))


async def of_number(door: Door, call: Call) -> Reply:
    """Tell the story of an order, attempt, refund or payout of ours, or of a channel's number."""
    return await _answer(door, call, call.path_params["number"])


async def _answer(door: Door, call: Call, number: str) -> Reply:
    asked = call.ask(TrailQuery)
    if asked.notices == "raw":
        call.needs(Scope.READ_NOTICES)
    if not 0 < len(number) <= _NUMBER_LENGTH_MAX:
        raise Refused(Code.NOT_FOUND)
    wallet = door.wallet
    shelf = Shelf(wallet.vault, lambda account: bill_reader(wallet.config, account))
    # A large day's bill is read for it: not in the loop that answers everybody else.
    found = await wallet.archive.do(lambda connection: story(connection, number, shelf))
    if found is None:
        raise Refused(Code.NOT_FOUND)
    shown = trail_shown(found, _notices(door, found) if asked.notices == "raw" else ())
    if "text/html" in call.header(b"accept"):
        body = page(shown).encode()
        return Reply(HTTPStatus.OK, body, _HTML, replaces=(_POLICY,))
    return reply(HTTPStatus.OK, shown)


def trail_shown(found: Story, notices: tuple[NoticeShown, ...] = ()) -> Trail:
    """Return a story as it is told."""
    entries = tuple([_entry(each) for each in found.entries])
    if found.sentence is None:
        return Trail(found.subject, entries, notices=notices)
    order_id = show(PREFIX_ORDER, found.order_id) if found.order_id else ""
    name, is_credited, zh, en = found.sentence
    return Trail(found.subject, entries, order_id, name, is_credited, zh, en, notices)


def _entry(entry: Entry) -> EntryShown:
    moved = tuple([MovementShown(*each) for each in entry.movements])
    identity = f"{entry.lane}:{entry.seq}"
    return EntryShown(
        identity, rfc3339(entry.at_us), entry.kind, entry.zh, entry.en, entry.facts, moved
    )


def _notices(door: Door, found: Story) -> tuple[NoticeShown, ...]:
    """Open the kept notices; one that was erased or cannot be opened is left out."""
    shown: list[NoticeShown] = []
    for key in found.notices:
        sealed = query.sealed_text(door.reader, key, FIELD_NOTICE)
        row = query.one(door.reader, "notices", key)
        if sealed is None:
            continue
        try:
            headers, body = read_kept(door.wallet.cashier.open_sealed(key, FIELD_NOTICE, sealed))
        except Damaged:
            continue
        text = body.decode("utf-8", "replace")
        shown.append(NoticeShown(key.hex(), row.digest.hex(), headers, text))
    return tuple(shown)


_STYLE: Final = (
    ":root{color-scheme:light dark}"
    'body{font:16px/1.5 system-ui,"PingFang SC","Noto Sans CJK SC",sans-serif;margin:0 auto;'
    "max-width:44rem;padding:1rem}"
    "h1{font-size:1.1rem;word-break:break-all}h2{font-size:1rem;word-break:break-all}"
    ".why{border-left:.4rem solid #c60;padding:.5rem .8rem;background:#fff6ea;color:#222}"
    ".why.yes{border-color:#080;background:#effaef}.why p+p{font-size:.9rem;color:#444}"
    "ol{list-style:none;padding:0}li{border-top:1px solid #8886;padding:.6rem 0}"
    ".bill_line{border-left:.25rem solid #36c;padding-left:.6rem}"
    "time,.en,dl,details{color:#666;font-size:.85rem}p{margin:.2rem 0}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 .8rem;margin:.3rem 0}"
    "dd{margin:0;overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".moved{font-variant-numeric:tabular-nums}.empty{color:#666}"
    "@media(prefers-color-scheme:dark){time,.en,dl,details,.empty{color:#aaa}}"
)


def page(trail: Trail) -> str:
    """Return a story as a page that needs nothing from anywhere else."""
    cls = "why yes" if trail.is_credited else "why"
    why = f'<p>{_safe(trail.message_zh)}</p><p lang="en">{_safe(trail.message_en)}</p>'
    head = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_safe(trail.subject)} · 来龙去脉</title><style>{_STYLE}</style>"
        f"<h1>{_safe(trail.subject)}</h1>"
        '<p class="en">来龙去脉 <span lang="en">the whole story</span></p>'
    )
    told = f'<div class="{cls}">{why}</div>' if trail.message_zh else ""
    items = "".join(map(_item, trail.entries))
    return f"{head}{told}<ol>{items}</ol>{_raw(trail)}</html>"


def _item(entry: EntryShown) -> str:
    facts = "".join(
        [f"<dt>{_safe(name)}</dt><dd>{_safe(str(each))}</dd>" for name, each in entry.facts.items()]
    )
    moved = "".join([_line(each) for each in entry.movements])
    return (
        f'<li class="{_safe(entry.kind)}"><time>{_safe(entry.at)}</time>'
        f'<p>{_safe(entry.zh)}</p><p class="en" lang="en">{_safe(entry.en)}</p>{moved}'
        f'<details><summary>凭据 <span lang="en">evidence</span> · {_safe(entry.id)}</summary>'
        f"<dl>{facts}</dl></details></li>"
    )


def _line(movement: MovementShown) -> str:
    is_money = movement.currency == "CNY"
    amount = f"{yuan(movement.amount)} 元" if is_money else f"{movement.amount} 币"
    debit, credit = _BOOKS[movement.debit], _BOOKS[movement.credit]
    return (
        f'<p class="moved">借 {_safe(debit)} / 贷 {_safe(credit)} {amount} '
        f'<span class="en" lang="en">Dr {_safe(movement.debit)} / Cr {_safe(movement.credit)}'
        "</span></p>"
    )


_BOOKS: Final = {row.name: row.zh for row in CHART.values()}


def _raw(trail: Trail) -> str:
    parts = [
        f"<h2>通知原文 {_safe(each.key)}</h2><p>SHA-256 {_safe(each.digest)}</p>"
        f"<pre>{_safe(each.body)}</pre>"
        for each in trail.notices
    ]
    return "".join(parts)


def _safe(text: str) -> str:
    return html.escape(text)


_EXAMPLE: Final = Trail(
    field.ORDER_EXAMPLE,
    (
        EntryShown(
            "0:17",
            field.MOMENT_EXAMPLE,
            "observe",
            "回调通知：渠道说 paid，结果 credited",
            "notice: the channel says paid; credited",
            {"attempt_id": field.ATTEMPT_EXAMPLE, "state": "paid", "effect": "credited"},
            (MovementShown("channel", "held", "CNY", 5_000),),
        ),
    ),
    field.ORDER_EXAMPLE,
    "credited",
    is_credited=True,
    message_zh="已到账：渠道证实付款 50.00 元，已存入零钱；无需再做什么。",
    message_en="Credited: the channel has proven 50.00 yuan, it is in the balance; nothing more is "
    "to be done.",
)

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/top-ups/{order_id}/trail",
        run=of_order,
        summary="Tell a top-up's whole story",
        tag="trails",
        scopes=(Scope.READ_TOP_UPS,),
        asks=TrailQuery,
        gives={200: Given(Trail, _EXAMPLE)},
        refuses=(Code.NOT_FOUND,),
    ),
    Operation(
        method="GET",
        path="/v1/trails/{number}",
        run=of_number,
        summary="Tell the story of any number, ours or a channel's",
        tag="trails",
        scopes=(Scope.READ_TOP_UPS,),
        asks=TrailQuery,
        gives={200: Given(Trail, _EXAMPLE)},
        refuses=(Code.NOT_FOUND,),
    ),
)
