"""The trail: one order's whole story in time order, and one sentence that says why (全程追踪).

Law: everything told here is a journal row, a sealed notice whose digest is in one, or a line of a
bill; nothing is remembered apart from them, so a story can be checked like a balance.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from lingqian.channels.port import PayoutState, Product, RefundState, TradeState
from lingqian.clearing.difference import day_id
from lingqian.flows.command import CloseDay, RecordBill, RecordMatch
from lingqian.flows.decision import Record
from lingqian.flows.kind import BY_NUMBER
from lingqian.kernel.code import Code
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_GIFT,
    PREFIX_ORDER,
    PREFIX_PAYOUT,
    PREFIX_REFUND,
    lane_of,
    show,
)
from lingqian.ledger.chart import CHART, Book, Currency
from lingqian.storage import purse, query, query_top_up
from lingqian.storage.bill_line import Shelf, lines_of
from lingqian.storage.codec import Row, decode
from lingqian.storage.port import Connection
from lingqian.storage.subject import Subject, find
from lingqian.storage.telling import in_words
from lingqian.topup.attempt import Mark, PrepayResult
from lingqian.topup.evidence import Effect, Reason, Source
from lingqian.topup.order import CreditState, Order
from lingqian.topup.refund import Way
from lingqian.topup.sentence import NO_ATTEMPT, Sentence, Situation, say, sentence, yuan

SELECT_ROWS: Final = (
    "SELECT j.lane, j.seq, j.at_us, j.kind, j.code, j.body FROM trails t "
    "JOIN journal j ON j.lane = ? AND j.seq = t.seq WHERE t.subject_id = ? ORDER BY t.seq"
)


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
    """A thing's whole story, and its one sentence; a channel account has none."""

    subject: str
    order_id: bytes
    sentence: Sentence | None
    entries: tuple[Entry, ...]
    notices: tuple[bytes, ...]


def situation(connection: Connection, order_id: bytes, order: Order) -> Situation:
    """Return what the sentence about an order follows from."""
    attempts = query_top_up.attempts(connection, order_id)
    newest = attempts[-1].row.state if attempts else NO_ATTEMPT
    mark = Mark.NONE
    for _, row in attempts:
        if row.mark == Mark.WRONG_AMOUNT:
            mark = Mark.WRONG_AMOUNT
        elif row.mark == Mark.DOUBTED and row.query_due_at_us:
            mark = mark or Mark.DOUBTED
    is_placed = order.credit_state == CreditState.REJECTED and not purse.refunds_of(
        connection, order_id
    )
    return Situation(
        order.pay_state, order.credit_state, order.refund_state, newest, mark, is_placed
    )


def story(connection: Connection, number: str, shelf: Shelf | None = None) -> Story | None:
    """Return the story of a number, with the lines of kept bills if they can be read.

    Reading a large day's bill takes seconds. None when nothing has the number.
    """
    subject = find(connection, number)
    if subject is None:
        return None
    rows: dict[tuple[int, int], Row] = {}
    days = {day_id(*each): each for each in subject.days}
    for each in (*days, *subject.ids):
        values = (lane_of(each), each)
        for row in map(Row._make, connection.execute(SELECT_ROWS, values)):
            if each in subject.ids or BY_NUMBER[row.kind].command in _OF_DAYS:
                rows[row.lane, row.seq] = row
    if not rows:
        return None
    entries = [_entry(row) for row in rows.values()]
    if shelf is not None:
        entries += _bill_lines(connection, shelf, subject, rows.values())
    entries.sort(key=lambda entry: (entry.at_us, entry.lane, entry.seq))
    notices = [each for each in subject.ids if query_top_up.notice(connection, each)]
    told = _told(connection, subject.order_id) if subject.order_id else subject.said
    return Story(subject.name, subject.order_id, told, tuple(entries), tuple(notices))


def _bill_lines(
    connection: Connection, shelf: Shelf, subject: Subject, rows: Iterable[Row]
) -> list[Entry]:
    """Tell the lines of the kept bills, each where its bill was noted: that row vouches for it."""
    noted: dict[tuple[bytes, int], Row] = {}
    for row in sorted(rows, key=lambda row: row.seq):
        if BY_NUMBER[row.kind].command is RecordBill and not row.code:
            command: Any = decode(row).record.command
            noted[command.day_id, command.bill] = row
    entries: list[Entry] = []
    for day in subject.days:
        for line in lines_of(connection, shelf, day, subject.numbers):
            row = noted[day_id(*day), line.kind]
            place = (row.at_us, row.lane, row.seq)
            entries.append(Entry(*place, "bill_line", line.zh, line.en, line.facts, ()))
    return entries


def _told(connection: Connection, order_id: bytes) -> Sentence | None:
    order = query.order(connection, order_id)
    if order is None:
        return None
    found = sentence(situation(connection, order_id, order))
    return say(found, order.kind, order.amount_fen)


def _entry(row: Row) -> Entry:
    record = decode(row).record
    kind = BY_NUMBER[row.kind].command.__name__
    words = WORDS.get(kind, _UNNAMED)
    facts = _facts(record)
    said = Blank(facts | in_words(record, facts))
    zh, en = words.zh.format_map(said), words.en.format_map(said)
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
    "NotePrepay": Words("下单结果：{result_zh} {word}", "pay sheet: {result} {word}"),
    "ReceiveNotice": Words(
        "收到 {account} 的通知 {event}，已验签并落盘，SHA-256 {hash}",
        "notice {event} of {account} verified and kept, SHA-256 {hash}",
    ),
    "Observe": Words(
        "{source_zh}：渠道说{state_zh}；{effect_zh}{reason_zh}",
        "{source_en}: the channel says {state}; {effect_en}{reason_en}",
    ),
    "BeginClose": Words("开始关闭支付 {attempt_id}", "closing of attempt {attempt_id} begun"),
    "ExpireOrder": Words("订单未付而结束，由{by_zh}", "order ended unpaid, by {by_en}"),
    "SettleCase": Words("审核：{event_zh}，由{by_zh}", "review: {event}, by {by_en}"),
    "AskRefund": Words("申请退款 {amount} 元", "refund of {amount} yuan asked for"),
    "NoteRefund": Words(
        "{source_zh}：退款 {refund_id} {state_zh}", "{source_en}: refund {refund_id} {state}"
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
    "CancelPayout": Words("提现已取消，由{by_zh}", "payout taken back, by {by_en}"),
    "NotePayout": Words(
        "{source_zh}：提现{state_zh} {fail_reason}", "{source_en}: payout {state} {fail_reason}"
    ),
    "AllocateParked": Words("挂账处理：{action_zh}，由 {by}", "parked money: {action_en}, by {by}"),
    "SendPacket": Words("发出红包 {total} 元", "packet of {total} yuan sent"),
    "ClosePacket": Words("红包结束，余额退回", "packet ended, the rest goes back"),
    "DrawPacket": Words("红包开奖", "packet drawn"),
    "AskAdvance": Words("平台先行垫付", "advanced from the operator's own line"),
    "SettleAdvance": Words("垫付了结：{event_zh}", "advance ended: {event}"),
    "RecordBill": Words(
        "取得 {account} 当日{bill_zh}", "the day's {bill_en} bill of {account} fetched"
    ),
    "RecordMatch": Words("当日账单已逐笔核对", "the day's bill compared line by line"),
    "RecordDifference": Words(
        "对账差异 {class_code}（{class_zh}），差额 {gap} 元：{event_zh}",
        "difference {class_code} in the bill ({class_en}), gap {gap} yuan: {event_en}",
    ),
    "ResolveDifference": Words(
        "对账差异由人处理：{event_zh}，{by}", "difference dealt with by hand: {event}, {by}"
    ),
    "RecordFlow": Words(
        "只有资金账单才有的一笔：{label} {amount} 元",
        "a movement that the fund bill alone shows: {label}, {amount} yuan",
    ),
    "CloseDay": Words("当日已平账关闭", "the day is closed"),
    "FundLine": Words("垫款额度资金 {amount} 元", "line funded with {amount} yuan"),
    "RecordSteps": Words("记录用户行为", "steps of a person taken down"),
    "SetMode": Words("渠道模式切换：{event}，{why}", "mode of the channel: {event}, {why}"),
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
