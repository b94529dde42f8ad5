"""The tail: reads the journal after a position and tells it as events (日志尾读).

Law: within a lane events come in the order of the journal, none twice and none left out; an event's
id is its lane, its row and its place in the row.
"""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable, Container
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.clearing.day import Day
from lingqian.clearing.difference import Difference
from lingqian.events.envelope import tell
from lingqian.events.told import Told
from lingqian.flows.case import Case
from lingqian.flows.view import Transferred
from lingqian.gift.gift import Gift
from lingqian.kernel.clock import rfc3339
from lingqian.redpacket.packet import Packet
from lingqian.storage import purse, query, reconciliation
from lingqian.storage.codec import Row, decode
from lingqian.storage.port import Connection
from lingqian.topup.order import Order
from lingqian.topup.payout import Payout
from lingqian.topup.refund import Refund

ROWS_MAX: Final = 256
_KEPT_MAX: Final = 4_096
_PACKETS_MAX: Final = 1_024
# Every event of a row.
ALL: Final = 2**31
_encode = msgspec.json.Encoder().encode

# Lane → the row and how many of its events have been taken.
Position = dict[int, tuple[int, int]]


class Event(NamedTuple):
    """An event in its envelope, with what it can be filtered by."""

    lane: int
    seq: int
    number: int
    type: str
    user_ids: tuple[bytes, ...]
    packet_id: bytes
    body: bytes
    subject: str = ""

    @property
    def id(self) -> str:
        """The event's id: the same for ever."""
        return f"{self.lane}:{self.seq}:{self.number}"


class Found(NamedTuple):
    """Events in order, and the position when all of them are taken."""

    events: list[Event]
    end: Position


class Facts:
    """Rows that events are told with; packets are asked for again and again, so some are kept."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._packets: OrderedDict[bytes, Packet] = OrderedDict()

    def packet(self, packet_id: bytes) -> Packet:
        """Return what was fixed of a packet."""
        known = self._packets.get(packet_id)
        if known is None:
            known = query.packet_row(self._connection, packet_id)
            assert known is not None, "the journal speaks of packets that exist"
            self._packets[packet_id] = known
            if len(self._packets) > _PACKETS_MAX:
                self._packets.popitem(last=False)
        return known

    def winners(self, packet_id: bytes) -> list[tuple[bytes, int, int]]:
        """Return who won which share of a draw, and how much, by share."""
        found = [each for each in query.all_claims(self._connection, packet_id) if each.claim.share]
        found.sort(key=lambda each: each.claim.share)
        return [(each.user_id, each.claim.share, each.claim.amount_fen) for each in found]

    def case(self, case_id: bytes) -> Case:
        """Return a case."""
        found = query.case(self._connection, case_id)
        assert found is not None, "the journal speaks of cases that exist"
        return found

    def transfer(self, transfer_id: bytes) -> Transferred:
        """Return a transfer."""
        found = query.transfer(self._connection, transfer_id)
        assert found is not None, "the journal speaks of transfers that exist"
        return found

    def gift(self, gift_id: bytes) -> Gift:
        """Return a gift."""
        found = purse.gift(self._connection, gift_id)
        assert found is not None, "the journal speaks of gifts that exist"
        return found

    def refund(self, refund_id: bytes) -> Refund:
        """Return a refund."""
        found = purse.refund(self._connection, refund_id)
        assert found is not None, "the journal speaks of refunds that exist"
        return found

    def payout(self, payout_id: bytes) -> Payout:
        """Return a payout."""
        found = purse.payout(self._connection, payout_id)
        assert found is not None, "the journal speaks of payouts that exist"
        return found

    def order(self, order_id: bytes) -> Order:
        """Return an order, of which only what it was opened with may be told."""
        found = query.order(self._connection, order_id)
        assert found is not None, "the journal speaks of orders that exist"
        return found

    def day(self, day_id: bytes) -> Day:
        """Return a day, which is told only once it is closed and so never changes."""
        found = reconciliation.day_of_id(self._connection, day_id)
        assert found is not None, "the journal speaks of days that exist"
        return found

    def difference(self, difference_id: bytes) -> Difference:
        """Return a difference, of which only what names it may be told."""
        found = reconciliation.difference(self._connection, difference_id)
        assert found is not None, "the journal speaks of differences that exist"
        return found


class Journal:
    """The journal as events; what was told lately is kept, for all who read along."""

    def __init__(self, connection: Connection, source: str) -> None:
        self._connection = connection
        self._source = source
        self._facts = Facts(connection)
        self._told: OrderedDict[tuple[int, int], tuple[Event, ...]] = OrderedDict()

    def ends(self) -> Position:
        """Return the position after everything there is."""
        return {lane: (seq, ALL) for lane, seq in query.ends(self._connection).items()}

    def after(
        self,
        position: Position,
        rows_max: int = ROWS_MAX,
        lanes: Container[int] | None = None,
    ) -> "Found":
        """Return the next events after a position, of all lanes or of some.

        A lane that the position does not know starts at its first.
        """
        events: list[Event] = []
        end = dict(position)
        for lane, last in query.ends(self._connection).items():
            if lanes is not None and lane not in lanes:
                continue
            seq, number = position.get(lane, (0, ALL))
            # A row whose events were not all taken is read again.
            start = seq if number == ALL else seq - 1
            if last <= start:
                continue
            for row in query.journal_after(self._connection, lane, start, rows_max):
                told = self.of(row)
                events.extend(told[number:] if row.seq == seq else told)
                end[lane] = (row.seq, ALL)
        return Found(events, end)

    def of(self, row: Row) -> tuple[Event, ...]:
        """Return the events of a row."""
        key = (row.lane, row.seq)
        known = self._told.get(key)
        if known is None:
            known = self._told[key] = self._tell(row)
            if len(self._told) > _KEPT_MAX:
                self._told.popitem(last=False)
        return known

    def one(self, lane: int, seq: int, number: int) -> Event | None:
        """Return one event again; None when there is no such event."""
        rows = query.journal_after(self._connection, lane, seq - 1, 1)
        events = self.of(rows[0]) if rows and rows[0].seq == seq else ()
        return events[number] if number < len(events) else None

    def _tell(self, row: Row) -> tuple[Event, ...]:
        decoded = decode(row)
        told = tell(decoded.record, decoded.posted, self._facts)
        if not told:
            return ()
        seal = query.seal_over(self._connection, row.lane, row.seq)
        assert seal is not None, "every row is sealed in its own transaction"
        return tuple(
            [self._event(row, number, each, seal.head) for number, each in enumerate(told)]
        )

    def _event(self, row: Row, number: int, told: Told, head: bytes) -> Event:
        envelope = {
            "specversion": "1.0",
            "id": f"{row.lane}:{row.seq}:{number}",
            "source": self._source,
            "type": told.type,
            "subject": told.subject,
            "time": rfc3339(row.at_us),
            "datacontenttype": "application/json",
            "lane": row.lane,
            "sequence": row.seq,
            "head": head.hex(),
            "data": told.data,
        }
        body = _encode(envelope)
        who = (told.user_ids, told.packet_id)
        return Event(row.lane, row.seq, number, told.type, *who, body, told.subject)


def taken(position: Position, event: Event) -> None:
    """Move a position past an event."""
    position[event.lane] = (event.seq, event.number + 1)


def write_position(position: Position) -> str:
    """Return a position as an opaque resume id."""
    raw = msgspec.msgpack.encode([[lane, *place] for lane, place in sorted(position.items())])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_position(text: str) -> Position | None:
    """Read a resume id; None when it is not one of ours."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        rows = msgspec.msgpack.decode(raw, type=list[tuple[int, int, int]])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    is_sound = all(
        0 <= lane < 1 << 16 and 0 <= seq < 1 << 62 and 0 <= number <= ALL
        for lane, seq, number in rows
    )
    return {lane: (seq, number) for lane, seq, number in rows} if is_sound else None


class Bell:
    """Wakes those who wait for the next batch, on their event loop, from the writer's thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.Future[None] | None = None

    def next(self) -> "asyncio.Future[None]":
        """Return a future of the next strike; take it before looking, so that none is missed."""
        if self._next is None:
            self._loop = asyncio.get_running_loop()
            self._next = self._loop.create_future()
        return self._next

    def strike(self) -> None:
        """Wake everybody; may be called from any thread, and costs nothing when nobody waits."""
        if self._next is not None and self._loop is not None:
            _call(self._loop, self._ring)

    def _ring(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more
