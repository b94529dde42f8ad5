"""Named reads: every question the API asks, one function and one statement each (查询).

Reads do not pass the lane; each sees the newest committed state. Lists are read newest first in
pages that continue after the last row's own key, so that a page never moves under its reader.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from lingqian.flows.case import Case
from lingqian.flows.view import Transferred
from lingqian.identity.user import User
from lingqian.ledger.account import Account
from lingqian.ledger.chart import balance_account, escrow_account
from lingqian.redpacket.packet import Claim, Packet, Progress
from lingqian.storage.codec import Row
from lingqian.storage.port import Connection
from lingqian.storage.schema import TABLES
from lingqian.storage.sql import SELECT_ONE
from lingqian.topup.attempt import Attempt
from lingqian.topup.order import Order

_MAKE: Final = {table.name: (len(table.key), table.make) for table in TABLES}
_CLAIM: Final = "amount_fen, at_us, chain, pseudonym, seq, share, ticket"
SELECT_EXTERNAL: Final = "SELECT user_id FROM users WHERE external_mac = ?"
SELECT_TEXT: Final = "SELECT cipher FROM personal WHERE owner_id = ? AND field = ?"
SELECT_CONVERSATION: Final = "SELECT conversation_id FROM packets WHERE packet_id = ?"
# Only what is still on its way is looked through, never the history of the relay.
SELECT_INCOMING: Final = (
    "SELECT COALESCE(SUM(r.amount_fen), 0) FROM relay_heads h "
    "LEFT JOIN relay_marks m ON m.target = h.target AND m.source = h.source "
    "JOIN relays r ON r.source = h.source AND r.target = h.target "
    "AND r.number > COALESCE(m.value, 0) "
    "WHERE h.target = ? AND h.value > COALESCE(m.value, 0) AND r.account = ?"
)
SELECT_CLAIMS: Final = (
    f"SELECT user_id, {_CLAIM} FROM claims "  # noqa: S608 - our columns
    "WHERE packet_id = ? AND ticket < ? ORDER BY ticket DESC LIMIT ?"
)
SELECT_ALL_CLAIMS: Final = (
    f"SELECT user_id, {_CLAIM} FROM claims WHERE packet_id = ? ORDER BY ticket"  # noqa: S608 - ours
)
SELECT_BEST: Final = (
    f"SELECT user_id, {_CLAIM} FROM claims WHERE packet_id = ? AND share > 0 "  # noqa: S608 - ours
    "ORDER BY amount_fen DESC, ticket LIMIT 1"
)
SELECT_SENT: Final = (
    "SELECT packet_id FROM packets WHERE sender_id = ? AND packet_id < ? "
    "ORDER BY packet_id DESC LIMIT ?"
)
SELECT_CLAIMED: Final = (
    "SELECT packet_id FROM claims WHERE user_id = ? AND packet_id > ? AND packet_id < ? "
    "ORDER BY packet_id DESC LIMIT ?"
)
SELECT_POSTED: Final = (
    # The index has only packets of a conversation; unless that is said, it is not used.
    "SELECT packet_id FROM packets WHERE conversation_id = ? AND conversation_id <> '' "
    "AND packet_id > ? AND packet_id < ? ORDER BY packet_id DESC LIMIT ?"
)
SELECT_SEAL: Final = (
    "SELECT last_seq, head FROM seals WHERE lane = ? AND last_seq >= ? ORDER BY last_seq LIMIT 1"
)
SELECT_CASES: Final = (
    "SELECT case_id, action, amount_fen, decided_by, due_at_us, object_id, opened_at_us, owner, "
    "requested_by, rule, state, user_id, verdict FROM cases WHERE (opened_at_us, case_id) < (?, ?) "
)
_OPEN_CASES: Final = "AND state IN (1, 2, 3) "
_CASES_END: Final = "ORDER BY opened_at_us DESC, case_id DESC LIMIT ?"
SELECT_JOURNAL: Final = (
    "SELECT lane, seq, at_us, kind, code, body FROM journal WHERE lane = ? AND seq > ? "
    "ORDER BY seq LIMIT ?"
)
SELECT_ENDS: Final = "SELECT lane, next_seq - 1 FROM lanes"


def _first(connection: Connection, statement: str, values: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a row of the engine
    return connection.execute(statement, values).fetchone()


def one(connection: Connection, table: str, *key: bytes) -> Any:  # noqa: ANN401 - the table's own class
    """Return one row of a typed table by its key, as the class it becomes."""
    row = _first(connection, SELECT_ONE[table], key)
    if row is None:
        return None
    width, make = _MAKE[table]
    return make(*row[width:])


def user_id_of(connection: Connection, external_mac: bytes) -> bytes | None:
    """Return who an external id belongs to."""
    row = _first(connection, SELECT_EXTERNAL, (external_mac,))
    return None if row is None else row[0]


def user(connection: Connection, user_id: bytes) -> User | None:
    """Return a person's row."""
    found: User | None = one(connection, "users", user_id)
    return found


def sealed_text(connection: Connection, owner_id: bytes, field: int) -> bytes | None:
    """Return one sealed field of personal data; None when there is none, or no longer."""
    row = _first(connection, SELECT_TEXT, (owner_id, field))
    return None if row is None else row[0]


class Balance(NamedTuple):
    """What a person has: posted, set aside by open holds, and on its way from other lanes."""

    amount_fen: int
    held_fen: int
    incoming_fen: int


def balance(connection: Connection, user_id: bytes) -> Balance:
    """Return a person's balance; what is on its way is durable but not yet spendable.

    Both reads see one snapshot, so that amount + incoming is exact at every moment.
    """
    account = balance_account(user_id)
    connection.execute("BEGIN")
    try:
        counters: Account | None = one(connection, "accounts", account)
        (incoming_fen,) = _first(connection, SELECT_INCOMING, (user_id[:2], account))
    finally:
        connection.execute("COMMIT")
    if counters is None:
        return Balance(0, 0, incoming_fen)
    posted_fen = counters.credits_posted - counters.debits_posted
    return Balance(posted_fen, counters.debits_pending, incoming_fen)


class Sent(NamedTuple):
    """A packet as it was sent, and where it stands."""

    packet_id: bytes
    packet: Packet
    progress: Progress


def packet(connection: Connection, packet_id: bytes) -> Sent | None:
    """Return a packet."""
    row: Packet | None = one(connection, "packets", packet_id)
    if row is None:
        return None
    return Sent(packet_id, row, one(connection, "progress", packet_id))


def conversation_of(connection: Connection, packet_id: bytes) -> str | None:
    """Return where a packet was posted; None when there is no such packet."""
    row = _first(connection, SELECT_CONVERSATION, (packet_id,))
    return None if row is None else row[0]


class Claimed(NamedTuple):
    """A claim and whose it is."""

    user_id: bytes
    claim: Claim


def claim(connection: Connection, packet_id: bytes, user_id: bytes) -> Claim | None:
    """Return a person's claim on a packet."""
    found: Claim | None = one(connection, "claims", packet_id, user_id)
    return found


def claims(
    connection: Connection, packet_id: bytes, before_ticket: int, rows_max: int
) -> list[Claimed]:
    """Return a page of a packet's claims, the newest first."""
    rows: Any = connection.execute(SELECT_CLAIMS, (packet_id, before_ticket, rows_max))
    return [Claimed(user_id, Claim(*values)) for user_id, *values in rows]


def all_claims(connection: Connection, packet_id: bytes) -> list[Claimed]:
    """Return all claims of a packet in the order they were made."""
    rows: Any = connection.execute(SELECT_ALL_CLAIMS, (packet_id,))
    return [Claimed(user_id, Claim(*values)) for user_id, *values in rows]


def best(connection: Connection, packet_id: bytes) -> Claimed | None:
    """Return the best luck: the largest share; among equals the earlier claim."""
    row = _first(connection, SELECT_BEST, (packet_id,))
    return None if row is None else Claimed(row[0], Claim(*row[1:]))


def sent_packets(
    connection: Connection, sender_id: bytes, before: bytes, rows_max: int
) -> list[bytes]:
    """Return a page of the packets a person sent, the newest first."""
    rows: Any = connection.execute(SELECT_SENT, (sender_id, before, rows_max))
    return [packet_id for (packet_id,) in rows]


def claimed_packets(
    connection: Connection, user_id: bytes, before: bytes, lanes: Iterable[int], rows_max: int
) -> list[bytes]:
    """Return a page of the packets a person claimed from, the newest packet first.

    `before` is an id without its lane. Ids sort by time inside a lane, so each lane gives its own
    newest and these are merged.
    """
    return _merged(connection, (SELECT_CLAIMED, user_id), before, lanes, rows_max)


def packets_in(
    connection: Connection,
    conversation_id: str,
    before: bytes,
    lanes: Iterable[int],
    rows_max: int,
) -> list[bytes]:
    """Return a page of the packets that were posted in a conversation, the newest first.

    `before` is an id without its lane, as in `claimed_packets`.
    """
    return _merged(connection, (SELECT_POSTED, conversation_id), before, lanes, rows_max)


def _merged(
    connection: Connection,
    asked: tuple[str, Any],
    before: bytes,
    lanes: Iterable[int],
    rows_max: int,
) -> list[bytes]:
    """Ask every lane for its newest ids before one, and merge them by time."""
    statement, subject = asked
    found: list[bytes] = []
    for lane in lanes:
        prefix = lane.to_bytes(2, "big")
        rows: Any = connection.execute(statement, (subject, prefix, prefix + before, rows_max))
        found.extend([packet_id for (packet_id,) in rows])
    return sorted(found, key=lambda packet_id: packet_id[2:], reverse=True)[:rows_max]


def transfer(connection: Connection, transfer_id: bytes) -> Transferred | None:
    """Return a transfer."""
    found: Transferred | None = one(connection, "transfers", transfer_id)
    return found


class Seal(NamedTuple):
    """The head of a lane's chain after a batch."""

    lane: int
    seq: int
    head: bytes


def closing_seal(connection: Connection, packet_id: bytes) -> Seal | None:
    """Return the first seal over the record that last moved a packet's money."""
    escrow: Account | None = one(connection, "accounts", escrow_account(packet_id))
    return None if escrow is None else seal_over(connection, _lane(packet_id), escrow.seq)


def seal_over(connection: Connection, lane: int, seq: int) -> Seal | None:
    """Return the seal of the batch that a journal row belongs to."""
    row = _first(connection, SELECT_SEAL, (lane, seq))
    return None if row is None else Seal(lane, row[0], row[1])


def _lane(identity: bytes) -> int:
    return identity[0] << 8 | identity[1]


class Stopped(NamedTuple):
    """A case and its id."""

    case_id: bytes
    case: Case


def case(connection: Connection, case_id: bytes) -> Case | None:
    """Return a case."""
    found: Case | None = one(connection, "cases", case_id)
    return found


def order(connection: Connection, order_id: bytes) -> Order | None:
    """Return a top-up order."""
    found: Order | None = one(connection, "orders", order_id)
    return found


def attempt(connection: Connection, attempt_id: bytes) -> Attempt | None:
    """Return an attempt."""
    found: Attempt | None = one(connection, "attempts", attempt_id)
    return found


def cases(
    connection: Connection, before: tuple[int, bytes], rows_max: int, *, is_open: bool
) -> list[Stopped]:
    """Return a page of cases, the newest first; only those that wait, or all."""
    statement = SELECT_CASES + (_OPEN_CASES if is_open else "") + _CASES_END
    rows: Any = connection.execute(statement, (*before, rows_max))
    return [Stopped(case_id, Case(*values)) for case_id, *values in rows]


def packet_row(connection: Connection, packet_id: bytes) -> Packet | None:
    """Return what was fixed of a packet when it was sent."""
    found: Packet | None = one(connection, "packets", packet_id)
    return found


def journal_after(connection: Connection, lane: int, seq: int, rows_max: int) -> list[Row]:
    """Return the journal rows of a lane after one of them."""
    rows: Any = connection.execute(SELECT_JOURNAL, (lane, seq, rows_max))
    return [Row(*row) for row in rows]


def ends(connection: Connection) -> dict[int, int]:
    """Return the last sequence of every lane's journal."""
    rows: Any = connection.execute(SELECT_ENDS)
    return dict(rows)


SELECT_KEY_KNOWN: Final = "SELECT 1 FROM keys WHERE key = ?"
SELECT_DEVICE_SINCE: Final = "SELECT created_at_us FROM devices WHERE device_id = ?"
SELECT_PAID_TODAY: Final = "SELECT day_fen + day_gift_fen FROM usages WHERE user_id = ? AND day = ?"


def is_key_known(connection: Connection, key: bytes) -> bool:
    """Say whether an idempotency key has its first answer."""
    return connection.execute(SELECT_KEY_KNOWN, (key,)).fetchone() is not None


def device_since_us(connection: Connection, device_id: bytes) -> int:
    """Return since when a device is known, in real time; 0 for none."""
    row: Any = connection.execute(SELECT_DEVICE_SINCE, (device_id,)).fetchone()
    return 0 if row is None else int(row[0])


def paid_today_fen(connection: Connection, user_id: bytes, day: int) -> int:
    """Return what a person has paid on a business day, in gifts too."""
    row: Any = connection.execute(SELECT_PAID_TODAY, (user_id, day)).fetchone()
    return 0 if row is None else int(row[0])
