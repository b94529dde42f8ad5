"""What a lane says to a database: made once from the schema's rows, the same on all (语句).

Law: names stand in double quotes, because one engine's column is another's own word; values are
question marks. What engines say differently (replacing a row, beginning, fencing) is their own.
"""

from collections.abc import Iterable, Iterator
from operator import add, itemgetter
from typing import Any, Final

from lingqian.storage.port import Batch
from lingqian.storage.schema import APPENDED, TABLES, TableRow

IN_CHUNKS: Final = (1, 8, 64, 512)
_FIRST: Final = itemgetter(0)
Lines = Iterable[tuple[Any, ...]]


def named(names: Iterable[str]) -> str:
    """Return column names as a statement lists them."""
    return ", ".join(f'"{name}"' for name in names)


def marks(count: int) -> str:
    """Return as many question marks as there are values."""
    return ", ".join("?" * count)


def select(table: TableRow) -> str:
    """Return the statement that reads whole rows, up to its condition."""
    return f'SELECT {named((*table.key, *table.columns))} FROM "{table.name}" WHERE '  # noqa: S608 - names from the schema table


def _select_one(table: TableRow) -> str:
    return select(table) + " AND ".join(f'"{name}" = ?' for name in table.key)


def insert(name: str, columns: tuple[str, ...]) -> str:
    """Return the statement that adds a row."""
    return f'INSERT INTO "{name}" ({named(columns)}) VALUES ({marks(len(columns))})'  # noqa: S608 - names from the schema table


SELECTS: Final = {
    table.name: {size: f'{select(table)}"{table.key[0]}" IN ({marks(size)})' for size in IN_CHUNKS}
    for table in TABLES
}
SELECT_ONE: Final = {table.name: _select_one(table) for table in TABLES}
INSERTS: Final = {name: insert(name, columns) for name, columns in APPENDED.items()}
INSERT_ROW: Final = {
    table.name: insert(table.name, (*table.key, *table.columns)) for table in TABLES
}
VALUES: Final = {table.name: table.values() for table in TABLES}
SELECT_KEYS: Final = {
    size: (
        'SELECT k."key", j.lane, j.seq, j.at_us, j.kind, j.code, j.body FROM "keys" k '  # noqa: S608 - only question marks vary
        f'JOIN journal j ON j.lane = ? AND j.seq = k.seq WHERE k."key" IN ({marks(size)})'
    )
    for size in IN_CHUNKS
}
SELECT_TICKETS: Final = (
    "SELECT user_id, amount_fen, at_us, chain, pseudonym, seq, share, ticket FROM claims "
    "WHERE packet_id = ? ORDER BY ticket"
)
GRANTS: Final = next(table for table in TABLES if table.name == "grants")
SELECT_PURSE: Final = (
    f"SELECT order_id, {named(GRANTS.columns)} FROM grants "  # noqa: S608 - names from the schema table
    "WHERE user_id = ? AND paid_left + bonus_left > 0 ORDER BY order_id"
)
ADVANCE_LANE: Final = (
    "UPDATE lanes SET next_seq = ?, batch_id = ?, head = ?, at_us = ? "
    "WHERE lane = ? AND epoch = ? AND next_seq = ?"
)
SELECT_LANE: Final = "SELECT lane, epoch, next_seq, batch_id, head, at_us FROM lanes WHERE lane = ?"


def chunks(keys: list[bytes]) -> Iterable[tuple[int, tuple[bytes, ...]]]:
    """Cut keys into statements of few sizes, the last padded with a repeat: all stay prepared."""
    for start in range(0, len(keys), IN_CHUNKS[-1]):
        chunk = keys[start : start + IN_CHUNKS[-1]]
        size = next(each for each in IN_CHUNKS if each >= len(chunk))
        yield size, (*chunk, *[chunk[-1]] * (size - len(chunk)))


def fence(batch: Batch) -> tuple[Any, ...]:
    """Return the values of `ADVANCE_LANE`: what the lane becomes, and what it must still be."""
    before = batch.before
    return (*batch.after[2:], before.lane, before.epoch, before.next_seq)


def additions(batch: Batch) -> Iterator[tuple[str, Lines]]:
    """Yield every table that a batch only adds to, with its lines in key order."""
    if not batch.rows:
        return
    yield "journal", batch.rows
    after = batch.after
    first, last = batch.rows[0].seq, batch.rows[-1].seq
    yield (
        "seals",
        ((after.lane, last, first, after.batch_id, after.epoch, after.at_us, after.head),),
    )
    if batch.keys:
        yield "keys", sorted(batch.keys, key=_FIRST)
    if batch.entries:
        # In order of account; an account's own entries already stand in order of sequence and leg.
        yield "entries", sorted(batch.entries, key=_FIRST)
    if batch.relays:
        yield "relays", batch.relays
    if batch.trails:
        yield "trails", sorted(batch.trails)


def replacements(batch: Batch) -> Iterator[tuple[str, Lines]]:
    """Yield every typed table a batch changes, with whole rows in key order.

    In that order each page is written once.
    """
    for place, dirty in batch.dirty:
        table, keys = TABLES[place], sorted(dirty)
        cut = table.cut
        heads = [(key[:cut], key[cut:]) for key in keys] if cut else zip(keys, strict=False)
        yield table.name, map(add, heads, map(VALUES[table.name], map(dirty.__getitem__, keys)))
