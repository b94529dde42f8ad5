"""Backlog: what is written and not yet carried on, between lanes and to webhooks (积压).

For whoever watches; nothing is decided by it.   Units: rows; µs of business time.
"""

from typing import Any, Final, NamedTuple

from lingqian.storage.port import Connection
from lingqian.storage.relay import SELECT_WAITING

# Each pair of lanes is looked at by itself; the oldest of so many says enough.
_PAIRS_MAX: Final = 64
SELECT_RELAYED: Final = (
    "SELECT COALESCE(sum(h.value - COALESCE(m.value, 0)), 0) FROM relay_heads h "
    "LEFT JOIN relay_marks m ON m.target = h.target AND m.source = h.source"
)
SELECT_LET_GO: Final = (
    "SELECT j.at_us FROM relays r JOIN journal j ON j.lane = ? AND j.seq = r.seq "
    "WHERE r.source = ? AND r.target = ? AND r.number = ?"
)
SELECT_BEHIND: Final = (
    "SELECT c.lane, max(l.next_seq - 1 - c.seq) FROM endpoint_cursors c "
    "JOIN lanes l ON l.lane = c.lane JOIN endpoints e ON e.endpoint_id = c.endpoint_id "
    "WHERE e.disabled_at_us = 0 GROUP BY c.lane"
)
SELECT_DELIVERIES: Final = "SELECT count(*) FROM deliveries"


class Backlog(NamedTuple):
    """What waits; `oldest_us`: when the oldest of the relay's money was let go, 0 for none.

    `behind`: by lane, how many rows the webhook that is served least has before it.
    """

    relayed: int
    oldest_us: int
    behind: dict[int, int]
    deliveries: int


def backlog(connection: Connection) -> Backlog:
    """Look at all that waits."""
    ((relayed,),) = _rows(connection, SELECT_RELAYED)
    ((deliveries,),) = _rows(connection, SELECT_DELIVERIES)
    behind = {lane: int(rows) for lane, rows in _rows(connection, SELECT_BEHIND)}
    return Backlog(int(relayed), _oldest_us(connection), behind, deliveries)


def _rows(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - rows of the engine
    return connection.execute(statement, values).fetchall()


def _oldest_us(connection: Connection) -> int:
    found = []
    for source, target, mark in _rows(connection, SELECT_WAITING)[:_PAIRS_MAX]:
        lane = int.from_bytes(source, "big")
        found += _rows(connection, SELECT_LET_GO, (lane, source, target, mark + 1))
    return min((at_us for (at_us,) in found), default=0)
