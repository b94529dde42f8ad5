"""Faults: how often each goes wrong, and the dice that decide (故障).

Units: parts per thousand; µs.
"""

from typing import Final, NamedTuple

from lingqian.kernel.chance import Stream
from lingqian.kernel.clock import SECOND_US

THOUSAND: Final = 1_000


class Rates(NamedTuple):
    """How often, in a thousand, each fault happens where it can.

    Calls: `unsent` nothing was done; `lost_before` no answer, nothing done; `lost_after` no answer,
    though it was done; `refused` an explicit no; `forged` an answer that is not the channel's;
    `stale` a query that knows less than the truth, or nothing.
    Payments: `wrong_amount`, `coupon` (not funded beforehand), `late` (after a close), `double`
    (a second transaction under the same number).
    Notices: `notice_lost`, `_doubled`, `_late`, `_forged`, `_elsewhere` (another merchant's),
    `_wrong_amount` (contradicts the query). Late ones also overtake each other.
    Money out: `refund_abnormal`, `refund_closed`, `payout_failed`.
    Bills: `bill_late` (not there in its hour), `bill_line_lost`, `bill_line_wrong`.
    """

    unsent: int = 0
    lost_before: int = 0
    lost_after: int = 0
    refused: int = 0
    forged: int = 0
    stale: int = 0
    wrong_amount: int = 0
    coupon: int = 0
    late: int = 0
    double: int = 0
    notice_lost: int = 0
    notice_doubled: int = 0
    notice_late: int = 0
    notice_forged: int = 0
    notice_elsewhere: int = 0
    notice_wrong_amount: int = 0
    refund_abnormal: int = 0
    refund_closed: int = 0
    payout_failed: int = 0
    bill_late: int = 0
    bill_line_lost: int = 0
    bill_line_wrong: int = 0


CALM: Final = Rates()
ROUGH: Final = Rates(
    unsent=30,
    lost_before=30,
    lost_after=30,
    refused=5,
    forged=5,
    stale=30,
    wrong_amount=5,
    coupon=50,
    late=300,
    double=5,
    notice_lost=50,
    notice_doubled=50,
    notice_late=50,
    notice_forged=10,
    notice_elsewhere=5,
    notice_wrong_amount=5,
    refund_abnormal=30,
    refund_closed=30,
    payout_failed=50,
    bill_late=200,
    bill_line_lost=0,
    bill_line_wrong=0,
)


class Dice:
    """Chance from a seed, and a count of every fault that really happened."""

    def __init__(self, seed: bytes, label: bytes) -> None:
        self._stream = Stream(seed, label)
        self.happened: dict[str, int] = {}

    def fall(self, name: str, per_mille: int) -> bool:
        """Say whether a fault happens now.

        A rate of nothing draws nothing, so that switching a fault off leaves the rest as it was.
        """
        if not per_mille or self._stream.below(THOUSAND) >= per_mille:
            return False
        self.happened[name] = self.happened.get(name, 0) + 1
        return True

    def below(self, bound: int) -> int:
        """Draw a number below a bound."""
        return self._stream.below(bound)

    def wait_us(self, seconds_max: int) -> int:
        """Draw a time to wait, in whole milliseconds."""
        return self._stream.below(seconds_max * THOUSAND) * (SECOND_US // THOUSAND)
