"""Positions: how far a lane has read a stream, and the messages it had to pass over (位点).

Law: a position moves in the transaction of what the messages did, so what was done and how far it
was read are committed together or not at all. A message that is no command is parked, sealed, in
the transaction that passes over it.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.kernel.fault import Damaged
from lingqian.storage.port import Batch, Connection, Parked, Taken
from lingqian.storage.sql import Lines
from lingqian.storage.vault import Vault

PURPOSE: Final = "personal"
PUT_POSITION: Final = (
    "INSERT INTO positions (lane, stream, topic, place) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (lane, stream) DO UPDATE SET topic = excluded.topic, place = excluded.place"
)
# A stream may be read again from where it was parked before: the message is the same one.
PARK_MESSAGE: Final = (
    "INSERT INTO parked_messages "
    "(lane, stream, topic, message_id, place, at_us, reason, mac, sealed) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING"
)
SELECT_POSITION: Final = "SELECT topic, place FROM positions WHERE lane = ? AND stream = ?"
SELECT_PARKED: Final = (
    "SELECT message_id, stream, lane, topic, place, at_us, reason FROM parked_messages "
    "ORDER BY at_us DESC, message_id LIMIT ?"
)
SELECT_SEALED: Final = (
    "SELECT message_id, lane, stream, topic, place, mac, sealed FROM parked_messages"
)


def positions(batch: Batch) -> Iterator[tuple[str, Lines]]:
    """Yield every statement that says how far streams were read, and what was passed over."""
    if batch.taken:
        yield PUT_POSITION, [each[:4] for each in batch.taken]
        parked = [each[:3] + message for each in batch.taken for message in each.parked]
        if parked:
            yield PARK_MESSAGE, parked


class Position(NamedTuple):
    """Which topic a lane has read, and the place that comes next; nothing read: no topic."""

    topic: bytes
    place: int


class ParkedRow(NamedTuple):
    """What may be told of a parked message to an operator. Units: µs."""

    message_id: bytes
    stream: str
    lane: int
    topic: bytes
    place: int
    at_us: int
    reason: str


def position(connection: Connection, lane: int, stream: str) -> Position:
    """Return how far a lane has read a stream."""
    row = connection.execute(SELECT_POSITION, (lane, stream)).fetchone()
    return Position(b"", 0) if row is None else Position(*row)


def parked(connection: Connection, count_max: int) -> list[ParkedRow]:
    """Return the messages parked last."""
    return [ParkedRow(*row) for row in connection.execute(SELECT_PARKED, (count_max,))]


def message_id(stream: str, topic: bytes, lane: int, place: int) -> bytes:
    """Return what names a message for ever: where it lay."""
    where = b"/".join([stream.encode(), topic.hex().encode(), b"%d" % lane, b"%d" % place])
    return sha256(where).digest()[:16]


class Parker:
    """Seals messages that are no commands."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def park(self, taken: Taken, place: int, value: bytes, reason: str, at_us: int) -> Parked:
        """Return a message as it is kept."""
        own = message_id(taken.stream, taken.topic, taken.lane, place)
        mac = self._vault.mac("message", own, value)
        return Parked(own, place, at_us, reason, mac, self._vault.seal(PURPOSE, own, value))


def untrue_messages(connection: Connection, vault: Vault | None) -> Iterator[tuple[str, str]]:
    """Yield the key of each parked message that is not what was parked, and why."""
    for own, lane, stream, topic, place, mac, sealed in connection.execute(SELECT_SEALED):
        words = ""
        if own != message_id(stream, topic, lane, place):
            words = "it does not lie where its name says"
        elif vault is not None:
            words = _unlike(vault, own, mac, sealed)
        if words:
            yield own.hex(), words


def _unlike(vault: Vault, own: bytes, mac: bytes, sealed: bytes) -> str:
    try:
        is_true = vault.mac("message", own, vault.open(PURPOSE, own, sealed)) == mac
    except Damaged as error:
        return f"its bytes: {error}"
    return "" if is_true else "its digest is not that of its bytes"
