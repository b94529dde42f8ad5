"""The board: packets that are over, answered from memory without the lane (已结束的红包).

Finished and expired are for ever, so what is noted here never has to be taken back.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from lingqian.kernel.code import Code
from lingqian.redpacket.packet import Claim, PacketKind
from lingqian.storage.port import Connection
from lingqian.storage.sql import SELECT_TICKETS

PACKETS_MAX: Final = 2_000
SELECT_KIND: Final = "SELECT kind FROM packets WHERE packet_id = ?"
_FINAL: Final = (Code.PACKET_FINISHED, Code.PACKET_EXPIRED, Code.PACKET_INVALIDATED)


class Over(NamedTuple):
    """A packet that is over: why, and everybody who had a share."""

    code: Code
    claims: dict[bytes, Claim]


class Board:
    """A bounded memory of packets that are over, the least recently asked for dropped first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._over: OrderedDict[bytes, Over] = OrderedDict()

    def look(self, packet_id: bytes) -> Over | None:
        """Return what is known of a packet that is over; None sends the claim to the lane."""
        over = self._over.get(packet_id)
        if over is not None:
            self._over.move_to_end(packet_id)
        return over

    def note(self, packet_id: bytes, code: int) -> None:
        """Remember a packet that the lane has just called over.

        A draw closes to entries before its shares are given, so it is never noted.
        """
        if code not in _FINAL or packet_id in self._over:
            return
        row = self._connection.execute(SELECT_KIND, (packet_id,)).fetchone()
        if row is None or row[0] == PacketKind.DRAW:
            return
        rows = self._connection.execute(SELECT_TICKETS, (packet_id,))
        claims = {user_id: Claim(*values) for user_id, *values in rows}
        self._over[packet_id] = Over(Code(code), claims)
        if len(self._over) > PACKETS_MAX:
            self._over.popitem(last=False)
