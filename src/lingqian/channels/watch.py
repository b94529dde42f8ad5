"""The watch over an account's hosts: keeps the state that routing is a function of (渠道健康).

Law: one value, replaced whole; whoever reads it sees a moment that was.
"""

from collections.abc import Callable, Sequence

from lingqian.channels.route import Line, Sample, State, began, ended, open_hosts


class Board:
    """The health of every line of every account; shared by all channels of a process."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.state = State()

    def of(self, account: str) -> "AccountWatch":
        """Return the watch that one account's client reports to."""
        return AccountWatch(self, account)

    def now_us(self) -> int:
        """Return the time the board goes by. Units: µs."""
        return self._clock()


class AccountWatch:
    """One account's view of the board."""

    def __init__(self, board: Board, account: str) -> None:
        self._board = board
        self._account = account

    def hosts(self, verb: str, hosts: Sequence[str]) -> Sequence[str]:
        """Return the hosts that may be asked, in order; none while all of them rest."""
        return open_hosts(self._board.state, self._account, verb, hosts, self._board.now_us())

    def begin(self, host: str, verb: str) -> None:
        """Hear that a call goes out; it may be a probe."""
        line = Line(self._account, host, verb)
        self._board.state = began(self._board.state, line, self._board.now_us())

    def note(self, host: str, verb: str, took_us: int, is_failure: bool) -> None:  # noqa: FBT001 - one reading
        """Hear how a call went; a refusal by business is no failure."""
        line = Line(self._account, host, verb)
        sample = Sample(line, self._board.now_us(), took_us, is_failure)
        self._board.state = ended(self._board.state, sample)
