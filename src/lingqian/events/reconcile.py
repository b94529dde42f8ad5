"""Reconciling: a day's bills fetched, compared, repaired and closed, again and again until it is.

Law: it decides nothing: readings of bills become commands, and every run starts from what is
stored, so one that is cut off anywhere is simply run again. Days are closed in their order.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from lingqian.channels.port import (
    BillKind,
    BillRow,
    Channel,
    Reading,
    RefundReading,
    RefundState,
    TradeState,
)
from lingqian.clearing.classify import Class
from lingqian.clearing.day import Blocker, Comparison, DayState
from lingqian.clearing.difference import (
    day_id,
    flow_id,
)
from lingqian.clearing.item import Booked, Item, Standing, Way, moves
from lingqian.clearing.repair import (
    Note,
    bill_note,
    wants_evidence,
)
from lingqian.events import compared
from lingqian.flows.command import (
    AskRefund,
    CloseDay,
    Command,
    RecordBill,
    RecordFlow,
    RecordMatch,
)
from lingqian.identity.user import UserState
from lingqian.kernel.clock import SECOND_US, Clock, business_day
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault, Rejected
from lingqian.kernel.id import PREFIX_ATTEMPT, PREFIX_REFUND, lane_of, parse, show
from lingqian.storage import query
from lingqian.storage import reconciliation as books
from lingqian.storage.cashier import STRANGERS_LANE, Cashier
from lingqian.storage.desk import Desk, client_key
from lingqian.storage.kept_bill import BILL_FIELDS, FIELD_SHEET, sealed
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.our_side import Frame
from lingqian.storage.port import Connection, Personal
from lingqian.storage.sheet import result_digest, write_sheet
from lingqian.storage.vault import Vault
from lingqian.topup.evidence import Source, stranger_id
from lingqian.topup.fee import FeePlan
from lingqian.topup.refund import Origin

EVERY_S: Final = 30.0
# A bill that is not there in its hour is asked for again half-hourly.
AGAIN_US: Final = 1_800 * SECOND_US
ROUNDS_MAX: Final = 3
TOGETHER_MAX: Final = 256
BY_CLOCK: Final = "clock"
_HOUR_US: Final = 3_600 * SECOND_US
_log = logging.getLogger(__name__)


Done = TypeVar("Done")


class Beside(Protocol):
    """Where work is done that would hold up the loop: in another thread, on its own connection."""

    async def do(self, work: Callable[[Connection], Done]) -> Done:
        """Do work and return what it returns."""
        ...


class Means(NamedTuple):
    """What reconciling needs of the house."""

    reader: Connection
    vault: Vault
    ask: Callable[[Submission], Awaitable[Answer]]
    desk: Desk
    cashier: Cashier
    channels: Mapping[str, Channel]
    plans: Mapping[str, FeePlan]
    clock: Clock
    beside: Beside


class Run(NamedTuple):
    """How a run of one day ended: where the day stands, and what keeps it from being closed.

    `waits` is the channel's own word where a bill could not be fetched, or the refusal of a close.
    """

    account: str
    day: int
    state: DayState
    blockers: tuple[Blocker, ...] = ()
    waits: str = ""


class Reconciler:
    """Runs days; one run at a time for each account."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self._locks = {account: asyncio.Lock() for account in means.channels}
        self._again_us: dict[str, int] = {}

    # --- when -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run every day that is due, until cancelled."""
        while True:
            for account in self.means.channels:
                try:
                    await self._catch_up(account)
                except Fault as fault:
                    self._again_us[account] = self.means.clock.now_us() + AGAIN_US
                    _log.warning("reconciling %s: %s", account, fault)
            await asyncio.sleep(EVERY_S)

    async def _catch_up(self, account: str) -> None:
        """Close one account's days until one is not due, or cannot be closed yet."""
        while (day := self.due(account)) is not None:
            ended = await self.reconcile(account, day)
            if ended.state != DayState.CLOSED:
                self._again_us[account] = self.means.clock.now_us() + AGAIN_US
                _log.warning("%s, day %d: not closed: %s", account, day, _why(ended))
                return

    def due(self, account: str) -> int | None:
        """Return the day to run next; None while there is none, or it is not its hour."""
        now_us = self.means.clock.now_us()
        if now_us < self._again_us.get(account, 0):
            return None
        day = self.next_day(account)
        return day if day <= self.newest_day(account) else None

    def newest_day(self, account: str) -> int:
        """Return the newest day whose bills should be there: yesterday's come in their hour."""
        hour_us = self.means.channels[account].profile.bill_hour * _HOUR_US
        return business_day(self.means.clock.now_us() - hour_us) - 1

    def next_day(self, account: str) -> int:
        """Return the day after the last closed one; at first, that of the first attempt."""
        known = books.days(self.means.reader, account)
        closed = [row.day for row in known if row.state == DayState.CLOSED]
        if closed:
            return max(closed) + 1
        if known:
            return known[0].day
        first = books.first_day(self.means.reader, account)
        yesterday = business_day(self.means.clock.now_us()) - 1
        return yesterday if first is None else min(first, yesterday)

    # --- one day ----------------------------------------------------------------------------

    async def reconcile(self, account: str, day: int, by: str = BY_CLOCK) -> Run:
        """Fetch, compare, repair and, if nothing keeps it open, close a day.

        Days that nobody has run yet are run first: begun out of their order, the same money would
        be booked as the first day's opening and again as the missing day's own.
        Raises: the channel faults, and those of the intake.
        """
        async with self._locks[account]:
            begun = [row.day for row in books.days(self.means.reader, account)]
            early = Run(account, day, DayState.OPEN, (Blocker.DAY_BEFORE_OPEN,))
            if begun and day < min(begun):
                return early  # the books of this account begin later
            for earlier in range(max(begun, default=day) + 1, day):
                ended = await self._run_day(account, earlier, by)
                if ended.state != DayState.CLOSED:
                    return early._replace(waits=ended.waits)
            return await self._run_day(account, day, by)

    async def _run_day(self, account: str, day: int, by: str) -> Run:
        known = books.day_row(self.means.reader, account, day)
        if known is not None and known.state == DayState.CLOSED:
            return Run(account, day, DayState.CLOSED)
        try:
            raw = await self._fetch(self._frame(account, day))
        except Rejected as refusal:
            state = DayState.OPEN if known is None else DayState(known.state)
            return Run(account, day, state, (Blocker.BILL_MISSING,), refusal.code)
        return await self._compare(self._frame(account, day), raw, by)

    def _frame(self, account: str, day: int) -> Frame:
        plan = self.means.plans.get(account, FeePlan())
        return Frame(self.means.reader, self.means.vault, account, day, plan.base_ppm)

    async def _fetch(self, frame: Frame) -> compared.Raw:
        """Fetch both bills and keep their raw bytes.

        Raises: Rejected while one is not there, and the channel faults.
        """
        account, day = frame.account, frame.day
        channel = self.means.channels[account]
        trade, fund = [await channel.fetch_bill(kind, day) for kind in BillKind]
        for bill in (trade, fund):
            raw = bill.raw
            row = await self._sealed(frame, BILL_FIELDS[bill.kind], lambda raw=raw: raw)  # type: ignore[misc]  # bound now
            command = RecordBill(day_id(account, day), account, day, bill.kind, bill.digest)
            await self.means.ask(Submission(command, (row,)))
        return await self._beside(lambda _: compared.raw_of(trade, fund))

    async def _beside(self, work: Callable[[Connection], Done]) -> Done:
        """Do what takes long for a large day where it holds nobody up."""
        return await self.means.beside.do(work)

    async def _sealed(self, frame: Frame, field: int, plain: Callable[[], bytes]) -> Personal:
        identity = day_id(frame.account, frame.day)
        return await self._beside(lambda _: sealed(frame.vault, identity, field, plain()))

    async def _compare(self, frame: Frame, raw: compared.Raw, by: str) -> Run:
        first = last = await self._look(frame, raw)
        # What only a bill that contradicts itself tells is not booked.
        is_sound = bill_note(first.result) is None
        if is_sound and await self._note_flows(frame, raw, first):
            # Money that is seen to have come back is a part of our side.
            first = last = await self._look(frame, raw)
        result = first.result
        await self._do_all(await self._beside(lambda _: compared.found_by(frame, result)))
        for _ in range(ROUNDS_MAX):
            # A bill that contradicts itself proves nothing: the day waits for a better one.
            if bill_note(last.result) is not None or not await self._repair(frame, last.result):
                break
            last = await self._look(frame, raw)
        await self._note_differences(frame, first.result, last.result)
        digest = await self._note_match(frame, last)
        return await self._close(frame, last.result, digest, by)

    async def _look(self, frame: Frame, raw: compared.Raw) -> compared.Seen:
        """Compare both sides; what no bill shows is asked about, so that a loss is seen at once."""
        sheet, lonely = await self._beside(lambda c: compared.our_side(frame.on(c), raw))
        says = {row.number: await self._says(frame.account, row) for row in lonely}
        return await self._beside(lambda _: compared.seen(frame.day, sheet, says, raw))

    async def _says(self, account: str, row: Booked) -> TradeState:
        if not row.attempt_no:
            return TradeState.UNKNOWN
        try:
            return (await self.means.channels[account].query(row.attempt_no)).state
        except Fault as fault:
            _log.info("asking about %s: %s", row.number, fault)
            return TradeState.UNKNOWN

    # --- repairs ----------------------------------------------------------------------------

    async def _repair(self, frame: Frame, last: Comparison) -> bool:
        """Bring home what the bill proves; say whether anything was written."""
        found = await self._beside(lambda c: compared.repairable(frame.on(c), last))
        written = False
        for start in range(0, len(found), TOGETHER_MAX):
            items = found[start : start + TOGETHER_MAX]
            works = [work for item in items for work in self._works(frame, item)]
            answers = await asyncio.gather(*works)
            written = written or any(answers)
        return written

    def _works(self, frame: Frame, item: Item) -> list[Awaitable[bool]]:
        """Name what can be done about an item without a person."""
        billed, booked = item.billed, item.booked
        if item.way == Way.PAY:
            is_stranger = booked is None and billed is not None and moves(billed)
            if billed is not None and (is_stranger or wants_evidence(item)):
                return [self._observe(frame, billed)]
            return []
        if billed is not None and booked is None:
            return [self._refund_from_bill(frame, billed)] if moves(billed) else []
        if booked is not None and booked.standing == Standing.OPEN:
            return [self._query_refund(frame, booked.number)]
        return []

    async def _observe(self, frame: Frame, line: BillRow) -> bool:
        """Bring a payment home; a number that is none of ours gets a name of its own."""
        identity = parse(PREFIX_ATTEMPT, line.attempt_no)
        if identity is None or query.attempt(frame.connection, identity) is None:
            identity = stranger_id(STRANGERS_LANE, frame.account, line.attempt_no)
        reading = Reading(
            line.attempt_no,
            TradeState.PAID,
            line.amount_fen,
            line.amount_fen - line.coupon_fen,
            line.settle_fen,
            "CNY",
            line.transaction_id,
            line.at_us,
            line.product,
        )
        return await self._written(
            self.means.cashier.observe(identity, frame.account, Source.BILL, reading)
        )

    async def _note_refund(self, frame: Frame, number: str, reading: RefundReading) -> bool:
        identity = parse(PREFIX_REFUND, number)
        assert identity is not None, "our own refunds have our own numbers"
        return await self._written(
            self.means.cashier.note_refund(identity, frame.account, Source.BILL, reading)
        )

    async def _read_refund(self, frame: Frame, number: str) -> RefundReading:
        try:
            return await self.means.channels[frame.account].query_refund(number)
        except Fault as fault:
            _log.info("asking about %s: %s", number, fault)
            return RefundReading(number, RefundState.UNKNOWN)

    async def _query_refund(self, frame: Frame, number: str) -> bool:
        reading = await self._read_refund(frame, number)
        if reading.state not in (RefundState.SUCCESS, RefundState.CLOSED, RefundState.ABNORMAL):
            return False
        return await self._note_refund(frame, number, reading)

    async def _refund_from_bill(self, frame: Frame, line: BillRow) -> bool:
        """Make a refund of what somebody gave back at the channel's own counter, once it is done.

        A bill dates refunds by acceptance and is never updated, so the channel is asked.
        """
        attempt_id = parse(PREFIX_ATTEMPT, line.attempt_no)
        attempt = None if attempt_id is None else query.attempt(frame.connection, attempt_id)
        reading = await self._read_refund(frame, line.refund_no)
        if attempt is None or reading.state != RefundState.SUCCESS:
            return False
        name = f"\0bill {frame.account} {line.refund_id}"
        key = client_key(lane_of(attempt.order_id), name)
        # The order's lane and time, so that it has the form of an id; the same in every run.
        identity = attempt.order_id[:8] + key[2:10]
        basis = self.means.cashier.basis
        asked = AskRefund(
            key, identity, attempt.order_id, line.amount_fen, b"", Origin.BILL, BY_CLOCK, basis
        )
        answer = await self._do(asked)
        if answer.code:
            return False
        await self._note_refund(frame, show(PREFIX_REFUND, identity), reading)
        return True

    async def _written(self, submission: Submission) -> bool:
        answer = await self.means.ask(submission)
        return not answer.code and bool(answer.seq)

    # --- what is written down ---------------------------------------------------------------

    async def _note_flows(self, frame: Frame, raw: compared.Raw, last: compared.Seen) -> bool:
        """Note what only the fund bill shows, and what lay in the account on its first day.

        Return whether anything of it was news.
        """
        flows = await self._beside(lambda c: compared.apart(frame.on(c), raw, last.sheet))
        opening = last.result.chain.opening_fen
        if last.sheet.opening_fen is None and opening:
            name = "opening"
            identity = flow_id(frame.account, name)
            flow = RecordFlow(identity, frame.account, frame.day, name, "期初余额", opening, b"")
            flows.append(flow)
        return await self._do_all(flows)

    async def _note_differences(self, frame: Frame, first: Comparison, last: Comparison) -> None:
        moves, found = await self._beside(lambda c: compared.steps(frame.on(c), first, last))
        await self._do_all(moves)
        await self._do_all([compared.recorded(frame, note) for note in found])
        for note in found:
            if note.found == Class.S1:
                await self._freeze(frame, note)

    async def _freeze(self, frame: Frame, note: Note) -> None:
        """Freeze who was credited money that the channel does not have, and raise the alarm."""
        _log.critical(
            "%s: S1: %s was credited, the channel has nothing", frame.account, note.number
        )
        attempt_id = parse(PREFIX_ATTEMPT, note.number)
        attempt = None if attempt_id is None else query.attempt(frame.connection, attempt_id)
        order = None if attempt is None else query.order(frame.connection, attempt.order_id)
        if order is None:
            return
        user_id = order.user_id
        user = query.user(frame.connection, user_id)
        if user is None or user.state == UserState.FROZEN:
            return
        await self.means.ask(
            self.means.desk.change(
                user_id,
                user,
                caller_key=f"\0clearing {note.number}",
                changes={"state": UserState.FROZEN},
                nickname=None,
            )
        )

    async def _note_match(self, frame: Frame, seen: compared.Seen) -> bytes:
        identity, last = day_id(frame.account, frame.day), seen.result
        row = await self._sealed(frame, FIELD_SHEET, lambda: write_sheet(seen.sheet))
        digest = result_digest(last)
        command = RecordMatch(
            identity,
            len(last.items),
            last.chain.opening_fen,
            last.chain.closing_fen,
            last.ours_fen,
            last.theirs_fen,
            row.mac,
            digest,
        )
        await self.means.ask(Submission(command, (row,)))
        return digest

    async def _close(self, frame: Frame, last: Comparison, digest: bytes, by: str) -> Run:
        end = await self._beside(lambda c: compared.end_of(frame.on(c), last))
        if end.blockers:
            return Run(frame.account, frame.day, DayState.MATCHED, end.blockers)
        command = CloseDay(
            day_id(frame.account, frame.day),
            end.is_first,
            end.explained_fen,
            end.books_fen,
            b"".join(end.open_ids),
            digest,
            by,
        )
        answer = await self.means.ask(Submission(command))
        if answer.code:
            word = Code(answer.code).name.lower()
            return Run(frame.account, frame.day, DayState.MATCHED, waits=word)
        return Run(frame.account, frame.day, DayState.CLOSED)

    async def _do_all(self, commands: Sequence[Command]) -> bool:
        """Put commands that do not depend on each other, so many of them in one batch.

        Return whether anything was written for one of them.
        """
        is_news = False
        for start in range(0, len(commands), TOGETHER_MAX):
            some = commands[start : start + TOGETHER_MAX]
            answers = await asyncio.gather(*map(self._do, some))
            is_news = is_news or any(not each.code and each.seq for each in answers)
        return is_news

    async def _do(self, command: Command) -> Answer:
        return await self.means.ask(Submission(command))


def _why(ended: Run) -> str:
    return ", ".join([*ended.blockers, *filter(None, [ended.waits])])
