"""Sentences: why an order is, or is not, credited, and what happens next, as one table (到账说明).

Law: every state an order can be in has exactly one sentence; a state that no order can be in says
that the books contradict each other and names the command that looks.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from lingqian.topup.attempt import AttemptState, Mark
from lingqian.topup.order import CreditState, OrderKind, PayState, ReturnState

# Nothing is open at a channel: no attempt yet, or none that can still be paid.
NO_ATTEMPT: Final = -1


class Situation(NamedTuple):
    """What a sentence follows from; `attempt` is the newest attempt's state, or NO_ATTEMPT.

    `is_placed`: the order is not to be credited and nothing goes back, for a person has credited
    its money to somebody.
    """

    pay: int
    credit: int
    back: int
    attempt: int = NO_ATTEMPT
    mark: int = Mark.NONE
    is_placed: bool = False


class Sentence(NamedTuple):
    """Why, and what next; `{amount}`, `{what_zh}` and `{what_en}` are filled in by `say`."""

    name: str
    is_credited: bool
    zh: str
    en: str


class Row(NamedTuple):
    """States a sentence is for; None is any state of that axis. The first row that fits wins."""

    pay: Collection[int] | None
    credit: Collection[int] | None
    back: Collection[int] | None
    attempt: Collection[int] | None
    sentence: Sentence


def _row(  # noqa: PLR0913, PLR0917 - a line of a table
    pay: Collection[int] | None,
    credit: Collection[int] | None,
    back: Collection[int] | None,
    name: str,
    zh: str,
    en: str,
    *,
    attempt: Collection[int] | None = None,
    is_credited: bool = False,
) -> Row:
    return Row(pay, credit, back, attempt, Sentence(name, is_credited, zh, en))


_OPEN: Final = (PayState.NONE, PayState.PAYING)
_PAID: Final = (PayState.PAID, PayState.OVERPAID)
_NONE: Final = (CreditState.NONE,)
_UNRETURNED: Final = (ReturnState.NONE,)

WRONG_AMOUNT: Final = Sentence(
    "wrong_amount",
    is_credited=False,
    zh="未到账：渠道证实收到了钱，但金额与订单不符，已挂账并停在人工处理；核对后会入账或原路退回。",
    en="Not credited: the channel has proven a payment of another amount than asked for; the money "
    "is kept apart and a person decides whether it is credited or goes back.",
)

PLACED: Final = Sentence(
    "placed",
    is_credited=False,
    zh="此单不到账：收到的钱与订单不符，曾挂账，已由人工入账给用户，见下面的记录；此单已了结。",
    en="Not credited as this order: the money did not fit it and was kept apart, and a person has "
    "credited it to somebody, as told below; this order is settled.",
)

DOUBTED: Final = Sentence(
    "doubted",
    is_credited=False,
    zh="未到账：渠道的通知说了另一个金额，正在向渠道查询；以查询结果为准，相符就立即到账。",
    en="Not credited: a notice of the channel told another amount, and the channel is being asked; "
    "its answer decides, and if it is the right amount the order is credited at once.",
)

CONTRADICTION: Final = Sentence(
    "contradiction",
    is_credited=False,
    zh="订单各项状态互相矛盾，请运行 lingqian audit 并联系值班人员；在查明之前不会动这笔钱。",
    en="The states of this order contradict each other: run lingqian audit and tell whoever is on "
    "call; nothing moves until it is explained.",
)

TABLE: Final = (
    # Nothing proven yet.
    _row(
        (PayState.NONE,), _NONE, _UNRETURNED, "not_tried",
        "未到账：订单已创建，还没有发起支付；支付成功并得到渠道证实后立即到账。",
        "Not credited: the order exists and nobody has tried to pay; it is credited as soon as the "
        "channel proves a payment.",
        attempt=(NO_ATTEMPT,),
    ),
    _row(
        _OPEN, _NONE, _UNRETURNED, "starting",
        "未到账：正在向渠道下单，结果还没有回来；系统会自行查询，无需再付一次。",
        "Not credited: the channel is being asked for a pay sheet and has not answered; it is "
        "queried by itself, there is no need to pay again.",
        attempt=(AttemptState.INIT,),
    ),
    _row(
        _OPEN, _NONE, _UNRETURNED, "unknown",
        "未到账：下单请求的结果未知，可能已经生效；系统正在查询，查明之前不会另开一笔。",
        "Not credited: it is not known whether the channel took the order; it is being queried, "
        "and no second attempt is made before the answer.",
        attempt=(AttemptState.UNKNOWN,),
    ),
    _row(
        _OPEN, _NONE, _UNRETURNED, "payable",
        "未到账：支付页可用，渠道还没有证实付款；回调、返回页面时的查询和定时查询，"
        "任何一个先到就立即到账。",
        "Not credited: the pay sheet is open and the channel has not proven a payment; whichever "
        "comes first of its notice, the query on return and the timed queries credits it at once.",
        attempt=(AttemptState.PAYABLE,),
    ),
    _row(
        _OPEN, _NONE, _UNRETURNED, "closing",
        "未到账：订单已到期，正在关闭渠道订单；关闭前后各查一次，若已付款会照常处理。",
        "Not credited: the order has run out and is being closed at the channel, which is queried "
        "before and after; a payment found there is dealt with as usual.",
        attempt=(AttemptState.CLOSING,),
    ),
    _row(
        _OPEN, _NONE, _UNRETURNED, "failed",
        "未到账：上一次支付没有成立，没有扣款；可以再试一次，到期后订单自动关闭。",
        "Not credited: the last attempt came to nothing and no money was taken; it can be tried "
        "again until the order runs out.",
        attempt=(AttemptState.FAILED, AttemptState.CLOSED),
    ),
    _row(
        (PayState.CLOSED,), _NONE, _UNRETURNED, "closed",
        "未到账：订单已关闭，渠道证实没有收到钱；之后若仍有款项到达，会自动入账或原路退回。",
        "Not credited: the order is closed and the channel has proven that nothing was paid; money "
        "that still comes is credited or sent back by itself.",
    ),
    # Proven, and with a person.
    _row(
        _PAID, (CreditState.HELD,), None, "held",
        "未到账：已收到 {amount} 元，因当日累计超过 5 万元等待人工审核；放行即到账，"
        "拒绝则原路退回。",
        "Not credited: {amount} yuan have come and wait for a review, because the day's sum is "
        "above 50,000 yuan; released they are credited, refused they go back the way they came.",
    ),
    # Proven, and not to be credited: back to where it came from.
    _row(
        _PAID, (CreditState.REJECTED,), (ReturnState.PENDING,), "rejected_pending",
        "不到账：{amount} 元已收到但不能入账，正在原路退回；退款用同一个单号，直到渠道确认。",
        "Not to be credited: {amount} yuan came and could not be credited; they are on their way "
        "back to the payment, under one refund number until the channel confirms.",
    ),
    _row(
        _PAID, (CreditState.REJECTED,), (ReturnState.FULL,), "rejected_returned",
        "不到账：{amount} 元已收到但不能入账，已全部原路退回，此单已了结。",
        "Not to be credited: {amount} yuan came, could not be credited and have all gone back to "
        "the payment; this order is settled.",
    ),
    _row(
        _PAID, (CreditState.REJECTED,), (ReturnState.NONE, ReturnState.PARTIAL), "rejected_stuck",
        "不到账：{amount} 元已收到但不能入账，退款尚未完成，需要人工处理退款单；"
        "钱仍在待付科目中。",
        "Not to be credited: {amount} yuan came and could not be credited, and their refund has "
        "not gone through; a person must deal with it, the money lies in the payable account.",
    ),
    # Proven and credited.
    _row(
        (PayState.PAID,), (CreditState.CREDITED,), _UNRETURNED, "credited",
        "已到账：渠道证实付款 {amount} 元，{what_zh}；无需再做什么。",
        "Credited: the channel has proven {amount} yuan, {what_en}; nothing more is to be done.",
        is_credited=True,
    ),
    _row(
        (PayState.OVERPAID,), (CreditState.CREDITED,), (ReturnState.PENDING,), "overpaid_pending",
        "已到账：{what_zh}；同一订单又收到一笔付款，多付的钱正在原路退回。",
        "Credited: {what_en}; the order was paid once more, and the surplus is on its way back to "
        "that payment.",
        is_credited=True,
    ),
    _row(
        (PayState.OVERPAID,), (CreditState.CREDITED,),
        (ReturnState.PARTIAL, ReturnState.FULL), "overpaid_returned",
        "已到账：{what_zh}；多付的钱已原路退回，此单已了结。",
        "Credited: {what_en}; the order was paid more than once and the surplus has gone back.",
        is_credited=True,
    ),
    _row(
        (PayState.OVERPAID,), (CreditState.CREDITED,), _UNRETURNED, "overpaid_stuck",
        "已到账：{what_zh}；多付的钱退款没有成功，需要人工处理退款单。",
        "Credited: {what_en}; the refund of the surplus has not gone through, a person must deal "
        "with it.",
        is_credited=True,
    ),
    _row(
        (PayState.PAID,), (CreditState.CREDITED,), (ReturnState.PENDING,), "credited_refunding",
        "已到账：{what_zh}；其中一部分正在原路退回，渠道确认后完成。",
        "Credited: {what_en}; a part is on its way back to the payment until the channel confirms.",
        is_credited=True,
    ),
    _row(
        (PayState.PAID,), (CreditState.CREDITED,),
        (ReturnState.PARTIAL, ReturnState.FULL), "credited_refunded",
        "已到账：{what_zh}；之后按申请原路退回了一部分或全部，此单没有未决事项。",
        "Credited: {what_en}; a part or all of it has since gone back to the payment as asked.",
        is_credited=True,
    ),
    # Credited before it was proven.
    _row(
        (*_OPEN, PayState.CLOSED), (CreditState.ADVANCED,), _UNRETURNED, "advanced",
        "已先行到账：渠道尚未证实付款，平台用自有资金垫付，{what_zh}；"
        "证实后自动转正，逾期未证实则收回未用部分。",
        "Credited in advance from the operator's own funds, {what_en}; the channel has not proven "
        "the payment. Proven it stays, at the deadline what is unspent is taken back.",
        is_credited=True,
    ),
    _row(
        _PAID, (CreditState.CONFIRMED,), _UNRETURNED, "confirmed",
        "已到账：先行垫付的订单已由渠道证实付款 {amount} 元，垫款已收回，无需再做什么。",
        "Credited: advanced first, and the channel has since proven {amount} yuan; nothing more is "
        "to be done.",
        is_credited=True,
    ),
    _row(
        _PAID, (CreditState.CONFIRMED,),
        (ReturnState.PENDING, ReturnState.PARTIAL, ReturnState.FULL), "confirmed_refunding",
        "已到账：垫付订单已证实付款；之后按申请或因多付有款项原路退回。",
        "Credited: advanced and since proven; some of it goes or has gone back to its payment.",
        is_credited=True,
    ),
    _row(
        (*_OPEN, PayState.CLOSED), (CreditState.CLAWED_BACK,), _UNRETURNED, "clawed_back",
        "未到账：垫付到期而渠道证实没有收到钱，未用部分已收回，已用部分记为欠款，下次充值先还。",
        "Not credited: the advance ran out and the channel has proven no payment; what was unspent "
        "is taken back, what was spent is a debt that the next top-up repays first.",
    ),
    _row(
        _PAID, (CreditState.CLAWED_BACK,), None, "clawed_back_late",
        "垫付已收回后款项才到：先还欠款，其余已入账或正在原路退回。",
        "The money came after the advance had been taken back: it repays the debt first, the rest "
        "is credited or on its way back.",
    ),
    _row(
        None, (CreditState.WRITTEN_OFF,), None, "written_off",
        "未到账：垫付的款项未能收回，已作为平台损失核销。",
        "Not credited: the advance could not be recovered and has been written off as the "
        "operator's loss.",
    ),
    # Credited, and taken back by a refund of the whole order.
    _row(
        _PAID, (CreditState.REVERSING,), None, "reversing",
        "已到账，正在退款：{what_zh}，对应部分已冻结；渠道确认退款成功后扣除，失败则解冻。",
        "Credited and being refunded: {what_en}; that part is frozen, taken when the channel "
        "confirms the refund and set free when it fails.",
        is_credited=True,
    ),
    _row(
        _PAID, (CreditState.PART_REVERSED,), None, "part_reversed",
        "已到账，部分已退：{what_zh}，其中一部分已原路退回，其余仍可使用。",
        "Credited, and a part has gone back: {what_en}; the rest can be used.",
        is_credited=True,
    ),
    _row(
        _PAID, (CreditState.REVERSED,), None, "reversed",
        "曾到账，已全部退款：钱已原路退回，此单已了结。",
        "It was credited and has all been refunded to its payment; this order is settled.",
    ),
)  # fmt: skip

_UNPROVEN: Final = (*_OPEN, PayState.CLOSED)
_AXES: Final = ("pay", "credit", "back", "attempt")


def sentence(situation: Situation) -> Sentence:
    """Return the one sentence of a situation."""
    is_dry = situation.credit == CreditState.NONE
    if is_dry and situation.mark == Mark.WRONG_AMOUNT:
        return WRONG_AMOUNT
    if situation.is_placed:
        return PLACED
    for row in TABLE:
        if all(_fits(getattr(row, axis), getattr(situation, axis)) for axis in _AXES):
            is_asked = situation.mark == Mark.DOUBTED and situation.pay in _UNPROVEN
            return DOUBTED if is_dry and is_asked else row.sentence
    return CONTRADICTION


def _fits(states: Collection[int] | None, state: int) -> bool:
    return states is None or state in states


_BECAME: Final = {
    OrderKind.BALANCE: ("已存入零钱", "it is in the balance"),
    OrderKind.COINS: ("金币已发放", "the coins have been given"),
    OrderKind.PACKET: ("红包已开放领取", "the packet is open to be claimed"),
}


def yuan(amount_fen: int) -> str:
    """Write an amount as people read it."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def say(found: Sentence, kind: int, amount_fen: int) -> Sentence:
    """Return a sentence with what and how much filled in."""
    what_zh, what_en = _BECAME[OrderKind(kind)]
    words = {"amount": yuan(amount_fen), "what_zh": what_zh, "what_en": what_en}
    return found._replace(zh=found.zh.format(**words), en=found.en.format(**words))
