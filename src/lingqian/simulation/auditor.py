"""The auditor: compares every answer and every table with its own model (审计员).

Law: an answer is the model's answer; money is conserved at every instant; a repeated question gets
the first answer; what was answered is in the journal, once, densely numbered; tables are the model.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import apsw

from lingqian.simulation.model import BALANCE, BANK, ESCROW, Expected, Model, Seen, Share

_SUBJECT: Final = {
    "RegisterUser": "user_id",
    "ChangeUser": "user_id",
    "Fund": "user_id",
    "Transfer": "source_id",
    "SendPacket": "sender_id",
    "SettleCase": "case_id",
}
_FLOORED: Final = (BALANCE, ESCROW)
# Each command of a batch is a microsecond after the one before, refused ones too.
_AHEAD_US: Final = 10_000


class Violation(Exception):  # noqa: N818 - the word for what it is
    """The product and the model differ; the words say where."""


class Written(NamedTuple):
    """A journal row as the auditor needs it."""

    seq: int
    at: int
    code: int
    command: Any
    outcome: Any


class Left(NamedTuple):
    """What a batch left in one lane: its rows, its own id, and the lane's time before it."""

    batch_id: bytes
    before: int
    rows: list[Written]


class _Told(NamedTuple):
    command: Any
    expected: Expected
    lane: int
    at: int
    seq: int


class _Repeat(NamedTuple):
    command: Any
    expected: Seen | Share
    first: Any


def home(command: Any) -> int:  # noqa: ANN401 - any command
    """Return the lane a command belongs to, by the auditor's own reading of its ids."""
    name = type(command).__name__
    if name in ("SetMembers", "DeliverRelay"):
        lane: int = command.lane
        return lane
    return int.from_bytes(getattr(command, _SUBJECT.get(name, "packet_id"))[:2], "big")


class Auditor:
    """Follows a world; raises Violation at the first difference."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.codes: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self._last: dict[int, int] = {}
        self._actual: dict[bytes, int] = {}
        self._total = 0

    # --- answers ---

    def answers(self, commands: Sequence[Any], answers: Sequence[Any], now: int) -> None:
        """Check one batch of answers, in the order in which they were asked.

        Raises: Violation.
        """
        repeats: list[_Repeat] = []
        for command, answer in zip(commands, answers, strict=True):
            expected = self._answer(command, answer, now)
            if expected.first is not None:
                repeats.append(_Repeat(command, expected.first, answer.first))
            elif answer.first is not None:
                raise Violation(f"a new command was answered as a repeat: {command}")
        # Only now: a draw later in the batch gives its shares to the tickets that were shown.
        for repeat in repeats:
            _same_first(repeat)

    def _answer(self, command: Any, answer: Any, now: int) -> Expected:  # noqa: ANN401 - any command
        lane, at = home(command), answer.at_us
        if not now <= at <= max(now, self._last.get(lane, 0)) + _AHEAD_US:
            raise Violation(f"ledger time {at} is not the clock's {now}")
        expected, seq = self.model.apply(command, at, lane)
        told = (answer.code, answer.outcome, answer.field, answer.seq)
        right = (expected.code, expected.outcome, expected.field, seq)
        if told != right:
            raise Violation(f"answered {told}, expected {right}, at {at}, to {command}")
        self._note(_Told(command, expected, lane, at, seq))
        return expected

    def _note(self, told: _Told) -> None:
        command, expected, lane, at, seq = told
        if seq:
            if at <= self._last.get(lane, 0):
                raise Violation(f"ledger time does not increase: {at} in lane {lane}")
            self._last[lane] = at
        self.codes[expected.code] += 1
        if expected.first is not None:
            self.kinds[f"again {type(command).__name__}"] += 1

    def unanswered(self, lane: int, asked: Sequence[Any], left: Left, now: int) -> None:
        """Take one lane's part of a batch that was committed and never answered.

        `now` is the clock when it was asked; each command is a microsecond after the one before.
        Raises: Violation unless the rows are exactly what the part should have left.
        """
        base, rows = max(now, left.before + 1), list(left.rows)
        for place, command in enumerate(asked):
            expected, seq = self.model.apply(command, base + place, lane)
            self._note(_Told(command, expected, lane, base + place, seq))
            if not seq:
                continue
            row = rows.pop(0) if rows else None
            right = (seq, base + place, expected.code, command, expected.outcome)
            if row != right:
                raise Violation(f"a batch was committed in part: {row}, expected {right}")
        if rows:
            raise Violation(f"the journal holds more than was asked: {rows[0]}")

    # --- money ---

    def accounts(self, read: Callable[[bytes], Any]) -> None:
        """Compare every account touched since the last time, and the sum of all.

        `read` returns an account's counters, or None.   Raises: Violation.
        """
        model = self.model
        for account in model.touched:
            counters = read(account)
            value = held = coming = 0
            if counters is not None:
                value = counters.credits_posted - counters.debits_posted
                held, coming = counters.debits_pending, counters.credits_pending
            right = (model.posted.get(account, 0), model.held.get(account, 0))
            if (value, held) != right or coming != model.coming.get(account, 0):
                raise Violation(f"account {account.hex()} has {value, held}, expected {right}")
            if account[16:] in _FLOORED and value < held:
                raise Violation(f"account {account.hex()} is below its floor")
            self._total += value - self._actual.get(account, 0)
            self._actual[account] = value
        model.touched.clear()
        if self._total:
            raise Violation(f"debits and credits differ by {self._total} fen")

    def conserved(self, connection: apsw.Connection) -> None:
        """Compare what is owed to users with what backs it, in the stored accounts.

        Raises: Violation.
        """
        owed = backing = 0
        for account, debits, credited in connection.execute(
            "SELECT account, debits_posted, credits_posted FROM accounts"
        ):
            if account[16:] == BANK:
                backing += debits - credited
            else:
                owed += credited - debits
        if owed != backing:
            raise Violation(f"owed to users {owed}, backed by {backing}")


def _same_first(repeat: _Repeat) -> None:
    """Compare what a repeat was told with what was answered first."""
    command, expected, first = repeat
    if isinstance(expected, Seen):
        told = (first.code, first.outcome)
        right = (expected.expected.code, expected.expected.outcome)
    else:
        told = (first.share, (first.ticket, first.amount_fen, first.chain))
        right = (expected.number, (expected.ticket, expected.amount, expected.link))
    if (first.seq, first.at_us, *told) != (expected.seq, expected.at, *right):
        raise Violation(f"the second answer {told} is not the first {right}: {command}")
