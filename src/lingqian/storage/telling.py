"""Telling: what states, sources and effects are called in a story, in both languages (用语).

A fact keeps its own short word, which programs read; beside it stands what people read.
"""

from enum import IntEnum
from typing import Any, Final

from lingqian.channels.port import BillKind, PayoutState, RefundState, TradeState
from lingqian.clearing.classify import TABLE, Class
from lingqian.clearing.report import yuan
from lingqian.flows.decision import Record
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.evidence import Effect, Reason, Source

Words = tuple[str, str]

# Of a digest so many letters are read out; the facts have it whole.
_HASH_LETTERS: Final = 16
TRADE: Final[dict[TradeState, str]] = {
    TradeState.UNKNOWN: "结果未知",
    TradeState.ABSENT: "查无此单",
    TradeState.NOT_PAID: "未支付",
    TradeState.PAYING: "支付中",
    TradeState.PAID: "已支付",
    TradeState.REFUNDED: "已支付（之后有退款）",
    TradeState.CLOSED: "已关闭",
    TradeState.REVOKED: "已撤销",
    TradeState.FAILED: "支付失败",
}
REFUND: Final[dict[RefundState, str]] = {
    RefundState.UNKNOWN: "结果未知",
    RefundState.ABSENT: "查无此单",
    RefundState.PROCESSING: "处理中",
    RefundState.SUCCESS: "成功",
    RefundState.CLOSED: "已关闭",
    RefundState.ABNORMAL: "异常",
}
PAYOUT: Final[dict[PayoutState, str]] = {
    PayoutState.UNKNOWN: "结果未知",
    PayoutState.ABSENT: "查无此单",
    PayoutState.ACCEPTED: "已受理",
    PayoutState.PROCESSING: "处理中",
    PayoutState.AWAITING_PERSON: "待用户确认收款",
    PayoutState.TRANSFERRING: "转账中",
    PayoutState.SUCCESS: "成功",
    PayoutState.FAILED: "失败",
    PayoutState.CANCELLING: "撤销中",
    PayoutState.CANCELLED: "已撤销",
}
RESULT: Final[dict[PrepayResult, str]] = {
    PrepayResult.PAYABLE: "可以支付",
    PrepayResult.UNKNOWN: "结果未知",
    PrepayResult.FAILED: "没有成立",
}
SOURCE: Final[dict[Source, Words]] = {
    Source.NOTICE: ("回调通知", "notice"),
    Source.QUERY: ("查单", "query"),
    Source.CLIENT: ("返回页查单", "query on return"),
    Source.CLOSE: ("关单时查单", "query at the close"),
    Source.BILL: ("对账单", "bill"),
    Source.OPERATOR: ("人工", "operator"),
}
EFFECT: Final[dict[Effect, Words]] = {
    Effect.NOTED: ("已知，记录在案", "known already, noted"),
    Effect.WAITING: ("继续等待", "waiting goes on"),
    Effect.SHUT: ("这次支付已关闭", "the attempt is closed"),
    Effect.FAILED: ("这次支付没有成立", "the attempt came to nothing"),
    Effect.CREDITED: ("入账", "credited"),
    Effect.HELD: ("收款，等待人工审核", "received, held for a review"),
    Effect.RETURNED: ("收款，不能入账，原路退回", "received, not to be credited, goes back"),
    Effect.OVERPAID: ("多付，原路退回", "paid once more, goes back"),
    Effect.PARKED: ("收款并挂账", "received and kept apart"),
    Effect.CONTRADICTED: ("与此前的证据矛盾，不动钱", "against earlier proof, nothing moves"),
    Effect.CONFIRMED: ("垫付转正", "the advance is confirmed"),
    Effect.REPAID: ("收款，垫付已收回，按欠款和退回处理", "received after the advance had ended"),
    Effect.DOUBTED: ("金额存疑，向渠道查询", "the amount is doubted, the channel is asked"),
}
REASON: Final[dict[Reason, Words]] = {
    Reason.NONE: ("", ""),
    Reason.UNKNOWN_ORDER: ("（单号不是我方的）", " (a number that is none of ours)"),
    Reason.WRONG_AMOUNT: ("（金额不符）", " (another amount)"),
    Reason.OTHER_ACCOUNT: ("（进了另一个账户）", " (another account)"),
    Reason.TWO_PAYMENTS: ("（同一单号付了两次）", " (a second payment of the number)"),
    Reason.TRANSACTION_TAKEN: ("（交易号已属另一单）", " (the transaction pays another number)"),
}
BILL: Final[dict[BillKind, Words]] = {
    BillKind.TRADE: ("交易账单", "trade"),
    BillKind.FUND: ("资金账单", "fund"),
}
_STATES: Final[dict[str, dict[Any, str]]] = {
    "Observe": TRADE,
    "NoteRefund": REFUND,
    "NotePayout": PAYOUT,
}
for _words in (TRADE, REFUND, PAYOUT, RESULT, SOURCE, EFFECT, REASON, BILL):
    _of: type[IntEnum] = type(next(iter(_words)))
    assert set(_words) == set(_of), "everything that is told has its words"
EVENT: Final = {
    "release": "放行",
    "refuse": "拒绝",
    "due": "到期，升级处理",
    "own": "交人处理",
    "carry": "结转到次日",
    "repair": "已自动修复",
    "agree": "对平",
    "lapse": "三日未对平，转为差错",
    "explain": "说明原因，不动账",
    "ask": "提出处理办法",
    "claw_back": "到期收回",
    "write_off": "核销",
}
_EVENT_EN: Final = {
    "own": "given to a person",
    "carry": "carried to the next day",
    "repair": "repaired",
    "agree": "agreed",
    "lapse": "not met for three days",
}
_ACTION: Final = {
    "refund": ("退回付款人", "sent back"),
    "credit": ("入账给用户", "credited to a user"),
}


def in_words(record: Record, facts: dict[str, str | int]) -> dict[str, str]:
    """Return what the facts of a row are called, for its sentence."""
    command: Any = record.command
    event, by = str(facts.get("event", "")), str(facts.get("by", ""))
    said = {
        "event_zh": EVENT.get(event, event),
        "event_en": _EVENT_EN.get(event, event),
        "by_zh": f" {by}" if by else "系统",
        "by_en": by or "the clock",
        "hash": str(facts.get("digest", ""))[:_HASH_LETTERS],
    }
    name = type(command).__name__
    if name in _STATES:
        said["state_zh"] = _STATES[name][command.state]
        said["source_zh"], said["source_en"] = SOURCE[command.source]
    if name == "NotePrepay":
        said["result_zh"] = RESULT[command.result]
    if name == "AllocateParked":
        said["action_zh"], said["action_en"] = _ACTION[command.action]
    if name == "RecordBill":
        said["bill_zh"], said["bill_en"] = BILL[command.bill]
    if name == "RecordDifference":
        row = TABLE[Class(command.class_code)]
        said |= {"class_zh": row.zh, "class_en": row.en, "gap": yuan(command.gap_fen)}
    return said | _of_outcome(record.outcome)


def _of_outcome(outcome: Any) -> dict[str, str]:  # noqa: ANN401 - any outcome
    said: dict[str, str] = {}
    effect, reason = getattr(outcome, "effect", None), getattr(outcome, "reason", None)
    if effect is not None:
        said["effect_zh"], said["effect_en"] = EFFECT[effect]
    if isinstance(reason, int):
        said["reason_zh"], said["reason_en"] = REASON[Reason(reason)]
    return said
