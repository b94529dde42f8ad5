"""Acts: what operators did, written before it is done and again when it has ended (操作日志).

Law: rows are only added; number n is one more than the one before, and its chain is a keyed digest
over that one's chain and its own columns. Nothing of a request's body stands in it.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault
from lingqian.storage.walk import Way, walk

CHAIN_BYTES: Final = 16
_COLUMNS: Final = "number, at_us, actor, operation, subject, status, chain"
SELECT_LAST: Final = f"SELECT {_COLUMNS} FROM acts ORDER BY number DESC LIMIT 1"  # noqa: S608 - our columns
SELECT_ACTS: Final = f"SELECT {_COLUMNS} FROM acts WHERE number < ? ORDER BY number DESC LIMIT ?"  # noqa: S608 - as above
_ALL: Final = Way("acts", ("number",), tuple(_COLUMNS.split(", "))[1:])
INSERT_ACT: Final = f"INSERT INTO acts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above


class Deed(NamedTuple):
    """Who does what to what; `status` is 0 before it is done, then that of its answer.

    Units: µs of real time.
    """

    at_us: int
    actor: str
    operation: str
    subject: str
    status: int


class Act(NamedTuple):
    """A deed as it is kept."""

    number: int
    deed: Deed
    chain: bytes


def _act(row: Any) -> Act:  # noqa: ANN401 - a row of the engine
    return Act(row[0], Deed(*row[1:6]), row[6])


def chain_of(vault: Vault, before: bytes, number: int, deed: Deed) -> bytes:
    """Return the keyed digest that binds an act to the one before it."""
    parts = (before, *[str(each).encode() for each in (number, *deed)])
    return vault.mac("act", *parts)


def add_act(connection: Connection, vault: Vault, deed: Deed) -> int:
    """Write an act behind the last one; return its number."""
    row: Any = connection.execute(SELECT_LAST).fetchone()
    last = Act(0, deed, b"") if row is None else _act(row)
    number = last.number + 1
    chain = chain_of(vault, last.chain, number, deed)
    connection.execute(INSERT_ACT, (number, *deed, chain))
    return number


def acts(connection: Connection, before: int, count: int) -> list[Act]:
    """Return acts before a number, the newest first."""
    return [_act(row) for row in connection.execute(SELECT_ACTS, (before, count))]


def broken_acts(connection: Connection, vault: Vault | None) -> Iterator[tuple[int, str]]:
    """Yield the number of each act that contradicts its neighbours, and how."""
    before, expected = b"", 1
    for row in walk(connection, _ALL):
        act = _act(row)
        if act.number != expected:
            yield act.number, f"acts {expected} to {act.number - 1} are missing"
        elif vault is not None and act.chain != chain_of(vault, before, act.number, act.deed):
            yield act.number, "its digest is not that of itself and the act before it"
        elif len(act.chain) != CHAIN_BYTES or act.deed.at_us <= 0:
            yield act.number, "its digest or its time has no shape"
        before, expected = act.chain, act.number + 1
