"""Walking: a whole table read in the order of its key, a page at a time, on any engine (遍历).

Law: inside one snapshot every row comes exactly once. A page begins with a seek, however many rows
lie before it, and no more than one page is in memory.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from lingqian.storage.chain import Seal
from lingqian.storage.codec import Row
from lingqian.storage.port import Connection
from lingqian.storage.sql import named

PAGE_ROWS: Final = 4_096
# Rows with something large in them: pictures, a day's bill.
LARGE_PAGE_ROWS: Final = 64


class Way(NamedTuple):
    """A way through a table: its key, in whose order the rows come, and what else is read."""

    table: str
    key: tuple[str, ...]
    others: tuple[str, ...]
    page_rows: int = PAGE_ROWS


JOURNAL: Final = Way("journal", ("lane", "seq"), Row._fields[2:])
SEALS: Final = Way("seals", ("lane", "last_seq"), Seal._fields[1:])


def walk(
    connection: Connection, way: Way, within: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """Yield each row whose key begins with `within`: first its key, then the other columns.

    Raises: ValueError when the key's index is out of order, which would be walked for ever.
    """
    width, least = len(way.key), len(within)
    values, same, is_begun = within, least, False
    while same >= least:
        text = _page(way, same, is_begun=is_begun)
        page = connection.execute(text, (*values, way.page_rows)).fetchall()
        yield from page
        if len(page) == way.page_rows:
            if page[-1][:width] <= values:
                raise ValueError(f"the index of {way.table} is out of order")
            # What has the most in common with the last row comes first.
            values, same, is_begun = page[-1][:width], width - 1, True
        else:
            values, same = values[:same], same - 1


@cache
def _page(way: Way, same: int, *, is_begun: bool) -> str:
    """Return the statement for a page: `same` columns of the key stand still, the next one grows.

    The order names only what moves, so that any engine sees that the key's own index has it.
    """
    conditions = [f'"{name}" = ?' for name in way.key[:same]]
    if is_begun:
        conditions.append(f'"{way.key[same]}" > ?')
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return (
        f'SELECT {named((*way.key, *way.others))} FROM "{way.table}"{where} '  # noqa: S608 - names from the schema table
        f"ORDER BY {named(way.key[same:])} LIMIT ?"
    )


def journal_rows(connection: Connection, lane: int) -> Iterator[Row]:
    """Yield a lane's journal from its first row on."""
    return map(Row._make, walk(connection, JOURNAL, (lane,)))


def seal_rows(connection: Connection, lane: int) -> Iterator[Seal]:
    """Yield a lane's seals from the first one on."""
    return (Seal(*columns) for _, *columns in walk(connection, SEALS, (lane,)))
