"""Limits on outgoing money: rows with their source, counted in the payment's transaction (限额).

Law: used + amount ≤ cap, for every row that applies; where rows overlap the stricter binds.
Units: fen; payments; Shanghai days and years. What returns unclaimed is not given back to a
counter: the rows bound payments made, and a packet that came back was one. Gifts are no payments
out of a balance: only the caps of factors count them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.clock import business_day, business_year
from lingqian.kernel.code import OK, Code


class Span(IntEnum):
    """What a limit row bounds."""

    SHARE = 1
    PAYMENT = 2
    COUNT = 3
    DAY_COUNT = 4
    DAY = 5
    YEAR = 6
    LIFE = 7


class Limit(NamedTuple):
    """One row: for a class and a span, at most `cap` (fen, or a number of shares or payments)."""

    account_class: AccountClass
    span: Span
    cap: int
    source: str


_LAW: Final = "公告〔2015〕43 号, balance payments of the class"
_TEXTS: Final = "mission R8: 1000 yuan a day unverified, 200,000 a year verified"
_WECHAT: Final = "red-packet reference 2.1: 200 yuan a share"
_GROUP: Final = "red-packet reference 2.1: up to 500 shares in a large group"
_HOUSE: Final = "house rule"

DEFAULT: Final[tuple[Limit, ...]] = (
    *(Limit(each, Span.SHARE, 20_000, _WECHAT) for each in AccountClass if each),
    *(Limit(each, Span.PAYMENT, 5_000_000, _HOUSE) for each in AccountClass if each),
    *(Limit(each, Span.COUNT, 500, _GROUP) for each in AccountClass if each),
    *(Limit(each, Span.DAY_COUNT, 10_000, _HOUSE) for each in AccountClass if each),
    Limit(AccountClass.CLASS_I, Span.DAY, 100_000, _TEXTS),
    Limit(AccountClass.CLASS_I, Span.LIFE, 100_000, _LAW),
    Limit(AccountClass.CLASS_II, Span.YEAR, 10_000_000, _LAW),
    Limit(AccountClass.CLASS_III, Span.YEAR, 20_000_000, _LAW + "; " + _TEXTS),
)


class Caps(NamedTuple):
    """The strictest cap of each span for one class; None where no row binds."""

    share_fen: int | None = None
    payment_fen: int | None = None
    count: int | None = None  # type: ignore[assignment]  # hides tuple.count
    day_count: int | None = None
    day_fen: int | None = None
    year_fen: int | None = None
    life_fen: int | None = None


def caps(rows: Iterable[Limit]) -> dict[int, Caps]:
    """Fold limit rows into one Caps per class, the stricter row binding."""
    strictest: dict[int, list[int | None]] = {each: [None] * len(Span) for each in AccountClass}
    for row in rows:
        line = strictest[row.account_class]
        place = row.span - 1
        known = line[place]
        line[place] = row.cap if known is None else min(known, row.cap)
    return {each: Caps(*line) for each, line in strictest.items()}


@dataclass(slots=True)
class Usage:
    """What one identity has paid: today, this year, ever. One narrow row for all spans.

    `day_gift_fen` is what the coins of today's gifts had cost.
    """

    day: int = 0
    day_count: int = 0
    day_fen: int = 0
    year: int = 0
    year_fen: int = 0
    life_fen: int = 0
    day_gift_fen: int = 0


def check_payment(cap: Caps, usage: Usage | None, amount_fen: int, day: int) -> Code:
    """Say whether one more payment of this amount fits the caps on this business day.

    Refuses: exceeds_packet_max, exceeds_day_count, exceeds_day, exceeds_year, exceeds_life.
    """
    if cap.payment_fen is not None and amount_fen > cap.payment_fen:
        return Code.EXCEEDS_PACKET_MAX
    today = usage is not None and usage.day == day
    count = usage.day_count if usage and today else 0
    if cap.day_count is not None and count + 1 > cap.day_count:
        return Code.EXCEEDS_DAY_COUNT
    paid = usage.day_fen if usage and today else 0
    if cap.day_fen is not None and paid + amount_fen > cap.day_fen:
        return Code.EXCEEDS_DAY
    if cap.year_fen is not None:
        same_year = usage is not None and (today or usage.year == business_year(day))
        paid = usage.year_fen if usage and same_year else 0
        if paid + amount_fen > cap.year_fen:
            return Code.EXCEEDS_YEAR
    paid = usage.life_fen if usage else 0
    if cap.life_fen is not None and paid + amount_fen > cap.life_fen:
        return Code.EXCEEDS_LIFE
    return OK


def check_factors(cap_fen: int, usage: Usage | None, amount_fen: int, day: int) -> Code:
    """Say whether one more payment, or gift, fits what its factors allow for the whole day.

    Refuses: exceeds_factors.
    """
    is_today = usage is not None and usage.day == day
    paid_fen = usage.day_fen + usage.day_gift_fen if usage and is_today else 0
    return Code.EXCEEDS_FACTORS if paid_fen + amount_fen > cap_fen else OK


def check_packet(cap: Caps, *, count: int, share_fen: int) -> Code:
    """Say whether a packet's largest possible average share and its count fit the caps.

    Units: share_fen is the average share, rounded up.
    Refuses: exceeds_count_max, exceeds_share_max.
    """
    if cap.count is not None and count > cap.count:
        return Code.EXCEEDS_COUNT_MAX
    if cap.share_fen is not None and share_fen > cap.share_fen:
        return Code.EXCEEDS_SHARE_MAX
    return Code.OK


def count_payment(usage: Usage, amount_fen: int, at_us: int) -> None:
    """Add one payment to the counters, starting a new day or year where one has begun."""
    _turn(usage, business_day(at_us))
    usage.day_fen += amount_fen
    usage.day_count += 1
    usage.year_fen += amount_fen
    usage.life_fen += amount_fen


def count_gift(usage: Usage, value_fen: int, at_us: int) -> None:
    """Add what the coins of a gift had cost, starting a new day or year where one has begun."""
    _turn(usage, business_day(at_us))
    usage.day_gift_fen += value_fen


def _turn(usage: Usage, day: int) -> None:
    if usage.day != day:
        year = business_year(day)
        if usage.year != year:
            usage.year = year
            usage.year_fen = 0
        usage.day = day
        usage.day_fen = usage.day_count = usage.day_gift_fen = 0
