"""The relay's reader: what lanes have let go for others and not yet delivered (通道间转账)."""

from collections.abc import Iterator
from typing import Final

from lingqian.flows.command import DeliverRelay
from lingqian.kernel.bound import RELAY_ITEMS_MAX
from lingqian.storage.port import Connection

SELECT_WAITING: Final = (
    "SELECT h.source, h.target, COALESCE(m.value, 0) FROM relay_heads h "
    "LEFT JOIN relay_marks m ON m.target = h.target AND m.source = h.source "
    "WHERE h.value > COALESCE(m.value, 0)"
)
SELECT_ITEMS: Final = (
    "SELECT account, amount_fen FROM relays WHERE source = ? AND target = ? AND number > ? "
    "ORDER BY number LIMIT ?"
)


def waiting(connection: Connection) -> Iterator[DeliverRelay]:
    """Yield one delivery for every pair of lanes that has money waiting between them."""
    pairs: list[tuple[bytes, bytes, int]] = connection.execute(SELECT_WAITING).fetchall()
    for source, target, mark in pairs:
        items = (source, target, mark, RELAY_ITEMS_MAX)
        rows: list[tuple[bytes, int]] = connection.execute(SELECT_ITEMS, items).fetchall()
        yield DeliverRelay(
            int.from_bytes(target, "big"),
            int.from_bytes(source, "big"),
            mark + 1,
            tuple(rows),
        )
