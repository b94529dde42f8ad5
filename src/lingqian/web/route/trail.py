"""The trail: one number's whole story, as JSON or as a page that reads well on a phone (追踪)."""

import html
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lingqian.events.inbox import read_kept
from lingqian.identity.key import Scope
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged
from lingqian.kernel.id import PREFIX_ORDER, show
from lingqian.storage import query
from lingqian.storage.desk import FIELD_NOTICE
from lingqian.storage.story import Entry, Story, story
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
    """A number's story, and why its order is, or is not, credited."""

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
    return _answer(door, call, show(PREFIX_ORDER, order_id))


async def of_number(door: Door, call: Call) -> Reply:
    """Tell the story of an order, attempt, refund or payout of ours, or of a channel's number."""
    return _answer(door, call, call.path_params["number"])


def _answer(door: Door, call: Call, number: str) -> Reply:
    asked = call.ask(TrailQuery)
    if asked.notices == "raw":
        call.needs(Scope.READ_NOTICES)
    found = story(door.reader, number) if 0 < len(number) <= _NUMBER_LENGTH_MAX else None
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
    order_id = show(PREFIX_ORDER, found.order_id)
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
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:44rem;padding:1rem}"
    "h1{font-size:1.1rem;word-break:break-all}"
    ".why{border-left:.4rem solid #c60;padding:.5rem .8rem;background:#fff6ea;color:#222}"
    ".why.yes{border-color:#080;background:#effaef}"
    "ol{list-style:none;padding:0}li{border-top:1px solid #ccc;padding:.6rem 0}"
    "time{color:#666;font-size:.85rem}p{margin:.2rem 0}small{color:#555;word-break:break-all}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}small,time{color:#aaa}}"
)


def page(trail: Trail) -> str:
    """Return a story as a page that needs nothing from anywhere else."""
    cls = "why yes" if trail.is_credited else "why"
    why = f"<p>{_safe(trail.message_zh)}</p><p>{_safe(trail.message_en)}</p>"
    head = (
        '<!doctype html><html lang="zh"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_safe(trail.subject)}</title><style>{_STYLE}</style>"
        f"<h1>{_safe(trail.subject)}</h1>"
    )
    told = f'<div class="{cls}">{why}</div>' if trail.message_zh else ""
    return f"{head}{told}<ol>{''.join(map(_item, trail.entries))}</ol>{_raw(trail)}</html>"


def _item(entry: EntryShown) -> str:
    facts = " · ".join([f"{name}={value}" for name, value in entry.facts.items()])
    moved = "".join([_line(each) for each in entry.movements])
    return (
        f"<li><time>{_safe(entry.at)}</time> <small>{_safe(entry.id)}</small>"
        f"<p>{_safe(entry.zh)}</p><p>{_safe(entry.en)}</p>"
        f"<small>{_safe(facts)}</small>{moved}</li>"
    )


def _line(movement: MovementShown) -> str:
    words = f"Dr {movement.debit} / Cr {movement.credit} {movement.amount} {movement.currency}"
    return f"<p><small>{_safe(words)}</small></p>"


def _raw(trail: Trail) -> str:
    parts = [
        f"<h2>{_safe(each.key)}</h2><pre><small>{_safe(each.body)}</small></pre>"
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
