"""The loader: reads what a batch wants into its view, a few set-based reads on any engine (装载).

Law: a row that was asked for and is not there is known to be absent, once the reading is through:
one that fails half-way may be done again. A row that the view has is newer than the stored one, and
is left alone.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

from lingqian.flows.view import View, Wanted
from lingqian.storage.codec import Row, decode
from lingqian.storage.schema import TABLES, TableRow
from lingqian.storage.sql import (
    GRANTS,
    SELECT_KEYS,
    SELECT_PURSE,
    SELECT_TICKETS,
    SELECTS,
    chunks,
)

_named: Final = attrgetter(*[table.attribute for table in TABLES])
_make_claim: Final = next(table.make for table in TABLES if table.name == "claims")

# Reads whole rows by keys of two columns, which engines find best in different ways.
ReadPairs = Callable[[Any, TableRow, list[tuple[bytes, bytes]]], Iterable[tuple[Any, ...]]]


class Loader:
    """Fills views over any connection that executes our statements."""

    def __init__(self, read_pairs: ReadPairs) -> None:
        self._read_pairs = read_pairs

    def load(self, connection: Any, view: View, wanted: Wanted) -> None:  # noqa: ANN401 - the engine's own type
        """Read every wanted row the view does not have yet.

        Raises: what the engine raises.
        """
        # All names at once: a command that leads on to new rows comes here alone.
        for table, keys in zip(TABLES, _named(wanted), strict=True):
            if keys:
                rows = getattr(view, table.attribute).rows
                missing = keys.difference(rows)
                if missing:
                    self._load_table(connection, table, rows, list(missing))
        if wanted.keys:
            _load_keys(connection, view, list(wanted.keys.difference(view.seen)))
        for packet_id in wanted.tickets.difference(view.tickets):
            _load_tickets(connection, view, packet_id)
        for user_id in wanted.purses.difference(view.purses):
            _load_purse(connection, view, user_id)

    def _load_table(
        self,
        connection: Any,  # noqa: ANN401 - the engine's own type
        table: TableRow,
        rows: dict[bytes, Any],
        missing: list[bytes],
    ) -> None:
        found: dict[bytes, Any] = dict.fromkeys(missing)
        make, execute = table.make, connection.execute
        if table.cut:
            pairs = [(key[: table.cut], key[table.cut :]) for key in missing]
            for one, two, *values in self._read_pairs(connection, table, pairs):
                found[one + two] = make(*values)
        else:
            statements = SELECTS[table.name]
            for size, chunk in chunks(missing):
                for key, *values in execute(statements[size], chunk):
                    found[key] = make(*values)
        rows.update(found)


def _load_keys(connection: Any, view: View, missing: list[bytes]) -> None:  # noqa: ANN401 - the engine's own type
    found: dict[bytes, Any] = dict.fromkeys(missing)
    for size, chunk in chunks(missing):
        for key, *row in connection.execute(SELECT_KEYS[size], (view.lane, *chunk)):
            found[key] = decode(Row(*row)).record
    view.seen.update(found)


def _load_tickets(connection: Any, view: View, packet_id: bytes) -> None:  # noqa: ANN401 - the engine's own type
    rows = connection.execute(SELECT_TICKETS, (packet_id,))
    view.tickets[packet_id] = [(user_id, _make_claim(*values)) for user_id, *values in rows]


def _load_purse(connection: Any, view: View, user_id: bytes) -> None:  # noqa: ANN401 - the engine's own type
    """Read a person's grants that have coins left; those in memory are as new as the stored."""
    rows, purse = view.grants.rows, []
    for order_id, *values in connection.execute(SELECT_PURSE, (user_id,)):
        purse.append(order_id)
        if rows.get(order_id) is None:
            rows[order_id] = GRANTS.make(*values)
    view.purses[user_id] = purse
