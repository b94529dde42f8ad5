"""Classes of difference: one table of what each means, what is done about it, and who else must.

长款 long: the channel has money that we have not allocated. 短款 short: we booked money that the
channel does not have. Some houses use the two words from the other side, so every report prints the
class as well. Source: top-up reference 13; deadlines without a source there are house rules.
"""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from lingqian.channels.port import BillRow, TradeState
from lingqian.clearing.item import ASTRAY, Booked, Item, Standing, Way, fee_fen, moves

# A line that one side lacks is looked for this many days before it becomes a loss or a find.
CARRY_DAYS_MAX: Final = 3
_HOUR_S: Final = 3_600
_DAY_S: Final = 24 * _HOUR_S


class Class(StrEnum):
    """What kind of difference an item or a bill shows."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    S1 = "S1"
    S2 = "S2"
    S3 = "S3"
    F1 = "F1"
    F2 = "F2"
    C1 = "C1"
    T1 = "T1"
    B1 = "B1"


class Action(IntEnum):
    """What is done about a difference before anybody is called."""

    NONE = 0
    FEED_EVIDENCE = 1
    LATE_MONEY = 2
    REFUND_SECOND = 3
    HOLD_UNALLOCATED = 4
    REFUND_SURPLUS = 5
    QUERY_REFUND = 6
    FREEZE = 7
    BOOK_SHORTAGE = 8
    REFUND_FROM_BILL = 9
    ACCEPT_ROUNDING = 10
    RESTATE_FEE = 11
    RESTATE_SETTLED = 12
    CARRY = 13
    BLOCK = 14


class Owner(IntEnum):
    """Who must end it when the action has not."""

    NOBODY = 0
    OPERATOR = 1
    FINANCE = 2
    ON_CALL = 3


class Row(NamedTuple):
    """A class: its meaning, the action, the owner if that does not end it, and his deadline."""

    zh: str
    en: str
    action: Action
    owner: Owner
    deadline_s: int
    is_urgent: bool = False


TABLE: Final[dict[Class, Row]] = {
    Class.L1: Row(
        "长款：渠道已收款，我方待支付",
        "paid at the channel, our attempt still waits",
        Action.FEED_EVIDENCE,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.L2: Row(
        "长款：渠道已收款，我方已关单",
        "paid at the channel, our attempt is closed or failed",
        Action.LATE_MONEY,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.L3: Row(
        "长款：一笔订单两次支付成功",
        "two payments for one order",
        Action.REFUND_SECOND,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.L4: Row(
        "长款：渠道有此交易，我方无此单号",
        "paid at the channel under a number we do not know",
        Action.HOLD_UNALLOCATED,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.L5: Row(
        "长款：渠道金额大于我方",
        "the channel's amount is above ours",
        Action.REFUND_SURPLUS,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.L6: Row(
        "长款：我方退款成功，账单中没有或未退成",
        "we booked a refund that the bill does not show, or shows as failed",
        Action.QUERY_REFUND,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.S1: Row(
        "短款：我方已入账，渠道没有这笔款",
        "we credited, the channel has nothing",
        Action.FREEZE,
        Owner.ON_CALL,
        4 * _HOUR_S,
        is_urgent=True,
    ),
    Class.S2: Row(
        "短款：渠道金额小于我方",
        "the channel's amount is below ours",
        Action.BOOK_SHORTAGE,
        Owner.FINANCE,
        _DAY_S,
    ),
    Class.S3: Row(
        "短款：账单中有我方不知道的退款",
        "a refund in the bill that we do not know or thought closed",
        Action.REFUND_FROM_BILL,
        Owner.OPERATOR,
        _DAY_S,
    ),
    Class.F1: Row(
        "手续费：相差一分以内",
        "the fee differs by at most one fen",
        Action.ACCEPT_ROUNDING,
        Owner.FINANCE,
        _DAY_S,
    ),
    Class.F2: Row(
        "手续费：相差超过一分，或费率与约定不符",
        "the fee differs by more, or the rate is not the plan's",
        Action.RESTATE_FEE,
        Owner.FINANCE,
        3 * _DAY_S,
    ),
    Class.C1: Row(
        "优惠：结算金额或代金券不符",
        "the settled amount or the coupon differs",
        Action.RESTATE_SETTLED,
        Owner.FINANCE,
        _DAY_S,
    ),
    Class.T1: Row(
        "时差：另一边记在次日",
        "one side only so far, the other is dated later",
        Action.CARRY,
        Owner.NOBODY,
        CARRY_DAYS_MAX * _DAY_S,
    ),
    Class.B1: Row(
        "账单：余额不连续，或两张账单合计不符",
        "the bill does not add up",
        Action.BLOCK,
        Owner.FINANCE,
        4 * _HOUR_S,
        is_urgent=True,
    ),
}
assert set(TABLE) == set(Class), "every class has its row"

# After a difference of amount the fee and the settlement differ by themselves; they are restated
# with it and are no news.
_ABSENT: Final = (TradeState.NOT_PAID, TradeState.CLOSED, TradeState.ABSENT, TradeState.FAILED)


def classify(item: Item, day: int) -> tuple[Class, ...]:
    """Name everything that differs in an item of this day's bill; empty when both sides agree."""
    booked, billed = item.booked, item.billed
    if billed is None:
        assert booked is not None, "an item has a side"
        return _lonely(booked, day)
    if item.copies:
        return (Class.B1,)
    if not moves(billed):
        return _void(item)
    if booked is None:
        return (_unknown(item),)
    return _standing(booked, billed, day) + _amounts(booked, billed)


def _unknown(item: Item) -> Class:
    """Classify money under a number we do not know, or under one that another payment has."""
    if item.way == Way.REFUND:
        return Class.S3
    return Class.L3 if item.is_second else Class.L4


def _lonely(booked: Booked, day: int) -> tuple[Class, ...]:
    """Classify what no bill shows: only booked money is missed."""
    if booked.standing != Standing.DONE or booked.seen_day not in (0, day):
        return ()
    is_late = day - booked.day >= CARRY_DAYS_MAX
    if booked.way == Way.REFUND:
        return (Class.L6,) if is_late else (Class.T1,)
    return (Class.S1,) if is_late or booked.says in _ABSENT else (Class.T1,)


def _void(item: Item) -> tuple[Class, ...]:
    """Classify a line under which no money stayed."""
    booked = item.booked
    if item.way == Way.REFUND:
        return (Class.L6,) if booked is not None and booked.standing != Standing.DEAD else ()
    return (Class.S1,) if booked is not None and booked.standing == Standing.DONE else ()


def _standing(booked: Booked, billed: BillRow, day: int) -> tuple[Class, ...]:
    """Compare how far each side has come."""
    if booked.way == Way.REFUND:
        return _refund_standing(booked, billed, day)
    if booked.has_rival:
        return (Class.L3,)
    if booked.standing == Standing.OPEN:
        return (Class.L1,)
    if booked.standing == Standing.DEAD:
        return (Class.L2,)
    return (Class.T1,) if booked.day != day else ()


def _refund_standing(booked: Booked, billed: BillRow, day: int) -> tuple[Class, ...]:
    """Compare a refund: a bill dates it by acceptance, so only its end may lag behind."""
    if billed.state in ASTRAY:
        return (Class.L6,)
    if booked.standing == Standing.DEAD:
        return (Class.T1,) if booked.is_returned else (Class.S3,)
    return (Class.T1,) if booked.standing == Standing.OPEN or booked.day != day else ()


def _amounts(booked: Booked, billed: BillRow) -> tuple[Class, ...]:
    """Compare money: the amount, and only where that agrees what is taken from it."""
    more = billed.amount_fen - booked.amount_fen
    if booked.way == Way.REFUND:
        more = -more
    if more:
        return (Class.L5,) if more > 0 else (Class.S2,)
    if booked.standing != Standing.DONE:
        return ()
    return _settled(booked, billed) + _fee(booked, billed)


def _settled(booked: Booked, billed: BillRow) -> tuple[Class, ...]:
    """Compare what is settled to us, or taken from us: a coupon may have borne a part."""
    return (Class.C1,) if booked.settle_fen != billed.settle_fen else ()


def _fee(booked: Booked, billed: BillRow) -> tuple[Class, ...]:
    """Compare the fee to the fen, and the rate with the plan's."""
    gap = abs(fee_fen(billed) - booked.fee_fen)
    is_off_plan = booked.way == Way.PAY and booked.rate_ppm not in (0, billed.rate_ppm)
    if gap > 1 or is_off_plan:
        return (Class.F2,)
    return (Class.F1,) if gap else ()
