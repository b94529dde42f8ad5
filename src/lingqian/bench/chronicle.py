"""What the server's journal says of a passage, by when the lane decided it (日记账的时刻).

It is read from the file by this other process, so what it says is durable. Units: ms since 1970.
"""

import asyncio
from typing import Final

from apsw import Connection

from lingqian.bench.notebook import SOON_S
from lingqian.flows.command import BeginAttempt, Observe, ReceiveNotice, SendPacket
from lingqian.flows.evidence import ObserveDone
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_ORDER, PREFIX_PACKET, show
from lingqian.storage.codec import Row, decode
from lingqian.topup.evidence import Effect

_SELECT: Final = (
    "SELECT lane, seq, at_us, kind, code, body FROM journal WHERE lane = 0 AND seq > ? ORDER BY seq"
)
_SELECT_LAST: Final = "SELECT coalesce(max(seq), 0) FROM journal WHERE lane = 0"
_LOOK_S: Final = 0.02


class Chronicle:
    """Moments of orders and packets: `notice:tu_…`, `credited:tu_…`, `funded:rp_…`."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        row = reader.execute(_SELECT_LAST).fetchone()
        self._seq = int(row[0])  # type: ignore[index]  # an aggregate is always there
        self._orders: dict[bytes, str] = {}
        self._moments: dict[str, float] = {}

    def at_ms(self, name: str) -> float | None:
        """Return when something was decided; None as long as it is not durable."""
        for row in [Row(*each) for each in self._reader.execute(_SELECT, (self._seq,))]:
            self._seq = row.seq
            if row.code == Code.OK:
                self._read(row)
        return self._moments.get(name)

    async def until(self, name: str) -> float:
        """Wait until something is durable; return when it was decided.

        Raises: TimeoutError.
        """
        async with asyncio.timeout(SOON_S):
            while (at_ms := self.at_ms(name)) is None:  # noqa: ASYNC110 - no bell in another's file
                await asyncio.sleep(_LOOK_S)
            return at_ms

    def _read(self, row: Row) -> None:
        record = decode(row).record
        for name in _names(record.command, record.outcome, self._orders):
            self._moments.setdefault(name, row.at_us / 1_000)


def _names(command: object, outcome: object, orders: dict[bytes, str]) -> list[str]:
    """Name what one row of the journal means for a passage; learn which order an attempt is of."""
    match command:
        case BeginAttempt():
            orders[command.attempt_id] = show(PREFIX_ORDER, command.order_id)
        case ReceiveNotice() if command.attempt_id in orders:
            return [f"notice:{orders[command.attempt_id]}"]
        case SendPacket() if not command.is_by_channel:
            return [f"funded:{show(PREFIX_PACKET, command.packet_id)}"]
        case Observe() if isinstance(outcome, ObserveDone) and outcome.effect == Effect.CREDITED:
            return [f"credited:{show(PREFIX_ORDER, outcome.order_id)}"]
        case _:
            pass
    return []
