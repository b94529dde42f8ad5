"""Webhook endpoints as rows: where to call back, how far each has been served, what is due again.

They are operation, not money: written as chores of the writer's connection, outside the journal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lingqian.storage.port import Connection

_ENDPOINT: Final = "endpoint_id, url, types, secret_sealed, created_at_us, disabled_at_us"
SELECT_ENDPOINTS: Final = f"SELECT {_ENDPOINT} FROM endpoints ORDER BY created_at_us"  # noqa: S608 - ours
INSERT_ENDPOINT: Final = (
    "INSERT INTO endpoints (endpoint_id, url, types, secret_sealed, created_at_us, disabled_at_us) "
    "VALUES (?, ?, ?, ?, ?, 0)"
)
DISABLE_ENDPOINT: Final = (
    "UPDATE endpoints SET disabled_at_us = ? WHERE endpoint_id = ? AND disabled_at_us = 0"
)
DELETES: Final = (
    "DELETE FROM deliveries WHERE endpoint_id = ?",
    "DELETE FROM endpoint_cursors WHERE endpoint_id = ?",
    "DELETE FROM endpoints WHERE endpoint_id = ?",
)
SELECT_CURSORS: Final = "SELECT lane, seq FROM endpoint_cursors WHERE endpoint_id = ?"
PUT_CURSOR: Final = (
    "INSERT INTO endpoint_cursors (endpoint_id, lane, seq) SELECT ?, ?, ? "
    "WHERE EXISTS (SELECT 1 FROM endpoints WHERE endpoint_id = ?) "
    "ON CONFLICT (endpoint_id, lane) DO UPDATE SET seq = excluded.seq"
)
SELECT_DUE: Final = (
    "SELECT endpoint_id, event_id, lane, seq, tries, due_at_us, last_status FROM deliveries "
    "WHERE endpoint_id = ? AND due_at_us <= ? ORDER BY due_at_us LIMIT ?"
)
SELECT_NEXT_DUE: Final = "SELECT MIN(due_at_us) FROM deliveries WHERE endpoint_id = ?"
SELECT_WAITING: Final = "SELECT COUNT(*) FROM deliveries WHERE endpoint_id = ?"
PUT_DELIVERY: Final = (
    "INSERT INTO deliveries (endpoint_id, event_id, lane, seq, tries, due_at_us, last_status) "
    "SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM endpoints WHERE endpoint_id = ?) "
    "ON CONFLICT (endpoint_id, event_id) DO UPDATE SET tries = excluded.tries, "
    "due_at_us = excluded.due_at_us, last_status = excluded.last_status"
)
DELETE_DELIVERY: Final = "DELETE FROM deliveries WHERE endpoint_id = ? AND event_id = ?"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to call back: an address, which types (none: all), and a sealed secret."""

    endpoint_id: str
    url: str
    types: tuple[str, ...]
    secret_sealed: bytes
    created_at_us: int
    disabled_at_us: int


class Delivery(NamedTuple):
    """An event that an endpoint has not taken yet.   Units: µs of real time."""

    endpoint_id: str
    event_id: str
    lane: int
    seq: int
    tries: int
    due_at_us: int
    last_status: int


def endpoints(connection: Connection) -> list[Endpoint]:
    """Return every endpoint, the oldest first."""
    rows: Any = connection.execute(SELECT_ENDPOINTS)
    return [Endpoint(row[0], row[1], tuple(row[2].split()), *row[3:]) for row in rows]


def add_endpoint(connection: Connection, endpoint: Endpoint, ends: dict[int, int]) -> None:
    """Write a new endpoint that is served from these ends of the lanes on."""
    values = (
        endpoint.endpoint_id,
        endpoint.url,
        " ".join(endpoint.types),
        endpoint.secret_sealed,
        endpoint.created_at_us,
    )
    connection.execute(INSERT_ENDPOINT, values)
    put_cursors(connection, endpoint.endpoint_id, ends)


def delete_endpoint(connection: Connection, endpoint_id: str) -> bool:
    """Remove an endpoint and all that waits for it; False when there is none."""
    for statement in DELETES:
        connection.execute(statement, (endpoint_id,))
    return connection.changes() > 0


def disable_endpoint(connection: Connection, endpoint_id: str, at_us: int) -> bool:
    """Stop serving an endpoint; False when it was stopped before."""
    connection.execute(DISABLE_ENDPOINT, (at_us, endpoint_id))
    return connection.changes() > 0


def cursors(connection: Connection, endpoint_id: str) -> dict[int, int]:
    """Return how far an endpoint has been served, lane by lane."""
    rows: Any = connection.execute(SELECT_CURSORS, (endpoint_id,))
    return dict(rows)


def put_cursors(connection: Connection, endpoint_id: str, ends: dict[int, int]) -> None:
    """Write how far an endpoint has been served."""
    rows = [(endpoint_id, lane, seq, endpoint_id) for lane, seq in ends.items()]
    connection.executemany(PUT_CURSOR, rows)


def due_deliveries(
    connection: Connection, endpoint_id: str, at_us: int, rows_max: int
) -> list[Delivery]:
    """Return what is to be tried again now, the longest due first."""
    rows: Any = connection.execute(SELECT_DUE, (endpoint_id, at_us, rows_max))
    return [Delivery(*row) for row in rows]


def next_due_us(connection: Connection, endpoint_id: str) -> int | None:
    """Return when the next try is due; None when nothing waits."""
    row: Any = connection.execute(SELECT_NEXT_DUE, (endpoint_id,)).fetchone()
    return None if row is None else row[0]


def waiting_count(connection: Connection, endpoint_id: str) -> int:
    """Return how many deliveries wait for an endpoint."""
    row: Any = connection.execute(SELECT_WAITING, (endpoint_id,)).fetchone()
    return int(row[0])


def settle_deliveries(
    connection: Connection, failed: Iterable[Delivery], done: Iterable[tuple[str, str]]
) -> None:
    """Write what must be tried again, and remove what was taken."""
    connection.executemany(DELETE_DELIVERY, list(done))
    connection.executemany(PUT_DELIVERY, [(*each, each.endpoint_id) for each in failed])
