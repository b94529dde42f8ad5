"""Reports: a day as figures and rows, for the terminal, a spreadsheet and a page (对账报告).

Law: a report tells only what is stored of a day; it computes nothing that was not decided then.
Units: fen inside, yuan with two places where people read.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from lingqian.clearing.classify import TABLE, Class, Owner
from lingqian.clearing.day import Day, DayState
from lingqian.clearing.difference import OPEN_STATES, Difference, DifferenceState, Remedy
from lingqian.clearing.item import Way
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.order import ordered

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

Words = tuple[str, str]

STATE_WORDS: Final[dict[DayState, Words]] = {
    DayState.OPEN: ("待取账单", "waits for its bills"),
    DayState.FETCHED: ("待勾对", "waits to be compared"),
    DayState.MATCHED: ("待日结", "compared, not closed"),
    DayState.CLOSED: ("已日结", "closed"),
}
END_WORDS: Final[dict[DifferenceState, Words]] = {
    DifferenceState.NEW: ("新", "new"),
    DifferenceState.CARRIED: ("结转", "carried"),
    DifferenceState.OWNED: ("待处理", "owned"),
    DifferenceState.REPAIRED: ("已自动处理", "repaired"),
    DifferenceState.AGREED: ("已对平", "agreed"),
    DifferenceState.RESOLVED: ("已处理", "resolved"),
    DifferenceState.LAPSED: ("转为差错", "became a loss or a find"),
}
OWNER_WORDS: Final[dict[Owner, Words]] = {
    Owner.NOBODY: ("", ""),
    Owner.OPERATOR: ("运营", "operator"),
    Owner.FINANCE: ("财务", "finance"),
    Owner.ON_CALL: ("值班", "on call"),
}
WAY_WORDS: Final[dict[Way, Words]] = {Way.PAY: ("付款", "payment"), Way.REFUND: ("退款", "refund")}
REMEDY_WORDS: Final[dict[Remedy, Words]] = {
    Remedy.NONE: ("", ""),
    Remedy.LONG: ("挂账", "held unallocated"),
    Remedy.SHORT: ("自有资金垫付", "made good by the house"),
    Remedy.FEE: ("手续费调整", "fee restated"),
}
for _words, _of in (
    (STATE_WORDS, DayState),
    (END_WORDS, DifferenceState),
    (OWNER_WORDS, Owner),
    (WAY_WORDS, Way),
    (REMEDY_WORDS, Remedy),
):
    assert set(_words) == set(_of), "everything a report shows has its words"


class Figure(NamedTuple):
    """One figure of a day: what it is, in Chinese and English, and how it is written."""

    zh: str
    en: str
    text: str


class Row(NamedTuple):
    """One difference as people read it; every text is ready to be shown."""

    difference_id: bytes
    class_code: str
    zh: str
    en: str
    way: Words
    number: str
    gap: str
    fee_gap: str
    state: Words
    owner: Words
    remedy: Words
    due_at: str
    decided_by: str
    is_urgent: bool


class Report(NamedTuple):
    """A day of an account: figures, then differences, the most urgent first."""

    account: str
    day: str
    state: Words
    is_closed: bool
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...]


def show_day(day: int) -> str:
    """Write a business day as a calendar date."""
    return date.fromordinal(_EPOCH_DAY + day).isoformat()


def read_day(text: str) -> int | None:
    """Read a calendar date as a business day; None when it is not one."""
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def yuan(amount_fen: int) -> str:
    """Write fen as yuan with two places, by integers alone."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"


def report(day: Day, differences: Iterable[tuple[bytes, Difference]]) -> Report:
    """Tell a stored day."""
    rows = ranked(differences)
    state = DayState(day.state)
    return Report(
        day.account,
        show_day(day.day),
        STATE_WORDS[state],
        state == DayState.CLOSED,
        _figures(day, [row for _, row in rows]),
        tuple(_row(*each) for each in rows),
    )


def ranked(differences: Iterable[tuple[bytes, Difference]]) -> list[tuple[bytes, Difference]]:
    """Put differences in the order in which people should look at them."""
    return ordered(differences, _rank)


def _rank(each: tuple[bytes, Difference]) -> tuple[bool, bool, str, str, bytes]:
    """Order rows: what waits before what has ended, the urgent first, then by class and number."""
    identity, row = each
    known = TABLE[Class(row.class_code)]
    is_over = row.state not in OPEN_STATES
    return is_over, not known.is_urgent, row.class_code, row.number, identity


def _figures(day: Day, rows: list[Difference]) -> tuple[Figure, ...]:
    waiting = [row for row in rows if row.state in OPEN_STATES]
    carried = sum(row.state == DifferenceState.CARRIED for row in waiting)
    closed = rfc3339(day.closed_at_us) if day.closed_at_us else ""
    return (
        Figure("渠道账单净额", "the bill, payments less refunds", yuan(day.theirs_fen)),
        Figure("我方净额", "our books, payments less refunds", yuan(day.ours_fen)),
        Figure("差额", "gap", yuan(day.theirs_fen - day.ours_fen)),
        Figure("渠道期初余额", "fund bill, opening balance", yuan(day.opening_fen)),
        Figure("渠道期末余额", "fund bill, closing balance", yuan(day.closing_fen)),
        Figure("勾对笔数", "items compared", str(day.items)),
        Figure("差错笔数", "differences", str(len(rows))),
        Figure("结转", "carried", str(carried)),
        Figure("待处理", "owned", str(len(waiting) - carried)),
        Figure("日结时间", "closed at", closed),
        Figure("日结人", "closed by", day.closed_by),
        Figure("交易账单 SHA-256", "trade bill SHA-256", day.trade_digest.hex()),
        Figure("资金账单 SHA-256", "fund bill SHA-256", day.fund_digest.hex()),
        Figure("结果 SHA-256", "result SHA-256", day.result_digest.hex()),
    )


def _row(identity: bytes, row: Difference) -> Row:
    known = TABLE[Class(row.class_code)]
    is_open = row.state in OPEN_STATES
    return Row(
        identity,
        row.class_code,
        known.zh,
        known.en,
        WAY_WORDS[Way(row.way)],
        row.number,
        yuan(row.gap_fen),
        yuan(row.fee_gap_fen),
        END_WORDS[DifferenceState(row.state)],
        OWNER_WORDS[Owner(row.owner)] if is_open else OWNER_WORDS[Owner.NOBODY],
        REMEDY_WORDS[Remedy(row.remedy)],
        rfc3339(row.due_at_us) if is_open else "",
        row.decided_by,
        known.is_urgent and is_open,
    )
