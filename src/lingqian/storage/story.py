"""The trail: one order's whole story in time order, and one sentence that says why (全程追踪).

Law: everything told here is a journal row, a sealed notice whose digest is in one, or a line of a
bill; nothing is remembered apart from them, so a story can be checked like a balance.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import apsw

from lingqian.channels.port import PayoutState, Product, RefundState, TradeState
from lingqian.clearing.difference import day_id
from lingqian.flows.command import CloseDay, RecordBill, RecordMatch
from lingqian.flows.decision import Record
from lingqian.flows.kind import BY_NUMBER
from lingqian.kernel.clock import business_day
from lingqian.kernel.code import Code
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_GIFT,
    PREFIX_ORDER,
    PREFIX_PAYOUT,
    PREFIX_REFUND,
    lane_of,
    parse,
    show,
)
from lingqian.ledger.chart import CHART, Book, Currency
from lingqian.storage import purse, query, query_top_up
from lingqian.storage.codec import Row, decode
from lingqian.topup.attempt import Mark, PrepayResult
from lingqian.topup.evidence import Effect, Reason, Source
from lingqian.topup.order import Order
from lingqian.topup.refund import Way
from lingqian.topup.sentence import NO_ATTEMPT, Sentence, Situation, say, sentence, yuan

SELECT_ROWS: Final = (
    "SELECT j.lane, j.seq, j.at_us, j.kind, j.code, j.body FROM trails t "
    "JOIN journal j ON j.lane = ? AND j.seq = t.seq WHERE t.subject_id = ? ORDER BY t.seq"
)
SELECT_DIFFERENCES: Final = "SELECT difference_id FROM differences WHERE number = ?"
SELECT_FLOWS: Final = "SELECT flow_id FROM flows WHERE subject_id = ?"
SELECT_PAYOUT_NO: Final = "SELECT payout_id FROM payouts WHERE channel_no = ?"
_PAYOUT_LETTERS: Final = 28


class Movement(NamedTuple):
    """Money moved by one row: from which book to which, and how much."""

    debit: str
    credit: str
    currency: str
    amount: int


class Entry(NamedTuple):
    """One thing that happened: when, what in both languages, the facts, and the money it moved."""

    at_us: int
    lane: int
    seq: int
    kind: str
    zh: str
    en: str
    facts: dict[str, str | int]
    movements: tuple[Movement, ...]


class Story(NamedTuple):
    """A thing's whole story; `sentence` is of its order, None for what has no order."""

    subject: str
    order_id: bytes
    sentence: Sentence | None
    entries: tuple[Entry, ...]
    notices: tuple[bytes, ...]


class Subject(NamedTuple):
    """What a number stands for: its name, its order if it has one, and whose trails tell of it.

    `days` are reconciled days it is part of; of their rows only those about the whole day, or
    about something in `ids`, belong to the story.
    """

    name: str
    order_id: bytes
    ids: tuple[bytes, ...]
    days: tuple[bytes, ...] = ()


def situation(connection: apsw.Connection, order_id: bytes, order: Order) -> Situation:
    """Return what the sentence about an order follows from."""
    attempts = query_top_up.attempts(connection, order_id)
    newest = attempts[-1].row.state if attempts else NO_ATTEMPT
    mark = Mark.NONE
    for _, row in attempts:
        if row.mark == Mark.WRONG_AMOUNT:
            mark = Mark.WRONG_AMOUNT
        elif row.mark == Mark.DOUBTED and row.query_due_at_us:
            mark = mark or Mark.DOUBTED
    return Situation(order.pay_state, order.credit_state, order.refund_state, newest, mark)


def find(connection: apsw.Connection, number: str) -> Subject | None:
    """Return what a number of ours or of a channel stands for; None when nothing has it."""
    order_id = _order_of(connection, number)
    if order_id:
        return _order_subject(connection, order_id)
    for prefix in (PREFIX_PAYOUT, PREFIX_GIFT):
        own = parse(prefix, _ours(number))
        if own is not None:
            return _single(connection, _ours(number), own)
    row: Any = connection.execute(SELECT_PAYOUT_NO, (number,)).fetchone() if number else None
    if row is not None:
        return _single(connection, show(PREFIX_PAYOUT, row[0]), row[0])
    return _stranger(connection, _transaction_of(connection, number))


def _transaction_of(connection: apsw.Connection, number: str) -> str:
    """Return the channel's payment that a refund of nobody's order is of; else the number."""
    refund_id = parse(PREFIX_REFUND, number) or query_top_up.refund_of(connection, number)
    refund = purse.refund(connection, refund_id) if refund_id else None
    return number if refund is None else purse.paid(connection, refund).transaction_id


def _ours(number: str) -> str:
    """Return a payout's number as we write it; the channel knows it without its underscore."""
    is_theirs = len(number) == _PAYOUT_LETTERS and number.startswith(PREFIX_PAYOUT)
    return f"{PREFIX_PAYOUT}_{number[2:]}" if is_theirs else number


def _order_of(connection: apsw.Connection, number: str) -> bytes:
    """Return the order that a number belongs to; empty for none."""
    order_id = parse(PREFIX_ORDER, number)
    if order_id is not None:
        return order_id if query.order(connection, order_id) else b""
    attempt_id = parse(PREFIX_ATTEMPT, number)
    refund_id = parse(PREFIX_REFUND, number) or query_top_up.refund_of(connection, number)
    if attempt_id is None and refund_id:
        refund = purse.refund(connection, refund_id)
        return b"" if refund is None else refund.order_id
    if attempt_id is None:
        for _, paid in query_top_up.by_transaction(connection, number):
            attempt_id = paid
    attempt = None if attempt_id is None else query.attempt(connection, attempt_id)
    return b"" if attempt is None else attempt.order_id


def _single(connection: apsw.Connection, name: str, identity: bytes) -> Subject:
    """Return a payout or a gift, which has no order."""
    ids = [identity, *_told_apart(connection, identity)]
    ids += [each.id for each in query_top_up.notices(connection, identity)]
    return Subject(name, b"", tuple(ids))


def _order_subject(connection: apsw.Connection, order_id: bytes) -> Subject:
    ids, days = [order_id], []
    for attempt_id, row in query_top_up.attempts(connection, order_id):
        ids.append(attempt_id)
        ids += [each.id for each in query_top_up.notices(connection, attempt_id)]
        ids += [each.id for each in query_top_up.payments(connection, attempt_id)]
        ids += _differences(connection, show(PREFIX_ATTEMPT, attempt_id), row.transaction_id)
        if row.success_at_us:
            days.append(day_id(row.account, business_day(row.success_at_us)))
    for refund_id, row in purse.refunds_of(connection, order_id):
        ids += [refund_id, *_told_apart(connection, refund_id)]
        ids += [each.id for each in query_top_up.notices(connection, refund_id)]
        ids += _differences(connection, show(PREFIX_REFUND, refund_id), row.channel_refund_id)
    return Subject(show(PREFIX_ORDER, order_id), order_id, tuple(ids), tuple(days))


def _differences(connection: apsw.Connection, *numbers: str) -> list[bytes]:
    """Return the differences that reconciling has found about some numbers."""
    found: list[bytes] = []
    for number in filter(None, numbers):
        rows: Any = connection.execute(SELECT_DIFFERENCES, (number,)).fetchall()
        found += [identity for (identity,) in rows]
    return found


def _told_apart(connection: apsw.Connection, subject_id: bytes) -> list[bytes]:
    """Return the movements that only a fund bill has shown of a refund or a payout."""
    rows: Any = connection.execute(SELECT_FLOWS, (subject_id,)).fetchall()
    return [identity for (identity,) in rows]


def _stranger(connection: apsw.Connection, number: str) -> Subject | None:
    """Return a channel's payment whose number is none of ours."""
    found = query_top_up.by_transaction(connection, number)
    if not found:
        return None
    ids: list[bytes] = []
    for key, attempt_id in found:
        ids += [key, attempt_id, *purse.refunds_of_payment(connection, key)]
        ids += [each.id for each in query_top_up.notices(connection, attempt_id)]
    return Subject(number, b"", tuple(ids))


def story(connection: apsw.Connection, number: str) -> Story | None:
    """Return the story of a number; None when nothing has it."""
    subject = find(connection, number)
    if subject is None:
        return None
    rows: dict[tuple[int, int], Row] = {}
    for each in (*subject.days, *subject.ids):
        values = (lane_of(each), each)
        for row in map(Row._make, connection.execute(SELECT_ROWS, values)):
            if each in subject.ids or BY_NUMBER[row.kind].command in _OF_DAYS:
                rows[row.lane, row.seq] = row
    ordered = sorted(rows.values(), key=lambda row: (row.at_us, row.lane, row.seq))
    if not ordered:
        return None
    entries = tuple([_entry(row) for row in ordered])
    notices = [each for each in subject.ids if query_top_up.notice(connection, each)]
    told = _told(connection, subject.order_id)
    return Story(subject.name, subject.order_id, told, entries, tuple(notices))


def _told(connection: apsw.Connection, order_id: bytes) -> Sentence | None:
    order = query.order(connection, order_id) if order_id else None
    if order is None:
        return None
    found = sentence(situation(connection, order_id, order))
    return say(found, order.kind, order.amount_fen)


def _entry(row: Row) -> Entry:
    record = decode(row).record
    kind = BY_NUMBER[row.kind].command.__name__
    words = WORDS.get(kind, _UNNAMED)
    facts = _facts(record)
    zh, en = words.zh.format_map(Blank(facts)), words.en.format_map(Blank(facts))
    if row.code:
        zh, en = f"{zh}（{Code(row.code).name.lower()}）", f"{en} ({Code(row.code).name.lower()})"
    moved = tuple(_movements(record))
    return Entry(row.at_us, row.lane, row.seq, _snake(kind), zh, en, facts, moved)


def _snake(name: str) -> str:
    return "".join(["_" + each.lower() if each.isupper() else each for each in name]).lstrip("_")


class Blank(dict[str, Any]):
    """Facts for a sentence; one that a row does not have is left out."""

    def __missing__(self, key: str) -> str:
        return ""


class Words(NamedTuple):
    """What a kind of row is called in a story; facts of the row stand between braces."""

    zh: str
    en: str


_UNNAMED: Final = Words("账本记录", "a row of the journal")
# Every kind of command that leaves a trail; a test holds the list to the flows.
WORDS: Final[dict[str, Words]] = {
    "OpenOrder": Words("创建订单 {amount} 元", "order opened for {amount} yuan"),
    "BeginAttempt": Words(
        "在 {account} 发起支付 {attempt_id}", "attempt {attempt_id} begun at {account}"
    ),
    "NotePrepay": Words("下单结果：{result} {word}", "pay sheet: {result} {word}"),
    "ReceiveNotice": Words(
        "收到 {account} 的通知 {event}，已验签并落盘",
        "notice {event} of {account} verified and kept",
    ),
    "Observe": Words(
        "{source_zh}：渠道说 {state}，结果 {effect} {reason}",
        "{source}: the channel says {state}; {effect} {reason}",
    ),
    "BeginClose": Words("开始关闭支付 {attempt_id}", "closing of attempt {attempt_id} begun"),
    "ExpireOrder": Words("订单到期或被放弃，由 {by}", "order ended unpaid, by {by}"),
    "SettleCase": Words("审核：{event}，由 {by}", "review: {event}, by {by}"),
    "AskRefund": Words("申请退款 {amount} 元", "refund of {amount} yuan asked for"),
    "NoteRefund": Words(
        "{source_zh}：退款 {refund_id} {state}", "{source}: refund {refund_id} {state}"
    ),
    "RedirectRefund": Words(
        "退款 {refund_id} 改道：{way}，由 {by}",
        "refund {refund_id} sent another way: {way}, by {by}",
    ),
    "SendGift": Words("送出礼物 {code}", "gift {code} given"),
    "SettleGift": Words("礼物收入已结算", "income of the gift settled"),
    "ExpireCoins": Words("赠送的金币到期", "bonus coins expired"),
    "AskPayout": Words("申请提现 {amount} 元", "payout of {amount} yuan asked for"),
    "BeginPayout": Words("开始向渠道提交提现", "payout about to be sent"),
    "CancelPayout": Words("提现已取消，由 {by}", "payout taken back, by {by}"),
    "NotePayout": Words(
        "{source_zh}：提现 {state} {fail_reason}", "{source}: payout {state} {fail_reason}"
    ),
    "AllocateParked": Words("挂账处理：{action}，由 {by}", "parked money: {action}, by {by}"),
    "SendPacket": Words("发出红包 {total} 元", "packet of {total} yuan sent"),
    "ClosePacket": Words("红包结束，余额退回", "packet ended, the rest goes back"),
    "DrawPacket": Words("红包开奖", "packet drawn"),
    "AskAdvance": Words("平台先行垫付", "advanced from the operator's own line"),
    "SettleAdvance": Words("垫付了结：{event}", "advance ended: {event}"),
    "RecordBill": Words("取得 {account} 当日对账单", "the day's bill of {account} fetched"),
    "RecordMatch": Words("当日账单已逐笔核对", "the day's bill compared line by line"),
    "RecordDifference": Words(
        "对账差异 {class_code}：{event}", "difference {class_code} in the bill: {event}"
    ),
    "ResolveDifference": Words(
        "对账差异由人处理：{event}，{by}", "difference ended by hand: {event}, {by}"
    ),
    "RecordFlow": Words(
        "资金账单独有一笔 {label}", "a movement the fund bill alone shows: {label}"
    ),
    "CloseDay": Words("当日已平账关闭", "the day is closed"),
    "FundLine": Words("垫款额度资金 {amount} 元", "line funded with {amount} yuan"),
    "RecordSteps": Words("记录用户行为", "steps of a person taken down"),
    "SetMode": Words("渠道模式切换：{event}，{why}", "mode of the channel: {event}, {why}"),
}
_SOURCE_ZH: Final = {
    Source.NOTICE: "回调通知",
    Source.QUERY: "查单",
    Source.CLIENT: "返回页查单",
    Source.CLOSE: "关单后查单",
    Source.BILL: "对账单",
    Source.OPERATOR: "人工",
}
_ID_FIELDS: Final = {
    "order_id": PREFIX_ORDER,
    "attempt_id": PREFIX_ATTEMPT,
    "refund_id": PREFIX_REFUND,
    "payout_id": PREFIX_PAYOUT,
    "gift_id": PREFIX_GIFT,
}
# Fields of commands that are told as they are.
_PLAIN: Final = (
    "account",
    "event",
    "by",
    "code",
    "action",
    "fail_reason",
    "transaction_id",
    "channel_refund_id",
    "channel_no",
    "plan",
    "scene",
    "why",
    "class_code",
    "label",
    "flow_no",
    "number",
    "gap_fen",
    "fee_gap_fen",
    "coins",
    "amount_fen",
    "payer_fen",
    "settle_fen",
    "fee_fen",
    "service_fee_fen",
    "rebate_fen",
    "total_fen",
)
# Rows that tell of a whole day and so of everything in it.
_OF_DAYS: Final = (RecordBill, RecordMatch, CloseDay)
_STATES: Final[dict[str, Any]] = {
    "Observe": TradeState,
    "NoteRefund": RefundState,
    "NotePayout": PayoutState,
}


def _facts(record: Record) -> dict[str, str | int]:
    """Return what a row says, in words; nothing personal is among it."""
    command: Any = record.command
    name = type(command).__name__
    facts = _fields(command)
    if name in _STATES:
        facts["state"] = _STATES[name](command.state).name.lower()
        facts["source"] = Source(command.source).name.lower()
        facts["source_zh"] = _SOURCE_ZH[Source(command.source)]
    if name == "NotePrepay":
        facts["result"] = PrepayResult(command.result).name.lower()
        facts["word"] = facts.pop("code", "")
    if name == "RedirectRefund":
        facts["way"] = Way(command.way).name.lower()
    if name == "BeginAttempt":
        facts["product"] = Product(command.product).name.lower()
    _add_digests(command, facts)
    return _with_outcome(record, facts)


def _fields(command: Any) -> dict[str, str | int]:  # noqa: ANN401 - any command
    """Return what a command says in ids, words and amounts."""
    facts: dict[str, str | int] = {
        field: show(prefix, getattr(command, field))
        for field, prefix in _ID_FIELDS.items()
        if getattr(command, field, b"")
    }
    plain = {field: getattr(command, field, "") for field in _PLAIN}
    facts |= {name: each for name, each in plain.items() if each and isinstance(each, str | int)}
    for field, word in (("amount_fen", "amount"), ("total_fen", "total")):
        if field in facts:
            facts[word] = yuan(int(facts[field]))
    return facts


def _add_digests(command: Any, facts: dict[str, str | int]) -> None:  # noqa: ANN401 - any command
    for field in ("digest", "notice_key", "transaction_key"):
        value = getattr(command, field, b"")
        if value:
            facts[field] = value.hex()


def _with_outcome(record: Record, facts: dict[str, str | int]) -> dict[str, str | int]:
    outcome: Any = record.outcome
    effect, reason = getattr(outcome, "effect", None), getattr(outcome, "reason", 0)
    if effect is not None:
        facts["effect"] = Effect(effect).name.lower()
    if reason:
        facts["reason"] = Reason(reason).name.lower()
    return facts


def _movements(record: Record) -> Iterable[Movement]:
    for _, debit, credit, amount in record.postings:
        currency = Currency(debit[17]).name
        yield Movement(_book(debit), _book(credit), currency, amount)


def _book(account: bytes) -> str:
    return CHART[Book(account[16])].name
