"""The office: closes the days of a world with the product's own reconciler (对账室).

Law: a run that is cut off anywhere is simply run again; what is closed stays closed, and derives
again from its raw bills (P11).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeVar

import apsw

from lingqian.channels.wechatpay.bill import parse_bill
from lingqian.clearing.day import DayState
from lingqian.events.reconcile import Means, Reconciler, Run
from lingqian.kernel.clock import Clock
from lingqian.kernel.fault import Fault, Unknown
from lingqian.simulation.auditor import Violation
from lingqian.simulation.street import Street
from lingqian.storage import reconciliation as books
from lingqian.storage.cashier import Cashier
from lingqian.storage.desk import Desk
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.rederive import faults
from lingqian.storage.vault import Vault
from lingqian.topup.fee import FeePlan

_SELECT_DAYS: Final = "SELECT account, day FROM days WHERE state = 3"

Done = TypeVar("Done")
Ask = Callable[[list[Submission]], list[Answer] | None]


class Reach(NamedTuple):
    """What the office reaches: the process as it is now, and the lane's door."""

    connection: Callable[[], apsw.Connection]
    ask: Ask
    clock: Clock
    lanes: int


class _Reader:
    """Reads from the process as it is at each moment; a store that recovers opens a new line."""

    def __init__(self, connection: Callable[[], apsw.Connection]) -> None:
        self._connection = connection

    def execute(self, *words: Any) -> apsw.Cursor:  # noqa: ANN401 - as a connection takes them
        """Read."""
        return self._connection().execute(*words)


class _Beside:
    """Does at once what a server does in another thread: a world has one."""

    def __init__(self, reader: Any) -> None:  # noqa: ANN401 - as above
        self._reader = reader

    async def do(self, work: Callable[[apsw.Connection], Done]) -> Done:
        """Do work and return what it returns."""
        return work(self._reader)


class Office:
    """Reconciles the accounts of one world, day by day."""

    def __init__(
        self, key: bytes, reach: Reach, channels: Mapping[str, Street], plan: FeePlan
    ) -> None:
        self._reach = reach
        self._channels = channels
        self._plans = dict.fromkeys(channels, plan)
        self.vault = Vault({1: sha256(b"office" + key).digest()})
        self.counts: Counter[str] = Counter()
        self._is_cut = False

    def close(self, account: str, day: int) -> Run | None:
        """Run a day; None when the process died under it."""
        self._is_cut = False
        try:
            run = asyncio.run(self._reconciler().reconcile(account, day))
        except Fault:
            self.counts["reconciling cut off"] += 1
            return None
        for each in (*run.blockers, *filter(None, [run.waits])):
            self.counts[f"day waits: {each}"] += 1
        self.counts["day closed"] += run.state == DayState.CLOSED
        return run

    def next_day(self, account: str) -> int:
        """Return the day to close next."""
        return self._reconciler().next_day(account)

    def _reconciler(self) -> Reconciler:
        """Start a reconciler on the process as it is now."""
        channels: Any = self._channels
        reader: Any = _Reader(self._reach.connection)
        means = Means(
            reader,
            self.vault,
            self._ask,
            Desk(self.vault, self._reach.lanes),
            Cashier(self.vault, self._plans),
            channels,
            self._plans,
            self._reach.clock,
            _Beside(reader),
        )
        return Reconciler(means)

    async def _ask(self, submission: Submission) -> Answer:
        answers = None if self._is_cut else self._reach.ask([submission])
        if answers is None:
            self._is_cut = True
            raise Unknown("the process has died")
        return answers[0]

    def derive_again(self, checked: Counter[str]) -> None:
        """Derive every closed day from its raw bills and the sheet it was compared with (P11).

        Raises: Violation.
        """
        connection = self._reach.connection()
        rows: list[Any] = connection.execute(_SELECT_DAYS).fetchall()
        for account, number in rows:
            day = books.day_row(connection, account, number)
            assert day is not None, "it was read a moment ago"
            found = list(faults(connection, self.vault, day, parse_bill))
            if found:
                raise Violation(f"P11: {account}, day {number}: {found}")
            checked["P11"] += 1
