"""What a lane needs of a database; every adapter passes one contract suite."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from lingqian.flows.view import Relay, View, Wanted
from lingqian.ledger.posting import Entry
from lingqian.storage.codec import Row


class LaneRow(NamedTuple):
    """A lane's fence and position, as stored."""

    lane: int
    epoch: int
    next_seq: int
    batch_id: bytes
    head: bytes
    at_us: int


class Personal(NamedTuple):
    """One encrypted field of personal data, stored beside the command that brought it."""

    owner_id: bytes
    field: int
    cipher: bytes
    mac: bytes


class Batch(NamedTuple):
    """Everything one lane writes in one transaction; `dirty` is table name → key → row object."""

    before: LaneRow
    after: LaneRow
    rows: list[Row]
    keys: list[tuple[bytes, int]]
    entries: list[Entry]
    relays: list[Relay]
    trails: list[tuple[bytes, int]]
    personal: list[Personal]
    dirty: list[tuple[int, dict[bytes, Any]]]


class Store(Protocol):
    """A database for lanes: loads by key, commits batches, and can say what became of one."""

    def lane(self, lane: int) -> LaneRow:
        """Take a lane: raise its epoch, which fences every earlier owner, and return its row."""
        ...

    def load(self, view: View, wanted: Wanted) -> None:
        """Read every wanted row the view does not have yet, a few set-based reads."""
        ...

    def commit(self, batches: list[Batch]) -> None:
        """Write the batches of one or more lanes in one durable transaction.

        Raises: Unsent (nothing written), Unknown (ask `resolve`), Fenced (another owner).
        """
        ...

    def resolve(self, batches: list[Batch]) -> list[LaneRow]:
        """Fence an unknown commit by a new epoch, then read back the lanes' rows.

        A row whose `batch_id` is the batch's own says that it was committed.
        Raises: Unknown when the database still cannot be asked; Fenced when a lane has another
        owner by now, who will answer for it.
        """
        ...

    @property
    def connection(self) -> Any:  # noqa: ANN401 - the engine's own type
        """The writer's connection, for reads on its thread."""
        ...

    def read(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Do reads on the writer's connection, between batches.

        Raises: Unsent when the database cannot be asked now.
        """
        ...

    def chore(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Run other writes in a transaction of their own.

        Raises: Unsent; Unknown when its commit was cut, and then only a look can tell.
        """
        ...

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database, between batches, when it is large."""
        ...

    def close(self) -> None:
        """Release the database."""
        ...
