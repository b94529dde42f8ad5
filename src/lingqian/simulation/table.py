"""Stored tables against the model, row by row and to the fen (账表核对)."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import apsw

from lingqian.simulation.auditor import Violation
from lingqian.simulation.model import (
    AWAITING,
    BANK,
    DRAW,
    ESCROW,
    OPEN,
    Bag,
    Model,
    calendar,
)

Rows = dict[Any, tuple[Any, ...]]


def compare(connection: apsw.Connection, model: Model) -> None:
    """Compare every typed table of the database with the model.

    Raises: Violation at the first row that differs.
    """
    for name, statement, right in _TABLES:
        _equal(name, _read(connection, statement), right(model))
    for packet_id, bag in model.bags.items():
        _packet_law(packet_id, bag, model)


def _read(connection: apsw.Connection, statement: str) -> Rows:
    return {row[0]: row[1:] for row in connection.execute(statement)}


def _equal(name: str, stored: Rows, right: Rows) -> None:
    if stored == right:
        return
    keys = [key for key in {**stored, **right} if stored.get(key) != right.get(key)]
    words = [f"{key!r}: stored {stored.get(key)}, expected {right.get(key)}" for key in keys[:3]]
    raise Violation(f"table {name}: {len(keys)} rows differ; " + "; ".join(words))


def _packet_law(packet_id: bytes, bag: Bag, model: Model) -> None:
    """Funded = claimed + remaining + returned, and the rest is in escrow while there is one."""
    claims = [share for share in bag.people.values() if share.number]
    rest = model.posted.get(packet_id + ESCROW, 0)
    is_funded = bag.expires > 0
    if sum([share.amount for share in claims]) != bag.claimed or len(claims) > bag.command.count:
        raise Violation(f"packet {packet_id.hex()}: the claims are not what was claimed")
    if is_funded and bag.claimed + bag.returned + rest != bag.command.total_fen:
        raise Violation(f"packet {packet_id.hex()}: funded is not claimed + remaining + returned")


def _journal(model: Model) -> Rows:
    return {lane: (1, seq - 1, seq - 1) for lane, seq in model.seqs.items()}


def _users(model: Model) -> Rows:
    return {
        user: (one.external, one.nickname, one.account_class, one.state, one.version, one.created)
        for user, one in model.people.items()
    }


def _usages(model: Model) -> Rows:
    rows: Rows = {}
    for user, person in model.people.items():
        if person.days:
            day = max(person.days)
            year = calendar(day * 86_400_000_000 - 8 * 3_600_000_000)[1]
            paid, count = person.days[day]
            # Nobody gives gifts in this world.
            rows[user] = (day, count, paid, year, person.years[year], person.ever, 0)
    return rows


def _accounts(model: Model) -> Rows:
    accounts = {**model.posted, **model.held, **model.coming}
    return {
        account: (
            model.posted.get(account, 0),
            model.held.get(account, 0),
            model.coming.get(account, 0),
        )
        for account in accounts
    }


def _entries(model: Model) -> Rows:
    return {
        account: (-fen, -fen) if account[16:] == BANK else (fen, fen)
        for account, fen in model.posted.items()
    }


def _packets(model: Model) -> Rows:
    return {
        packet: (
            bag.command.sender_id, bag.command.kind, bag.command.total_fen, bag.command.count,
            bag.command.commitment, bag.command.recipients, bag.sent,
        )
        for packet, bag in model.bags.items()
    }  # fmt: skip


def _progress(model: Model) -> Rows:
    return {
        packet: (
            bag.opens, bag.beacon, bag.link, bag.count, bag.claimed, bag.closed, _due(bag),
            bag.entropy, bag.entropy_at, bag.expires, bag.returned, bag.state,
            len(bag.people) if bag.command.kind == DRAW else 0, bag.wants,
        )
        for packet, bag in model.bags.items()
    }  # fmt: skip


def _due(bag: Bag) -> int:
    if bag.state not in (OPEN, AWAITING):
        return 0
    return max(bag.command.draw_at_us, bag.opens) if bag.command.kind == DRAW else bag.expires


def _claims(model: Model) -> Rows:
    return {
        packet + user: (
            share.amount, share.at, share.link, share.name, share.seq, share.number, share.ticket,
        )
        for packet, bag in model.bags.items()
        for user, share in bag.people.items()
    }  # fmt: skip


def _cases(model: Model) -> Rows:
    rows: Rows = {}
    for identity, case in model.cases.items():
        _, action, about, user, amount, verdict, rule, due, _ = case.opened
        rows[identity] = (
            action, amount, case.by, due, about, case.at, "risk", rule, case.state, user, verdict,
        )  # fmt: skip
    return rows


def _heads(model: Model) -> Rows:
    return {_pair(*lanes): (len(items),) for lanes, items in model.streams.items()}


def _marks(model: Model) -> Rows:
    return {_pair(target, source): (mark,) for (source, target), mark in model.marks.items()}


def _relays(model: Model) -> Rows:
    return {
        f"{_pair(*lanes).hex()}{number:016x}".upper(): item
        for lanes, items in model.streams.items()
        for number, item in enumerate(items, start=1)
    }


def _pair(source: int, target: int) -> bytes:
    return source.to_bytes(2, "big") + target.to_bytes(2, "big")


def _single(rows: Iterable[tuple[Any, Any]]) -> Rows:
    return {key: (value,) for key, value in rows}


_TABLES: Final[tuple[tuple[str, str, Callable[[Model], Rows]], ...]] = (
    ("journal", "SELECT lane, MIN(seq), MAX(seq), COUNT(*) FROM journal GROUP BY lane", _journal),
    (
        "seals",
        (
            "SELECT lane, MIN(first_seq), MAX(last_seq), SUM(last_seq - first_seq + 1) FROM seals "
            "GROUP BY lane"
        ),
        _journal,
    ),
    (
        "lanes",
        "SELECT lane, next_seq FROM lanes WHERE next_seq > 1",
        lambda model: _single(model.seqs.items()),
    ),
    (
        "keys",
        "SELECT key, seq FROM keys",
        lambda model: _single((key, seen.seq) for key, seen in model.keys.items()),
    ),
    (
        "users",
        (
            "SELECT user_id, external_mac, nickname_mac, account_class, state, version, "
            "created_at_us FROM users"
        ),
        _users,
    ),
    (
        "usages",
        (
            "SELECT user_id, day, day_count, day_fen, year, year_fen, life_fen, day_gift_fen "
            "FROM usages"
        ),
        _usages,
    ),
    (
        "accounts",
        (
            "SELECT account, credits_posted - debits_posted, debits_pending, credits_pending "
            "FROM accounts"
        ),
        _accounts,
    ),
    (
        "entries",
        (
            "SELECT account, SUM(amount_fen), (SELECT balance_after_fen FROM entries l "
            "WHERE l.account = e.account ORDER BY seq DESC, leg DESC LIMIT 1) "
            "FROM entries e GROUP BY account"
        ),
        _entries,
    ),
    (
        "entries by number",
        "SELECT 0, COUNT(*) FROM entries",
        lambda model: {0: (2 * model.moves,)},
    ),
    (
        "holds",
        "SELECT hold_id, debit, credit, amount_fen, state, at_us FROM holds",
        lambda model: {key: tuple(hold) for key, hold in model.holds.items()},
    ),
    (
        "transfers",
        "SELECT transfer_id, source_id, target_id, amount_fen, state, at_us FROM transfers",
        lambda model: {key: tuple(row) for key, row in model.transfers.items()},
    ),
    (
        "conversations",
        "SELECT CAST(conversation AS TEXT), members FROM conversations",
        lambda model: _single(model.groups.items()),
    ),
    (
        "packets",
        (
            "SELECT packet_id, sender_id, kind, total_fen, count, commitment, recipients, "
            "created_at_us FROM packets"
        ),
        _packets,
    ),
    (
        "progress",
        (
            "SELECT packet_id, await_until_us, beacon, chain, claimed_count, claimed_fen, "
            "closed_at_us, due_at_us, entropy, entropy_at_us, expires_at_us, returned_fen, state, "
            "ticket_count, wants_round FROM progress"
        ),
        _progress,
    ),
    (
        "claims",
        (
            "SELECT CAST(packet_id || user_id AS BLOB), amount_fen, at_us, chain, pseudonym, seq, "
            "share, ticket FROM claims"
        ),
        _claims,
    ),
    (
        "tries",
        "SELECT CAST(packet_id || user_id AS BLOB), value FROM tries",
        lambda model: _single(model.tries.items()),
    ),
    (
        "cases",
        (
            "SELECT case_id, action, amount_fen, decided_by, due_at_us, object_id, opened_at_us, "
            "owner, rule, state, user_id, verdict FROM cases"
        ),
        _cases,
    ),
    ("relay_heads", "SELECT CAST(source || target AS BLOB), value FROM relay_heads", _heads),
    ("relay_marks", "SELECT CAST(target || source AS BLOB), value FROM relay_marks", _marks),
    (
        "relays",
        (
            "SELECT printf('%s%s%016X', hex(source), hex(target), number), account, amount_fen "
            "FROM relays"
        ),
        _relays,
    ),
    (
        "personal",
        "SELECT CAST(owner_id || char(field) AS BLOB), cipher, mac FROM personal",
        lambda model: {key: (mac[::-1], mac) for key, mac in model.personal.items()},
    ),
)
