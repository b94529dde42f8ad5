"""The loader: reads what a batch wants into its view, a few set-based reads on any engine (装载).

Law: a row that was asked for and is not there is known to be absent, once the reading is through:
one that fails half-way may be done again. A row that the view has is newer than the stored one, and
is left alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

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

Rows = Iterable[Sequence[Any]]


class Question(NamedTuple):
    """A statement that reads, and its values; lines of values where an engine asks for many so."""

    text: str
    values: Sequence[Any]
    is_of_lines: bool = False


class Reading(NamedTuple):
    """Questions that belong together, and what takes the rows of each, in their order."""

    questions: list[Question]
    take: Callable[[Iterable[Rows]], None]


# Answers questions in their order; an engine may be told all of them before the first is answered.
Ask = Callable[[Any, list[Question]], Iterable[Rows]]
# Says how an engine best finds rows by keys of two columns.
AskPairs = Callable[[TableRow, list[tuple[bytes, bytes]]], list[Question]]


class Loader:
    """Fills views over any connection that executes our statements."""

    def __init__(self, ask: Ask, ask_pairs: AskPairs) -> None:
        self._ask = ask
        self._ask_pairs = ask_pairs

    def load(self, connection: Any, view: View, wanted: Wanted) -> None:  # noqa: ANN401 - the engine's own type
        """Read every wanted row the view does not have yet.

        Raises: what the engine raises.
        """
        readings = list(self._readings(view, wanted))
        questions = [question for reading in readings for question in reading.questions]
        answers = iter(self._ask(connection, questions))
        for reading in readings:
            reading.take(islice(answers, len(reading.questions)))

    def _readings(self, view: View, wanted: Wanted) -> Iterator[Reading]:
        # All names at once: a command that leads on to new rows comes here alone.
        for table, keys in zip(TABLES, _named(wanted), strict=True):
            if keys:
                rows = getattr(view, table.attribute).rows
                missing = keys.difference(rows)
                if missing:
                    yield self._table(table, rows, list(missing))
        if wanted.keys and (missing := wanted.keys.difference(view.seen)):
            yield _keys(view, list(missing))
        for packet_id in wanted.tickets.difference(view.tickets):
            yield _tickets(view, packet_id)
        for user_id in wanted.purses.difference(view.purses):
            yield _purse(view, user_id)

    def _table(self, table: TableRow, rows: dict[bytes, Any], missing: list[bytes]) -> Reading:
        found: dict[bytes, Any] = dict.fromkeys(missing)
        make, width, cut = table.make, len(table.key), table.cut

        def take(answers: Iterable[Rows]) -> None:
            for answer in answers:
                for row in answer:
                    found[b"".join(row[:width])] = make(*row[width:])
            rows.update(found)

        if cut:
            pairs = [(key[:cut], key[cut:]) for key in missing]
            return Reading(self._ask_pairs(table, pairs), take)
        statements = SELECTS[table.name]
        return Reading([Question(statements[size], chunk) for size, chunk in chunks(missing)], take)


def _keys(view: View, missing: list[bytes]) -> Reading:
    found: dict[bytes, Any] = dict.fromkeys(missing)

    def take(answers: Iterable[Rows]) -> None:
        for answer in answers:
            for key, *row in answer:
                found[key] = decode(Row(*row)).record
        view.seen.update(found)

    asked = [Question(SELECT_KEYS[size], (view.lane, *chunk)) for size, chunk in chunks(missing)]
    return Reading(asked, take)


def _tickets(view: View, packet_id: bytes) -> Reading:
    def take(answers: Iterable[Rows]) -> None:
        (answer,) = answers
        view.tickets[packet_id] = [(user_id, _make_claim(*values)) for user_id, *values in answer]

    return Reading([Question(SELECT_TICKETS, (packet_id,))], take)


def _purse(view: View, user_id: bytes) -> Reading:
    """Read a person's grants that have coins left; those in memory are as new as the stored."""

    def take(answers: Iterable[Rows]) -> None:
        rows, purse = view.grants.rows, []
        (answer,) = answers
        for order_id, *values in answer:
            purse.append(order_id)
            if rows.get(order_id) is None:
                rows[order_id] = GRANTS.make(*values)
        view.purses[user_id] = purse

    return Reading([Question(SELECT_PURSE, (user_id,))], take)
