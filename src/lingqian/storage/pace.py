"""The pace of a writer before a server: how much at once, and how long it gathers (节奏).

Law: what helps is added little by little, what hurts is taken back by half (AIMD). A server that
is overloaded gets smaller batches, and fewer of them. Source: house rule, decisions/0024.
"""

from collections import deque
from typing import Final, NamedTuple

from lingqian.kernel.bound import BATCH_COMMANDS_MAX, BATCH_COMMANDS_MIN, LINGER_MS_MAX

# A batch that takes longer than this keeps those behind it waiting for longer than anybody likes.
SLOW_MS: Final = 250
BATCH_STEP: Final = 8
# So many batches are looked back at; what is known of fewer is chance.
LOOK_BACK: Final = 64


class Pace(NamedTuple):
    """How much at once, and how long a batch is gathered. Units: commands; ms."""

    batch_max: int = BATCH_COMMANDS_MAX
    linger_ms: int = 0


class Seen(NamedTuple):
    """What the last batches were like. Units: ms; batches that failed because of the server."""

    p95_ms: int
    overloads: int


def adapt(pace: Pace, seen: Seen, batch_max: int = BATCH_COMMANDS_MAX) -> Pace:
    """Return the next pace; `batch_max` is what the operator allows."""
    batch, linger_ms = pace
    half = max(BATCH_COMMANDS_MIN, batch // 2)
    if seen.overloads:
        return Pace(half, min(LINGER_MS_MAX, 2 * linger_ms + 1))
    if seen.p95_ms > SLOW_MS:
        return Pace(half, linger_ms)
    return Pace(min(batch_max, batch + BATCH_STEP), max(0, linger_ms - 1))


class Pacer:
    """Remembers the last batches of a writer, and says what pace follows from them."""

    def __init__(self, batch_max: int) -> None:
        self._batch_max = batch_max
        self._took_ms: deque[int] = deque(maxlen=LOOK_BACK)
        self._overloads = 0
        self._since = 0
        self.pace = Pace(batch_max)

    def took(self, seconds: float) -> None:
        """Note a batch that was committed."""
        self._took_ms.append(int(seconds * 1_000))
        self._turn()

    def failed(self) -> None:
        """Note a batch that the server did not take; that is looked at now."""
        self._overloads += 1
        self._since = LOOK_BACK
        self._turn()

    def _turn(self) -> None:
        self._since += 1
        if self._since < LOOK_BACK:
            return
        slowest = sorted(self._took_ms)
        p95_ms = slowest[len(slowest) * 95 // 100] if slowest else 0
        self.pace = adapt(self.pace, Seen(p95_ms, self._overloads), self._batch_max)
        self._since = self._overloads = 0
