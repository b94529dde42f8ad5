"""A lane's store over the MySQL protocol: MariaDB, MySQL and TiDB (MySQL 协议存储).

Law: an answer is given only after the server has said that COMMIT is done. A commit whose answer
was lost is unknown until a new epoch is durable; the connection that may still hold it is ended
first. Whoever raised the epoch last has left a token, so nobody fences a successor by mistake.

A lane's rows are said ahead, each statement before the last is answered, so where one undoes the
transaction those behind it still run: not one of them may be a transaction of its own. COMMIT is
said when every answer has been read and none was an error.
"""

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from pymysql.err import Error  # type: ignore[import-untyped]  # as above

from lingqian.flows.view import View, Wanted
from lingqian.kernel.bound import (
    DATABASE_PAUSE_MS_MAX,
    DATABASE_PAUSE_MS_MIN,
)
from lingqian.kernel.fault import Fault, Fenced, Unknown, Unsent
from lingqian.storage.loader import Loader, Question, Rows
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.engine import Engine
from lingqian.storage.mysql.link import Link
from lingqian.storage.mysql.meaning import Meaning, code_of, meaning_of
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.schema import migrate
from lingqian.storage.port import Batch, LaneRow
from lingqian.storage.position import positions
from lingqian.storage.schema import TABLES, TableRow
from lingqian.storage.sql import (
    ADVANCE_LANE,
    INSERT_ROW,
    INSERTS,
    SELECT_LANE,
    additions,
    fence,
    replacements,
    select,
)

_BATCH_ID_NONE: Final = bytes(16)
_TOKEN_BYTES: Final = 16
_PAIRS_AT_ONCE: Final = 64
_LOCK_WAIT: Final = 1205
# No statement commits itself, not even behind one that has undone the transaction; and as always.
_TOGETHER: Final = "SET autocommit = 0"
_EACH: Final = "SET autocommit = 1"
_AT_COMMIT: Final = {Unsent: "nothing was written", Unknown: "the commit was cut"}
_UPTIME: Final = "SHOW GLOBAL STATUS LIKE 'Uptime'"
_NOW: Final = "SELECT UNIX_TIMESTAMP()"
_OWN: Final = "SELECT CONNECTION_ID(), UNIX_TIMESTAMP()"


def _replace(table: TableRow) -> str:
    """Return the statement that writes a row anew under its own key, and under no other.

    The engine would also take a row that another unique index finds: then the key differs, and
    the key's column, which may not be empty, refuses.
    """
    key = table.key[-1]
    same = " AND ".join(f'"{name}" = VALUES("{name}")' for name in table.key)
    sets = ", ".join(f'"{name}" = VALUES("{name}")' for name in table.columns)
    own = f'"{key}" = IF({same}, VALUES("{key}"), NULL)'
    return f"{INSERT_ROW[table.name]} ON DUPLICATE KEY UPDATE {own}, {sets}"


REPLACE: Final = {table.name: _replace(table) for table in TABLES}
PUT_PERSONAL: Final = INSERTS["personal"] + (
    " ON DUPLICATE KEY UPDATE cipher = VALUES(cipher), mac = VALUES(mac)"
)
NEW_LANE: Final = (
    "INSERT INTO lanes (lane, epoch, next_seq, batch_id, head, at_us, owner, connection, "
    "connected_s) VALUES (?, 0, 1, ?, ?, 0, ?, 0, 0) ON DUPLICATE KEY UPDATE lane = VALUES(lane)"
)
TAKE_LANE: Final = (
    "UPDATE lanes SET epoch = epoch + 1, owner = ?, connection = ?, connected_s = ? WHERE lane = ?"
)
FENCE_LANE: Final = (
    "UPDATE lanes SET epoch = epoch + 1, connection = ?, connected_s = ? "
    "WHERE lane = ? AND owner = ?"
)
NOTE_CONNECTION: Final = (
    "UPDATE lanes SET connection = ?, connected_s = ? WHERE lane = ? AND owner = ?"
)
# Whose turn it is to do a chore: the row is there, or it is made; either way it is locked.
TAKE_TURN: Final = (
    "INSERT INTO settings (name, value) VALUES ('turn', '') "
    "ON DUPLICATE KEY UPDATE value = VALUES(value)"
)
SELECT_NUMBERS: Final = "SELECT lane FROM lanes"
SELECT_OWN: Final = "SELECT lane, epoch, next_seq, batch_id, head, at_us FROM lanes WHERE owner = ?"
SELECT_HOLDER: Final = "SELECT connection, connected_s FROM lanes WHERE lane = ?"


class _Holder(NamedTuple):
    """A connection as the server knows it: its number, and since when by the server's clock."""

    number: int
    since_s: int


class MysqlStore:
    """The store of one lane group. All methods belong to the one thread that writes.

    Opening raises: Damaged when the schema is not ours; Unsent when the server cannot be reached
    or promises too little.
    """

    def __init__(self, address: Address, options: Options = Options()) -> None:  # noqa: B008 - a frozen value
        self._address = address
        self._options = options
        self._engine: Engine
        self._token = secrets.token_bytes(_TOKEN_BYTES)
        self._lanes: set[int] = set()
        self._troubles = 0
        self._holder = _Holder(0, 0)
        # Errors by their class, for whoever watches; written by this thread, read by any.
        self.errors: Counter[str] = Counter()
        try:
            self._connection = self._open()
            migrate(self._connection)
        except Error as error:
            raise Unsent(f"{address!r} cannot be used: {error}") from error

    # --- connections ----------------------------------------------------------------------------

    def _open(self) -> Link:
        """Open the writer's connection and end the one before it, which may hold a lane's row."""
        link, self._engine = connect(self._address, self._options)
        holder = _Holder(*link.execute(_OWN).fetchone())
        if self._holder.number not in {0, holder.number}:
            self._end(link, self._holder)
        self._holder = holder
        return link

    def _end(self, link: Link, holder: _Holder) -> None:
        """End a connection at the server, unless it began anew and its numbers are others' now.

        What fails here is no worse than not asking: the row stays locked for a while.
        """
        with suppress(Error):
            if self._engine.reuses_numbers:
                uptime_s = int(link.execute(_UPTIME).fetchone()[1])
                if holder.since_s < link.execute(_NOW).fetchone()[0] - uptime_s:
                    return
            link.execute(self._engine.kill.format(holder.number))

    def _ready(self) -> Link:
        """Return the writer's connection, a new one when the last one was lost."""
        if not self._connection.is_open:
            self._connection = link = self._open()
            for lane in sorted(self._lanes):
                link.execute(NOTE_CONNECTION, (*self._holder, lane, self._token))
        return self._connection

    def _counted(self, error: Error) -> Meaning:
        meaning = meaning_of(error)
        self.errors[meaning.name] += 1
        return meaning

    def _give_up(self, error: Error) -> Meaning:
        """Leave no transaction behind: end it by name, or end the connection it is in."""
        meaning = self._counted(error)
        if not meaning.ends_link:
            self._rollback()
        else:
            self._connection.close()
        if meaning.pauses:
            self._pause()
        return meaning

    def _pause(self) -> None:
        """Wait a moment that grows with each trouble in a row and differs between neighbours."""
        longest_ms = min(DATABASE_PAUSE_MS_MAX, DATABASE_PAUSE_MS_MIN * 2**self._troubles)
        self._troubles += 1
        time.sleep(longest_ms / 1_000 * random.uniform(0.5, 1.0))  # noqa: S311 - only when to ask again

    @property
    def connection(self) -> Link:
        """The writer's connection, for reads and chores on the writer's own thread."""
        return self._connection

    @property
    def engine(self) -> Engine:
        """Which engine answered."""
        return self._engine

    # --- what a lane asks -------------------------------------------------------------------------

    def take(self, lanes: Sequence[int]) -> list[LaneRow]:
        """Take lanes: raise their epochs, which fences every earlier owner; return their rows.

        One commit, however many they are: while they are taken nobody answers.
        Raises: Unsent; taking them again is always safe.
        """
        ended: set[int] = set()
        try:
            while (held := self._raise_epochs(sorted(lanes))) is not None:
                if held in ended:
                    self._pause()
                    raise Unsent(f"taking lanes: the row of lane {held} stays locked")
                ended.add(held)
                self._end_holder(held)
            return self._taken(lanes)
        except Error as error:
            raise self._unsent("taking lanes", error) from error

    def _raise_epochs(self, lanes: list[int]) -> int | None:
        """Raise the epochs of lanes, in the order in which everybody locks them.

        Returns a lane whose row somebody holds and does not let go, and then none was raised.
        """
        link = self._ready()
        self._make(link, lanes)
        link.execute(self._engine.begin)
        for lane in lanes:
            try:
                link.execute(TAKE_LANE, (self._token, *self._holder, lane))
            except Error as error:
                if code_of(error) != _LOCK_WAIT:
                    raise
                self._counted(error)
                link.execute("ROLLBACK")
                return lane
        link.execute("COMMIT")
        self._lanes.update(lanes)
        return None

    def _make(self, link: Link, lanes: list[int]) -> None:
        """Make the rows of lanes that never were; looking at the others locks none of them."""
        there = {lane for (lane,) in link.execute(SELECT_NUMBERS)}
        new = [(lane, _BATCH_ID_NONE, bytes(32), b"") for lane in lanes if lane not in there]
        link.executemany(NEW_LANE, new)

    def _taken(self, lanes: Sequence[int]) -> list[LaneRow]:
        """Return the rows of lanes that were taken just now.

        Raises: Unsent when somebody has taken one since: his epoch must not pass for ours.
        """
        rows = {
            row[0]: LaneRow(*row) for row in self._connection.execute(SELECT_OWN, (self._token,))
        }
        if lost := [lane for lane in lanes if lane not in rows]:
            raise Unsent(f"lane {lost[0]} was taken by somebody else at the same time")
        return [rows[lane] for lane in lanes]

    def _end_holder(self, lane: int) -> None:
        """End the connection that a lane's owner commits through: it has stopped in the middle."""
        held = self._connection.execute(SELECT_HOLDER, (lane,)).fetchone()
        if held is not None and held[0]:
            self._end(self._connection, _Holder(*held))

    def _unsent(self, what: str, error: Error) -> Fault:
        return self._give_up(error).before(f"{what}: {error}")

    def load(self, view: View, wanted: Wanted) -> None:
        """Read every wanted row the view does not have yet, a few set-based reads.

        Raises: Unsent when the server cannot read now.
        """
        self.read(lambda link: _LOADER.load(link, view, wanted))

    def read(self, work: Callable[[Link], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Do reads on the writer's connection, between batches.

        A connection that was lost while nobody used it is found out here, and mended in passing:
        the work is done again.
        Raises: Unsent when the server cannot be asked now.
        """
        try:
            try:
                return work(self._ready())
            except Error as error:
                if not meaning_of(error).ends_link:
                    raise
                self._counted(error)
                self._connection.close()
                return work(self._ready())
        except Error as error:
            raise self._unsent("nothing was read", error) from error

    def commit(self, batches: list[Batch]) -> None:
        """Write the batches of one or more lanes in one durable transaction.

        Raises: Unsent, Unknown, Fenced.
        """
        try:
            link = self._ready()
            self._advance(link, batches)
            for batch in batches:
                _say(link, batch)
            link.hear()
        except Error as error:
            raise self._unsent("nothing was written", error) from error
        except BaseException:
            self._rollback()
            raise
        self._finish()
        self._end_together()

    def _advance(self, link: Link, batches: list[Batch]) -> None:
        """Begin, and move each lane on; what stands behind it is not said before that is heard.

        Whoever still holds a lane's row lets us wait once, and not at every statement.
        """
        is_optimistic = self._options.is_optimistic
        link.say(_TOGETHER)
        link.say(self._engine.begin_lane if is_optimistic else self._engine.begin)
        for batch in batches:
            link.say(ADVANCE_LANE, fence(batch))
        for batch, found in zip(batches, link.hear()[-len(batches) :], strict=True):
            if found != 1:
                raise Fenced(f"lane {batch.before.lane} has another owner")

    def _end_together(self) -> None:
        """Let each statement commit itself again; a connection that cannot be told is gone."""
        with suppress(Error):
            self._connection.say(_EACH)

    def _finish(self) -> None:
        """Commit, and say of a commit that failed whether it is known to have failed."""
        try:
            self._connection.execute("COMMIT")
        except Error as error:
            fault = self._give_up(error).at_commit
            raise fault(f"{_AT_COMMIT[fault]}: {error}") from error
        self._troubles = 0

    def _rollback(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
            self._connection.say(_EACH)
        except Error:
            self._connection.close()

    def chore(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Run other writes in a transaction of their own, one after the other as on one machine.

        A chore looks and then writes; on every process's chore there is one turn, which ends with
        its transaction.
        Raises: Unsent; Unknown when its commit was cut, and then only a look can tell.
        """

        def take_turn(link: Link) -> Any:  # noqa: ANN401 - what the work returns
            link.execute(TAKE_TURN)
            return work(link)

        return self.write(take_turn, self._engine.begin_chore)

    def write(
        self,
        work: Callable[[Any], Any],
        begin: tuple[str, ...] = (),
    ) -> Any:  # noqa: ANN401 - what the work returns
        """Run writes that compare what they set, in a transaction of their own and without a turn.

        Raises: Unsent; Unknown when its commit was cut, and then only a look can tell.
        """
        try:
            link = self._ready()
            for statement in begin or (self._engine.begin,):
                link.execute(statement)
            done = work(link)
        except Error as error:
            raise self._unsent("a chore", error) from error
        except BaseException:
            self._rollback()
            raise
        self._finish()
        return done

    def resolve(self, batches: list[Batch]) -> list[LaneRow]:
        """Fence an unknown commit on a new connection, then read what became of it.

        The reading is a transaction after the fence's own: what it sees can no longer change.
        Raises: Unknown when the database still cannot be asked; Fenced when the lane has been
        taken by somebody else, who will answer for it.
        """
        self._connection.close()
        lanes = [batch.before.lane for batch in batches]
        try:
            self._connection = link = self._open()
            link.execute(self._engine.begin)
            for lane in sorted(lanes):
                self._fence(link, lane)
            link.execute("COMMIT")
            return [_lane_row(link, lane) for lane in lanes]
        except Fenced:
            self._rollback()
            raise
        except (Error, Unsent) as error:
            if isinstance(error, Error):
                self._counted(error)
            self._connection.close()
            raise Unknown(f"the database cannot be asked: {error}") from error

    def _fence(self, link: Link, lane: int) -> None:
        if link.execute(FENCE_LANE, (*self._holder, lane, self._token)).rowcount != 1:
            raise Fenced(f"lane {lane} has another owner")

    def checkpoint(self) -> None:
        """Do nothing: the server keeps its own log."""

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()


def _say(link: Link, batch: Batch) -> None:
    """Say a batch's rows, all but its lane's."""
    for name, lines in additions(batch):
        link.say_many(INSERTS[name], lines)
    if batch.personal:
        link.say_many(PUT_PERSONAL, batch.personal)
    for name, lines in replacements(batch):
        link.say_many(REPLACE[name], lines)
    for statement, lines in positions(batch):
        link.say_many(statement, lines)


def _lane_row(link: Link, lane: int) -> LaneRow:
    return LaneRow(*link.execute(SELECT_LANE, (lane,)).fetchone())


def _ask(link: Link, questions: list[Question]) -> Sequence[Rows]:
    """Say all of them ahead: the way there and back is made once."""
    return link.ask([(text, values) for text, values, _ in questions])


def _ask_pairs(table: TableRow, pairs: list[tuple[bytes, bytes]]) -> list[Question]:
    """Find many at once: each pair is a seek in one statement."""
    one = " AND ".join(f'"{name}" = ?' for name in table.key)
    asked = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        text = select(table) + " OR ".join([f"({one})"] * len(some))
        asked.append(Question(text, [part for pair in some for part in pair]))
    return asked


_LOADER: Final = Loader(_ask, _ask_pairs)
