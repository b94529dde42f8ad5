"""What a lane needs of a database; every adapter passes one contract suite."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lingqian.flows.view import Relay, View, Wanted
from lingqian.ledger.posting import Entry
from lingqian.storage.codec import Row

Values = Sequence[Any] | Mapping[str, Any]


class Rows(Protocol):
    """The answer to one statement: rows to iterate over or to fetch."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""
        ...

    def __next__(self) -> Any:  # noqa: ANN401 - a row of the engine
        """Return the next row."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 - a row of the engine
        """Return the next row; None when there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...


class Connection(Protocol):
    """One connection to a database, as readers and chores use it; belongs to one thread.

    Statements are written as the embedded engine reads them; values are `?`, `?2` or `:name`.
    """

    def execute(self, text: str, values: Any = ..., /) -> Rows:  # noqa: ANN401 - each engine has its own word for values
        """Run one statement and return its rows."""
        ...

    def executemany(self, text: str, lines: Iterable[Any], /) -> Any:  # noqa: ANN401 - rows, where there are any
        """Run one statement for each line of values."""
        ...

    def changes(self) -> int:
        """Return how many rows the last statement found and wrote, or removed."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


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


class Parked(NamedTuple):
    """A message that is no command: where it lay, why it was passed over, its bytes sealed."""

    message_id: bytes
    place: int
    at_us: int
    reason: str
    mac: bytes
    sealed: bytes


class Taken(NamedTuple):
    """How far a lane has read a stream: the topic's identity, and the place that comes next."""

    lane: int
    stream: str
    topic: bytes
    place: int
    parked: tuple[Parked, ...] = ()


class Batch(NamedTuple):
    """Everything one lane writes in one transaction; `dirty` is table name → key → row object.

    A batch that only says how far a stream was read has no rows, and leaves the lane as it was.
    """

    before: LaneRow
    after: LaneRow
    rows: list[Row]
    keys: list[tuple[bytes, int]]
    entries: list[Entry]
    relays: list[Relay]
    trails: list[tuple[bytes, int]]
    personal: list[Personal]
    dirty: list[tuple[int, dict[bytes, Any]]]
    taken: tuple[Taken, ...] = ()


class Database(Protocol):
    """Where the rows of a wallet are; its text says so in messages."""

    def store(self) -> "Store":
        """Open the writer's store, with the newest schema.

        Raises: Damaged, Unsent.
        """
        ...

    def reader(self) -> Connection:
        """Open a connection for reads, each on what is committed; belongs to the thread that asks.

        Where the rows are somewhere else, its reads raise Unsent while they cannot be asked for.
        """
        ...

    def visitor(self) -> Connection:
        """Open a connection for small writes, whether or not a server is running on the rows.

        Raises: Damaged, Fenced, Unsent.
        """
        ...

    @property
    def away_s(self) -> float:
        """How long no read has had an answer; 0 when the last one had. Unit: seconds."""
        ...


class Store(Protocol):
    """A database for lanes: loads by key, commits batches, and can say what became of one.

    `errors`: how often it has failed, by class; counted by its own thread, read by any.
    """

    errors: Counter[str]

    def take(self, lanes: Sequence[int]) -> list[LaneRow]:
        """Take lanes: raise their epochs, which fences every earlier owner; return their rows.

        All of them in one durable transaction, or none; the rows stand in the order of `lanes`.
        Raises: Unsent; taking them again is always safe.
        """
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
        """Run other writes in a transaction of their own; one after the other, whoever asks.

        Raises: Unsent; Unknown when its commit was cut, and then only a look can tell.
        """
        ...

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database, between batches, when it is large."""
        ...

    def close(self) -> None:
        """Release the database."""
        ...


class SharedStore(Store, Protocol):
    """A database that other processes write too."""

    def write(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Run writes that compare what they set, in a transaction of their own and without a turn.

        Raises: Unsent; Unknown when its commit was cut, and then only a look can tell.
        """
        ...
