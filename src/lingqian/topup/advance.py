"""Advances: coins given from the operator's own line before the channel's money is proven (垫款).

Law: exposure = open advances + losses not replenished ≤ limit, in every lane; one person, one
device and one address have at most one advance open, and a person none while anything is owed.
Where several processes serve, a device or an address that asks them at one moment may have one in
each lane, for as many people known each by a history of their own (decisions/0027).
Customers' money is never lent.
Units: fen; µs; per cent of whole fen, rounded down.   Source: top-up reference §8.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.code import OK, Code
from lingqian.kernel.machine import machine

ADVANCE_FEN_MAX: Final = 5_000
SHARE_OF_CREDITED_PERCENT: Final = 20
CREDITED_COUNT_MIN: Final = 3
CREDITED_DAYS_MIN: Final = 30
CREDITED_WINDOW_DAYS: Final = 90
MINUTE_PERCENT: Final = 5
HALVING_PERCENT: Final = 80
MINUTE_US: Final = 60 * SECOND_US
# How long a person has to make the money arrive, or to pay again, before coins are taken back.
DEADLINE_US: Final = DAY_US
LIMIT_FEN_MAX: Final = 10**13


class AdvanceState(IntEnum):
    """Where an advance stands."""

    OFFERED = 0
    OPEN = 1
    CONFIRMED = 2
    CLAWED_BACK = 3
    WRITTEN_OFF = 4


MACHINE: Final = machine(
    AdvanceState.OFFERED,
    [
        (AdvanceState.OFFERED, "advance", AdvanceState.OPEN),
        (AdvanceState.OPEN, "confirm", AdvanceState.CONFIRMED),
        (AdvanceState.OPEN, "claw_back", AdvanceState.CLAWED_BACK),
        # What is still owed after a claw-back may be given up, by a person.
        (AdvanceState.CLAWED_BACK, "write_off", AdvanceState.WRITTEN_OFF),
    ],
)


@dataclass(slots=True)
class Advance:
    """One advance, named by its order: amount, deadline, and what became of it.

    `unspent_fen` came back with the coins that were taken back, `owed_fen` had been spent by then.
    `due_at_us` is the deadline while the advance is open, else 0. `account` is the channel account
    whose outage it bridged; `asked_at_us` is when the person was asked to pay after all, 0 if not.
    `device` and `address` are the askers it was asked for from, empty where they are not known.
    """

    amount_fen: int
    created_at_us: int
    deadline_us: int
    due_at_us: int
    ended_at_us: int
    owed_fen: int
    state: int
    unspent_fen: int
    user_id: bytes
    account: str
    asked_at_us: int
    device: bytes
    address: bytes


@dataclass(slots=True)
class Asker:
    """A device, or an address, of a lane: the newest advance that was asked for from there.

    Its key is the lane and a keyed digest; neither key nor address is ever written down.
    """

    order_id: bytes


@dataclass(slots=True)
class Borrower:
    """What a person has of advances: the open one, and what is owed of earlier ones.

    `open_order` is empty where no advance is open, `owing_order` where nothing was clawed back.
    """

    open_order: bytes = b""
    owed_fen: int = 0
    owing_order: bytes = b""


@dataclass(slots=True)
class Line:
    """A lane's share of the operator's own money for advances.

    `open_fen` is out in open advances, `lost_fen` was spent and has not come back, `minute_fen` was
    advanced in the minute counted `minute` since 1970.
    Law: money in the line = limit − open − lost.
    """

    limit_fen: int = 0
    lost_fen: int = 0
    minute: int = 0
    minute_fen: int = 0
    open_fen: int = 0


class History(NamedTuple):
    """What a person's credited top-ups were when the advance was asked for; refunded ones left out.

    Disputes are not known to this wallet yet; they join here when they are (house rule).
    """

    count: int  # type: ignore[assignment]  # hides tuple.count
    first_at_us: int
    window_fen: int


def exposure_fen(line: Line) -> int:
    """Return what the line has at stake: open advances and losses not yet replenished."""
    return line.open_fen + line.lost_fen


def amount_fen_max(history: History, line: Line) -> int:
    """Return the most one person may be advanced now; half of it near the end of the line."""
    share_fen = history.window_fen * SHARE_OF_CREDITED_PERCENT // 100
    cap_fen = min(ADVANCE_FEN_MAX, share_fen)
    is_scarce = exposure_fen(line) * 100 >= line.limit_fen * HALVING_PERCENT
    return cap_fen // 2 if is_scarce else cap_fen


def check_person(account_class: int, borrower: Borrower | None, debt_fen: int) -> Code:
    """Say whether a person may have an advance at all.

    Refuses: real_name_required, advance_open, debt_open.
    """
    if account_class == AccountClass.NONE:
        return Code.REAL_NAME_REQUIRED
    if borrower is not None and borrower.open_order:
        return Code.ADVANCE_OPEN
    return Code.DEBT_OPEN if debt_fen else OK


def check_askers(advances: Iterable[Advance | None]) -> Code:
    """Say whether a device or an address has an advance open, by the newest asked for from each.

    Refuses: advance_open_here.
    """
    is_open = any(each is not None and each.state == AdvanceState.OPEN for each in advances)
    return Code.ADVANCE_OPEN_HERE if is_open else OK


def check_age(*, is_minor: bool) -> Code:
    """Say whether a person is known to be too young; an app answers for people it has vouched for.

    Refuses: under_age.
    """
    return Code.UNDER_AGE if is_minor else OK


def check_history(history: History, at_us: int) -> Code:
    """Say whether a person has topped up often enough, for long enough.

    Refuses: history_too_short.
    """
    known_us = at_us - history.first_at_us
    is_known = history.count >= CREDITED_COUNT_MIN and known_us >= CREDITED_DAYS_MIN * DAY_US
    return OK if is_known else Code.HISTORY_TOO_SHORT


def check_line(line: Line | None, history: History, amount_fen: int, at_us: int) -> Code:
    """Say whether the line carries one more advance now.

    Refuses: line_exhausted, exceeds_advance_max, line_paced.
    """
    if line is None or exposure_fen(line) + amount_fen > line.limit_fen:
        return Code.LINE_EXHAUSTED
    if amount_fen > amount_fen_max(history, line):
        return Code.EXCEEDS_ADVANCE_MAX
    advanced_fen = line.minute_fen if line.minute == at_us // MINUTE_US else 0
    return OK if advanced_fen + amount_fen <= pace_fen(line) else Code.LINE_PACED


def pace_fen(line: Line) -> int:
    """Return the most the line may advance in one minute."""
    return line.limit_fen * MINUTE_PERCENT // 100


def take(line: Line, amount_fen: int, at_us: int) -> None:
    """Count one advance against the line and its minute."""
    minute = at_us // MINUTE_US
    if line.minute != minute:
        line.minute, line.minute_fen = minute, 0
    line.minute_fen += amount_fen
    line.open_fen += amount_fen


def fill(line: Line, amount_fen: int) -> None:
    """Put money into the line: it first replenishes what was lost, the rest raises the limit."""
    replenished_fen = min(line.lost_fen, amount_fen)
    line.lost_fen -= replenished_fen
    line.limit_fen += amount_fen - replenished_fen


def cover_s(line: Line, demand_fen_per_minute: int) -> int:
    """Return for how many seconds the line lasts at a demand, its own pace being the bound.

    A line without demand lasts for ever, told as the largest number of seconds in a day's count.
    """
    speed_fen = min(demand_fen_per_minute, pace_fen(line))
    left_fen = line.limit_fen - exposure_fen(line)
    return left_fen * 60 // speed_fen if speed_fen else FOREVER_S


FOREVER_S: Final = 2**31
