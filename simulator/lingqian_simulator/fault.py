"""Faults on demand: what can be armed, for how many times or with which chance (故障注入).

Law: with the same seed and the same requests in the same order, the same faults happen.
"""

from typing import Final, Literal, NamedTuple

import msgspec

from lingqian_simulator.chance import Chance

Kind = Literal["answer", "notice", "sending", "bill"]


class Row(NamedTuple):
    """A fault that can be armed: its name, where it strikes, and what it does."""

    name: str
    kind: Kind
    words: str


TABLE: Final = (
    Row("notice_lost", "notice", "The notice is never sent, not even again."),
    Row("notice_dropped", "sending", "One sending is lost; the schedule goes on."),
    Row("notice_doubled", "sending", "Sent twice at the same moment."),
    Row("notice_reordered", "notice", "Held until the merchant's next notice has gone first."),
    Row("notice_late", "notice", "First sent `seconds` later, of business time."),
    Row("notice_forged", "sending", "Signed by a key that is not the platform's."),
    Row("notice_altered", "sending", "The body is changed after it was signed."),
    Row("notice_truncated", "sending", "The body loses its second half after it was signed."),
    Row("notice_expired", "sending", "Signed `seconds` ago (default 600), rightly."),
    Row(
        "notice_probe",
        "sending",
        "Signature begins with WECHATPAY/SIGNTEST/; the true one follows.",
    ),
    Row("notice_wrong_serial", "sending", "Names a serial nobody knows."),
    Row("notice_wrong_amount", "notice", "Rightly signed, but one fen more than was paid."),
    Row("notice_wrong_account", "notice", "Rightly signed, but of another mchid."),
    Row("notice_huge", "sending", "Five million bytes of body."),
    Row("timeout_before", "answer", "Nothing is done and nothing answered for `seconds`."),
    Row("timeout_after", "answer", "All is done and nothing answered for `seconds`."),
    Row("reset_before", "answer", "Nothing is done and the connection cut."),
    Row("reset_after", "answer", "All is done and the connection cut."),
    Row("limited_before", "answer", "429, nothing done."),
    Row("limited_after", "answer", "429, but all done."),
    Row("error_before", "answer", "500, nothing done."),
    Row("error_after", "answer", "500, but all done."),
    Row("slow", "answer", "Answered after `seconds`."),
    Row("answer_probe", "answer", "The signature begins with WECHATPAY/SIGNTEST/."),
    Row("answer_forged", "answer", "Signed by a key that is not the platform's."),
    Row("answer_unsigned", "answer", "No signature headers."),
    Row("answer_wrong_serial", "answer", "Names a serial nobody knows."),
    Row("clock_skew", "answer", "The answer's timestamp is `seconds` off (default 600)."),
    Row("rotate_key", "answer", "A new platform certificate signs from this answer on."),
    Row("bill_late", "bill", "STATEMENT_CREATING, although it is time."),
    Row(
        "bill_truncated", "bill", "The file ends in the middle of a line; the hash is of the whole."
    ),
    Row("bill_cut", "bill", "The last data line is missing; the hash fits, the summary does not."),
    Row("bill_dropped_line", "bill", "One line is missing, and the summary agrees."),
    Row("bill_broken_line", "bill", "One amount is one fen more, and the summary agrees."),
    Row("bill_extra_line", "bill", "A line of an order that never was, and the summary agrees."),
    Row("bill_old_columns", "bill", "The columns from before 2019."),
    Row("bill_plain", "bill", "No byte order mark, and bare line feeds."),
    Row("bill_wrong_hash", "bill", "A hash value that does not fit."),
)
ROWS: Final = {row.name: row for row in TABLE}
assert len(ROWS) == len(TABLE), "every fault has one row"


class Fault(msgspec.Struct):
    """A fault that is armed, and what it is limited to."""

    name: str
    count: int = 1  # strikes left; 0 means without end
    probability: float = 1.0
    seconds: float | None = None
    operation: str = ""  # of the API, see lingqian_simulator.route; empty: any
    event: str = ""  # prefix of a notice's event type, such as REFUND.; empty: any
    host: int | None = None  # 0 or 1; None: both
    mchid: str = ""  # empty: any
    seed: int | None = None
    id: int = 0
    struck: int = 0


class Target(NamedTuple):
    """What is about to happen, for a fault to be compared with."""

    kind: Kind
    mchid: str
    operation: str = ""
    event: str = ""
    host: int | None = None


class Faults:
    """The faults that are armed now, in the order in which they were."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._own: dict[int, Chance] = {}
        self._last = 0
        self.armed: list[Fault] = []

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault of the table; a seed gives it a stream of chance of its own."""
        assert fault.name in ROWS, "the caller has looked"
        self._last += 1
        fault.id = self._last
        if fault.seed is not None:
            self._own[fault.id] = Chance(fault.seed)
        self.armed.append(fault)
        return fault

    def disarm(self, fault_id: int | None = None) -> None:
        """Take one fault away, or all."""
        self.armed = [f for f in self.armed if fault_id is not None and f.id != fault_id]

    def strike(self, target: Target) -> Fault | None:
        """Return the first fault that strikes here, and count it."""
        for fault in self.armed:
            if _fits(fault, target) and self._hits(fault):
                fault.struck += 1
                if fault.count == fault.struck:
                    self.armed.remove(fault)
                return fault
        return None

    def _hits(self, fault: Fault) -> bool:
        if fault.probability >= 1:
            return True
        return self._own.get(fault.id, self._chance).hits(fault.probability)


def _fits(fault: Fault, target: Target) -> bool:
    return (
        ROWS[fault.name].kind == target.kind
        and fault.mchid in ("", target.mchid)
        and fault.operation in ("", target.operation)
        and target.event.startswith(fault.event)
        and fault.host in (None, target.host)
    )
