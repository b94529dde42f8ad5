"""The ferry: money between lanes carried over a bus instead of by calls (总线转账).

Law: what waits is what the ledger says; the bus only brings it nearer. A delivery that does not
move the receiver's watermark in time is told again from the journal, so a message that was lost,
or came before the one it follows, costs a moment and nothing else.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from lingqian.events.bus import RELAY, Bus, Message
from lingqian.events.tally import Tally
from lingqian.flows.command import DeliverRelay
from lingqian.storage.lane import Submission
from lingqian.storage.wire import write_submission

AGAIN_AFTER_S: Final = 1.0


class _Sent(NamedTuple):
    """The first item of what was told last between two lanes, and when."""

    first: int
    at_s: float


class Ferry:
    """Tells what lanes have let go for others. Belongs to one thread."""

    def __init__(
        self,
        bus: Bus,
        waiting: Callable[[], Iterable[DeliverRelay]],
        tally: Tally,
        again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self._bus = bus
        self._waiting = waiting
        self._tally = tally
        self._again_after_s = again_after_s
        self._sent: dict[tuple[int, int], _Sent] = {}

    def round(self) -> int:
        """Tell what waits and is not on its way; return how many deliveries were told.

        Raises: Unsent.
        """
        now_s = time.monotonic()
        due = [each for each in self._waiting() if self._is_due(each, now_s)]
        if due:
            self._bus.append(RELAY, [(each.lane, _message(each)) for each in due])
            self._tally.carried += len(due)
        for each in due:
            self._sent[each.source, each.lane] = _Sent(each.first, now_s)
        return len(due)

    def _is_due(self, command: DeliverRelay, now_s: float) -> bool:
        """Say whether a delivery is new, or has been on its way for too long."""
        sent = self._sent.get((command.source, command.lane))
        return (
            sent is None or sent.first != command.first or now_s >= sent.at_s + self._again_after_s
        )


def _message(command: DeliverRelay) -> Message:
    key = b"%d" % command.source
    return Message(key, write_submission(Submission(command)), (("first", b"%d" % command.first),))
