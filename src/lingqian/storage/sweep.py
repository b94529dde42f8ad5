"""The sweep: finds what is due by the clock and names the command that settles it (到期扫描).

Law: refusing after expiry never waits for the sweep; it only moves money.
"""

from typing import Final

from lingqian.flows.advance import CLAW_BACK
from lingqian.flows.command import (
    ClosePacket,
    Command,
    DrawPacket,
    ExpireCoins,
    ExpireOrder,
    SettleAdvance,
    SettleCase,
    SettleGift,
)
from lingqian.redpacket.packet import PacketKind, PacketState
from lingqian.storage.port import Connection

SELECT_PACKETS: Final = (
    "SELECT g.packet_id, p.kind, g.state FROM progress g "
    "JOIN packets p ON p.packet_id = g.packet_id "
    "WHERE g.due_at_us > 0 AND g.due_at_us <= ? ORDER BY g.due_at_us LIMIT ?"
)
SELECT_CASES: Final = (
    "SELECT case_id FROM cases WHERE state IN (1, 2, 3) AND due_at_us <= ? "
    "ORDER BY due_at_us LIMIT ?"
)
SELECT_ORDERS: Final = (
    "SELECT order_id FROM orders WHERE due_at_us > 0 AND due_at_us <= ? ORDER BY due_at_us LIMIT ?"
)
SELECT_ADVANCES: Final = (
    "SELECT order_id FROM advances WHERE due_at_us > 0 AND due_at_us <= ? "
    "ORDER BY due_at_us LIMIT ?"
)
SELECT_GRANTS: Final = (
    "SELECT order_id FROM grants WHERE due_at_us > 0 AND due_at_us <= ? ORDER BY due_at_us LIMIT ?"
)
SELECT_GIFTS: Final = (
    "SELECT gift_id FROM gifts WHERE state = 1 AND settles_at_us <= ? "
    "ORDER BY settles_at_us LIMIT ?"
)
BY_CLOCK: Final = "clock"


def due(connection: Connection, at_us: int, rows_max: int) -> list[Command]:
    """Return commands for all that ends by the clock, the longest due first of each kind."""
    commands: list[Command] = []
    for (order_id,) in connection.execute(SELECT_ADVANCES, (at_us, rows_max)):
        commands.append(SettleAdvance(order_id, CLAW_BACK, BY_CLOCK))
    for packet_id, kind, state in connection.execute(SELECT_PACKETS, (at_us, rows_max)):
        if kind == PacketKind.DRAW and state != PacketState.FUNDING:
            commands.append(DrawPacket(packet_id))
        else:
            commands.append(ClosePacket(packet_id, False, BY_CLOCK))  # noqa: FBT003 - a field of the command
    for (case_id,) in connection.execute(SELECT_CASES, (at_us, rows_max)):
        commands.append(SettleCase(case_id, "due", BY_CLOCK))
    for (order_id,) in connection.execute(SELECT_ORDERS, (at_us, rows_max)):
        commands.append(ExpireOrder(order_id, ""))
    for (order_id,) in connection.execute(SELECT_GRANTS, (at_us, rows_max)):
        commands.append(ExpireCoins(order_id))
    for (gift_id,) in connection.execute(SELECT_GIFTS, (at_us, rows_max)):
        commands.append(SettleGift(gift_id))
    return commands
