"""What a long enough run of markets must have met: a closed list, else it fails (演练清单).

A property that never met its case proves nothing.
"""

from collections import Counter
from typing import Any, Final, NamedTuple

from lingqian.channels.faulty import CALM, Rates
from lingqian.simulation.market import Report
from lingqian.simulation.paper import Odd
from lingqian.simulation.property import PROPERTIES

# Below this many orders the list is only reported: rare things need room.
ORDERS_MIN: Final = 20_000
# The faults of the design's section 6 in its words, and the counters of how often each struck.
FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "lost notices": ("notice_lost",),
    "doubled notices": ("notice_doubled",),
    "reordered notices": ("notice_reordered",),
    "late notices": ("notice_late",),
    "forged notices": ("notice_forged",),
    "notices of another merchant": ("notice_elsewhere",),
    "notices telling another amount": ("notice_wrong_amount",),
    "call never sent": ("unsent",),
    "time-out before acceptance": ("lost_before",),
    "time-out after acceptance": ("lost_after",),
    "forged answers": ("forged",),
    "refused calls": ("refused",),
    "answers behind the truth": ("stale",),
    "pay after close": ("late",),
    "paid twice under one number": ("double",),
    "wrong amount": ("wrong_amount",),
    "coupons": ("coupon",),
    "host down": ("host_down",),
    "both hosts down": ("both_hosts_down",),
    "slow": ("slow",),
    "clock skew": ("clock_skew",),
    "key rotation": ("key_rotated",),
    "refund abnormal": ("refund_abnormal",),
    "refund closed": ("refund_closed",),
    "payout failed": ("payout_failed",),
    "late bills": ("bill_late",),
    "odd bills": ("bill_odd",),
    **{f"odd bill: {each}": (f"bill: {each}",) for each in Odd if each is not Odd.EVEN},
}
EVENTS: Final = (
    "crash",
    "crash while starting",
    "line cut",
    "notice received",
    "notice received again",
    "notice refused: signature",
    "notice refused: another merchant",
    "prepay unknown",
    "query without an answer",
    "close refused",
    "close unknown",
    "day closed",
    "day waits: bill_creating",
    "day waits: bills_disagree",
    "reconciling cut off",
    "difference B1",
    "difference L2",
    "difference L5",
    "difference T1",
    "doubted",
    "payment found by the bill",
    "paid",
    "too late to pay",
    "parked",
    "overpaid",
    "held for review",
    "sent back: overpaid",
    "sent back: rejected",
    "sent back: surplus",
    "truth told again",
    "advanced",
    "advance confirmed",
    "advance taken back",
    "debt repaid first",
    "gift of advanced coins",
    "SettleGift",
    "ExpireCoins",
    "refund arrived",
    "refund above the worth",
    "refund below the worth",
    "refund sent again",
    "refund given up",
    "refund without an answer",
    "payout arrived",
    "payout came back",
    "payout without an answer",
    "answered exceeds_coins",
    "answered not_refundable",
    "answered exceeds_refundable",
    "answered notice_known",
    "answered advance_open",
    "answered advance_open_here",
    "answered exceeds_advance_max",
    "answered history_too_short",
    "answered line_exhausted",
    "answered line_paced",
    "answered line_closed",
    "answered exceeds_available",
)
ENDS: Final = (
    "paid and credited",
    "paid and sent back",
    "paid and held by a person",
    "closed and unpaid",
)
assert Rates() == CALM, "a calm channel does nothing wrong"
_COUNTED: Final = {name for names in FAULTS.values() for name in names}
assert {name for name in Rates._fields if not name.startswith("bill_line")} <= _COUNTED, "all told"


class Sum(NamedTuple):
    """Several markets added up."""

    orders: int
    commands: int
    restarts: int
    points: int
    events: Counter[str]
    faults: Counter[str]
    ends: Counter[str]
    unsolved: Counter[str]
    exceptions: Counter[str]
    checked: Counter[str]


def add(reports: list[Report]) -> Sum:
    """Add reports up."""
    counters: list[Counter[str]] = [
        sum([getattr(each, name) for each in reports], Counter())
        for name in ("events", "faults", "ends", "unsolved", "exceptions", "checked")
    ]
    return Sum(*[_whole(reports, name) for name in Sum._fields[:4]], *counters)


def _whole(reports: list[Report], name: str) -> Any:  # noqa: ANN401 - a number, by its name
    return sum([getattr(each, name) for each in reports])


def missed(found: Sum) -> list[str]:
    """Return what a run has not met."""
    absent = [f"fault: {name}" for name, struck in faults(found).items() if not struck]
    absent += [name for name in EVENTS if not found.events[name]]
    absent += [f"{name}: {words}" for name, words in PROPERTIES.items() if not found.checked[name]]
    return absent + [f"end: {name}" for name in ENDS if not found.ends[name]]


def faults(found: Sum) -> dict[str, int]:
    """Return how often each fault of the design's list has struck."""
    return {name: sum([found.faults[each] for each in told]) for name, told in FAULTS.items()}


class Ratio(NamedTuple):
    """Exceptions settled without a person: here, at another merchant, and among how many."""

    name: str
    here: int
    there: int
    exceptions: int

    @property
    def percent(self) -> int:
        """Ours for each hundred of theirs."""
        return self.here * 100 // max(self.there, 1)

    @property
    def percent_max(self) -> int:
        """The most that anybody could have reached: every exception, against theirs."""
        return self.exceptions * 100 // max(self.there, 1)


def ratios(unsolved: Counter[str]) -> list[Ratio]:
    """Return ours against each kind of ordinary merchant, by each kind of patience."""
    whole = unsolved["exceptions"]
    return [
        Ratio(
            f"a {kind} merchant{patience}",
            whole - unsolved["ours" + patience],
            whole - unsolved[kind + patience],
            whole,
        )
        for patience in ("", ", in ten minutes")
        for kind in ("plain", "careful")
    ]
