"""Readers and visitors: connections that mend themselves, one thread's each (读连接).

Law: a read may be asked twice, so one that was cut is; inside a snapshot it may not, because the
second half would be of another moment. A write may never: it may have been done.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from pymysql.err import Error  # type: ignore[import-untyped]  # the driver has no types

from lingqian.kernel.fault import Unsent
from lingqian.storage.mysql.link import Link
from lingqian.storage.mysql.meaning import meaning_of
from lingqian.storage.port import Values
from lingqian.storage.reach import Reach

_REST_S: Final = 0.5
_BEGIN: Final = "BEGIN"
_ENDS: Final = frozenset({"COMMIT", "ROLLBACK"})


class Reader:
    """A `Connection` of the port for one thread; it is opened when it is first needed.

    Every method raises Unsent while the server cannot be asked, and Damaged when it says so.
    """

    _what = "nothing was read"

    def __init__(self, open_link: Callable[[], Link], reach: Reach | None = None) -> None:
        self._open_link = open_link
        self._reach = reach or Reach()
        self._link: Link | None = None
        # Whether reads are of one moment now, between BEGIN and its end.
        self._is_within = False
        self._not_before_s = 0.0

    def execute(self, text: str, values: Values = ()) -> Any:  # noqa: ANN401 - a cursor
        """Run one statement; return its rows."""
        if text in _ENDS:
            if not self._is_within:
                return None  # the connection it began on is gone, and the moment with it
            self._is_within = False
        rows = self._asked(lambda link: link.execute(text, values))
        self._is_within = self._is_within or text == _BEGIN
        return rows

    def executemany(self, text: str, lines: Iterable[Values]) -> None:
        """Run a statement for each line."""
        kept = list(lines)
        self._asked(lambda link: link.executemany(text, kept))

    def changes(self) -> int:
        """Return how many rows the last statement found and wrote."""
        return 0 if self._link is None else self._link.changes()

    def _asked(self, ask: Callable[[Link], Any]) -> Any:  # noqa: ANN401 - what the asking returns
        try:
            found = self._tried(ask)
        except Unsent:
            self._reach.failed()
            raise
        self._reach.answered()
        return found

    def _tried(self, ask: Callable[[Link], Any]) -> Any:  # noqa: ANN401 - what the asking returns
        try:
            if self._link is not None and self._link.is_open:
                try:
                    return ask(self._link)
                except Error as error:
                    if not (self._may_ask_again and _is_cut(error)):
                        raise
                    self.close()
            return ask(self._ready())
        except Error as error:
            meaning = meaning_of(error)
            if meaning.ends_link:
                self.close()
            raise meaning.before(f"{self._what}: {error}") from error

    @property
    def _may_ask_again(self) -> bool:
        return not self._is_within

    def _ready(self) -> Link:
        if self._link is None or not self._link.is_open:
            self._is_within = False
            self._link = self._opened()
        return self._link

    def _opened(self) -> Link:
        """Open a connection, but not again at once after it failed: people are waiting.

        Raises: Unsent; what the driver raises.
        """
        if time.monotonic() < self._not_before_s:
            raise Unsent("the database could not be reached a moment ago")
        try:
            return self._open_link()
        except (Error, Unsent):
            self._not_before_s = time.monotonic() + _REST_S
            raise

    def close(self) -> None:
        """Let the connection go; the next read opens another."""
        self._is_within = False
        if self._link is not None:
            self._link.close()
            self._link = None


def _is_cut(error: Error) -> bool:
    """Say whether it was the connection that failed, and not what lies behind it."""
    meaning = meaning_of(error)
    return meaning.ends_link and meaning.before is Unsent


class Visitor(Reader):
    """A connection for small writes beside whoever else writes, each a transaction of its own."""

    _what = "it may not have been written"

    @property
    def _may_ask_again(self) -> bool:
        return False
